package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-cty/cty"
	"github.com/hashicorp/go-cty/cty/msgpack"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-docker/shim"
)

// upstream speaks to the Terraform provider for Docker as Terraform itself would, within this process.
type upstream struct {
	provider *schema.Provider
	server   *schema.GRPCProviderServer
}

// resourceType is one of upstream's resources.
type resourceType struct {
	name  string
	block map[string]*schema.Schema
	ty    cty.Type
}

// instance is a resource as upstream sees it: its value, and what upstream's SDK wants to be handed back with it.
type instance struct {
	value   cty.Value
	private []byte
}

// exists tells whether there is something behind the instance.
func (i instance) exists() bool {
	return !i.value.IsNull() && i.id() != ""
}

func (i instance) id() string {
	id := i.value.GetAttr("id")
	if !id.IsKnown() || id.IsNull() {
		return ""
	}
	return id.AsString()
}

// plan is what upstream would do to get from one instance to another.
type plan struct {
	prior, planned instance
	config         cty.Value
	replacedBy     []string // the attributes that cannot be changed in place
}

func newUpstream() *upstream {
	provider := shim.NewProvider()
	return &upstream{provider: provider, server: schema.NewGRPCProviderServer(provider)}
}

func (u *upstream) resource(name string) resourceType {
	resource := u.provider.ResourcesMap[name]
	return resourceType{name: name, block: resource.Schema, ty: resource.CoreConfigSchema().ImpliedType()}
}

// configure sets how to reach the daemon; what the configuration leaves open comes from the environment.
func (u *upstream) configure(ctx context.Context, config cty.Value) error {
	packed, err := pack(config)
	if err != nil {
		return err
	}
	prepared, err := u.server.PrepareProviderConfig(ctx, &tfprotov5.PrepareProviderConfigRequest{Config: packed})
	if err != nil {
		return err
	}
	if err := failure(prepared.Diagnostics); err != nil {
		return err
	}
	configured, err := u.server.ConfigureProvider(ctx, &tfprotov5.ConfigureProviderRequest{
		Config: prepared.PreparedConfig,
	})
	if err != nil {
		return err
	}
	return failure(configured.Diagnostics)
}

// validate returns what upstream finds wrong with a configuration.
func (u *upstream) validate(ctx context.Context, r resourceType, config cty.Value) ([]*tfprotov5.Diagnostic, error) {
	packed, err := pack(config)
	if err != nil {
		return nil, err
	}
	validated, err := u.server.ValidateResourceTypeConfig(ctx, &tfprotov5.ValidateResourceTypeConfigRequest{
		TypeName: r.name,
		Config:   packed,
	})
	if err != nil {
		return nil, err
	}
	return validated.Diagnostics, nil
}

// plan works out what has to be done to bring prior, which may be null, to the configuration.
func (u *upstream) plan(ctx context.Context, r resourceType, prior instance, config cty.Value) (plan, error) {
	packed, err := packAll(prior.value, proposed(r, prior.value, config), config)
	if err != nil {
		return plan{}, err
	}
	reply, err := u.server.PlanResourceChange(ctx, &tfprotov5.PlanResourceChangeRequest{
		TypeName:         r.name,
		PriorState:       packed[0],
		ProposedNewState: packed[1],
		Config:           packed[2],
		PriorPrivate:     prior.private,
	})
	if err != nil {
		return plan{}, err
	}
	if err := failure(reply.Diagnostics); err != nil {
		return plan{}, err
	}
	value, err := msgpack.Unmarshal(reply.PlannedState.MsgPack, r.ty)
	if err != nil {
		return plan{}, err
	}
	p := plan{prior: prior, planned: instance{value, reply.PlannedPrivate}, config: config}
	for _, path := range reply.RequiresReplace {
		if name, ok := firstAttribute(path); ok {
			p.replacedBy = append(p.replacedBy, name)
		}
	}
	return p, nil
}

// proposed is the configuration, with the prior values of what upstream works out where nothing is configured.
func proposed(r resourceType, prior, config cty.Value) cty.Value {
	if prior.IsNull() {
		return config
	}
	values := config.AsValueMap()
	for attribute, value := range values {
		s, ok := r.block[attribute]
		computed := attribute == "id" || ok && s.Computed && !isBlock(s)
		if computed && value.IsNull() {
			values[attribute] = prior.GetAttr(attribute)
		}
	}
	return cty.ObjectVal(values)
}

// apply carries out a plan. After a failure the instance returned may exist all the same, half made.
func (u *upstream) apply(ctx context.Context, r resourceType, p plan) (instance, error) {
	packed, err := packAll(p.prior.value, p.planned.value, p.config)
	if err != nil {
		return instance{}, err
	}
	reply, err := u.server.ApplyResourceChange(ctx, &tfprotov5.ApplyResourceChangeRequest{
		TypeName:       r.name,
		PriorState:     packed[0],
		PlannedState:   packed[1],
		Config:         packed[2],
		PlannedPrivate: p.planned.private,
	})
	if err != nil {
		return instance{}, err
	}
	value, err := msgpack.Unmarshal(reply.NewState.MsgPack, r.ty)
	if err != nil {
		return instance{}, err
	}
	return instance{value, reply.Private}, failure(reply.Diagnostics)
}

// read returns the instance as it is now; it is null when there is no such thing any more.
func (u *upstream) read(ctx context.Context, r resourceType, known instance) (instance, error) {
	packed, err := pack(known.value)
	if err != nil {
		return instance{}, err
	}
	reply, err := u.server.ReadResource(ctx, &tfprotov5.ReadResourceRequest{
		TypeName:     r.name,
		CurrentState: packed,
		Private:      known.private,
	})
	if err != nil {
		return instance{}, err
	}
	if err := failure(reply.Diagnostics); err != nil {
		return instance{}, err
	}
	value, err := msgpack.Unmarshal(reply.NewState.MsgPack, r.ty)
	return instance{value, reply.Private}, err
}

// find starts from an id alone, as an import does.
func (u *upstream) find(ctx context.Context, r resourceType, id string) (instance, error) {
	reply, err := u.server.ImportResourceState(ctx, &tfprotov5.ImportResourceStateRequest{TypeName: r.name, ID: id})
	if err != nil {
		return instance{}, err
	}
	if err := failure(reply.Diagnostics); err != nil {
		return instance{}, err
	}
	if len(reply.ImportedResources) != 1 {
		return instance{}, fmt.Errorf("upstream found %d resources for the id %q", len(reply.ImportedResources), id)
	}
	value, err := msgpack.Unmarshal(reply.ImportedResources[0].State.MsgPack, r.ty)
	if err != nil {
		return instance{}, err
	}
	return u.read(ctx, r, instance{value, reply.ImportedResources[0].Private})
}

// stop makes what is running give up.
func (u *upstream) stop(ctx context.Context) error {
	_, err := u.server.StopProvider(ctx, &tfprotov5.StopProviderRequest{})
	return err
}

// withTimeout puts a custom timeout, in seconds, where upstream's SDK looks for it; 0 leaves upstream's default.
func withTimeout(private []byte, operation string, seconds float64) ([]byte, error) {
	if seconds == 0 {
		return private, nil
	}
	fields := make(map[string]any)
	if len(private) > 0 {
		if err := json.Unmarshal(private, &fields); err != nil {
			return nil, err
		}
	}
	timeouts, ok := fields[schema.TimeoutKey].(map[string]any)
	if !ok {
		timeouts = make(map[string]any)
		fields[schema.TimeoutKey] = timeouts
	}
	timeouts[operation] = int64(seconds * float64(time.Second))
	return json.Marshal(fields)
}

func pack(value cty.Value) (*tfprotov5.DynamicValue, error) {
	packed, err := msgpack.Marshal(value, value.Type())
	return &tfprotov5.DynamicValue{MsgPack: packed}, err
}

func packAll(values ...cty.Value) ([]*tfprotov5.DynamicValue, error) {
	all := make([]*tfprotov5.DynamicValue, len(values))
	for i, value := range values {
		packed, err := pack(value)
		if err != nil {
			return nil, err
		}
		all[i] = packed
	}
	return all, nil
}

// failure joins the errors among diagnostics, or is nil.
func failure(diagnostics []*tfprotov5.Diagnostic) error {
	var errs []error
	for _, d := range diagnostics {
		if d.Severity == tfprotov5.DiagnosticSeverityError {
			errs = append(errs, errors.New(text(d)))
		}
	}
	return errors.Join(errs...)
}

func text(d *tfprotov5.Diagnostic) string {
	if d.Detail == "" || d.Detail == d.Summary {
		return d.Summary
	}
	return strings.TrimSuffix(d.Summary, ".") + ": " + d.Detail
}

func firstAttribute(path *tftypes.AttributePath) (string, bool) {
	steps := path.Steps()
	if len(steps) == 0 {
		return "", false
	}
	name, ok := steps[0].(tftypes.AttributeName)
	return string(name), ok
}

// replaces tells whether a change of the attribute needs a new instance.
func (p plan) replaces(attribute string) bool {
	return slices.Contains(p.replacedBy, attribute)
}
