package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/config/revision"
)

const (
	syncPath      = "/v1/sync"
	conflictsPath = syncPath + "/conflicts"
	peersPath     = "/v1/status/peers"
	// minRevision is how many digits of a revision have to be given.
	minRevision = 4
)

type syncInput struct{}

// Resolve refuses query parameters.
func (in *syncInput) Resolve(ctx huma.Context) []error { return strictQuery(ctx) }

type syncOutput struct{ Body resource.Sync }

type conflictsOutput struct{ Body resource.ConflictList }

type peersOutput struct{ Body resource.PeerList }

type resolveInput struct {
	Kind string `path:"kind" maxLength:"32" doc:"Kind of the object, such as service."`
	Name string `path:"name" maxLength:"1024" doc:"Name of the object. Slashes may be written as they are."`
	WriteParams
	Body resource.Resolution
}

// Resolve reads the headers.
func (in *resolveInput) Resolve(ctx huma.Context) []error { return in.resolveWrite(ctx) }

func (r *resources) registerSync(rest huma.API) {
	op := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{"sync"}, Summary: summary}
	}
	register(r, rest, op("get-sync", http.MethodGet, syncPath, "How the document is shared with other sites"), readProblems, r.sync)
	register(r, rest, op("list-conflicts", http.MethodGet, conflictsPath, "Objects that were changed at several sites at once"), readProblems, r.conflicts)
	register(r, rest, op("resolve-conflict", http.MethodPost, conflictsPath+"/{kind}/{name}/resolve", "Decide which side of a conflict counts"), writeProblems, r.resolve)
	register(r, rest, op("list-peers", http.MethodGet, peersPath, "Other sites: sessions with them, and their documents"), []int{http.StatusUnprocessableEntity}, r.peers)
}

func (r *resources) sync(context.Context, *syncInput) (*syncOutput, error) {
	docs, v, err := r.documents()
	if err != nil {
		return nil, err
	}
	s := docs.Sync()
	if s == nil {
		s = &revision.Sync{}
	}
	out := &syncOutput{resource.Sync{Mode: s.Mode, Follows: s.Follows, Revision: v.Revision, Document: r.documentID(v.Document), Heads: append([]string{}, v.Heads...),
		Conflicts: s.Conflicts, Unavailable: s.Unavailable, Damaged: s.Damaged, NotServed: v.NotServed, Peers: []resource.SyncPeer{}}}
	if r.Gathering != nil {
		if g := r.Gathering(); !g.Since.IsZero() {
			out.Body.Gathering = g.Since.UTC()
		}
	}
	for _, p := range s.Peers {
		out.Body.Peers = append(out.Body.Peers, r.describeSyncPeer(&p, v))
	}
	for _, q := range s.Quarantine {
		out.Body.Quarantine = append(out.Body.Quarantine, resource.QuarantinedRevision{Revision: describeRevision(q.Revision), From: q.From, Why: q.Why, Since: q.Since.UTC()})
	}
	inert := slices.Concat(v.Inert, s.Inert)
	for n, p := range inert {
		if n == maxFaults {
			break
		}
		if f := (resource.Fault{Pointer: problemPointer(p, config.ObjectKey{}), Code: string(p.Code), Detail: problemText(p)}); !slices.Contains(out.Body.Inert, f) {
			out.Body.Inert = append(out.Body.Inert, f)
		}
	}
	return out, nil
}

func (r *resources) describeSyncPeer(p *revision.PeerSync, v *revision.View) resource.SyncPeer {
	out := resource.SyncPeer{Site: p.Site, Connected: p.Connected, Revision: p.Revision, Document: r.documentID(p.Document), Same: p.Document != "" && p.Document == v.Document,
		Mode: p.Mode, Version: p.Version, Ahead: p.Ahead, Behind: p.Behind, LastError: p.LastError}
	if !p.Heard.IsZero() {
		out.Heard = p.Heard.UTC()
	}
	return out
}

func (r *resources) conflicts(context.Context, *syncInput) (*conflictsOutput, error) {
	docs, _, err := r.documents()
	if err != nil {
		return nil, err
	}
	out := &conflictsOutput{resource.ConflictList{Conflicts: []resource.Conflict{}}}
	for _, c := range docs.Conflicts() {
		d := resource.Conflict{Kind: c.Key.Kind.String(), Name: c.Key.Name, Winner: describeSide(&c.Winner), Losers: []resource.ConflictSide{}}
		for i := range c.Losers {
			side := describeSide(&c.Losers[i])
			side.Diff = config.DiffText(c.Winner.Object, c.Losers[i].Object)
			d.Losers = append(d.Losers, side)
		}
		out.Body.Conflicts = append(out.Body.Conflicts, d)
	}
	return out, nil
}

func describeSide(s *revision.Side) resource.ConflictSide {
	out := resource.ConflictSide{Revision: s.Revision, Site: s.Site, Author: s.Author, Reason: s.Reason, Removed: s.Object == nil, Object: shownObject(s.Object)}
	if !s.Time.IsZero() {
		out.Time = s.Time.UTC()
	}
	return out
}

func (r *resources) resolve(ctx context.Context, in *resolveInput) (*writeOutput, error) {
	docs, _, err := r.documents()
	if err != nil {
		return nil, err
	}
	kind, _ := config.ParseObjectKind(in.Kind)
	key := config.ObjectKey{Kind: kind, Name: config.CanonicalObjectName(kind, in.Name)}
	if in.Reason == "" {
		in.Reason = in.Body.Reason
	}
	i := &intent{in: &in.WriteParams, action: "resolve", object: key.String(), source: "resolve", admin: true, body: key, sent: []byte(in.Body.Keep)}
	i.build = func(*revision.View) (*revision.Write, error) {
		all := docs.Conflicts()
		n := slices.IndexFunc(all, func(c revision.Conflict) bool { return c.Key == key })
		if n < 0 {
			return nil, newProblem(http.StatusNotFound, resource.Fault{Pointer: "/path/name", Code: resource.CodeNoSuchConflict,
				Detail: fmt.Sprintf("there is no conflict about %s; %s lists them", clip(in.Kind+"/"+in.Name), conflictsPath)})
		}
		return settle(&all[n], in.Body.Keep)
	}
	out, err := r.write(ctx, i)
	if err != nil {
		return nil, err
	}
	return r.outputOf(out, i.in), nil
}

// settle is the write that ends a conflict with one of its sides.
func settle(c *revision.Conflict, keep string) (*revision.Write, error) {
	w := &revision.Write{Resolve: []config.ObjectKey{c.Key}}
	if keep == currentWord {
		return w, nil
	}
	var kept []revision.Side
	for _, side := range append([]revision.Side{c.Winner}, c.Losers...) {
		if len(keep) >= minRevision && strings.HasPrefix(side.Revision, keep) {
			kept = append(kept, side)
		}
	}
	switch {
	case len(kept) != 1:
		return nil, newProblem(http.StatusNotFound, resource.Fault{Pointer: "/body/keep", Code: resource.CodeNoSuchConflict,
			Detail: fmt.Sprintf("no side, or more than one, of this conflict is of revision %q; %s lists them, and current is what counts now", clip(keep), conflictsPath)})
	case kept[0].Object != nil:
		w.Put = []*config.Object{kept[0].Object}
	default:
		w.Remove = []config.ObjectKey{c.Key}
	}
	return w, nil
}

func (r *resources) peers(context.Context, *syncInput) (*peersOutput, error) {
	now := time.Now()
	out := &peersOutput{resource.PeerList{Peers: []resource.Peer{}, At: now.UTC()}}
	at := map[string]int{}
	for _, p := range r.Peers() {
		d := resource.Peer{Site: p.Site, Address: p.Address, State: string(p.State), Node: p.Node, LastError: p.LastError,
			LastHeardAgeSeconds: ageOf(now, p.LastHeard)}
		if !p.Since.IsZero() {
			d.Since = p.Since.UTC()
		}
		if p.Measured {
			rtt, skew := p.RTT.Seconds(), p.ClockSkew.Seconds()
			d.RTTSeconds, d.ClockSkewSeconds = &rtt, &skew
		}
		at[p.Site] = len(out.Body.Peers)
		out.Body.Peers = append(out.Body.Peers, d)
	}
	if docs, v, err := r.documents(); err == nil && docs.Sync() != nil {
		for _, p := range docs.Sync().Peers {
			i, known := at[p.Site]
			if !known {
				i = len(out.Body.Peers)
				out.Body.Peers = append(out.Body.Peers, resource.Peer{Site: p.Site, State: "none"})
			}
			d := r.describeSyncPeer(&p, v)
			out.Body.Peers[i].Document = &d
		}
	}
	slices.SortFunc(out.Body.Peers, func(a, b resource.Peer) int { return cmp.Compare(a.Site, b.Site) })
	return out, nil
}
