package api

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/gslb"
	"fairlead/monitors"
	"fairlead/sites"
)

const (
	servicesPath = "/v1/status/services"
	// maxListed ends a page of services that has so many verdicts of monitors and numbers that they told: clients read so much and no more.
	maxListed = 10_000
)

type servicesInput struct {
	Site  string   `query:"site" maxLength:"127" doc:"Only services of this site."`
	State []string `query:"state" enum:"UP,DOWN,UNKNOWN,DISABLED,DRAINING" doc:"Only services in one of these states."`
	// The cursor is opaque to clients.
	Limit  int    `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"Most entries on a page."`
	Cursor string `query:"cursor" maxLength:"256" doc:"next_cursor of the page before."`

	after string // name that the page before ended with; set by Resolve
}

// Resolve refuses what is not a parameter here, and what is not a cursor.
func (in *servicesInput) Resolve(ctx huma.Context) []error {
	faults := strictQuery(ctx)
	var err error
	if in.after, err = readCursor(in.Cursor); err != nil {
		faults = append(faults, err)
	}
	return faults
}

type servicesOutput struct {
	Link string `header:"Link" doc:"The following page (rel=next, RFC 8288)."`
	Body resource.ServiceList
}

type nameInput struct {
	Name string `path:"name" maxLength:"127" doc:"Name in the document."`
}

// Resolve refuses query parameters.
func (in *nameInput) Resolve(ctx huma.Context) []error { return strictQuery(ctx) }

type serviceOutput struct{ Body resource.Service }

func (r *resources) registerServices(rest huma.API) {
	register(r, rest, huma.Operation{OperationID: "list-services", Method: http.MethodGet, Path: servicesPath, Tags: []string{"status"},
		Summary: "What is believed of services"}, []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, r.services)
	register(r, rest, huma.Operation{OperationID: "get-service", Method: http.MethodGet, Path: servicesPath + "/{name}", Tags: []string{"status"},
		Summary: "What is believed of one service"}, []int{http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, r.service)
}

// services lists by name, so that a page can go on where the last one ended although services came and went.
func (r *resources) services(_ context.Context, in *servicesInput) (*servicesOutput, error) {
	st, err := r.state()
	if err != nil {
		return nil, err
	}
	v := r.serviceView(st, time.Now())
	var wanted []*config.Service
	for i := range st.Document.Services {
		s := &st.Document.Services[i]
		if s.Name > in.after && (in.Site == "" || s.Site == in.Site) && (len(in.State) == 0 || slices.Contains(in.State, v.status(s).State.String())) {
			wanted = append(wanted, s)
		}
	}
	slices.SortFunc(wanted, func(a, b *config.Service) int { return cmp.Compare(a.Name, b.Name) })
	out := &servicesOutput{Body: resource.ServiceList{Services: []resource.Service{}, Snapshot: st.Snapshot.Generation, At: v.now.UTC()}}
	n := 0
	for n < min(len(wanted), in.Limit) && v.listed < maxListed {
		out.Body.Services = append(out.Body.Services, v.describe(wanted[n]))
		n++
	}
	if len(wanted) > n {
		out.Body.NextCursor = cursor(wanted[n-1].Name)
		out.Link = in.nextLink(out.Body.NextCursor)
	}
	return out, nil
}

func (r *resources) service(_ context.Context, in *nameInput) (*serviceOutput, error) {
	st, err := r.state()
	if err != nil {
		return nil, err
	}
	s := documentService(st.Document, in.Name)
	if s == nil {
		return nil, noSuchService(in.Name)
	}
	return &serviceOutput{r.serviceView(st, time.Now()).describe(s)}, nil
}

func noSuchService(name string) *problem {
	return newProblem(http.StatusNotFound, resource.Fault{Pointer: "/path/name", Code: resource.CodeNoSuchService,
		Detail: "the document has no service \"" + clip(name) + "\"; " + servicesPath + " lists them"})
}

func documentService(d *config.Document, name string) *config.Service {
	if i := slices.IndexFunc(d.Services, func(s config.Service) bool { return s.Name == name }); i >= 0 {
		return &d.Services[i]
	}
	return nil
}

// serviceView describes the services of one moment.
type serviceView struct {
	state    *State
	site     string // this node's
	now      time.Time
	memberOf map[string][]string // virtual servers, by service

	overrides *sites.Overrides // nil: there are none
	held      func(service string) []monitors.Verdict
	sources   func(service string) (monitors.SourceStatus, bool)
	types     map[string]config.MonitorType // of monitors; nil until it is needed
	listed    int                           // verdicts and their values that were shown
}

func (r *resources) serviceView(st *State, now time.Time) *serviceView {
	v := &serviceView{state: st, site: r.Site, overrides: r.Overrides, now: now, held: r.Verdicts, sources: r.LoadSource, memberOf: make(map[string][]string, len(st.Document.Services))}
	for i := range st.Document.VirtualServers {
		vs := &st.Document.VirtualServers[i]
		for _, m := range vs.Members {
			v.memberOf[m.Service] = append(v.memberOf[m.Service], vs.Name)
		}
	}
	return v
}

// status returns the belief about a service of the document.
func (v *serviceView) status(s *config.Service) *gslb.ServiceStatus {
	i, ok := v.state.Snapshot.GSLB.Plan.ServiceByName(s.Name)
	if !ok {
		return &gslb.ServiceStatus{} // a State holds a document and the plan compiled from it
	}
	return &v.state.Snapshot.GSLB.Status.Services[i]
}

func (v *serviceView) describe(s *config.Service) resource.Service {
	status := v.status(s)
	out := resource.Service{
		Name: s.Name, Group: s.Group, Site: s.Site, Local: s.Site == v.site,
		Addresses: slices.Clone(s.Addresses), CNAME: s.CNAME, Host: s.Host, Port: s.Port,
		State: status.State.String(), WithoutIPv4: status.Without4, WithoutIPv6: status.Without6,
		Reason: status.Reason, Source: status.Source, Since: status.Since.UTC(),
		EvidenceAgeSeconds: ageOf(v.now, status.Seen), Load: v.load(&status.Load), Metrics: v.metrics(status.Measures),
		VirtualServers: append([]string{}, v.memberOf[s.Name]...), Monitors: v.verdicts(s.Name), LoadSource: v.loadSource(s.Name),
	}
	slices.SortFunc(out.Addresses, netip.Addr.Compare)
	v.believed(&out, s, status)
	return out
}

// ageOf returns the seconds since at, or nil when there was nothing. What is dated ahead of now has no age yet.
func ageOf(now, at time.Time) *float64 {
	if at.IsZero() {
		return nil
	}
	seconds := max(now.Sub(at), 0).Seconds()
	return &seconds
}
