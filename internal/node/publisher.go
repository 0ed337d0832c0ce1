package node

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"fairlead/adns"
	"fairlead/api"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/monitors"
	"fairlead/sites"
)

const (
	// coalesce is the least time between two snapshots: what changes within it goes out together.
	coalesce = 100 * time.Millisecond
	// tick is the longest time between two snapshots, so that ages and holds take effect without an event.
	tick = time.Second
	// At most every mostCost-th part of the time goes into snapshots for loads' sake, and stateShare times as much for states'.
	mostCost, stateShare = 20, 5
	// inbox bounds what waits for the publisher; who has more to say waits.
	inbox = 1024
)

// publisher is the one writer of the snapshot. Its fields but inbox belong to its goroutine, or to New before that runs.
type publisher struct {
	node  *Node
	inbox chan any // monitors.Verdict, monitors.Load, mep.Event, *intent, adoption, refresh, *voteAsked, *probeAnswered
	ended chan struct{}

	running atomic.Bool

	in         *intent
	tracker    *sites.Tracker
	learned    *gslb.Learned
	snapshot   *gslb.Snapshot
	generation uint64

	holds    *sites.Holds
	probed   map[string]bool // services that the document disables, and that are probed by override
	sessions map[uint64]int  // by service's hash, while one drains
	counted  time.Time       // when sessions were

	inquiries *inquiries
	awaited   []*voteAsked // at most maxVotesAwaited
}

// refresh asks for a snapshot now.
type refresh struct{}

func newPublisher(n *Node) *publisher {
	p := &publisher{node: n, inbox: make(chan any, inbox), ended: make(chan struct{})}
	p.tracker = sites.New(sites.Options{Site: n.opts.Config.Site, Alone: !n.exchanges(), Transition: n.tellTransition, Overrides: n.orders.Overrides, Logger: n.log})
	p.holds = sites.NewHolds(n.orders.Overrides)
	p.inquiries = newInquiries(p)
	return p
}

// busy reports whether who hands over something may have to wait soon.
func (p *publisher) busy() bool { return len(p.inbox) > inbox/2 }

// send hands an event over. It waits while the inbox is full, and not after the publisher has ended.
func (p *publisher) send(event any) {
	select {
	case p.inbox <- event:
	case <-p.ended:
	}
}

func (p *publisher) verdict(v monitors.Verdict) { p.send(v) }
func (p *publisher) load(l monitors.Load)       { p.tellMembers(&l); p.send(l) }
func (p *publisher) peer(e mep.Event)           { p.send(e) }
func (p *publisher) adoptLater(in *intent)      { p.send(in) }
func (p *publisher) refresh()                   { p.send(refresh{}) }

// adoption is a document that somebody waits for to be served.
type adoption struct {
	in     *intent
	served chan struct{}
}

// adoptNow returns when a document is served, or the publisher has ended. Before that runs nobody asks: the document is served first then.
func (p *publisher) adoptNow(in *intent) {
	if !p.running.Load() {
		p.adoptLater(in)
		return
	}
	a := adoption{in, make(chan struct{})}
	p.send(a)
	select {
	case <-a.served:
	case <-p.ended:
	}
}

// run takes in events and publishes until ctx ends.
func (p *publisher) run(ctx context.Context) error {
	p.running.Store(true)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer close(p.ended)
	asking.Go(func() { p.inquiries.run(ctx) })
	timer := time.NewTimer(tick)
	defer timer.Stop()
	p.in.trim()
	last, due, cost := time.Now(), tick, time.Duration(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-p.inbox:
			if wait := p.take(event, time.Now()).within(cost); wait < due {
				due = wait
				timer.Reset(max(0, wait-time.Since(last)))
			}
		case now := <-timer.C:
			p.publish(now)
			last, due, cost = now, tick, time.Since(now)
			timer.Reset(tick)
		}
	}
}

// urgency is how soon what was taken in has to be published.
type urgency uint8

const (
	soon    urgency = iota // with the next tick
	numbers                // loads have changed
	states                 // answers may
)

// within is how long after the last snapshot, which took cost, the next one comes.
func (u urgency) within(cost time.Duration) time.Duration {
	switch u {
	case states:
		return max(coalesce, mostCost*cost/stateShare)
	case numbers:
		return min(max(coalesce, mostCost*cost), tick)
	}
	return tick
}

// ifChanged returns states if answers may change.
func ifChanged(changed bool) urgency {
	if changed {
		return states
	}
	return soon
}

// take takes in one event. It says how soon that is to be published.
func (p *publisher) take(event any, at time.Time) urgency {
	switch e := event.(type) {
	case monitors.Verdict:
		changed := p.tracker.Verdict(e)
		p.inquire(p.tracker.Inquire(&e, at))
		return ifChanged(changed)
	case monitors.Load:
		p.tracker.Load(e, p.learned.Handed)
		return numbers
	case *intent:
		p.adopt(e, at)
		e.trim()
		return soon
	case adoption:
		p.adopt(e.in, at)
		close(e.served)
		e.in.trim()
		return soon
	case refresh:
		return states
	case *voteAsked, *probeAnswered:
		return p.takeVote(event)
	case *mep.OverridesReport:
		return ifChanged(p.node.orders.Merge(e.Records, e.Age, e.ReceivedAt))
	case mep.Event:
		p.node.tellPeer(e)
		if p.node.leaving.Load() {
			return soon // sessions end because this node leaves; that says nothing about others
		}
		changed := p.tracker.Peer(e, p.learned.Handed)
		if _, metrics := e.(*mep.ServicesReport); metrics && !changed {
			return numbers
		}
		return ifChanged(changed)
	}
	return soon
}

// adopt makes a document the one that is served.
func (p *publisher) adopt(in *intent, now time.Time) {
	p.learn(in, now)
	p.in = in
	p.tracker.SetDocument(in.document, in.plan, now)
	n := p.node
	p.probed = n.orders.enabled(in.document, now)
	n.setProbes(in.document, p.probed)
	n.loads.SetTargets(loadTargets(in.document, n.opts.Config.Site))
	n.resolvers.adopt(in.document)
	p.publishChange(now)
	if n.exchange != nil { // after the document's digest: what is right by the new topology only must not be said under the old one
		if err := n.exchange.SetTopology(mep.TopologyOf(in.document, n.opts.Config.Site)); err != nil {
			n.log.Error("mep.peers", zap.Error(err)) // the addresses were validated; the sessions stay as they are
		}
		n.exchange.Announce()
	}
	n.dns.want(in.answers(n.opts.Config.Site))
	n.zones.served(in)
	n.log.Info("config.serving", zap.String("revision", in.revision), zap.String("document", in.id), zap.String("from", in.from), zap.Uint64("snapshot", p.generation))
}

// learn makes room for what queries of a document teach, with what is known already.
func (p *publisher) learn(in *intent, now time.Time) {
	site := p.node.opts.Config.Site
	var t learnedTables
	if p.in == nil {
		p.learned = gslb.NewLearned(in.plan)
		t = p.node.keeper.restore(func(key gslb.HashKey) learnedTables { return newTables(in.document, site, key) }, now)
	} else {
		t = learnedTables{sessions: p.learned.Sessions, resolvers: p.learned.Resolvers, pushed: p.learned.Pushed}.adapt(in.document, site)
		p.learned = p.learned.Carry(p.in.plan, in.plan)
	}
	p.learned.Sessions, p.learned.Resolvers, p.learned.Pushed = t.sessions, t.resolvers, t.pushed
	t.sessions.CountEnds(in.plan.SessionUses())
}

// publish compiles belief and stores the snapshot. Other sites are told at once when something of this site changed.
func (p *publisher) publish(now time.Time) {
	p.node.orders.Expire(now)
	p.publishStatus(p.tracker.Status(now, p.learned.Handed), now)
}

// publishChange is publish for a document that came just now. When it differs little from the one before, only belief about what changed is compiled: all else
// that happened goes out when it would have. Who waits for what this site just saw is told of all of it.
func (p *publisher) publishChange(now time.Time) {
	p.node.orders.Expire(now)
	var status *gslb.Status
	if p.snapshot != nil && len(p.awaited) == 0 {
		status = p.tracker.StatusSince(p.snapshot.Status, p.snapshot.Plan, now, p.learned.Handed)
	}
	if status == nil {
		status = p.tracker.Status(now, p.learned.Handed)
	}
	p.publishStatus(status, now)
}

// publishStatus is publish of what is believed.
func (p *publisher) publishStatus(status *gslb.Status, now time.Time) {
	p.generation++
	before := p.node.sight.Load()
	p.operate(status, now)
	p.answerVotes(now)
	announce := p.tells(status) || !before.sameAs(p.node.sight.Load())
	p.snapshot = gslb.NewSnapshot(p.generation, p.in.plan, status, p.snapshot)
	if p.in.knowsAll(p.node.opts.Config.Site) {
		p.holds.Observe(p.in.document, p.snapshot, now)
	}
	state := &api.State{
		Drains:   p.drains(now),
		Snapshot: &adns.Snapshot{Generation: p.generation, Zones: p.in.zones, GSLB: p.snapshot, Learned: p.learned},
		Sites:    p.tracker.Sites(), ViewsLeftOut: p.tracker.ViewsLeftOut(),
		Document: p.in.document, Written: p.in.written, DocumentID: p.in.id, Revision: p.in.revision, DocumentSource: p.in.from, Since: p.in.since,
	}
	n := p.node
	if text := n.reloadErr.Load(); text != nil {
		state.LastError = *text
	} else {
		state.LastError, _ = n.notServed()
	}
	n.state.Store(state)
	if announce && n.exchange != nil {
		n.exchange.Announce()
	}
}

// tells reports whether a status has another state of one of this site's own services than the one before: that is for others to
// know at once. What this site heard of others they hear themselves.
func (p *publisher) tells(status *gslb.Status) bool {
	if p.snapshot == nil || p.snapshot.Plan != p.in.plan {
		return true
	}
	for i := range status.Services {
		if p.in.plan.Service(gslb.ServiceIndex(i)).Site == p.node.opts.Config.Site && stateDiffers(&p.snapshot.Status.Services[i], &status.Services[i]) {
			return true
		}
	}
	return false
}

func stateDiffers(x, y *gslb.ServiceStatus) bool {
	return x.State != y.State || x.Without4 != y.Without4 || x.Without6 != y.Without6
}

func statesDiffer(a, b *gslb.Status) bool {
	if len(a.Services) != len(b.Services) {
		return true
	}
	for i := range a.Services {
		if stateDiffers(&a.Services[i], &b.Services[i]) {
			return true
		}
	}
	return false
}
