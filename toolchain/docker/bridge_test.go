package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-cty/cty"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

const containerURN = "urn:pulumi:test::bridge::docker:index/container:Container::srv"

func props(v map[string]any) resource.PropertyMap { return resource.NewPropertyMapFromMap(v) }

func TestPropertiesAreNamedAsInPulumiDocker(t *testing.T) {
	container := newUpstream().resource("docker_container").block
	for attribute, want := range map[string]string{
		"command":           "command",
		"dns_search":        "dnsSearches",
		"env":               "envs",
		"group_add":         "groupAdds",
		"healthcheck":       "healthcheck",
		"host":              "hosts",
		"log_opts":          "logOpts",
		"network_data":      "networkDatas",
		"networks_advanced": "networksAdvanced",
		"ulimit":            "ulimits",
		"upload":            "uploads",
		"wait_timeout":      "waitTimeout",
	} {
		if got := propertyName(attribute, container[attribute]); got != want {
			t.Errorf("%s is named %s, not %s", attribute, got, want)
		}
	}
	if _, ok := attributes(container)["networksAdvanced"]; !ok {
		t.Error("networksAdvanced is not found back")
	}
}

func TestPropertiesSurviveTheWayToUpstreamAndBack(t *testing.T) {
	r := newUpstream().resource("docker_container")
	in := props(map[string]any{
		"name":         "srv",
		"memory":       128.0,
		"init":         true,
		"command":      []any{"sh", "-c", "true"},
		"envs":         []any{"A=1", "B=2"},
		"capabilities": map[string]any{"drops": []any{"ALL"}},
		"ports":        []any{map[string]any{"internal": 8000.0, "ip": "127.0.0.1"}},
		"tmpfs":        map[string]any{"/tmp": "size=16m"},
		"hostname":     nil,
	})
	value, err := toObject(in, r.block, r.ty)
	if err != nil {
		t.Fatal(err)
	}
	out := fromObject(value, r.block)
	for key, want := range in {
		got := out[key]
		if key == "capabilities" || key == "ports" { // What was left open comes back as null.
			got = resource.NewPropertyValue(pruned(got).Mappable())
		}
		if !got.DeepEquals(want) {
			t.Errorf("%s: %v became %v", key, want, got)
		}
	}
	if labels := value.GetAttr("labels"); labels.IsNull() || labels.LengthInt() != 0 {
		t.Errorf("an unset block is %#v, not an empty set", labels)
	}
}

// pruned drops nulls and empty lists inside objects.
func pruned(v resource.PropertyValue) resource.PropertyValue {
	switch {
	case v.IsArray():
		var items []resource.PropertyValue
		for _, item := range v.ArrayValue() {
			items = append(items, pruned(item))
		}
		return resource.NewArrayProperty(items)
	case v.IsObject():
		object := make(resource.PropertyMap)
		for key, item := range v.ObjectValue() {
			if !item.IsNull() && !(item.IsArray() && len(item.ArrayValue()) == 0) {
				object[key] = item
			}
		}
		return resource.NewObjectProperty(object)
	default:
		return v
	}
}

func TestNumbersAndBooleansMayComeAsText(t *testing.T) {
	r := newUpstream().resource("docker_container")
	value, err := toObject(props(map[string]any{"memory": "128", "init": "true", "user": 1000.0}), r.block, r.ty)
	if err != nil {
		t.Fatal(err)
	}
	if !value.GetAttr("memory").RawEquals(cty.NumberIntVal(128)) || value.GetAttr("init").False() ||
		value.GetAttr("user").AsString() != "1000" {
		t.Errorf("became %#v, %#v, %#v", value.GetAttr("memory"), value.GetAttr("init"), value.GetAttr("user"))
	}
}

func TestAValueThatDoesNotFitIsNamed(t *testing.T) {
	r := newUpstream().resource("docker_container")
	for _, wrong := range []map[string]any{
		{"memory": "much"}, {"ports": []any{"8000"}}, {"tmpfs": "/tmp"}, {"name": map[string]any{}},
	} {
		_, err := toObject(props(wrong), r.block, r.ty)
		for key := range wrong {
			if err == nil || !strings.HasPrefix(err.Error(), key+": ") {
				t.Errorf("%v: %v", wrong, err)
			}
		}
	}
}

func TestUnsetAndZeroAreTheSameAndABlockIsNotItsAbsence(t *testing.T) {
	object := func(name, ip cty.Value) cty.Value {
		return cty.ObjectVal(map[string]cty.Value{"name": name, "ip": ip})
	}
	null := cty.NullVal(cty.String)
	empty := cty.ListValEmpty(object(null, null).Type())
	for name, c := range map[string]struct {
		a, b cty.Value
		same bool
	}{
		"null and text":         {null, cty.StringVal(""), true},
		"null and number":       {cty.NullVal(cty.Number), cty.Zero, true},
		"null and false":        {cty.NullVal(cty.Bool), cty.False, true},
		"null and no elements":  {cty.NullVal(empty.Type()), empty, true},
		"texts":                 {cty.StringVal("a"), cty.StringVal("b"), false},
		"known and unknown":     {cty.StringVal("a"), cty.UnknownVal(cty.String), false},
		"zero within a set":     {cty.SetVal([]cty.Value{object(cty.StringVal("n"), null)}), cty.SetVal([]cty.Value{object(cty.StringVal("n"), cty.StringVal(""))}), true},
		"no block and an empty": {empty, cty.ListVal([]cty.Value{object(null, null)}), false},
		"lists of one length":   {cty.ListVal([]cty.Value{cty.StringVal("a")}), cty.ListVal([]cty.Value{cty.StringVal("b")}), false},
		"maps with other keys":  {cty.MapVal(map[string]cty.Value{"a": cty.StringVal("1")}), cty.MapVal(map[string]cty.Value{"b": cty.StringVal("1")}), false},
	} {
		if equal(c.a, c.b) != c.same || equal(c.b, c.a) != c.same {
			t.Errorf("%s: equal is not %v", name, c.same)
		}
	}
}

func TestASetIsComparedByItsElementsAndNamedAsAWholeWhereTheyAreIncomplete(t *testing.T) {
	r := newUpstream().resource("docker_container")
	label := func(value string) map[string]any { return map[string]any{"label": "l", "value": value} }
	for name, c := range map[string]struct {
		attribute   string
		before, now []any
		want        []string
	}{
		"one of two values":    {"env", []any{"A=1", "B=2"}, []any{"A=1", "B=3"}, []string{"envs[1] UPDATE"}},
		"another order":        {"env", []any{"A=1", "B=2", "C=3"}, []any{"B=2", "A=1"}, []string{"envs[2] DELETE"}},
		"one more":             {"env", []any{"A=1"}, []any{"A=1", "B=2"}, []string{"envs[1] ADD"}},
		"a field":              {"labels", []any{label("1")}, []any{label("2")}, []string{"labels[0].value UPDATE"}},
		"elements half filled": {"volumes", []any{map[string]any{"volumeName": "a"}}, []any{map[string]any{"volumeName": "b"}}, []string{"volumes UPDATE"}},
		"drift":                {"env", []any{"A=1"}, []any{"A=1"}, []string{"envs UPDATE"}},
	} {
		s := r.block[c.attribute]
		d := differ{resource.NewPropertyValue(c.before), resource.NewPropertyValue(c.now)}
		var got []string
		for _, change := range d.set(resource.PropertyPath{propertyName(c.attribute, s)}, s) {
			got = append(got, change.path.String()+" "+change.kind.String())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, not %v", name, got, c.want)
		}
	}
}

func TestDefaultsAreFilledInAndListedLevelByLevel(t *testing.T) {
	block := newUpstream().resource("docker_container").block
	filled, err := withDefaults(props(map[string]any{
		"restart": "always", "ports": []any{map[string]any{"internal": 8000.0}},
	}), block)
	if err != nil {
		t.Fatal(err)
	}
	names := defaultNames(filled)
	if slices.Contains(names, "restart") || !slices.Contains(names, "mustRun") || slices.Contains(names, "rm") {
		t.Errorf("listed as defaults: %v", names)
	}
	port := filled["ports"].ArrayValue()[0].ObjectValue()
	if port["protocol"].StringValue() != "tcp" || !slices.Contains(defaultNames(port), "protocol") {
		t.Errorf("the port became %v", port)
	}
}

func check(t *testing.T, olds, news resource.PropertyMap, seed string,
	naming *pulumirpc.CheckRequest_AutonamingOptions,
) (resource.PropertyMap, []*pulumirpc.CheckFailure) {
	t.Helper()
	marshalled := [2]resource.PropertyMap{olds, news}
	request := &pulumirpc.CheckRequest{Urn: containerURN, RandomSeed: []byte(seed), Autonaming: naming}
	var err error
	if request.Olds, err = marshal(marshalled[0]); err != nil {
		t.Fatal(err)
	}
	if request.News, err = marshal(marshalled[1]); err != nil {
		t.Fatal(err)
	}
	response, err := newProvider().Check(context.Background(), request)
	if err != nil {
		t.Fatal(err)
	}
	inputs, err := plugin.UnmarshalProperties(response.GetInputs(), plugin.MarshalOptions{KeepUnknowns: true})
	if err != nil {
		t.Fatal(err)
	}
	return inputs, response.GetFailures()
}

func TestANameIsMadeUpOnceKeptAndGivenUpForAChosenOne(t *testing.T) {
	news := props(map[string]any{"image": "i"})
	first, _ := check(t, nil, news, "one", nil)
	name := first[nameKey].StringValue()
	if !strings.HasPrefix(name, "srv-") || len(name) != len("srv-")+randomLetters {
		t.Errorf("the name is %q", name)
	}
	if kept, _ := check(t, first, news, "two", nil); kept[nameKey].StringValue() != name {
		t.Errorf("%q became %q", name, kept[nameKey].StringValue())
	}
	chosen, _ := check(t, first, props(map[string]any{"image": "i", "name": "mine"}), "three", nil)
	if chosen[nameKey].StringValue() != "mine" || slices.Contains(defaultNames(chosen), nameKey) {
		t.Errorf("a chosen name became %v", chosen)
	}
	if again, _ := check(t, chosen, news, "four", nil); !strings.HasPrefix(again[nameKey].StringValue(), "srv-") {
		t.Errorf("without the chosen name it is %v", again[nameKey])
	}
	naming := &pulumirpc.CheckRequest_AutonamingOptions{
		ProposedName: "proposed", Mode: pulumirpc.CheckRequest_AutonamingOptions_PROPOSE,
	}
	if proposed, _ := check(t, nil, news, "five", naming); proposed[nameKey].StringValue() != "proposed" {
		t.Errorf("the stack's own naming gave %v", proposed[nameKey])
	}
}

func TestWhatIsWrongIsToldByProperty(t *testing.T) {
	for property, wrong := range map[string]map[string]any{
		"restart":        {"image": "i", "restart": "sometimes"},
		"image":          {},
		"imagee":         {"image": "i", "imagee": "j"},
		"ports.internel": {"image": "i", "ports": []any{map[string]any{"internal": 1.0, "internel": 2.0}}},
	} {
		_, failures := check(t, nil, props(wrong), "seed", nil)
		if len(failures) != 1 || !strings.Contains(failures[0].GetProperty()+" "+failures[0].GetReason(), property) {
			t.Errorf("%s: %v", property, failures)
		}
	}
}

func TestContainersAndChosenNamesAreDeletedBeforeTheyAreReplaced(t *testing.T) {
	u := newUpstream()
	chosen, madeUp := props(map[string]any{"name": "n"}), props(map[string]any{"name": "n"})
	setDefaults(chosen, nil)
	setDefaults(madeUp, []string{nameKey})
	for name, c := range map[string]struct {
		resource   string
		olds, news resource.PropertyMap
		want       bool
	}{
		"container":                 {"docker_container", madeUp, madeUp, true},
		"volume with a chosen name": {"docker_volume", chosen, chosen, true},
		"volume with a made-up one": {"docker_volume", madeUp, madeUp, false},
		"volume with a new name":    {"docker_volume", props(map[string]any{"name": "o"}), chosen, false},
	} {
		if replacedInPlace(u.resource(c.resource), c.olds, c.news) != c.want {
			t.Errorf("%s: not %v", name, c.want)
		}
	}
}

func TestACustomTimeoutStandsWhereUpstreamLooksForIt(t *testing.T) {
	private, err := withTimeout([]byte(`{"schema_version":"2"}`), "create", 1.5)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(private, &got); err != nil {
		t.Fatal(err)
	}
	timeouts, _ := got["e2bfb730-ecaa-11e6-8f88-34363bc7c4c0"].(map[string]any)
	if got["schema_version"] != "2" || timeouts["create"] != 1.5e9 {
		t.Errorf("private is %s", private)
	}
}

func TestOtherTypesAreRefusedByName(t *testing.T) {
	urn := "urn:pulumi:test::bridge::docker:index/service:Service::s"
	_, err := newProvider().Check(context.Background(), &pulumirpc.CheckRequest{Urn: urn})
	if err == nil || !strings.Contains(err.Error(), "docker:index/service:Service") {
		t.Errorf("the refusal is %v", err)
	}
}
