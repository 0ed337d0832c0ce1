package api

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/api/resource"
	"fairlead/gslb"
	"fairlead/internal/audit"
)

const sessionsPath = "/v1/sessions"

// sessionFilter is what narrows sessions down.
type sessionFilter struct {
	virtualServer string     // empty: any
	client        netip.Addr // invalid: any
}

func readSessionFilter(virtualServer, client string) (f sessionFilter, err error) {
	f.virtualServer = virtualServer
	if client == "" {
		return f, nil
	}
	if f.client, err = netip.ParseAddr(client); err != nil {
		return f, fault("/query/client", resource.CodeInvalid, "%q is not an IP address such as 203.0.113.5 or 2001:db8::5", clip(client))
	}
	return f, nil
}

// object names what it lets through, for the audit log.
func (f *sessionFilter) object() string {
	name := "session"
	if f.virtualServer != "" {
		name += "/" + f.virtualServer
	}
	if f.client.IsValid() {
		name += "/" + f.client.String()
	}
	return name
}

type sessionsInput struct {
	VirtualServer string `query:"virtual_server" maxLength:"127" doc:"Only sessions of this virtual server."`
	Client        string `query:"client" maxLength:"64" doc:"Only sessions of this client, an address."`
	// The cursor is opaque to clients.
	Limit  int    `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"Most entries on a page."`
	Cursor string `query:"cursor" maxLength:"64" doc:"next_cursor of the page before."`

	filter sessionFilter // set by Resolve
	from   int           // position; as well
}

// Resolve reads the parameters and reports everything that is wrong with them.
func (in *sessionsInput) Resolve(ctx huma.Context) []error {
	faults := strictQuery(ctx)
	var err error
	if in.filter, err = readSessionFilter(in.VirtualServer, in.Client); err != nil {
		faults = append(faults, err)
	}
	if in.from, err = readPosition(in.Cursor); err != nil {
		faults = append(faults, err)
	}
	return faults
}

// readPosition reads a cursor into a table.
func readPosition(text string) (int, error) {
	last, err := readCursor(text)
	if err != nil || last == "" {
		return 0, err
	}
	n, err := strconv.ParseUint(last, 10, 31)
	if err != nil {
		_, err = readCursor("!")
	}
	return int(n), err
}

type sessionsOutput struct {
	Link string `header:"Link" doc:"The following page (rel=next, RFC 8288)."`
	Body resource.SessionList
}

type dropInput struct {
	VirtualServer string `query:"virtual_server" maxLength:"127" doc:"Sessions of this virtual server."`
	Client        string `query:"client" maxLength:"64" doc:"Sessions of this client, an address."`
	All           bool   `query:"all" doc:"Forget all sessions. Not with other parameters."`

	filter sessionFilter // set by Resolve
}

// Resolve wants to be told which sessions.
func (in *dropInput) Resolve(ctx huma.Context) []error {
	faults := strictQuery(ctx)
	var err error
	if in.filter, err = readSessionFilter(in.VirtualServer, in.Client); err != nil {
		faults = append(faults, err)
	}
	if narrow := in.VirtualServer != "" || in.Client != ""; narrow == in.All {
		faults = append(faults, fault("/query/all", resource.CodeInvalid, "say which sessions: virtual_server, client or both, or all=true"))
	}
	return faults
}

type droppedOutput struct{ Body resource.Dropped }

func (r *resources) registerSessions(rest huma.API) {
	problems := []int{http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	register(r, rest, huma.Operation{OperationID: "list-sessions", Method: http.MethodGet, Path: sessionsPath, Tags: []string{"sessions"},
		Summary: "Clients that stay where they were sent"}, slices.Clone(problems), r.sessions)
	register(r, rest, huma.Operation{OperationID: "drop-sessions", Method: http.MethodDelete, Path: sessionsPath, Tags: []string{"sessions"},
		Summary: "Forget sessions", DefaultStatus: http.StatusOK}, slices.Clone(problems), r.dropSessions)
}

// sessionView is the sessions of one moment, and who they belong to.
type sessionView struct {
	state *State
	table *gslb.Sessions // nil: there are none
	plan  *gslb.Plan
	uses  []gslb.SessionUse // that pass the filter
	byID  map[uint32][]gslb.SessionUse
	now   time.Time
}

func (r *resources) sessionView(f *sessionFilter) (*sessionView, error) {
	st, err := r.state()
	if err != nil {
		return nil, err
	}
	v := &sessionView{state: st, table: st.Snapshot.Learned.Sessions, plan: st.Snapshot.GSLB.Plan, byID: map[uint32][]gslb.SessionUse{}, now: time.Now()}
	known := f.virtualServer == ""
	for i := range st.Document.VirtualServers {
		known = known || st.Document.VirtualServers[i].Name == f.virtualServer
	}
	if !known {
		return nil, newProblem(http.StatusNotFound, resource.Fault{Pointer: "/query/virtual_server", Code: resource.CodeNoSuchVirtualServer,
			Detail: fmt.Sprintf("the document has no virtual server %q", clip(f.virtualServer))})
	}
	for _, u := range v.plan.SessionUses() {
		v.byID[u.ID] = append(v.byID[u.ID], u)
		if f.virtualServer == "" || f.virtualServer == u.VirtualServer {
			v.uses = append(v.uses, u)
		}
	}
	return v, nil
}

// wants reports whether a filter lets a session through that no key was made for.
func (v *sessionView) wants(f *sessionFilter, k gslb.SessionKey) bool {
	return f.virtualServer == "" || slices.ContainsFunc(v.uses, func(u gslb.SessionUse) bool { return u.ID == k.ID })
}

// keys returns the keys that a client's sessions can have.
func (v *sessionView) keys(client netip.Addr) (keys []gslb.SessionKey) {
	for i := range v.uses {
		if k := v.uses[i].Key(client); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}

func (r *resources) sessions(_ context.Context, in *sessionsInput) (*sessionsOutput, error) {
	v, err := r.sessionView(&in.filter)
	if err != nil {
		return nil, err
	}
	out := &sessionsOutput{Body: resource.SessionList{Sessions: []resource.Session{}, At: v.now.UTC(), Shared: r.sharedResources()}}
	if v.table == nil {
		return out, nil
	}
	st := v.table.Stats()
	out.Body.Counts = resource.SessionCounts{Entries: st.Entries, Max: st.Max, Evictions: st.Evictions}
	if in.filter.client.IsValid() {
		for _, k := range v.keys(in.filter.client) {
			if service, until, ok := v.table.Lookup(k, v.now.Unix()); ok {
				out.Body.Sessions = append(out.Body.Sessions, v.describe(k, service, until))
			}
		}
		return out, nil
	}
	if in.from == 0 {
		out.Body.Uses, out.Body.MoreUses = usesOf(v.state, v.uses)
	}
	next := v.table.Walk(in.from, func(k gslb.SessionKey, service uint64, until int64) bool {
		if until > v.now.Unix() && v.wants(&in.filter, k) {
			out.Body.Sessions = append(out.Body.Sessions, v.describe(k, service, until))
		}
		return len(out.Body.Sessions) < in.Limit
	})
	if next > 0 {
		out.Body.NextCursor = cursor(strconv.Itoa(next))
		q := url.Values{"limit": {strconv.Itoa(in.Limit)}, "cursor": {out.Body.NextCursor}}
		if in.VirtualServer != "" {
			q.Set("virtual_server", in.VirtualServer)
		}
		out.Link = fmt.Sprintf("<%s?%s>; rel=\"next\"", sessionsPath, q.Encode())
	}
	return out, nil
}

func (v *sessionView) describe(k gslb.SessionKey, service uint64, until int64) resource.Session {
	out := resource.Session{ID: k.ID, Client: netip.PrefixFrom(k.Client, k.Client.BitLen()), VirtualServers: []string{},
		EndsInSeconds: max(time.Unix(until, 0).Sub(v.now).Seconds(), 0)}
	for i, u := range v.byID[k.ID] {
		if i == 0 {
			out.Client, out.Kind = u.Client(k.Client), resource.SessionPersistence
			if u.Spillover {
				out.Kind = resource.SessionSpillover
			}
		}
		out.VirtualServers = append(out.VirtualServers, u.VirtualServer)
	}
	if i, ok := v.plan.ServiceByHash(service); ok {
		out.Service = v.plan.Service(i).Name
	}
	return out
}

// longest returns the longest time-out of an id's sessions, in seconds; 0: there are none.
func (v *sessionView) longest(id uint32) (seconds int64) {
	for _, u := range v.byID[id] {
		seconds = max(seconds, int64(u.Timeout/time.Second))
	}
	return seconds
}

func (r *resources) dropSessions(ctx context.Context, in *dropInput) (*droppedOutput, error) {
	v, err := r.sessionView(&in.filter)
	if err != nil {
		return nil, err
	}
	if err := r.audited(ctx, audit.Entry{Action: "drop", Object: in.filter.object()}); err != nil {
		return nil, err
	}
	out := &droppedOutput{}
	if v.table == nil {
		return out, nil
	}
	drop := func(k gslb.SessionKey) {
		if v.table.Forget(k, v.now.Unix(), v.now.Unix()+v.longest(k.ID)) {
			out.Body.Dropped++
		}
	}
	if in.filter.client.IsValid() {
		for _, k := range v.keys(in.filter.client) {
			drop(k)
		}
		return out, nil
	}
	v.table.Each(func(k gslb.SessionKey, _ uint64, _ int64) bool {
		if v.wants(&in.filter, k) {
			drop(k)
		}
		return true
	})
	return out, nil
}
