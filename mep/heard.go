package mep

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// heard is, for each site whose services are told, who tells them: the one that tells the newest.
type heard struct {
	mu    sync.Mutex
	sites map[string]*heardSite // at most as many as the topology has, and those before it
}

type heardSite struct {
	via              *session // nil: nobody
	incarnation, set uint64
	reach            Reach // while nobody does
	differs          bool  // the same: it was lost to a site that had another document
	since            time.Time
}

// newer reports whether what o tells is newer than what was heard.
func (h *heardSite) newer(o *mirrorSite) bool {
	return o.incarnation > h.incarnation || o.incarnation == h.incarnation && o.set > h.set
}

// settle decides whether what a session tells of a site counts. begins is true when it counts from now on. What was told
// before, by whomever, does not count again. When the newer of two instances of a site is lost, the other counts at once if it is heard
// itself, or by a peer that began to tell of it after that: one that told of it before may not know yet that it is gone.
func (x *Exchange) settle(s *session, o *mirrorSite, now time.Time) (counts, begins bool, err error) {
	x.heard.mu.Lock()
	defer x.heard.mu.Unlock()
	if s.isEnding() { // what it told may be another session's already
		return false, false, nil
	}
	h := x.heard.sites[o.site]
	if h == nil {
		x.heard.sites[o.site] = &heardSite{via: s, incarnation: o.incarnation, set: o.set}
		return true, true, nil
	}
	if o.began.IsZero() {
		o.began = now
	}
	same := h.incarnation == o.incarnation && h.set == o.set
	older, itself := o.incarnation < h.incarnation, s.peer.site == o.site
	switch {
	case h.via == s && older && !itself: // the peer lost the newer instance and met an older one since this site heard from it last
		begins = true
	case h.via == s && !same && !h.newer(o):
		return false, false, refusef(RejectSequence, "take services of site %q from site %q: set %d of incarnation %d follows set %d of %d",
			o.site, s.peer.site, o.set, o.incarnation, h.set, h.incarnation)
	case h.via == s:
	case h.newer(o), h.via == nil && (same || older && (itself || !o.began.Before(h.since)) || now.Sub(h.since) >= forgetSetAfter):
		h.via, begins = s, true
	default:
		s.overtaken.Add(1)
		return false, false, nil
	}
	h.incarnation, h.set = o.incarnation, o.set
	return true, begins, nil
}

// unhear notes that a session tells of a site no more; differs, that who lost it had another document than one that told so. It
// reports whether it did.
func (x *Exchange) unhear(s *session, site string, reach Reach, differs bool) bool {
	x.heard.mu.Lock()
	defer x.heard.mu.Unlock()
	h := x.heard.sites[site]
	if h == nil || h.via != s {
		return false
	}
	h.via, h.reach, h.differs, h.since = nil, reach, differs, time.Now()
	x.epoch.Add(1) // who else tells of it looks again
	return true
}

// unhearAll notes that a session has ended, or its site reports elsewhere. Who is told of its site by this one hears it at once.
func (x *Exchange) unhearAll(s *session, reach Reach) {
	s.mirror.mu.Lock()
	sites := make([]string, 0, len(s.mirror.table.byName))
	for site := range s.mirror.table.byName {
		sites = append(sites, site)
	}
	s.mirror.mu.Unlock()
	sites = append(sites, s.inherited...) // what it had no time to tell itself
	lost, differs := false, s.differs()
	for _, site := range sites {
		how := ReachLost
		if site == s.peer.site {
			how = reach
		}
		lost = x.unhear(s, site, how, differs) || lost
	}
	if lost && s.relation() == RelationChild {
		x.Announce()
	}
}

// inherit makes a session tell what one told that it replaces, and returns the sites.
func (x *Exchange) inherit(from, to *session) (sites []string) {
	x.heard.mu.Lock()
	defer x.heard.mu.Unlock()
	for site, h := range x.heard.sites {
		if h.via == from {
			h.via = to
			sites = append(sites, site)
		}
	}
	return sites
}

// keep forgets sites that are in the topology no more.
func (h *heard) keep(relays map[string][]string, peers map[string]*peer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.sites, func(site string, s *heardSite) bool {
		return s.via == nil && relays[site] == nil && peers[site] == nil
	})
}

// hears reports whether what a session tells of a site counts.
func (x *Exchange) hears(s *session, site string) bool {
	x.heard.mu.Lock()
	defer x.heard.mu.Unlock()
	h := x.heard.sites[site]
	return h != nil && h.via == s
}

// reachOf returns what is told of a site that this one does not speak for any more.
func (x *Exchange) reachOf(site string) Reach {
	x.heard.mu.Lock()
	defer x.heard.mu.Unlock()
	h := x.heard.sites[site]
	switch {
	case h == nil || h.via != nil:
	case h.reach == ReachLeft:
		return ReachLeft
	case h.differs:
		return reachMoving
	}
	return ReachLost
}

// maySpeak reports whether a peer may speak for a site.
func (x *Exchange) maySpeak(peer, site string) bool {
	if peer == site {
		return true
	}
	r := x.relays.Load()
	return r != nil && slices.Contains(r.of[site], peer)
}

// relays is who may speak for whom, by which document.
type relays struct {
	of      map[string][]string
	digest  [32]byte
	changed time.Time // when there was another document before; zero: there was none
}

// follow returns what follows r, which may be nil.
func (r *relays) follow(of map[string][]string, digest [32]byte, now time.Time) *relays {
	next := &relays{of: of, digest: digest}
	if r != nil {
		if next.changed = r.changed; r.digest != digest {
			next.changed = now
		}
	}
	return next
}

// differs reports whether the peer has told of another document than the one that this site goes by.
func (s *session) differs() bool {
	r := s.x.relays.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.digest != [32]byte{} && r != nil && s.digest != r.digest
}

// agrees reports whether both ends have had the same document for long enough to go by it.
func (s *session) agrees(now time.Time) bool {
	r := s.x.relays.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	return r != nil && s.digest == r.digest && now.Sub(r.changed) >= documentGrace && now.Sub(s.digestSince) >= documentGrace
}

// allow says why what a session tells of a site is left; "": it is not. A site that speaks for others without leave is refused
// if it has this site's document: with another one it may be right, and so it may while documents change.
func (s *session) allow(site string, hops uint8) (left string, err error) {
	switch {
	case site == s.x.opts.Site:
		left = "it is this site: what it told came back"
	case s.x.maySpeak(s.peer.site, site):
		return "", nil
	default:
		if s.agrees(time.Now()) {
			return "", refusef(RejectWrongSite, "take services: site %q reports services of site %q, which is not among those that report to it", s.peer.site, site)
		}
		left = "it is not among those that report to that site, in this site's document; the other site has another one, or had a moment ago"
	}
	s.overtaken.Add(1)
	if !s.x.rejected.quiet("left "+s.peer.site, time.Now()) {
		s.x.log.Warn("mep.site.left_out", zap.String("peer", s.peer.site), zap.String("site", site), zap.Uint8("hops", hops), zap.String("why", left))
	}
	return left, nil
}

// relation returns what the session's peer is to this site.
func (s *session) relation() Relation {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	return s.peer.wish.Relation
}

// changesTaken follows a complete round, or set: what is new is handed out, and what is as before from time to time.
func (s *session) changesTaken() error {
	now := time.Now()
	if !s.limit.rounds.AllowN(now, 1) {
		return refusef(RejectFlood, "take services from site %q: above %d rounds a second", s.peer.site, roundRate)
	}
	reports, lost, urgent, err := s.collect(now)
	if err != nil {
		return err
	}
	for _, g := range lost {
		differs := g.reach == reachMoving || s.differs()
		if g.reach == reachMoving {
			g.reach = ReachLost
		}
		if s.x.unhear(s, g.site, g.reach, differs) {
			urgent = true
			s.x.report(s, &SiteReach{Peer: s.peer.site, Site: g.site, Reach: g.reach, Differs: differs, At: now})
		}
	}
	for i := range reports {
		r := &reports[i]
		if r.begins && r.event.Site != s.peer.site {
			s.x.report(s, &SiteReach{Peer: s.peer.site, Site: r.event.Site, Reach: ReachHeard, At: now})
		}
		s.x.report(s, &r.event)
	}
	if urgent && s.relation() == RelationChild {
		s.x.Announce()
	}
	return nil
}

// recheck follows a new topology, and the end of what a session before this one told.
func (s *session) recheck(m *mirror) {
	for _, site := range s.inherited {
		if m.table.byName[site] == nil {
			m.lose(site, ReachLost)
		}
	}
	s.inherited = nil
	topology := s.x.topology.Load()
	if m.topology == topology {
		return
	}
	m.topology = topology
	for site, o := range m.table.byName {
		speaks := site != s.x.opts.Site && s.x.maySpeak(s.peer.site, site)
		switch {
		case speaks && o.left != "":
			o.left, o.fresh = "", true
		case !speaks && o.left == "":
			o.left = "it is not among those that report to that site any more"
			m.lose(site, ReachLost)
		}
	}
}

type pendingReport struct {
	event  ServicesReport
	begins bool
}

// collect makes the reports of a round.
func (s *session) collect(now time.Time) (reports []pendingReport, lost []gone, urgent bool, err error) {
	standby := s.attachment.Load() == attachStandby && s.relation() == RelationChild // another one speaks for itself again
	m := &s.mirror
	m.mu.Lock()
	defer m.mu.Unlock()
	at := now.Sub(s.x.started)
	s.recheck(m)
	epoch := s.x.epoch.Load()
	again := epoch != m.epoch
	m.epoch = epoch
	services := 0
	for _, o := range m.table.sites {
		if o == nil || o.left != "" || !o.complete() || standby {
			continue
		}
		services += len(o.records)
		if !o.fresh && !again && at-o.told < s.cadence(o) {
			continue
		}
		counts, begins, err := s.x.settle(s, o, now)
		if err != nil {
			return nil, nil, false, err
		}
		if counts && (o.fresh || begins || at-o.told >= s.cadence(o)) {
			reports = append(reports, pendingReport{begins: begins, event: ServicesReport{Peer: s.peer.site, Site: o.site, Records: m.hand(o),
				Incarnation: o.incarnation, Set: o.set, ReceivedAt: now, Age: at - m.taken}})
			urgent = urgent || o.urgent || begins
		}
		if !again || counts {
			o.told = at
		}
		o.fresh, o.urgent = false, false
	}
	lost = m.takeLost()
	s.mu.Lock()
	s.reported, s.origins = services, len(m.table.byName)
	s.mu.Unlock()
	return reports, lost, urgent, nil
}

// cadence is how often what is told of a site is handed out although nothing changed: loads are to stay fresh.
func (s *session) cadence(o *mirrorSite) time.Duration {
	if o.load {
		return 2*max(s.x.opts.MetricsInterval, s.hello.MetricsInterval) - s.x.opts.MetricsInterval/2
	}
	return s.x.opts.KeepaliveTimeout / 4
}

// relay tells what is heard of sites that report to this one.
func (m *mirror) relay(s *session, e *encoder) {
	if s.attachment.Load() == attachStandby {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	interval := max(s.x.opts.MetricsInterval, s.hello.MetricsInterval)
	late := e.now-m.taken > 2*interval
	for _, o := range m.table.sites {
		if o == nil || o.left != "" || !o.complete() || o.hops == 0 || !s.x.hears(s, o.site) {
			continue
		}
		t := e.byName[o.site]
		if t == nil && len(e.sites) < maxOrigins {
			t = e.add(o.site)
		}
		switch {
		case t != nil && !t.gone && o.incarnation < t.incarnation: // an older instance: it begins with the next round, as another site would
			e.end(t, ReachLost)
			continue
		case t == nil, !e.room(t, len(o.records)):
			if t != nil && !t.gone {
				e.end(t, ReachLost)
			}
			if !s.x.rejected.quiet("too many relayed", time.Now()) {
				s.x.log.Error("mep.services.left_out", zap.String("why", fmt.Sprintf("this site and all that report to it have more than %d services", MaxServices)), zap.String("site", o.site))
			}
			continue
		case !t.gone && t.from == o && t.version == o.version && !late && !t.late:
			t.round = e.round
			continue
		}
		e.tell(t, m.sight(o, e, interval))
		t.from, t.version, t.late = o, o.version, late
	}
}

// sight returns a site's services as they are to be told, with ages as of now.
func (m *mirror) sight(o *mirrorSite, e *encoder, interval time.Duration) *sight {
	records := append(e.relayed[:0], o.records...)
	e.relayed = records
	passed := e.now - m.taken
	for i := range records {
		a := &o.ages[i]
		records[i].LoadAge = time.Duration(a.load.held(m.taken))*time.Millisecond + passed
		records[i].EvidenceAge = time.Duration(a.evidence.held(m.taken))*time.Millisecond + passed
	}
	later := wireAge(2 * interval)
	floor := func(s *span) uint32 {
		if s.bound == unbounded {
			return 0
		}
		return min(s.bound, unbounded/2) + later
	}
	return &sight{o.incarnation, o.set, min(o.hops, maxHops) - 1, records, func(i int) (load, evidence uint32) {
		return floor(&o.ages[i].load), floor(&o.ages[i].evidence)
	}}
}
