package node

import (
	"context"
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
	// inbox bounds what waits for the publisher; who has more to say waits.
	inbox = 1024
)

// publisher is the one writer of the snapshot. Its fields but inbox belong to its goroutine, or to New before that runs.
type publisher struct {
	node  *Node
	inbox chan any // monitors.Verdict, monitors.Load, mep.Event, *intent, refresh
	ended chan struct{}

	in         *intent
	tracker    *sites.Tracker
	learned    *gslb.Learned
	snapshot   *gslb.Snapshot
	generation uint64

	holds    *sites.Holds
	probed   map[string]bool // services that the document disables, and that are probed by override
	sessions map[uint64]int  // by service's hash, while one drains
	counted  time.Time       // when sessions were
}

// refresh asks for a snapshot now.
type refresh struct{}

func newPublisher(n *Node) *publisher {
	p := &publisher{node: n, inbox: make(chan any, inbox), ended: make(chan struct{})}
	p.tracker = sites.New(sites.Options{Site: n.opts.Config.Site, Transition: n.opts.Transition, Overrides: n.orders.Overrides, Logger: n.log})
	p.holds = sites.NewHolds(n.orders.Overrides)
	return p
}

// send hands an event over. It waits while the inbox is full, and not after the publisher has ended.
func (p *publisher) send(event any) {
	select {
	case p.inbox <- event:
	case <-p.ended:
	}
}

func (p *publisher) verdict(v monitors.Verdict) { p.send(v) }
func (p *publisher) load(l monitors.Load)       { p.send(l) }
func (p *publisher) peer(e mep.Event)           { p.send(e) }
func (p *publisher) adoptLater(in *intent)      { p.send(in) }
func (p *publisher) refresh()                   { p.send(refresh{}) }

// run takes in events and publishes until ctx ends.
func (p *publisher) run(ctx context.Context) error {
	defer close(p.ended)
	timer := time.NewTimer(tick)
	defer timer.Stop()
	p.in.trim()
	last, due := time.Now(), tick
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-p.inbox:
			if wait := coalesce; p.take(event, time.Now()) && due != wait {
				due = wait
				timer.Reset(max(0, wait-time.Since(last)))
			}
		case now := <-timer.C:
			p.publish(now)
			last, due = now, tick
			timer.Reset(tick)
		}
	}
}

// take takes in one event. It reports whether answers may change.
func (p *publisher) take(event any, now time.Time) bool {
	switch e := event.(type) {
	case monitors.Verdict:
		return p.tracker.Verdict(e)
	case monitors.Load:
		p.tracker.Load(e, p.learned.Handed)
		return true
	case *intent:
		p.adopt(e, now)
		e.trim()
		return false
	case refresh:
		return true
	case *mep.OverridesReport:
		return p.node.orders.Merge(e.Records, e.Age, e.ReceivedAt)
	case mep.Event:
		p.node.opts.PeerEvent(e)
		if p.node.leaving.Load() {
			return false // sessions end because this node leaves; that says nothing about others
		}
		changed := p.tracker.Peer(e, p.learned.Handed)
		_, metrics := e.(*mep.ServicesReport)
		return changed || metrics
	}
	return false
}

// adopt makes a document the one that is served.
func (p *publisher) adopt(in *intent, now time.Time) {
	p.learn(in, now)
	p.in = in
	p.tracker.SetDocument(in.document, in.plan, now)
	n := p.node
	p.probed = n.orders.enabled(in.document, now)
	n.probes.SetTargets(probeTargets(in.document, p.probed))
	n.loads.SetTargets(loadTargets(in.document, n.opts.Config.Site))
	if n.exchange != nil {
		if err := n.exchange.SetPeers(peersOf(in.document, n.opts.Config.Site)); err != nil {
			n.log.Error("mep.peers", zap.Error(err)) // the addresses were validated; the sessions stay as they are
		}
	}
	p.publish(now)
	n.zones.served(in)
	n.log.Info("config.serving", zap.String("revision", in.id), zap.String("from", in.from), zap.Uint64("snapshot", p.generation))
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
}

// publish compiles belief and stores the snapshot. Other sites are told at once when something of this site changed.
func (p *publisher) publish(now time.Time) {
	p.generation++
	p.node.orders.Expire(now)
	status := p.tracker.Status(now, p.learned.Handed)
	p.operate(status, now)
	announce := p.snapshot == nil || statesDiffer(p.snapshot.Status, status)
	p.snapshot = gslb.NewSnapshot(p.generation, p.in.plan, status, p.snapshot)
	p.holds.Observe(p.in.document, p.snapshot, now)
	state := &api.State{
		Drains:   p.drains(now),
		Snapshot: &adns.Snapshot{Generation: p.generation, Zones: p.in.zones, GSLB: p.snapshot, Learned: p.learned},
		Document: p.in.document, DocumentID: p.in.id, DocumentSource: p.in.from, Since: p.in.since,
	}
	if text := p.node.reloadErr.Load(); text != nil {
		state.LastError = *text
	}
	p.node.state.Store(state)
	if announce && p.node.exchange != nil {
		p.node.exchange.Announce()
	}
}

func statesDiffer(a, b *gslb.Status) bool {
	if len(a.Services) != len(b.Services) {
		return true
	}
	for i := range a.Services {
		x, y := &a.Services[i], &b.Services[i]
		if x.State != y.State || x.Without4 != y.Without4 || x.Without6 != y.Without6 {
			return true
		}
	}
	return false
}
