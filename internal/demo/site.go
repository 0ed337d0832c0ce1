package demo

import (
	"context"
	"sync"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/internal/node"
	"fairlead/mep"
	"fairlead/sites"
)

// site is one of the two nodes, with what was last seen of its beliefs.
type site struct {
	Name          string
	DNS, API, MEP string // addresses, as address:port

	node    *node.Node
	stop    context.CancelFunc // ends its Run; set when it runs
	stopped chan struct{}      // closed when its Run has ended

	mu    sync.Mutex
	seen  beliefs
	tell  func(event)
	about *config.Document
}

// beliefs is what a site holds true.
type beliefs struct {
	States   map[string]gslb.State // of services
	Session  bool                  // with the other site
	Sessions int                   // begun so far
	Left     bool                  // the other site announced that it stops
}

// up counts the services of an owner, or of all for "", that the site believes UP.
func (b beliefs) up(doc *config.Document, owner string) int {
	n := 0
	for i := range doc.Services {
		if s := &doc.Services[i]; (owner == "" || s.Site == owner) && b.States[s.Name] == gslb.Up {
			n++
		}
	}
	return n
}

// believed returns a copy of what the site holds true now.
func (s *site) believed() beliefs {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.seen
	out.States = make(map[string]gslb.State, len(s.seen.States))
	for name, state := range s.seen.States {
		out.States[name] = state
	}
	return out
}

// transition takes in a change of belief. It is called by the node's publisher and must not wait.
func (s *site) transition(t sites.Transition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen.States == nil {
		s.seen.States = make(map[string]gslb.State)
	}
	s.seen.States[t.Service] = t.To
	s.tell(serviceEvent(s.Name, s.about, s.seen.States, t))
}

// peer takes in an event of the exchange, as transition does.
func (s *site) peer(e mep.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e := e.(type) {
	case *mep.SessionUp:
		s.seen.Session, s.seen.Left = true, false
		s.seen.Sessions++
	case *mep.PeerLeaving:
		s.seen.Left = true
	case *mep.SessionDown:
		s.seen.Session = false
		s.seen.Left = s.seen.Left || e.Left
	}
	if line, ok := peerEvent(s.Name, e); ok {
		s.tell(line)
	}
}

// run runs the node until ctx ends or leave is called.
func (s *site) run(ctx context.Context) error {
	defer close(s.stopped)
	return s.node.Run(ctx)
}

// leave stops the site as an operator would, and waits until it has ended.
func (s *site) leave(ctx context.Context) {
	s.mu.Lock()
	stop := s.stop
	s.mu.Unlock()
	stop()
	select {
	case <-s.stopped:
	case <-ctx.Done():
	}
}

// pollGap is the time between two looks at a condition.
const pollGap = 20 * time.Millisecond

// await looks at a condition until it holds, the limit has passed or ctx ends, and says whether it holds.
func await(ctx context.Context, limit time.Duration, holds func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(pollGap)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}
