package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/danielgtaylor/huma/v2"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/gslb"
)

const resolversPath = "/v1/ldns"

type resolversInput struct {
	// The cursor is opaque to clients.
	Limit  int    `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"Most entries on a page."`
	Cursor string `query:"cursor" maxLength:"64" doc:"next_cursor of the page before."`

	from int // position; set by Resolve
}

// Resolve refuses what is not a parameter here, and what is not a cursor.
func (in *resolversInput) Resolve(ctx huma.Context) []error {
	faults := strictQuery(ctx)
	var err error
	if in.from, err = readPosition(in.Cursor); err != nil {
		faults = append(faults, err)
	}
	return faults
}

type resolversOutput struct {
	Link string `header:"Link" doc:"The following page (rel=next, RFC 8288)."`
	Body resource.ResolverList
}

type resolverInput struct {
	Address string `path:"address" maxLength:"64" doc:"Address of the resolver."`

	address netip.Addr // set by Resolve
}

// Resolve reads the address.
func (in *resolverInput) Resolve(ctx huma.Context) (faults []error) {
	in.address, faults = readResolver(ctx, in.Address)
	return faults
}

// readResolver reads the address of a resolver from the path.
func readResolver(ctx huma.Context, text string) (netip.Addr, []error) {
	faults := strictQuery(ctx)
	a, err := netip.ParseAddr(text)
	if err != nil || a.IsUnspecified() || a.IsMulticast() {
		return a, append(faults, fault("/path/address", resource.CodeInvalid, "%q is not the address of a resolver, such as 192.0.2.53 or 2001:db8::53", clip(text)))
	}
	return a.Unmap().WithZone(""), faults
}

type resolverOutput struct{ Body resource.Resolver }

type rttInput struct {
	Address string `path:"address" maxLength:"64" doc:"Address of the resolver."`
	Body    resource.RTTReport

	address netip.Addr // set by Resolve
}

// Resolve reads the address.
func (in *rttInput) Resolve(ctx huma.Context) (faults []error) {
	in.address, faults = readResolver(ctx, in.Address)
	return faults
}

type wantedInput struct {
	Limit int `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"Most resolvers."`
}

// Resolve refuses what is not a parameter here.
func (in *wantedInput) Resolve(ctx huma.Context) []error { return strictQuery(ctx) }

type wantedOutput struct{ Body resource.WantedResolvers }

func (r *resources) registerResolvers(rest huma.API) {
	register(r, rest, huma.Operation{OperationID: "list-resolvers", Method: http.MethodGet, Path: resolversPath, Tags: []string{"ldns"},
		Summary: "Resolvers and their round-trip times"}, []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, r.resolvers)
	register(r, rest, huma.Operation{OperationID: "get-resolver", Method: http.MethodGet, Path: resolversPath + "/{address}", Tags: []string{"ldns"},
		Summary: "Round-trip times of one resolver"}, []int{http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, r.resolver)
	register(r, rest, huma.Operation{OperationID: "put-rtt", Method: http.MethodPut, Path: resolversPath + "/{address}", Tags: []string{"ldns"},
		Summary: "Report a round-trip time", Description: "For method rtt. Of each site the last measurement counts."},
		[]int{http.StatusBadRequest, http.StatusForbidden, http.StatusRequestTimeout, http.StatusConflict, http.StatusRequestEntityTooLarge,
			http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, r.putRTT)
	register(r, rest, huma.Operation{OperationID: "take-wanted", Method: http.MethodPost, Path: resolversPath + "/wanted", Tags: []string{"ldns"},
		Summary: "Take resolvers that wait to be measured", Description: "Each is given out once, and waits again ten seconds later if it asks and was not reported.",
		DefaultStatus: http.StatusOK}, []int{http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, r.takeWanted)
}

// rttView is the resolvers of one moment.
type rttView struct {
	table    *gslb.Resolvers // nil: there are none
	document *config.Document
	sites    map[uint64]string // names by hash
	now      time.Time
}

func (r *resources) rttView() (*rttView, error) {
	st, err := r.state()
	if err != nil {
		return nil, err
	}
	v := &rttView{table: st.Snapshot.Learned.Resolvers, document: st.Document, sites: map[uint64]string{}, now: time.Now()}
	for i := range st.Document.Sites {
		name := st.Document.Sites[i].Name
		v.sites[xxhash.Sum64String(name)] = name
	}
	if v.table == nil {
		v.table = gslb.NewResolvers(gslb.ResolverOptions{}).ReadOnly()
	}
	return v, nil
}

func (v *rttView) describe(network netip.Prefix, rtts []gslb.SiteRTT) resource.Resolver {
	out := resource.Resolver{Resolver: network, RTTs: []resource.SiteRTT{}}
	for _, m := range rtts {
		age := max(v.now.Sub(time.Unix(m.At, 0)), 0)
		out.RTTs = append(out.RTTs, resource.SiteRTT{Site: v.sites[m.Site], RTTMs: float64(m.RTT.Microseconds()) / 1000,
			AgeSeconds: age.Seconds(), Counts: age < v.table.Options().Timeout, By: m.By.String()})
	}
	slices.SortFunc(out.RTTs, func(a, b resource.SiteRTT) int { return cmp.Compare(a.RTTMs, b.RTTMs) })
	return out
}

func (r *resources) resolvers(_ context.Context, in *resolversInput) (*resolversOutput, error) {
	v, err := r.rttView()
	if err != nil {
		return nil, err
	}
	st := v.table.Stats()
	out := &resolversOutput{Body: resource.ResolverList{Resolvers: []resource.Resolver{}, At: v.now.UTC(),
		Counts: resource.ResolverCounts{Entries: st.Entries, Max: st.Max, Waiting: st.Waiting}}}
	if r.ResolverCounts != nil { // those that were taken from the queue of queries wait for their turn
		out.Body.Counts.Waiting += r.ResolverCounts().Probes.Waiting
	}
	next := v.table.Walk(in.from, func(network netip.Prefix, _ int64, rtts []gslb.SiteRTT) bool {
		out.Body.Resolvers = append(out.Body.Resolvers, v.describe(network, rtts))
		return len(out.Body.Resolvers) < in.Limit
	})
	if next > 0 {
		out.Body.NextCursor = cursor(strconv.Itoa(next))
		q := url.Values{"limit": {strconv.Itoa(in.Limit)}, "cursor": {out.Body.NextCursor}}
		out.Link = fmt.Sprintf("<%s?%s>; rel=\"next\"", resolversPath, q.Encode())
	}
	return out, nil
}

func (r *resources) resolver(_ context.Context, in *resolverInput) (*resolverOutput, error) {
	v, err := r.rttView()
	if err != nil {
		return nil, err
	}
	network, rtts, ok := v.table.Lookup(in.address)
	if !ok {
		return nil, newProblem(http.StatusNotFound, resource.Fault{Pointer: "/path/address", Code: resource.CodeNoSuchResolver,
			Detail: fmt.Sprintf("nothing is known of resolver %s", in.address)})
	}
	return &resolverOutput{v.describe(network, rtts)}, nil
}

func (r *resources) putRTT(_ context.Context, in *rttInput) (*struct{}, error) {
	v, err := r.rttView()
	if err != nil {
		return nil, err
	}
	site := xxhash.Sum64String(in.Body.Site)
	if _, ok := v.sites[site]; !ok {
		return nil, newProblem(http.StatusUnprocessableEntity, resource.Fault{Pointer: "/body/site", Code: resource.CodeNoSuchSite,
			Detail: fmt.Sprintf("the document has no site %q; %s lists them", clip(in.Body.Site), sitesPath)})
	}
	rtt := time.Duration(in.Body.RTTMs * float64(time.Millisecond))
	at := v.now.Add(-time.Duration(in.Body.AgeSeconds * float64(time.Second)))
	report := r.ReportRTT
	if report == nil {
		report = func(a netip.Addr, _ string, rtt time.Duration, at time.Time) bool {
			return v.table.MeasuredBy(a, site, rtt, at.Unix(), gslb.RTTPushed)
		}
	}
	if !report(in.address, in.Body.Site, rtt, at) {
		return nil, newProblem(http.StatusConflict, resource.Fault{Pointer: "/body", Code: resource.CodeOutdated,
			Detail: "a later measurement from this site is there, or enough shorter ones from others; this one is not taken"})
	}
	return nil, nil
}

func (r *resources) takeWanted(_ context.Context, in *wantedInput) (*wantedOutput, error) {
	v, err := r.rttView()
	if err != nil {
		return nil, err
	}
	if r.TakeResolvers != nil {
		return &wantedOutput{Body: resource.WantedResolvers{Resolvers: r.TakeResolvers(in.Limit)}}, nil
	}
	out := &wantedOutput{Body: resource.WantedResolvers{Resolvers: []netip.Addr{}}}
	for len(out.Body.Resolvers) < in.Limit {
		a, ok := v.table.NextWanted()
		if !ok {
			break
		}
		out.Body.Resolvers = append(out.Body.Resolvers, a)
	}
	return out, nil
}
