package main

import (
	"sort"

	"github.com/hashicorp/go-cty/cty"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// change is one entry of a detailed diff.
type change struct {
	path resource.PropertyPath
	kind pulumirpc.PropertyDiff_Kind
}

var replacing = map[pulumirpc.PropertyDiff_Kind]pulumirpc.PropertyDiff_Kind{
	pulumirpc.PropertyDiff_ADD:    pulumirpc.PropertyDiff_ADD_REPLACE,
	pulumirpc.PropertyDiff_DELETE: pulumirpc.PropertyDiff_DELETE_REPLACE,
	pulumirpc.PropertyDiff_UPDATE: pulumirpc.PropertyDiff_UPDATE_REPLACE,
}

// diff says what a plan changes, property by property. Sets have no order of their own, so their elements are told
// apart by their place in the inputs, old and new.
func diff(r resourceType, p plan, oldInputs, newInputs resource.PropertyMap) *pulumirpc.DiffResponse {
	response := &pulumirpc.DiffResponse{
		Changes:         pulumirpc.DiffResponse_DIFF_NONE,
		DetailedDiff:    make(map[string]*pulumirpc.PropertyDiff),
		HasDetailedDiff: true,
	}
	before, after, config := p.prior.value.AsValueMap(), p.planned.value.AsValueMap(), p.config.AsValueMap()
	for attribute, s := range r.block {
		if s.Computed && isKnownZero(config[attribute]) {
			continue // Upstream works it out; with a replacement it is announced as unknown.
		}
		name := propertyName(attribute, s)
		key := resource.PropertyKey(name)
		d := differ{oldInputs[key], newInputs[key]}
		changes := d.attribute(resource.PropertyPath{name}, before[attribute], after[attribute], s)
		if len(changes) == 0 {
			continue
		}
		response.Changes = pulumirpc.DiffResponse_DIFF_SOME
		response.Diffs = append(response.Diffs, name)
		if p.replaces(attribute) {
			response.Replaces = append(response.Replaces, name)
		}
		for _, c := range changes {
			if p.replaces(attribute) {
				c.kind = replacing[c.kind]
			}
			response.DetailedDiff[c.path.String()] = &pulumirpc.PropertyDiff{Kind: c.kind}
		}
	}
	sort.Strings(response.Diffs)
	sort.Strings(response.Replaces)
	return response
}

func isKnownZero(value cty.Value) bool {
	return value.IsKnown() && isZero(value)
}

// differ compares one attribute; it knows the inputs behind it.
type differ struct {
	oldInput, newInput resource.PropertyValue
}

func (d differ) attribute(path resource.PropertyPath, before, after cty.Value, s *schema.Schema) []change {
	switch {
	case equal(before, after):
		return nil
	case !after.IsKnown() || !before.IsKnown():
		return []change{{path, pulumirpc.PropertyDiff_UPDATE}}
	case isZero(before) && !before.Type().IsPrimitiveType(), before.IsNull():
		return []change{{path, pulumirpc.PropertyDiff_ADD}}
	case isZero(after) && !after.Type().IsPrimitiveType(), after.IsNull():
		return []change{{path, pulumirpc.PropertyDiff_DELETE}}
	}
	switch ty := before.Type(); {
	case isSingle(s):
		return d.element(path, before.AsValueSlice()[0], after.AsValueSlice()[0], s)
	case ty.IsSetType():
		return d.set(path, s)
	case ty.IsListType():
		return d.list(path, before.AsValueSlice(), after.AsValueSlice(), s)
	case ty.IsMapType():
		return d.fields(path, before.AsValueMap(), after.AsValueMap(), nil)
	default:
		return []change{{path, pulumirpc.PropertyDiff_UPDATE}}
	}
}

func (d differ) element(path resource.PropertyPath, before, after cty.Value, s *schema.Schema) []change {
	if block := nested(s); block != nil && before.IsKnown() && after.IsKnown() {
		return d.fields(path, before.AsValueMap(), after.AsValueMap(), block)
	}
	return []change{{path, pulumirpc.PropertyDiff_UPDATE}}
}

func (d differ) list(path resource.PropertyPath, before, after []cty.Value, s *schema.Schema) []change {
	var changes []change
	for i := range max(len(before), len(after)) {
		at := extend(path, i)
		switch {
		case i >= len(before):
			changes = append(changes, change{at, pulumirpc.PropertyDiff_ADD})
		case i >= len(after):
			changes = append(changes, change{at, pulumirpc.PropertyDiff_DELETE})
		case !equal(before[i], after[i]):
			changes = append(changes, d.element(at, before[i], after[i], s)...)
		}
	}
	return changes
}

// fields compares objects, whose attributes have a schema, and maps, whose keys have none.
func (d differ) fields(path resource.PropertyPath, before, after map[string]cty.Value,
	block map[string]*schema.Schema,
) []change {
	var changes []change
	for key, old := range before {
		now, ok := after[key]
		switch s := block[key]; {
		case !ok:
			changes = append(changes, change{extend(path, key), pulumirpc.PropertyDiff_DELETE})
		case s == nil:
			changes = append(changes, d.attribute(extend(path, key), old, now, &schema.Schema{})...)
		default:
			changes = append(changes, d.attribute(extend(path, propertyName(key, s)), old, now, s)...)
		}
	}
	for key := range after {
		if _, ok := before[key]; !ok {
			changes = append(changes, change{extend(path, key), pulumirpc.PropertyDiff_ADD})
		}
	}
	return changes
}

// set compares by the inputs. As a whole it is named where these don't show the change (drift), and where its
// elements leave attributes open: what upstream puts there instead would count as changed as well.
func (d differ) set(path resource.PropertyPath, s *schema.Schema) []change {
	whole := []change{{path, pulumirpc.PropertyDiff_UPDATE}}
	if !d.oldInput.IsArray() || !d.newInput.IsArray() {
		return whole
	}
	before, after := d.oldInput.ArrayValue(), d.newInput.ArrayValue()
	gone := without(before, after, resource.PropertyValue.DeepEquals)
	come := without(after, before, resource.PropertyValue.DeepEquals)
	kinds := make(map[int]pulumirpc.PropertyDiff_Kind)
	for _, i := range gone {
		kinds[i] = pulumirpc.PropertyDiff_DELETE
	}
	for _, i := range come {
		kinds[i] = pulumirpc.PropertyDiff_ADD
		if len(before) > i && len(without(before[i:i+1], after, resource.PropertyValue.DeepEquals)) == 1 {
			kinds[i] = pulumirpc.PropertyDiff_UPDATE
		}
		if !complete(after[i], nested(s)) {
			return whole
		}
	}
	var changes []change
	for i, kind := range kinds {
		at := extend(path, i)
		if kind != pulumirpc.PropertyDiff_UPDATE || nested(s) == nil {
			changes = append(changes, change{at, kind})
			continue
		}
		old, now := before[i].ObjectValue(), after[i].ObjectValue()
		for key := range attributes(nested(s)) {
			if !old[resource.PropertyKey(key)].DeepEquals(now[resource.PropertyKey(key)]) {
				changes = append(changes, change{extend(at, key), kind})
			}
		}
	}
	if len(changes) == 0 {
		return whole
	}
	return changes
}

// complete tells whether an element of a set gives every attribute that it may.
func complete(element resource.PropertyValue, block map[string]*schema.Schema) bool {
	if block == nil {
		return true
	}
	for key := range attributes(block) {
		if !element.IsObject() || element.ObjectValue()[resource.PropertyKey(key)].IsNull() {
			return false
		}
	}
	return true
}

func extend(path resource.PropertyPath, step any) resource.PropertyPath {
	return append(append(make(resource.PropertyPath, 0, len(path)+1), path...), step)
}
