package sites

import (
	"net/netip"
	"slices"
	"time"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/monitors"
)

// Options are what a Tracker needs.
type Options struct {
	Site string // the local site
	// Alone says that the node exchanges nothing with others: that it hears nobody is no alarm then.
	Alone bool
	// Transition is told when the belief about a service changes. nil: nobody.
	Transition func(Transition)
	// Overrides is what operators want for a time. nil: nothing.
	Overrides *Overrides
	Logger    *zap.Logger
}

// Transition is a change of belief about one service.
type Transition struct {
	Service, Site  string
	From, To       gslb.State
	Reason, Source string
	At             time.Time
}

// Tracker collects evidence about the services of one document. It belongs to one goroutine. What it holds is bounded by
// the document: evidence about services and sites that are not in it is dropped.
type Tracker struct {
	opts     Options
	log      *zap.Logger
	document *config.Document
	plan     *gslb.Plan
	// amendedFrom is the plan before, when the document came by amend since the last Status; nil: it did not.
	amendedFrom *gslb.Plan
	ttls        map[string]time.Duration // by service, longestTTLs of the document; nil: nothing drained since it came
	suspicion   suspicion
	round       time.Time // when services that report no load, or no longer, last began to count answers anew
	rounds      rounds
	interval    time.Duration
	last        time.Time
	services    []evidence
	byName      map[string]int
	sites       map[string]*site
	list        []*site // the same, in the document's order
	probed      []int32 // services that this node's monitors probe
	agreeing    []int32 // services that have a quorum
	answers     bool    // this site answers DNS: it probes others' services
	orders      map[overrideKey]Override
	isolation   isolation

	reports uint64  // so far, of services
	reached uint64  // changes of how sites are heard
	hearing []*site // used anew for each set of views
	missing []*site
	shown   []SiteStatus
	shownAt uint64 // of reached

	viewed  int     // records of the last set of views
	leftOut leftOut // of views
}

// evidence is all that is known about one service.
type evidence struct {
	service  *config.Service
	site     *site
	probed   bool                   // this node's monitors probe it
	hearsay  bool                   // they only repeat what its owner, another site, tells
	kinds    *kinds                 // of the document's monitors
	trigger  config.TriggerMonitors // of the owner's site
	verdicts map[verdictKey]monitors.Verdict
	// passing are targets that a reload brought to addresses that were UP: they pass until their first result.
	passing  map[verdictKey]bool
	report   *report         // the owner's latest; nil when it has none
	views    map[string]view // by site that sees it; bounded by the document's sites
	quorum   *quorum         // nil: each site believes what it sees itself
	busy     *busy           // nil: it has no load source
	sights   [2]sight        // by family of the address, while it is monitored
	before   belief          // the last one from before this node lost sight of it
	dampers  [2]damper       // by family
	ramp     ramp
	believed belief
	since    time.Time

	drain *drain // nil: it does not
	seen  belief // what this node sees itself, before suspicion, damping and operators
}

type verdictKey struct {
	monitor string
	address netip.AddrPort
}

// report is what the owner site said about a service.
type report struct {
	record   mep.ServiceRecord
	seen     time.Time // when its evidence was fresh, on this node's clock
	received time.Time
	round    uint64 // of Tracker.reports
}

// New returns a Tracker that knows nothing; SetDocument comes first.
func New(o Options) *Tracker {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Transition == nil {
		o.Transition = func(Transition) {}
	}
	return &Tracker{opts: o, log: o.Logger.Named("sites"), sites: map[string]*site{}, byName: map[string]int{}}
}

// SetDocument makes doc, compiled to plan, the one that belief is about. Evidence about services and monitors that stay
// is kept. What that costs follows what changed, where the plan was made from the one before (gslb.Plan.Since).
func (t *Tracker) SetDocument(doc *config.Document, plan *gslb.Plan, now time.Time) {
	if t.amend(doc, plan, now) {
		return
	}
	triggers := make(map[string]config.TriggerMonitors, len(doc.Sites))
	for i := range doc.Sites {
		triggers[doc.Sites[i].Name] = doc.Sites[i].TriggerMonitors
	}
	own := doc.Site(t.opts.Site)
	t.answers = own == nil || own.Answers()
	sites, list := t.newSites(doc, now)
	services := make([]evidence, len(doc.Services))
	var kept map[string]time.Duration
	if slices.ContainsFunc(doc.Services, func(s config.Service) bool { return s.Load != nil }) {
		kept = answersKept(doc, plan)
	}
	probed, of := Probed(doc, t.opts.Site), newKinds(doc)
	t.probed = nil
	byName, groups := t.places(doc.Services), t.groups()
	for i := range doc.Services {
		s := &doc.Services[i]
		e := evidence{service: s, site: sites[s.Site], trigger: triggers[s.Site], since: now, kinds: of}
		e.hearsay = of.hearsayOnly(s) && e.site.standing != standsHere && e.site.standing != standsForeign
		if e.probed = probed[i]; e.probed {
			t.probed = append(t.probed, int32(i))
		}
		if s.Load != nil {
			e.busy = &busy{from: t.rounds.n, kept: kept[s.Name]}
		}
		if j, ok := t.place(s.Name, i); ok {
			e.inherit(&t.services[j], now)
		} else {
			e.ramp.out = groups[s.Group]
		}
		services[i] = e
		e.site.services = append(e.site.services, int32(i))
	}
	t.convene(doc, services)
	t.takeOver(services, sites)
	t.document, t.plan, t.amendedFrom, t.services, t.byName, t.sites, t.list, t.ttls = doc, plan, nil, services, byName, sites, list, nil
	for _, s := range list { // what told of a site may be in the document no more
		t.settle(s, now)
	}
	t.reached++
}

// places says where services stand in a document, by name. Most documents differ in what services are, and not in their names: then it is what it was.
func (t *Tracker) places(services []config.Service) map[string]int {
	same := len(services) == len(t.services)
	for i := 0; same && i < len(services); i++ {
		same = services[i].Name == t.services[i].service.Name
	}
	if same && t.byName != nil {
		return t.byName
	}
	byName := make(map[string]int, len(services))
	for i := range services {
		byName[services[i].Name] = i
	}
	return byName
}

// place is where a service stood in the document before, most likely where it stands now.
func (t *Tracker) place(name string, now int) (int, bool) {
	if now < len(t.services) && t.services[now].service.Name == name {
		return now, true
	}
	j, ok := t.byName[name]
	return j, ok
}

// takeOver takes over what other sites said that they see.
func (t *Tracker) takeOver(services []evidence, sites map[string]*site) {
	for i := range services {
		e := &services[i]
		for by := range e.views {
			if site := sites[by]; site != nil {
				site.viewed = append(site.viewed, int32(i))
			}
		}
		if e.quorum == nil {
			continue
		}
		j, ok := t.place(e.service.Name, i)
		if !ok {
			continue
		}
		old := &t.services[j]
		if old.quorum == nil || !slices.Equal(old.service.Addresses, e.service.Addresses) {
			continue
		}
		e.quorum.inherit(old.quorum, sites)
		for k := range e.quorum.votes {
			if by := e.quorum.votes[k].by; by != nil {
				by.viewed = append(by.viewed, int32(i))
			}
		}
	}
}

// inherit takes over what is still about the same thing.
func (e *evidence) inherit(old *evidence, now time.Time) {
	e.believed, e.since, e.ramp = old.believed, old.since, old.ramp
	e.inheritSights(old)
	if e.busy != nil && old.busy != nil && old.service.Site == e.service.Site {
		kept := e.busy.kept
		e.busy = old.busy // without a source nobody would ever correct it
		e.busy.kept = kept
	}
	if old.service.Site == e.service.Site {
		e.report, e.views = old.report, old.views
		e.adopt(now)
	}
	if !e.probed {
		return
	}
	for _, bound := range e.service.Monitors {
		m := bound.Monitor
		for _, a := range e.service.Addresses {
			key := verdictKey{m, netip.AddrPortFrom(a, uint16(e.service.Port))}
			if v, ok := old.verdicts[key]; ok {
				e.keep(key, v)
			} else if old.upAt(a) {
				if e.passing == nil {
					e.passing = make(map[verdictKey]bool)
				}
				e.passing[key] = true
			}
		}
	}
}

// inheritSights takes over what was seen of addresses that stay. Without monitors, and for a service that gets its first,
// there is nothing yet that could be lost.
func (e *evidence) inheritSights(old *evidence) {
	e.drain = old.drain
	same := len(e.service.Addresses) == 0 && len(old.service.Addresses) == 0
	if same {
		e.dampers = old.dampers
	}
	for _, a := range e.service.Addresses {
		if !slices.Contains(old.service.Addresses, a) {
			continue
		}
		f := family(a)
		if e.dampers[f] = old.dampers[f]; e.probed && old.probed {
			e.sights[f] = old.sights[f]
		}
		same = true
	}
	if same {
		e.before = old.before
	}
}

// upAt reports whether the service was UP at an address.
func (e *evidence) upAt(a netip.Addr) bool {
	switch {
	case !slices.Contains(e.service.Addresses, a):
		return false
	case !e.probed:
		return e.believed.state == gslb.Up
	}
	return e.addressBelief(netip.AddrPortFrom(a, uint16(e.service.Port))).state == gslb.Up
}

func (e *evidence) keep(key verdictKey, v monitors.Verdict) {
	if e.verdicts == nil {
		e.verdicts = make(map[verdictKey]monitors.Verdict)
	}
	e.verdicts[key] = v
}

// Verdict takes in what a monitor of this node holds of a target. It reports whether belief may have changed.
func (t *Tracker) Verdict(v monitors.Verdict) bool {
	i, ok := t.byName[v.Service]
	if !ok {
		return false
	}
	e := &t.services[i]
	key := verdictKey{v.Monitor, v.Address}
	if !e.bound(key) {
		return false
	}
	old := e.verdicts[key]
	e.keep(key, v)
	if v.State != monitors.Unknown {
		delete(e.passing, key)
	}
	return old.State != v.State || old.Draining != v.Draining || (old.Failures > 0) != (v.Failures > 0)
}

// bound reports whether the document still asks for this verdict: it may have been under way when that changed.
func (e *evidence) bound(key verdictKey) bool {
	if !e.probed {
		return false
	}
	for _, bound := range e.service.Monitors {
		m := bound.Monitor
		for _, a := range e.service.Addresses {
			if key == (verdictKey{m, netip.AddrPortFrom(a, uint16(e.service.Port))}) {
				return true
			}
		}
	}
	return false
}

// Load takes in a load that this node read itself. handed is Learned's count of answers for the service now.
func (t *Tracker) Load(l monitors.Load, handed func(gslb.ServiceIndex) uint64) {
	i, ok := t.byName[l.Service]
	if !ok || l.Err != nil || t.services[i].busy == nil {
		return
	}
	t.services[i].busy.told(&l, &t.rounds, handed(gslb.ServiceIndex(i)))
}

// Status weighs all evidence at now. It tells Transition of every change since the last call. handed is Learned's count
// of answers by service.
func (t *Tracker) Status(now time.Time, handed func(gslb.ServiceIndex) uint64) *gslb.Status {
	out := &gslb.Status{At: now, Services: make([]gslb.ServiceStatus, len(t.services))}
	t.amendedFrom = nil // nobody asks for StatusSince it any more, and it holds a whole document
	newRound := now.Sub(t.round) >= t.document.Settings.MEP.MetricsInterval.Std()
	if newRound {
		t.round = now
	}
	counted := t.rounds.due(now)
	t.interval, t.last = now.Sub(t.last), now
	for _, i := range t.probed {
		t.services[i].look()
	}
	t.watch(now)
	for _, i := range t.agreeing {
		t.agree(&t.services[i], now)
	}
	t.meetings(now)
	t.standBys(now)
	t.orders = t.opts.Overrides.standing(now)
	out.Alarm, out.Isolated = t.suspicion.alarm, t.isolation.alarm
	for i := range t.services {
		t.weighIn(out, gslb.ServiceIndex(i), now, handed, counted, newRound)
	}
	return out
}

// weighIn weighs the evidence about one service.
func (t *Tracker) weighIn(out *gslb.Status, i gslb.ServiceIndex, now time.Time, handed func(gslb.ServiceIndex) uint64, counted, newRound bool) {
	e := &t.services[i]
	b := t.believe(e, now)
	if b.state != e.believed.state {
		t.transition(e, b, now)
	}
	e.believed = b
	e.ramp.settle(b, now)
	out.Services[i] = gslb.ServiceStatus{
		State: b.state, Without4: b.without4, Without6: b.without6, Reason: b.reason, Source: b.source,
		Since: e.since, Seen: b.seen,
		Share: e.ramp.share(e.service.SlowStart.Std(), now), Doubt: b.doubt,
	}
	if e.busy != nil {
		out.Services[i].Load, out.Services[i].Measures = t.busyness(i, now, handed(i), counted, newRound)
	}
	e.draining(&out.Services[i], now)
}

func (t *Tracker) transition(e *evidence, b belief, now time.Time) {
	e.since = now
	t.log.Info("service.state", zap.String("service", e.service.Name), zap.String("site", e.service.Site),
		zap.Stringer("from", e.believed.state), zap.Stringer("to", b.state), zap.String("reason", b.reason),
		zap.String("source", b.source))
	t.opts.Transition(Transition{Service: e.service.Name, Site: e.service.Site, From: e.believed.state, To: b.state,
		Reason: b.reason, Source: b.source, At: now})
}
