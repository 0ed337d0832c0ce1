package node

import (
	"context"
	"time"

	"go.uber.org/zap"

	"fairlead/api"
)

// groupPatience is how long who writes a document waits for what its new groups resolve to. After that the document before is served until they have
// answered, at most for as long as first waits: neither a name without members is told to resolvers, nor does one that does not answer hold up writes.
const groupPatience = 100 * time.Millisecond

// gathering is a document, or several, with groups that are asked for the first time.
type gathering struct {
	since    time.Time     // of the first that waits
	revision string        // of the newest
	done     chan struct{} // closed when all were asked for
}

// gathered has the new groups of the newest document asked for, and waits a little. It reports whether all have answered, or failed to. n.reloading is held.
func (n *Node) gathered() bool {
	if !n.autoscale.unasked() {
		return true
	}
	g := &gathering{since: time.Now(), revision: n.newest.revision, done: make(chan struct{})}
	if before := n.gathering.Load(); before != nil {
		g.since = before.since
	}
	n.gathering.Store(g)
	select {
	case n.gather <- struct{}{}:
	default:
	}
	patience := time.NewTimer(groupPatience)
	defer patience.Stop()
	select {
	case <-g.done:
		return true
	case <-patience.C:
	case <-n.publisher.ended:
	}
	return false
}

// gatheringNow says whether the newest document, or one before it, waits for its groups and is not served.
func (n *Node) gatheringNow() api.Gathering {
	g := n.gathering.Load()
	if g == nil {
		return api.Gathering{}
	}
	return api.Gathering{Since: g.since, Revision: g.revision, Groups: n.autoscale.unanswered()}
}

// gatherGroups asks for groups when they are new, until ctx ends, and has the newest document served when that took longer than its writer waited.
func (n *Node) gatherGroups(ctx context.Context) error {
	var last *gathering
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.gather:
		}
		g := n.gathering.Load()
		if g == nil || g == last {
			continue
		}
		last = g
		n.autoscale.first(ctx)
		close(g.done)
		n.serveGathered(g)
	}
}

// serveGathered serves the newest document if it waits for a gathering that has ended. When a later one has groups of its own it waits for these, unless the
// first has waited for long.
func (n *Node) serveGathered(g *gathering) {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	waits := n.gathering.Load()
	if waits == nil || waits != g && time.Since(g.since) < 2*firstAnswers {
		return
	}
	n.gathering.Store(nil)
	in := n.regrouped(n.newest)
	n.newest, n.beside = in, n.beside+1
	n.log.Info("config.gathered", zap.String("document", in.id), zap.Duration("waited", time.Since(g.since)))
	n.publisher.adoptLater(in)
}

// serveLater hands the newest document to the publisher, unless it waits for its groups. n.reloading is held.
func (n *Node) serveLater(in *intent) {
	if n.gathering.Load() == nil {
		n.publisher.adoptLater(in)
	}
}
