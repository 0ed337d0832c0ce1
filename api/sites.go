package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/sites"
)

const sitesPath = "/v1/status/sites"

type sitesInput struct{}

// Resolve refuses query parameters.
func (in *sitesInput) Resolve(ctx huma.Context) []error { return strictQuery(ctx) }

type sitesOutput struct{ Body resource.SiteList }

type siteOutput struct{ Body resource.Site }

func (r *resources) registerSites(rest huma.API) {
	register(r, rest, huma.Operation{OperationID: "list-sites", Method: http.MethodGet, Path: sitesPath, Tags: []string{"status"},
		Summary: "Sites and the exchange with them"}, []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, r.sites)
	register(r, rest, huma.Operation{OperationID: "get-site", Method: http.MethodGet, Path: sitesPath + "/{name}", Tags: []string{"status"},
		Summary: "One site and the exchange with it"}, []int{http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}, r.site)
}

func (r *resources) sites(_ context.Context, _ *sitesInput) (*sitesOutput, error) {
	st, err := r.state()
	if err != nil {
		return nil, err
	}
	v := newSiteView(st, r.Site, r.Peers(), time.Now())
	out := &sitesOutput{Body: resource.SiteList{Sites: []resource.Site{}, Snapshot: st.Snapshot.Generation, At: v.now.UTC(),
		Alarm: st.Snapshot.GSLB.Status.Alarm, Isolated: st.Snapshot.GSLB.Status.Isolated}}
	agreed := r.agreed()
	for i := range st.Document.Sites {
		out.Body.Sites = append(out.Body.Sites, withAgreement(r.withHeadroom(v.describe(i)), agreed))
	}
	return out, nil
}

func (r *resources) site(_ context.Context, in *nameInput) (*siteOutput, error) {
	st, err := r.state()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(st.Document.Sites, func(s config.Site) bool { return s.Name == in.Name })
	if i < 0 {
		return nil, newProblem(http.StatusNotFound, resource.Fault{Pointer: "/path/name", Code: resource.CodeNoSuchSite,
			Detail: "the document has no site \"" + clip(in.Name) + "\"; " + sitesPath + " lists them"})
	}
	return &siteOutput{withAgreement(r.withHeadroom(newSiteView(st, r.Site, r.Peers(), time.Now()).describe(i)), r.agreed())}, nil
}

// siteView describes the sites of one moment.
type siteView struct {
	state  *State
	local  string
	peers  []mep.PeerStatus
	now    time.Time
	counts map[string]*resource.StateCounts // by site
	own    *config.Site
	above  map[string][]string // sites that may tell of one
}

func newSiteView(st *State, local string, peers []mep.PeerStatus, now time.Time) *siteView {
	v := &siteView{state: st, local: local, peers: peers, now: now, counts: make(map[string]*resource.StateCounts, len(st.Document.Sites)),
		own: st.Document.Site(local), above: st.Document.Relays()}
	for i := range st.Document.Sites {
		v.counts[st.Document.Sites[i].Name] = &resource.StateCounts{}
	}
	g := st.Snapshot.GSLB
	for i := range g.Status.Services {
		if c := v.counts[g.Plan.Service(gslb.ServiceIndex(i)).Site]; c != nil {
			count(c, g.Status.Services[i].State)
		}
	}
	return v
}

func count(c *resource.StateCounts, s gslb.State) {
	switch s {
	case gslb.Up:
		c.Up++
	case gslb.Down:
		c.Down++
	case gslb.Disabled:
		c.Disabled++
	case gslb.Draining:
		c.Draining++
	default:
		c.Unknown++
	}
}

// describe describes a site by its place in the document.
func (v *siteView) describe(i int) resource.Site {
	s := &v.state.Document.Sites[i]
	out := resource.Site{
		Name: s.Name, Address: s.Address, Local: s.Name == v.local, Location: location(&s.Location), Parents: s.Parents(), AnswersDNS: s.Answers(),
		Peer: resource.PeerNone, Document: resource.DocumentUnknown, Services: *v.counts[s.Name], Relation: v.relation(s),
	}
	if i < len(v.state.Sites) {
		v.reach(&out, &v.state.Sites[i])
	}
	if out.Local {
		out.Peer, out.Document, out.AttachedTo = resource.PeerLocal, resource.DocumentSame, v.attached()
		return out
	}
	if i := slices.IndexFunc(v.peers, func(p mep.PeerStatus) bool { return p.Site == s.Name }); i >= 0 {
		v.exchange(&out, &v.peers[i])
		if p := &v.peers[i]; out.AttachedTo == v.local && p.State == mep.PeerUp && !p.Attached {
			out.AttachedTo = "" // it said so itself, and this site may be told of it by nobody else
		}
	}
	return out
}

// attached is the parent that this node's site reports to, while there is a session with it.
func (v *siteView) attached() string {
	i := slices.IndexFunc(v.peers, func(p mep.PeerStatus) bool {
		return p.Relation == mep.RelationParent && p.Attached && p.State == mep.PeerUp
	})
	if i < 0 {
		return ""
	}
	return v.peers[i].Site
}

// relation is what a site is to this node's.
func (v *siteView) relation(s *config.Site) string {
	own := v.own
	switch {
	case s.Name == v.local:
		return resource.RelationLocal
	case s.Foreign:
		return resource.RelationForeign
	case own != nil && slices.Contains(own.Parents(), s.Name):
		return resource.RelationParent
	case slices.Contains(s.Parents(), v.local):
		return resource.RelationChild
	case own == nil || own.Parent == "":
		if s.Parent == "" {
			return resource.RelationMesh
		}
		return resource.RelationRelayed
	case slices.Contains(v.above[s.Name], v.local):
		return resource.RelationRelayed
	}
	return resource.RelationNone
}

// reach fills in how a site is heard.
func (v *siteView) reach(out *resource.Site, s *sites.SiteStatus) {
	out.Reach, out.Via, out.ReachSince = string(s.Reach), s.Via, s.Since.UTC()
	out.Partition = s.Partition
	if v.now.Before(s.Learning) {
		out.LearningUntil = s.Learning.UTC()
	}
	switch {
	case s.Reach != sites.ReachHeard || len(out.Parents) == 0:
	case s.Via == out.Name && out.Relation == resource.RelationChild:
		out.AttachedTo = v.local
	case slices.Contains(out.Parents, s.Via):
		out.AttachedTo = s.Via
	}
}

// exchange fills in how things stand with a peer.
func (v *siteView) exchange(out *resource.Site, p *mep.PeerStatus) {
	out.Peer, out.Since = string(p.State), p.Since.UTC()
	out.LastHeardAgeSeconds = ageOf(v.now, p.LastHeard)
	if p.Measured {
		rtt, skew := p.RTT.Seconds(), p.ClockSkew.Seconds()
		out.RTTSeconds, out.ClockSkewSeconds = &rtt, &skew
	}
	out.Node, out.Version, out.Document = p.Node, p.Version, v.compare(p)
	out.Sessions, out.BytesIn, out.BytesOut = p.Sessions, p.BytesIn, p.BytesOut
	out.LastError = p.LastError
	if !p.LastErrorAt.IsZero() {
		out.LastErrorAt = p.LastErrorAt.UTC()
	}
}

// compare says whether a peer has this node's document. A peer tells its digest every few seconds; until it has told it
// since this node changed its own document, another digest proves nothing, because the peer may have followed.
func (v *siteView) compare(p *mep.PeerStatus) string {
	var own [len(p.Digest)]byte
	copy(own[:], v.state.DocumentID)
	switch {
	case p.State != mep.PeerUp || p.Digest == [len(p.Digest)]byte{}:
		return resource.DocumentUnknown
	case p.Digest == own:
		return resource.DocumentSame
	case v.state.Since.After(p.DigestAt):
		return resource.DocumentUnknown
	}
	return resource.DocumentDiffers
}

func location(l *config.SiteLocation) *resource.Location {
	if l.Place == "" && l.Latitude == nil && l.Longitude == nil {
		return nil
	}
	return &resource.Location{Place: l.Place, Latitude: l.Latitude, Longitude: l.Longitude}
}
