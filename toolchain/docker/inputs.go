package main

import (
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

const (
	// defaultsKey lists, in every object of the inputs, what was not given but filled in here.
	defaultsKey = "__defaults"
	// metaKey keeps what upstream's SDK wants back with a state.
	metaKey = "__meta"
	// deltaKey is how the official plugin remembers upstream's form of a state.
	deltaKey = "__pulumi_raw_state_delta"

	nameKey       = "name"
	randomLetters = 7
	longestName   = 255
)

// withDefaults fills in upstream's defaults, level by level. Those that are zero ("", false, 0) stay open.
func withDefaults(props resource.PropertyMap, block map[string]*schema.Schema) (resource.PropertyMap, error) {
	result := props.Copy()
	var filled []string
	for attribute, s := range block {
		name := propertyName(attribute, s)
		key := resource.PropertyKey(name)
		value, given := result[key]
		switch {
		case given && !value.IsNull():
			if inner := nested(s); inner != nil {
				nestedValue, err := nestedDefaults(value, inner)
				if err != nil {
					return nil, err
				}
				result[key] = nestedValue
			}
		default:
			fallback, err := s.DefaultValue()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if v := resource.NewPropertyValue(fallback); !isZeroProperty(v) {
				result[key] = v
				filled = append(filled, name)
			}
		}
	}
	setDefaults(result, filled)
	return result, nil
}

func nestedDefaults(value resource.PropertyValue, block map[string]*schema.Schema) (resource.PropertyValue, error) {
	switch {
	case value.IsObject():
		filled, err := withDefaults(value.ObjectValue(), block)
		return resource.NewObjectProperty(filled), err
	case value.IsArray():
		items := make([]resource.PropertyValue, 0, len(value.ArrayValue()))
		for _, item := range value.ArrayValue() {
			filled, err := nestedDefaults(item, block)
			if err != nil {
				return value, err
			}
			items = append(items, filled)
		}
		return resource.NewArrayProperty(items), nil
	default:
		return value, nil
	}
}

func setDefaults(props resource.PropertyMap, names []string) {
	slices.Sort(names)
	values := make([]resource.PropertyValue, 0, len(names))
	for _, name := range names {
		values = append(values, resource.NewStringProperty(name))
	}
	props[defaultsKey] = resource.NewArrayProperty(values)
}

func defaultNames(props resource.PropertyMap) []string {
	var names []string
	if list := props[defaultsKey]; list.IsArray() {
		for _, name := range list.ArrayValue() {
			if name.IsString() {
				names = append(names, name.StringValue())
			}
		}
	}
	return names
}

func isZeroProperty(v resource.PropertyValue) bool {
	switch {
	case v.IsNull():
		return true
	case v.IsString():
		return v.StringValue() == ""
	case v.IsNumber():
		return v.NumberValue() == 0
	case v.IsBool():
		return !v.BoolValue()
	default:
		return false
	}
}

// isNamed tells whether instances get a name of their own when none is given: images don't, theirs is what to pull.
func isNamed(r resourceType) bool {
	_, ok := r.block[nameKey]
	return ok && r.name != "docker_image"
}

// autoName makes up a name, or keeps the one made up before.
func autoName(props, olds resource.PropertyMap, req *pulumirpc.CheckRequest) error {
	if given, ok := props[nameKey]; ok && !given.IsNull() {
		return nil
	}
	name := ""
	options := req.GetAutonaming()
	switch {
	case slices.Contains(defaultNames(olds), nameKey) && olds[nameKey].IsString():
		name = olds[nameKey].StringValue()
	case options.GetMode() == pulumirpc.CheckRequest_AutonamingOptions_DISABLE:
		return nil
	case options.GetProposedName() != "":
		name = options.GetProposedName()
	default:
		prefix := resource.URN(req.GetUrn()).Name() + "-"
		unique, err := resource.NewUniqueName(req.GetRandomSeed(), prefix, randomLetters, longestName, nil)
		if err != nil {
			return err
		}
		name = unique
	}
	props[nameKey] = resource.NewStringProperty(name)
	setDefaults(props, append(defaultNames(props), nameKey))
	return nil
}

// unknownProperties names what the inputs hold beyond the block's attributes.
func unknownProperties(props resource.PropertyMap, block map[string]*schema.Schema, path string) []string {
	names := attributes(block)
	var unknown []string
	for key, value := range props {
		attribute, ok := names[string(key)]
		if !ok {
			if key != defaultsKey {
				unknown = append(unknown, path+string(key))
			}
			continue
		}
		inner := nested(block[attribute])
		if inner == nil {
			continue
		}
		items := []resource.PropertyValue{value}
		if value.IsArray() {
			items = value.ArrayValue()
		}
		for _, item := range items {
			if item.IsObject() {
				unknown = append(unknown, unknownProperties(item.ObjectValue(), inner, path+string(key)+".")...)
			}
		}
	}
	slices.Sort(unknown)
	return unknown
}

// inputsOf derives the inputs of an imported resource from its state: what could have been said, and is not empty.
func inputsOf(state resource.PropertyMap, block map[string]*schema.Schema) resource.PropertyMap {
	inputs := make(resource.PropertyMap)
	for attribute, s := range block {
		key := resource.PropertyKey(propertyName(attribute, s))
		value := state[key]
		empty := isZeroProperty(value) || value.IsArray() && len(value.ArrayValue()) == 0 ||
			value.IsObject() && len(value.ObjectValue()) == 0
		if (s.Optional || s.Required) && !empty {
			inputs[key] = value
		}
	}
	setDefaults(inputs, nil)
	return inputs
}
