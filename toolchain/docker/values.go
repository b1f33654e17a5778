package main

import (
	"fmt"

	"github.com/hashicorp/go-cty/cty"
	"github.com/hashicorp/go-cty/cty/convert"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// toObject turns Pulumi properties into upstream's object of the type ty. Properties that the block does not have
// (the engine's and the official plugin's bookkeeping) are left out.
func toObject(props resource.PropertyMap, block map[string]*schema.Schema, ty cty.Type) (cty.Value, error) {
	values := make(map[string]cty.Value)
	for attribute, attributeType := range ty.AttributeTypes() {
		s, ok := block[attribute]
		if !ok { // "id" and "timeouts" are added to every resource by upstream's SDK.
			s = &schema.Schema{Type: schema.TypeString}
		}
		property := props[resource.PropertyKey(propertyName(attribute, s))]
		value, err := toValue(property, s, attributeType)
		if err != nil {
			return cty.NilVal, fmt.Errorf("%s: %w", propertyName(attribute, s), err)
		}
		values[attribute] = value
	}
	return cty.ObjectVal(values), nil
}

func toValue(property resource.PropertyValue, s *schema.Schema, ty cty.Type) (cty.Value, error) {
	switch {
	case property.IsComputed() || property.IsOutput():
		return cty.UnknownVal(ty), nil
	case property.IsSecret():
		return toValue(property.SecretValue().Element, s, ty)
	case property.IsNull():
		return unset(s, ty), nil
	case ty.IsListType() || ty.IsSetType():
		return toCollection(property, s, ty)
	case ty.IsMapType():
		return toMap(property, ty)
	case property.IsString():
		return convert.Convert(cty.StringVal(property.StringValue()), ty)
	case property.IsNumber():
		return convert.Convert(cty.NumberFloatVal(property.NumberValue()), ty)
	case property.IsBool():
		return convert.Convert(cty.BoolVal(property.BoolValue()), ty)
	default:
		return cty.NilVal, fmt.Errorf("a value of type %s does not fit here", property.TypeString())
	}
}

// unset is what upstream's SDK expects for an attribute that is not there.
func unset(s *schema.Schema, ty cty.Type) cty.Value {
	switch {
	case isBlock(s) && ty.IsListType():
		return cty.ListValEmpty(ty.ElementType())
	case isBlock(s) && ty.IsSetType():
		return cty.SetValEmpty(ty.ElementType())
	default:
		return cty.NullVal(ty)
	}
}

func toCollection(property resource.PropertyValue, s *schema.Schema, ty cty.Type) (cty.Value, error) {
	items := []resource.PropertyValue{property}
	if property.IsArray() {
		items = property.ArrayValue()
	}
	values := make([]cty.Value, 0, len(items))
	for i, item := range items {
		value, err := toElement(item, s, ty.ElementType())
		if err != nil {
			return cty.NilVal, fmt.Errorf("[%d]: %w", i, err)
		}
		values = append(values, value)
	}
	switch {
	case len(values) == 0 && ty.IsListType():
		return cty.ListValEmpty(ty.ElementType()), nil
	case len(values) == 0:
		return cty.SetValEmpty(ty.ElementType()), nil
	case ty.IsListType():
		return cty.ListVal(values), nil
	default:
		return cty.SetVal(values), nil
	}
}

func toElement(item resource.PropertyValue, s *schema.Schema, ty cty.Type) (cty.Value, error) {
	for item.IsSecret() {
		item = item.SecretValue().Element
	}
	block := nested(s)
	switch {
	case block != nil && item.IsObject():
		return toObject(item.ObjectValue(), block, ty)
	case block != nil && !item.IsComputed() && !item.IsNull():
		return cty.NilVal, fmt.Errorf("an object is needed here, not a value of type %s", item.TypeString())
	}
	elem, ok := s.Elem.(*schema.Schema)
	if !ok {
		elem = &schema.Schema{Type: schema.TypeString}
	}
	return toValue(item, elem, ty)
}

func toMap(property resource.PropertyValue, ty cty.Type) (cty.Value, error) {
	if !property.IsObject() {
		return cty.NilVal, fmt.Errorf("a map is needed here, not a value of type %s", property.TypeString())
	}
	values := make(map[string]cty.Value)
	for key, item := range property.ObjectValue() {
		value, err := toValue(item, &schema.Schema{Type: schema.TypeString}, ty.ElementType())
		if err != nil {
			return cty.NilVal, fmt.Errorf("[%q]: %w", key, err)
		}
		values[string(key)] = value
	}
	if len(values) == 0 {
		return cty.MapValEmpty(ty.ElementType()), nil
	}
	return cty.MapVal(values), nil
}

// fromObject turns upstream's object into Pulumi properties; unset ones are there as null.
func fromObject(value cty.Value, block map[string]*schema.Schema) resource.PropertyMap {
	props := make(resource.PropertyMap)
	for attribute, item := range value.AsValueMap() {
		if s, ok := block[attribute]; ok {
			props[resource.PropertyKey(propertyName(attribute, s))] = fromValue(item, s)
		} else if attribute == "id" {
			props["id"] = fromValue(item, nil)
		}
	}
	return props
}

// fromValue needs the schema only for collections.
func fromValue(value cty.Value, s *schema.Schema) resource.PropertyValue {
	switch ty := value.Type(); {
	case !value.IsKnown():
		return resource.MakeComputed(resource.NewStringProperty(""))
	case value.IsNull():
		return resource.NewNullProperty()
	case ty.IsListType() || ty.IsSetType():
		items := make([]resource.PropertyValue, 0, value.LengthInt())
		for _, item := range value.AsValueSlice() {
			items = append(items, fromElement(item, s))
		}
		if !isSingle(s) {
			return resource.NewArrayProperty(items)
		}
		if len(items) == 0 {
			return resource.NewNullProperty()
		}
		return items[0]
	case ty.IsMapType():
		props := make(resource.PropertyMap)
		for key, item := range value.AsValueMap() {
			props[resource.PropertyKey(key)] = fromValue(item, nil)
		}
		return resource.NewObjectProperty(props)
	case ty == cty.Number:
		number, _ := value.AsBigFloat().Float64()
		return resource.NewNumberProperty(number)
	case ty == cty.Bool:
		return resource.NewBoolProperty(value.True())
	default:
		return resource.NewStringProperty(value.AsString())
	}
}

func fromElement(item cty.Value, s *schema.Schema) resource.PropertyValue {
	if block := nested(s); block != nil && item.IsKnown() && !item.IsNull() {
		return resource.NewObjectProperty(fromObject(item, block))
	}
	elem, _ := s.Elem.(*schema.Schema)
	return fromValue(item, elem)
}

// equal compares two values of one type. Upstream reads back "", 0, false and [] for what was never set, so unset and
// zero are the same; whether a block is there at all does count.
func equal(a, b cty.Value) bool {
	if !a.IsKnown() || !b.IsKnown() {
		return !a.IsKnown() && !b.IsKnown()
	}
	if isZero(a) || isZero(b) {
		return isZero(a) && isZero(b)
	}
	switch ty := a.Type(); {
	case ty.IsObjectType() || ty.IsMapType():
		as, bs := a.AsValueMap(), b.AsValueMap()
		for key := range as {
			if other, ok := bs[key]; !ok || !equal(as[key], other) {
				return false
			}
		}
		return len(as) == len(bs)
	case ty.IsSetType():
		return a.LengthInt() == b.LengthInt() && len(without(a.AsValueSlice(), b.AsValueSlice(), equal)) == 0
	case ty.IsListType():
		as, bs := a.AsValueSlice(), b.AsValueSlice()
		for i := range min(len(as), len(bs)) {
			if !equal(as[i], bs[i]) {
				return false
			}
		}
		return len(as) == len(bs)
	default:
		return a.RawEquals(b)
	}
}

// isZero tells whether a known value is null, empty, 0, "" or false. An object is zero only as null.
func isZero(value cty.Value) bool {
	switch ty := value.Type(); {
	case value.IsNull():
		return true
	case ty.IsListType() || ty.IsSetType() || ty.IsMapType():
		return value.LengthInt() == 0
	case ty == cty.String:
		return value.AsString() == ""
	case ty == cty.Number:
		return value.RawEquals(cty.Zero)
	case ty == cty.Bool:
		return value.False()
	default:
		return false
	}
}

// without returns the indices of the items that have no counterpart of their own among the others.
func without[T any](items, others []T, same func(T, T) bool) []int {
	taken := make([]bool, len(others))
	var left []int
next:
	for i, item := range items {
		for j, other := range others {
			if !taken[j] && same(item, other) {
				taken[j] = true
				continue next
			}
		}
		left = append(left, i)
	}
	return left
}
