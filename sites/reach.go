package sites

import (
	"slices"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
)

// What is heard of a site, and by whom: it tells itself, when it is in the mesh or reports to this node, or a relay tells of
// it. What counts is evidence of the site, whichever way it came. A child with several parents changes its way without having
// failed: its services keep their state meanwhile.

// maxRelays is how many sites that told of one site are remembered; the ones that were heard of last stay.
const maxRelays = 32

// standing is what this node can hear of a site, by the document.
type standing uint8

const (
	standsHere    standing = iota // it is this node's own
	standsTelling                 // it tells this node of its services, or a site above it does
	standsForeign                 // nobody speaks for it
	standsBeyond                  // it tells others: this node has a parent, and sites are told nothing by those above them
)

// site is what is known of one site.
type site struct {
	name     string
	source   string // of its reports
	standing standing
	mesh     bool     // it has no parent, and nor has this node's
	reported bool     // this node may report to it
	several  bool     // it may report to more than one
	depth    int      // how many sites are above it, at most
	above    []string // those that may pass on what it tells
	services []int32  // of the document, by index
	viewed   []int32  // services that it told its view of
	views    uint64   // how often it did

	session  bool    // there is one with it
	hears    []*site // of the mesh, as it told last
	misses   []*site // the same: those that it does not hear
	relays   []relay // sites that told of it, at most maxRelays
	relaying bool    // it told of others
	// via is who counts for what is heard of it: itself or a relay. Empty: nobody told of its services yet.
	via         string
	incarnation uint64 // of its last report
	set         uint64

	up       bool // it is heard
	told     bool // it told its services since
	left     bool // it announced that it stops
	since    time.Time
	added    time.Time // to the document: a site not heard yet is being learned until then + keep-alive time-out
	broken   time.Time // until when it would be heard if its session had not broken
	learning time.Time // until when its services keep their state, as it may have changed its way; zero: they do not
	moved    time.Time // until when losing it is a change of its way: a document gave it another one, here or at who lost it
	sight    sight
	tally    tally
}

// relay is a site that told of another one.
type relay struct {
	site  string
	heard bool
}

// newSites makes the sites of a document, with what is known of those that stay.
func (t *Tracker) newSites(doc *config.Document, now time.Time) (byName map[string]*site, list []*site) {
	byName, list = make(map[string]*site, len(doc.Sites)), make([]*site, 0, len(doc.Sites))
	own, above, depth := doc.Site(t.opts.Site), doc.Relays(), doc.Depths()
	for i := range doc.Sites {
		d := &doc.Sites[i]
		s := t.sites[d.Name]
		if s == nil {
			s = &site{name: d.Name, source: "mep " + d.Name, added: now}
		}
		s.services, s.viewed = nil, nil
		s.several, s.depth = len(d.Parents()) > 1, depth[d.Name]
		was := s.standing
		s.reported = own != nil && slices.Contains(own.Parents(), d.Name)
		s.mesh = d.Parent == "" && !d.Foreign && (own == nil || own.Parent == "")
		switch {
		case d.Name == t.opts.Site:
			s.standing = standsHere
		case d.Foreign:
			s.standing = standsForeign
		case own == nil || own.Parent == "" || slices.Contains(above[d.Name], t.opts.Site):
			s.standing = standsTelling
		default:
			s.standing = standsBeyond
		}
		if t.sites[d.Name] != nil {
			s.move(was, above[d.Name], doc.Settings.MEP.ParentTimeout.Std()+doc.Settings.MEP.KeepaliveTimeout.Std(), now)
		}
		s.above = above[d.Name]
		byName[d.Name], list = s, append(list, s)
	}
	for _, s := range list {
		s.relays = slices.DeleteFunc(s.relays, func(r relay) bool { return byName[r.site] == nil })
	}
	return byName, list
}

// move follows a document that may have given the site another way by which it is heard. Sites do not get it all at once, and so
// the old way may end before the new one begins: that is no loss.
func (s *site) move(was standing, above []string, patience time.Duration, now time.Time) {
	switch {
	case was != s.standing && (was == standsTelling || s.standing == standsTelling):
		// What was heard of it, and that it was not, says nothing any more, or yet.
		s.relays, s.via, s.up, s.told, s.incarnation, s.set = nil, "", false, false, 0, 0
		s.since, s.learning, s.moved, s.added = time.Time{}, time.Time{}, time.Time{}, now
		s.sight = sight{}
		if was == standsForeign {
			s.learning = now.Add(patience)
		}
	case s.standing != standsTelling:
	case !slices.Equal(s.above, above):
		s.moved = now.Add(patience)
		if until := s.since.Add(patience); !s.up && !s.left && now.Before(until) {
			s.learning = until
		}
	}
}

// adopt follows a document that may have made the service's site one that is not heard, or have given a foreign one a node: until that
// is heard it is as if it had reported what was believed.
func (e *evidence) adopt(now time.Time) {
	switch s, state := e.site, e.believed.state; {
	case s.standing != standsTelling:
		e.report = nil
	case e.report == nil && now.Before(s.learning) && !s.told && (state == gslb.Up || state == gslb.Draining):
		e.report = &report{record: mep.ServiceRecord{Name: e.service.Name, State: wireState(state), Reason: e.believed.reason}, seen: now, received: now}
	}
}

// relayed finds what a relay told of the site.
func (s *site) relayed(by string) *relay {
	for i := range s.relays {
		if s.relays[i].site == by {
			return &s.relays[i]
		}
	}
	return nil
}

// tell notes what a relay tells of the site.
func (s *site) tell(by string, heard bool) {
	if r := s.relayed(by); r != nil {
		r.heard = heard
		return
	}
	if len(s.relays) == maxRelays {
		s.relays = slices.Delete(s.relays, 0, 1)
	}
	s.relays = append(s.relays, relay{by, heard})
}

// open reports whether the site is heard by a way; "": any.
func (s *site) open(way string) bool {
	switch way {
	case s.name:
		return s.session
	case "":
		return s.session || slices.ContainsFunc(s.relays, func(r relay) bool { return r.heard })
	}
	r := s.relayed(way)
	return r != nil && r.heard
}

// settle says anew whether the site is heard, as of a time. It reports whether that changed.
func (t *Tracker) settle(s *site, at time.Time) bool {
	up := !s.left && s.open(s.via)
	if up == s.up {
		return false
	}
	s.up, s.since, s.told = up, at, false
	m := &t.document.Settings.MEP
	switch {
	case s.left:
		s.learning = time.Time{}
	case !up && (s.several || at.Before(s.moved)):
		s.learning = at.Add(m.ParentTimeout.Std() + m.KeepaliveTimeout.Std())
	case up && !at.Before(s.learning):
		t.forgetReports(s) // they are from before the silence; the site tells all anew within an interval
	}
	t.reached++
	return true
}

// Peer takes in an event of the exchange. It reports whether belief may have changed.
func (t *Tracker) Peer(event mep.Event, handed func(gslb.ServiceIndex) uint64) bool {
	switch e := event.(type) {
	case *mep.SessionUp:
		return t.meet(e.Peer, e.At)
	case *mep.PeerLeaving:
		return t.part(e.Peer, true, true, e.At)
	case *mep.SessionDown:
		t.broke(e)
		if s := t.sites[e.Peer]; s != nil && e.Differs && s.standing == standsTelling && !s.mesh {
			t.moves(s, e.At)
		}
		return t.part(e.Peer, false, e.Left, e.At)
	case *mep.SiteReach:
		return t.reach(e)
	case *mep.ServicesReport:
		return t.report(e, handed)
	case *mep.ViewsReport:
		return t.heardViews(e)
	}
	return false
}

// meet takes in that there is a session with a site. Of one that may have others to report to, that alone says no more than that
// it is there.
func (t *Tracker) meet(name string, at time.Time) bool {
	s := t.sites[name]
	if s == nil {
		return false
	}
	if !s.session {
		t.reached++
	}
	s.session, s.left = true, false
	if !s.several && !s.open(s.via) {
		s.via = name
	}
	t.settle(s, at)
	return true
}

// part takes in that a session ended, or will: then it stays one for the sites that are heard by it until it has.
func (t *Tracker) part(name string, open, left bool, at time.Time) bool {
	s := t.sites[name]
	if s == nil {
		return false
	}
	if s.session != open {
		t.reached++
	}
	if s.session, s.left = open, s.left || left; left {
		t.recountOf(s)
	}
	if t.settle(s, at); s.left && s.since.Before(at) {
		s.since = at
	}
	if !open && s.relaying {
		t.loseRelay(name, at)
	}
	return true
}

// loseRelay takes in that what a site told of others does not hold any more.
func (t *Tracker) loseRelay(name string, at time.Time) {
	for _, s := range t.list {
		if r := s.relayed(name); r != nil {
			r.heard = false
			t.settle(s, at)
		}
	}
	t.sites[name].relaying = false
}

// reach takes in what a relay tells of a site.
func (t *Tracker) reach(e *mep.SiteReach) bool {
	s, by := t.sites[e.Site], t.sites[e.Peer]
	if s == nil || by == nil || s == by || s.standing != standsTelling {
		return false
	}
	by.relaying = true
	s.tell(e.Peer, e.Reach == mep.ReachHeard)
	switch {
	case e.Reach == mep.ReachHeard:
		if s.left = false; !s.open(s.via) {
			s.via = e.Peer
		}
	case e.Reach == mep.ReachLost && e.Differs && s.via == e.Peer:
		t.moves(s, e.At)
	case e.Reach == mep.ReachLeft && (s.via == e.Peer || s.via == ""):
		s.left = true
	}
	return t.settle(s, e.At)
}

// moves takes in that a site is about to be lost by one with another document: by that it may have another parent.
func (t *Tracker) moves(s *site, at time.Time) {
	m := &t.document.Settings.MEP
	if until := at.Add(m.ParentTimeout.Std() + m.KeepaliveTimeout.Std()); until.After(s.moved) {
		s.moved = until
	}
}

// report takes in a site's full set. A service that it no longer names has no report any more.
func (t *Tracker) report(r *mep.ServicesReport, handed func(gslb.ServiceIndex) uint64) bool {
	s, by := t.sites[originOf(r)], t.sites[r.Peer]
	if s == nil || by == nil || s.standing != standsTelling || t.overtaken(s, r) {
		return false
	}
	if s != by {
		by.relaying = true
		s.tell(r.Peer, true)
	}
	if s.left && (r.Incarnation > s.incarnation || s.via != r.Peer && s.open(r.Peer)) {
		s.left = false
	}
	if s.via != r.Peer {
		s.via = r.Peer
		t.reached++
	}
	s.incarnation, s.set = r.Incarnation, r.Set
	changed := t.settle(s, r.ReceivedAt)
	if !s.told || !s.learning.IsZero() {
		s.told, s.learning, changed = true, time.Time{}, true
		t.reached++
	}
	return t.records(s, r, handed) || changed
}

// originOf is the site whose services a report is about.
func originOf(r *mep.ServicesReport) string {
	if r.Site == "" {
		return r.Peer
	}
	return r.Site
}

// overtaken reports whether a report is older than one that came by another way. Those of one way come in order.
func (t *Tracker) overtaken(s *site, r *mep.ServicesReport) bool {
	if s.via == r.Peer || s.via == "" || !s.up || !s.told {
		return false
	}
	return r.Incarnation < s.incarnation || r.Incarnation == s.incarnation && r.Set < s.set
}

// records takes in the records of a site's report. What it costs goes by the services of that site alone.
func (t *Tracker) records(s *site, r *mep.ServicesReport, handed func(gslb.ServiceIndex) uint64) bool {
	changed := false
	t.reports++
	for i := range r.Records {
		record := &r.Records[i]
		index, ok := t.byName[record.Name]
		if !ok || t.services[index].site != s {
			continue // a site speaks for its own services only
		}
		e := &t.services[index]
		changed = changed || e.report == nil || e.report.record.State != record.State ||
			e.report.record.Without4 != record.Without4 || e.report.record.Without6 != record.Without6
		if e.report == nil {
			e.report = new(report)
		}
		*e.report = report{record: *record, seen: r.ReceivedAt.Add(-r.Age - record.EvidenceAge), received: r.ReceivedAt, round: t.reports}
		if e.busy != nil {
			e.busy.reported(record, r.Age, r.ReceivedAt, s.source, &t.rounds, handed(gslb.ServiceIndex(index)))
		}
	}
	for _, index := range s.services {
		if e := &t.services[index]; e.report != nil && e.report.round != t.reports {
			e.report, changed = nil, true
		}
	}
	return changed
}

func (t *Tracker) forgetReports(s *site) {
	for _, i := range s.services {
		t.services[i].report = nil
	}
}

// SiteStatus is how one site is heard.
type SiteStatus struct {
	Reach SiteReach
	// Via is the site that tells of it, itself when it does; empty: nobody has yet.
	Via string
	// Since is since when it is heard, or is not. Zero: it never was.
	Since time.Time
	// Partition says who hears it and who does not, where the sites of the mesh differ: "nyc is heard by sin, not by ams".
	Partition string
	// Learning is until when its services keep their state although it is not heard; zero: they do not.
	Learning time.Time
}

// SiteReach is whether a site is heard.
type SiteReach string

// Reaches of sites.
const (
	ReachHere    SiteReach = "here"     // this node's own
	ReachHeard   SiteReach = "heard"    // it tells of its services, or somebody tells of it
	ReachLost    SiteReach = "lost"     // it was heard
	ReachLeft    SiteReach = "left"     // it announced that it stops
	ReachNever   SiteReach = "never"    // it was not heard since this node started
	ReachForeign SiteReach = "foreign"  // nobody speaks for it
	ReachBeyond  SiteReach = "not-told" // sites are told nothing of others by those above them
)

// SiteReaches lists all reaches.
func SiteReaches() []SiteReach {
	return []SiteReach{ReachHere, ReachHeard, ReachLost, ReachLeft, ReachNever, ReachForeign, ReachBeyond}
}

// Sites returns how each site of the document is heard, in its order. It is not written to any more, and stays the same one
// while nothing changed.
func (t *Tracker) Sites() []SiteStatus {
	if t.shown != nil && t.shownAt == t.reached {
		return t.shown
	}
	out, partitions := make([]SiteStatus, len(t.list)), t.partitions()
	for i, s := range t.list {
		out[i] = SiteStatus{Partition: partitions[i], Reach: s.reach(), Via: s.via, Since: s.since, Learning: s.learning}
	}
	t.shown, t.shownAt = out, t.reached
	return out
}

func (s *site) reach() SiteReach {
	switch {
	case s.standing == standsHere:
		return ReachHere
	case s.standing == standsForeign:
		return ReachForeign
	case s.standing == standsBeyond && !s.session:
		return ReachBeyond
	case s.up:
		return ReachHeard
	case s.left:
		return ReachLeft
	case s.since.IsZero():
		return ReachNever
	}
	return ReachLost
}
