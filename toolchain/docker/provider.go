package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-cty/cty"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil/rpcerror"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// version is the official plugin's whose behaviour and states these are.
const version = "5.2.0"

// provider is the bridge: it turns the engine's questions into upstream's and the answers back.
//
// It leaves secrets to the engine: without AcceptSecrets that hands over plain values, and marks as secret every output
// whose input was.
type provider struct {
	pulumirpc.UnimplementedResourceProviderServer
	upstream *upstream
}

func newProvider() *provider {
	return &provider{upstream: newUpstream()}
}

// The provider itself

func (*provider) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version}, nil
}

func (*provider) GetSchema(context.Context, *pulumirpc.GetSchemaRequest) (*pulumirpc.GetSchemaResponse, error) {
	return &pulumirpc.GetSchemaResponse{Schema: fmt.Sprintf(`{"name": "docker", "version": %q}`, version)}, nil
}

func (*provider) CheckConfig(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: req.GetNews()}, nil
}

// DiffConfig never replaces: the resources stay where they are, only the way to the daemon is another.
func (*provider) DiffConfig(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	olds, err := unmarshal(req.GetOldInputs())
	if err != nil {
		return nil, err
	}
	news, err := unmarshal(req.GetNews())
	if err != nil {
		return nil, err
	}
	if olds.DeepEquals(news) {
		return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
	}
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_SOME}, nil
}

func (p *provider) Configure(
	ctx context.Context, req *pulumirpc.ConfigureRequest,
) (*pulumirpc.ConfigureResponse, error) {
	args, err := unmarshal(req.GetArgs())
	if err != nil {
		return nil, err
	}
	block := p.upstream.provider.Schema
	for name, attribute := range attributes(block) {
		// The language SDKs send everything but strings as JSON in a string.
		key := resource.PropertyKey(name)
		if value := args[key]; value.IsString() && block[attribute].Type != schema.TypeString {
			var decoded any
			if err := json.Unmarshal([]byte(value.StringValue()), &decoded); err != nil {
				return nil, fmt.Errorf("docker:%s: %w", name, err)
			}
			args[key] = resource.NewPropertyValue(decoded)
		}
	}
	config, err := toObject(args, block, schema.InternalMap(block).CoreConfigSchema().ImpliedType())
	if err != nil {
		return nil, fmt.Errorf("docker:%w", err)
	}
	if err := p.upstream.configure(ctx, config); err != nil {
		return nil, err
	}
	return &pulumirpc.ConfigureResponse{SupportsPreview: true, SupportsAutonamingConfiguration: true}, nil
}

func (p *provider) Cancel(ctx context.Context, _ *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, p.upstream.stop(ctx)
}

func (*provider) Invoke(_ context.Context, req *pulumirpc.InvokeRequest) (*pulumirpc.InvokeResponse, error) {
	return nil, refusal("function", req.GetTok())
}

// Resources

func (p *provider) Check(ctx context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	r, err := p.resource(req.GetUrn())
	if err != nil {
		return nil, err
	}
	olds, err := unmarshal(req.GetOlds())
	if err != nil {
		return nil, err
	}
	news, err := unmarshal(req.GetNews())
	if err != nil {
		return nil, err
	}
	inputs, err := withDefaults(news, r.block)
	if err != nil {
		return nil, err
	}
	if isNamed(r) {
		if err := autoName(inputs, olds, req); err != nil {
			return nil, err
		}
	}
	failures, err := p.failures(ctx, r, inputs)
	if err != nil {
		return nil, err
	}
	marshalled, err := marshal(inputs)
	return &pulumirpc.CheckResponse{Inputs: marshalled, Failures: failures}, err
}

// failures is what is wrong with the inputs.
func (p *provider) failures(
	ctx context.Context, r resourceType, inputs resource.PropertyMap,
) ([]*pulumirpc.CheckFailure, error) {
	var failures []*pulumirpc.CheckFailure
	for _, path := range unknownProperties(inputs, r.block, "") {
		failures = append(failures, &pulumirpc.CheckFailure{Property: path, Reason: "there is no such property"})
	}
	config, err := toObject(inputs, r.block, r.ty)
	if err != nil {
		return append(failures, &pulumirpc.CheckFailure{Reason: err.Error()}), nil
	}
	diagnostics, err := p.upstream.validate(ctx, r, config)
	for _, d := range diagnostics {
		if d.Severity != tfprotov5.DiagnosticSeverityError {
			continue
		}
		property := ""
		if attribute, ok := firstAttribute(d.Attribute); ok {
			property = propertyName(attribute, r.block[attribute])
		}
		failures = append(failures, &pulumirpc.CheckFailure{Property: property, Reason: text(d)})
	}
	return failures, err
}

func (p *provider) Diff(ctx context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	r, err := p.resource(req.GetUrn())
	if err != nil {
		return nil, err
	}
	oldInputs, err := unmarshal(req.GetOldInputs())
	if err != nil {
		return nil, err
	}
	news, err := unmarshal(req.GetNews())
	if err != nil {
		return nil, err
	}
	planned, err := p.planUpdate(ctx, r, req.GetOlds(), news, req.GetIgnoreChanges())
	if err != nil {
		return nil, err
	}
	response := diff(r, planned, oldInputs, news)
	response.DeleteBeforeReplace = len(response.Replaces) > 0 && replacedInPlace(r, oldInputs, news)
	return response, nil
}

// replacedInPlace tells whether the old instance must go before the new one can come: containers always, as they hold
// ports and devices, and anything else whose given name stays.
func replacedInPlace(r resourceType, olds, news resource.PropertyMap) bool {
	if r.name == "docker_container" {
		return true
	}
	chosen := isNamed(r) && !slices.Contains(defaultNames(news), nameKey)
	return chosen && olds[nameKey].DeepEquals(news[nameKey])
}

func (p *provider) Create(ctx context.Context, req *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	r, err := p.resource(req.GetUrn())
	if err != nil {
		return nil, err
	}
	inputs, err := unmarshal(req.GetProperties())
	if err != nil {
		return nil, err
	}
	config, err := toObject(inputs, r.block, r.ty)
	if err != nil {
		return nil, err
	}
	planned, err := p.upstream.plan(ctx, r, instance{value: cty.NullVal(r.ty)}, config)
	if err != nil {
		return nil, err
	}
	if req.GetPreview() {
		state, err := marshal(fromObject(planned.planned.value, r.block))
		return &pulumirpc.CreateResponse{Properties: state}, err
	}
	planned.planned.private, err = withTimeout(planned.planned.private, schema.TimeoutCreate, req.GetTimeout())
	if err != nil {
		return nil, err
	}
	made, failed := p.upstream.apply(ctx, r, planned)
	if failed != nil && (made.value == cty.NilVal || !made.exists()) {
		return nil, failed
	}
	state, err := marshal(stateOf(r, made))
	if err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, halfMade(made.id(), state, req.GetProperties(), failed)
	}
	return &pulumirpc.CreateResponse{Id: made.id(), Properties: state}, nil
}

// halfMade tells the engine to keep what a failed creation left, so that it can be replaced or deleted.
func halfMade(id string, state, inputs *structpb.Struct, failed error) error {
	return rpcerror.WithDetails(rpcerror.New(codes.Unknown, failed.Error()), &pulumirpc.ErrorResourceInitFailed{
		Id: id, Properties: state, Inputs: inputs, Reasons: []string{failed.Error()},
	})
}

func (p *provider) Update(ctx context.Context, req *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	r, err := p.resource(req.GetUrn())
	if err != nil {
		return nil, err
	}
	news, err := unmarshal(req.GetNews())
	if err != nil {
		return nil, err
	}
	planned, err := p.planUpdate(ctx, r, req.GetOlds(), news, req.GetIgnoreChanges())
	if err != nil {
		return nil, err
	}
	if req.GetPreview() {
		state, err := marshal(fromObject(planned.planned.value, r.block))
		return &pulumirpc.UpdateResponse{Properties: state}, err
	}
	planned.planned.private, err = withTimeout(planned.planned.private, schema.TimeoutUpdate, req.GetTimeout())
	if err != nil {
		return nil, err
	}
	// A failed update keeps the old state, so that the next one tries all of it again.
	made, err := p.upstream.apply(ctx, r, planned)
	if err != nil {
		return nil, err
	}
	state, err := marshal(stateOf(r, made))
	return &pulumirpc.UpdateResponse{Properties: state}, err
}

func (p *provider) Read(ctx context.Context, req *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	r, err := p.resource(req.GetUrn())
	if err != nil {
		return nil, err
	}
	olds, err := unmarshal(req.GetProperties())
	if err != nil {
		return nil, err
	}
	imported := len(olds) == 0
	var found instance
	if imported {
		found, err = p.upstream.find(ctx, r, req.GetId())
	} else {
		var known instance
		if known, err = instanceOf(r, olds); err == nil {
			found, err = p.upstream.read(ctx, r, known)
		}
	}
	if err != nil {
		return nil, err
	}
	if !found.exists() {
		return &pulumirpc.ReadResponse{}, nil // An empty id says that it is gone.
	}
	state := stateOf(r, found)
	response := &pulumirpc.ReadResponse{Id: found.id(), Inputs: req.GetInputs()}
	if imported {
		if response.Inputs, err = marshal(inputsOf(state, r.block)); err != nil {
			return nil, err
		}
	} else if delta, ok := olds[deltaKey]; ok {
		// As long as nothing changed, a state of the official plugin's stays as that wrote it.
		state[deltaKey] = delta
		if !state.DeepEquals(olds) {
			delete(state, deltaKey)
		}
	}
	response.Properties, err = marshal(state)
	return response, err
}

func (p *provider) Delete(ctx context.Context, req *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	r, err := p.resource(req.GetUrn())
	if err != nil {
		return nil, err
	}
	olds, err := unmarshal(req.GetProperties())
	if err != nil {
		return nil, err
	}
	prior, err := instanceOf(r, olds)
	if err != nil {
		return nil, err
	}
	private, err := withTimeout(prior.private, schema.TimeoutDelete, req.GetTimeout())
	if err != nil {
		return nil, err
	}
	nothing := cty.NullVal(r.ty)
	_, err = p.upstream.apply(ctx, r, plan{prior: prior, planned: instance{nothing, private}, config: nothing})
	return &emptypb.Empty{}, err
}

// planUpdate works out the way from a recorded state to new inputs; what is to be ignored stays as recorded.
func (p *provider) planUpdate(
	ctx context.Context, r resourceType, olds *structpb.Struct, news resource.PropertyMap, ignored []string,
) (plan, error) {
	state, err := unmarshal(olds)
	if err != nil {
		return plan{}, err
	}
	prior, err := instanceOf(r, state)
	if err != nil {
		return plan{}, err
	}
	wanted := news.Copy()
	for _, path := range ignored {
		if key := resource.PropertyKey(path); !strings.ContainsAny(path, ".[") {
			wanted[key] = state[key]
		}
	}
	config, err := toObject(wanted, r.block, r.ty)
	if err != nil {
		return plan{}, err
	}
	return p.upstream.plan(ctx, r, prior, config)
}

// resource finds the type behind a URN, or refuses it.
func (p *provider) resource(urn string) (resourceType, error) {
	token := string(resource.URN(urn).Type())
	name, ok := resourceTypes[token]
	if !ok {
		return resourceType{}, refusal("type", token)
	}
	return p.upstream.resource(name), nil
}

func refusal(kind, token string) error {
	served := make([]string, 0, len(resourceTypes))
	for token := range resourceTypes {
		served = append(served, token)
	}
	slices.Sort(served)
	return fmt.Errorf("the %s %s is not served by archi's own Docker plugin, which has only %s; "+
		"where Pulumi's downloads can be reached, ARCHI_TOOLCHAIN=official toolchain/install puts the official one in",
		kind, token, strings.Join(served, ", "))
}

// instanceOf takes a recorded state apart.
func instanceOf(r resourceType, state resource.PropertyMap) (instance, error) {
	value, err := toObject(state, r.block, r.ty)
	if err != nil {
		return instance{}, err
	}
	var private []byte
	if meta := state[metaKey]; meta.IsString() {
		private = []byte(meta.StringValue())
	}
	return instance{value, private}, nil
}

// stateOf is what the engine records of an instance.
func stateOf(r resourceType, i instance) resource.PropertyMap {
	state := fromObject(i.value, r.block)
	if len(i.private) > 0 {
		state[metaKey] = resource.NewStringProperty(string(i.private))
	}
	return state
}

func unmarshal(properties *structpb.Struct) (resource.PropertyMap, error) {
	return plugin.UnmarshalProperties(properties, plugin.MarshalOptions{KeepUnknowns: true})
}

func marshal(properties resource.PropertyMap) (*structpb.Struct, error) {
	return plugin.MarshalProperties(properties, plugin.MarshalOptions{KeepUnknowns: true})
}
