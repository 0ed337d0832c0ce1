package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/gslb"
	"fairlead/internal/access"
	"fairlead/internal/audit"
	"fairlead/sites"
)

const (
	overridesPath = "/v1/overrides"
	// defaultOwner is who gave an order that does not say.
	defaultOwner = "api"
)

type orderInput struct {
	Name string `path:"name" maxLength:"127" doc:"Name in the document."`
	Body resource.Order
}

// Resolve refuses query parameters.
func (in *orderInput) Resolve(ctx huma.Context) []error { return strictQuery(ctx) }

type withdrawalInput struct {
	Name string `path:"name" maxLength:"127" doc:"Name in the document."`
	Body resource.Withdrawal
}

// Resolve refuses query parameters.
func (in *withdrawalInput) Resolve(ctx huma.Context) []error { return strictQuery(ctx) }

type overrideOutput struct{ Body resource.Override }

type overridesInput struct{}

// Resolve refuses query parameters.
func (in *overridesInput) Resolve(ctx huma.Context) []error { return strictQuery(ctx) }

type overridesOutput struct{ Body resource.OverrideList }

func (r *resources) registerOverrides(rest huma.API) {
	problems := []int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict,
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	operation := func(path, kind string, action sites.OverrideAction, summary string) huma.Operation {
		return huma.Operation{OperationID: action.String() + "-" + kind, Method: http.MethodPost, Tags: []string{"overrides"},
			Path: path + "/{name}/" + action.String(), Summary: summary}
	}
	for _, of := range []struct {
		path, what string
		kind       sites.OverrideKind
	}{
		{"/v1/services", "a service", sites.OfService}, {"/v1/service-groups", "all services of a group", sites.OfServiceGroup},
		{"/v1/sites", "all services of a site", sites.OfSite}, {"/v1/virtual-servers", "a virtual server", sites.OfVirtualServerUse},
	} {
		for _, action := range []sites.OverrideAction{sites.Enable, sites.Disable, sites.Drain} {
			summary := "Override the document for a time: " + action.String() + " " + of.what
			register(r, rest, operation(of.path, of.kind.String(), action, summary), problems,
				func(ctx context.Context, in *orderInput) (*overrideOutput, error) {
					return r.order(ctx, sites.Order{Kind: of.kind, Name: in.Name, Action: action, Owner: in.Body.Owner, Reason: in.Body.Reason}, in.Body.For)
				})
		}
		register(r, rest, operation(of.path, of.kind.String(), sites.Clear, "End the override of "+of.what), problems,
			func(ctx context.Context, in *withdrawalInput) (*overrideOutput, error) {
				return r.withdraw(ctx, of.kind, sites.Clear, in)
			})
	}
	register(r, rest, operation("/v1/virtual-servers", "virtual-server", sites.Release, "Return a virtual server that is held on its backup"), problems,
		func(ctx context.Context, in *withdrawalInput) (*overrideOutput, error) {
			return r.withdraw(ctx, sites.OfVirtualServer, sites.Release, in)
		})
	register(r, rest, huma.Operation{OperationID: "list-overrides", Method: http.MethodGet, Path: overridesPath, Tags: []string{"overrides"},
		Summary: "What operators want for a time"}, []int{http.StatusUnprocessableEntity}, r.overrides)
}

func (r *resources) overrides(context.Context, *overridesInput) (*overridesOutput, error) {
	now := time.Now()
	out := &overridesOutput{resource.OverrideList{Overrides: []resource.Override{}, At: now.UTC()}}
	for _, o := range r.Overrides.List(now) {
		out.Body.Overrides = append(out.Body.Overrides, *describeOverride(&o))
	}
	return out, nil
}

func (r *resources) withdraw(ctx context.Context, kind sites.OverrideKind, action sites.OverrideAction, in *withdrawalInput) (*overrideOutput, error) {
	o := sites.Order{Kind: kind, Name: in.Name, Action: action, Owner: in.Body.Owner, Reason: in.Body.Reason}
	if o.Reason == "" {
		o.Reason = action.String()
	}
	return r.order(ctx, o, "")
}

// order gives an order.
func (r *resources) order(ctx context.Context, o sites.Order, lasting string) (*overrideOutput, error) {
	st, err := r.state()
	if err != nil {
		return nil, err
	}
	if r.Overrides == nil {
		return nil, notReady()
	}
	entry := audit.Entry{Action: o.Action.String(), Object: o.Kind.String() + "/" + o.Name, Reason: o.Reason}
	if err := r.may(ctx, entry, access.Operate, labelsOf(st, &o)); err != nil {
		return nil, err
	}
	if err := named(st, &o); err != nil && !(o.Action == sites.Release && r.Overrides.Held(o.Name)) {
		return nil, err
	}
	if o.For = sites.DefaultOverride; lasting != "" {
		if o.For, err = time.ParseDuration(lasting); err != nil {
			return nil, newProblem(http.StatusUnprocessableEntity, resource.Fault{Pointer: "/body/for", Code: resource.CodeInvalid,
				Detail: "for is not a duration such as 30m or 2h, but " + echo(lasting)})
		}
	}
	if o.Owner = ownerOf(access.From(ctx), o.Owner); o.Owner == "" {
		o.Owner = defaultOwner
	}
	if err := r.audited(ctx, entry); err != nil {
		return nil, err
	}
	given, err := r.Overrides.Give(o, time.Now())
	if err != nil {
		r.auditFailed(ctx, entry, err)
	}
	var invalid *sites.Invalid
	switch {
	case errors.As(err, &invalid) && invalid.Field == "name":
		return nil, newProblem(http.StatusConflict, resource.Fault{Pointer: "/path/name", Code: resource.CodeNothingToEnd, Detail: invalid.Why})
	case errors.As(err, &invalid) && invalid.Field == "limit":
		return nil, newProblem(http.StatusConflict, resource.Fault{Pointer: "/body", Code: resource.CodeInvalid, Detail: invalid.Why})
	case errors.As(err, &invalid):
		return nil, newProblem(http.StatusUnprocessableEntity, resource.Fault{Pointer: "/body/" + invalid.Field, Code: resource.CodeInvalid, Detail: invalid.Why})
	case err != nil:
		return nil, err
	}
	return &overrideOutput{*describeOverride(&given)}, nil
}

// maxOwner bounds who gave an order, as it does in requests.
const maxOwner = 120

// ownerOf is who gives an order: who sent it, and whom they name besides. Without a token or a certificate it is whom they name.
func ownerOf(who access.Identity, named string) string {
	switch {
	case who.Kind != access.ByToken && who.Kind != access.ByCertificate:
		return named
	case named == "" || named == who.Name:
		return who.Name
	}
	owner := who.Name + " for " + named
	return owner[:min(len(owner), maxOwner)]
}

// labelsOf are the labels of what an order is about; none when the document does not have it.
func labelsOf(st *State, o *sites.Order) map[string]string {
	d := st.Document
	switch o.Kind {
	case sites.OfService:
		if s := documentService(d, o.Name); s != nil {
			return s.Labels
		}
	case sites.OfSite:
		if s := d.Site(o.Name); s != nil {
			return s.Labels
		}
	case sites.OfServiceGroup:
		if g := st.serviceGroup(o.Name); g != nil {
			return g.Labels
		}
	case sites.OfVirtualServer, sites.OfVirtualServerUse:
		for i := range d.VirtualServers {
			if d.VirtualServers[i].Name == o.Name {
				return d.VirtualServers[i].Labels
			}
		}
	}
	return nil
}

// named refuses orders about what the document does not have. What was ordered before can be ended all the same.
func named(st *State, o *sites.Order) error {
	d, virtualServer := st.Document, o.Kind == sites.OfVirtualServer || o.Kind == sites.OfVirtualServerUse
	switch {
	case o.Action == sites.Clear:
		return nil
	case o.Kind == sites.OfService && documentService(d, o.Name) == nil:
		return noSuchService(o.Name)
	case o.Kind == sites.OfSite && d.Site(o.Name) == nil:
		return newProblem(http.StatusNotFound, resource.Fault{Pointer: "/path/name", Code: resource.CodeNoSuchSite,
			Detail: "the document has no site \"" + clip(o.Name) + "\"; " + sitesPath + " lists them"})
	case o.Kind == sites.OfServiceGroup && st.serviceGroup(o.Name) == nil:
		return newProblem(http.StatusNotFound, resource.Fault{Pointer: "/path/name", Code: resource.CodeNoSuchObject,
			Detail: "the document has no service group \"" + clip(o.Name) + "\""})
	case virtualServer && !slices.ContainsFunc(d.VirtualServers, func(v config.VirtualServer) bool { return v.Name == o.Name }):
		return newProblem(http.StatusNotFound, resource.Fault{Pointer: "/path/name", Code: resource.CodeNoSuchVirtualServer,
			Detail: "the document has no virtual server \"" + clip(o.Name) + "\""})
	}
	return nil
}

// serviceGroup returns a group as the document has it, whether it has services or not; nil: there is none.
func (st *State) serviceGroup(name string) *config.ServiceGroup {
	d := st.Written
	if d == nil {
		d = st.Document
	}
	for i := range d.ServiceGroups {
		if d.ServiceGroups[i].Name == name {
			return &d.ServiceGroups[i]
		}
	}
	return nil
}

func describeOverride(o *sites.Override) *resource.Override {
	out := &resource.Override{Kind: o.Kind.String(), Name: o.Name, Action: o.Action.String(), Owner: o.Owner, Reason: o.Reason, Site: o.Site, Set: o.Set.UTC()}
	if !o.Until.IsZero() {
		out.Until = o.Until.UTC()
	}
	return out
}

// believed fills in how sure the belief is, what operators want, and how far a drain has come.
func (v *serviceView) believed(out *resource.Service, s *config.Service, status *gslb.ServiceStatus) {
	out.Doubt = string(status.Doubt)
	if share := status.Share; share > 0 && share < 1 {
		out.Share = &share
	}
	if o, ok := v.overrides.For(s.Name, s.Group, s.Site, v.now); ok {
		out.Override = describeOverride(&o)
	}
	if d, ok := v.state.Drains[s.Name]; ok {
		out.Drain = describeDrain(&d, v.now)
	}
}

func describeDrain(d *sites.DrainStatus, now time.Time) *resource.Drain {
	out := &resource.Drain{Since: d.Since.UTC(), ResolversUntil: d.ResolversUntil.UTC(), Sessions: d.Sessions}
	if !d.Load.At.IsZero() {
		out.Connections = &d.Load.Active
	}
	if d.HalfLife > 0 {
		seconds := d.HalfLife.Seconds()
		out.HalfLifeSeconds = &seconds
	}
	if left, ok := d.Left(now); ok {
		seconds := left.Seconds()
		out.EstimateSeconds = &seconds
	}
	return out
}
