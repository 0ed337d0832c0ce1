package mep

import (
	"cmp"
	"context"
	"slices"
	"time"

	"go.uber.org/zap"
)

// What a site has told, in an Attach frame, of whether it reports to the receiver. One that has told nothing does if it reports
// services.
//
// Layout:
//
//	0  1  1 attached, 0 standby
//	      later versions may append fields, which are ignored
const (
	attachUntold  uint32 = 0
	attachHere    uint32 = 1
	attachStandby uint32 = 2
)

func appendAttach(b []byte, here bool) []byte {
	if here {
		return append(b, 1)
	}
	return append(b, 0)
}

func decodeAttach(payload []byte) (here bool, err error) {
	c := cursor{what: "Attach", b: payload}
	return c.u8() == 1, c.err
}

// handleAttach takes in whether a child reports to this site.
func (s *session) handleAttach(payload []byte) error {
	here, err := decodeAttach(payload)
	if err != nil {
		return err
	}
	now := attachStandby
	if here {
		now = attachHere
	}
	if s.attachment.Load() == now {
		return nil
	}
	if !s.limit.attaches.Allow() {
		return refusef(RejectFlood, "take Attach from site %q: above %d changes a second", s.peer.site, attachRate)
	}
	if s.attachment.Store(now); s.relation() != RelationChild {
		return nil
	}
	s.x.log.Info("mep.child", zap.String("peer", s.peer.site), zap.Bool("attached", here))
	if !here {
		s.x.unhearAll(s, ReachLost)
	}
	return nil
}

// choice is which of its parents this site reports to. Guarded by Exchange.mu.
//
//	no parent -> attached to the first -> its session is lost for ParentTimeout, or it left -> attached to the first of the
//	others that has a session -> a better one has had a session for ParentReturn without a break -> attached to that
type choice struct {
	timeout, back time.Duration
	current       string    // "": there are no parents
	lost          time.Time // since when there is no session with it; zero: there is one
	parents       []*peer   // best first
}

// usualParentTimeout is the ParentTimeout of a topology that says none.
const usualParentTimeout = 10 * time.Second

// set takes a topology's parents.
func (c *choice) set(x *Exchange, t *Topology, now time.Time) {
	c.timeout, c.back = cmp.Or(t.ParentTimeout, usualParentTimeout), t.ParentReturn
	c.parents = c.parents[:0]
	known := false
	for _, p := range x.peers {
		if !p.removed && p.wish.Relation == RelationParent {
			c.parents = append(c.parents, p)
			known = known || p.site == c.current
		}
	}
	slices.SortFunc(c.parents, func(a, b *peer) int {
		return cmp.Or(cmp.Compare(a.wish.Rank, b.wish.Rank), cmp.Compare(a.site, b.site))
	})
	if known {
		return
	}
	if c.current, c.lost = "", now; len(c.parents) > 0 {
		c.current = c.parents[0].site
		x.bump.Store(true)
		x.Announce()
	}
}

// decide returns the parent to change to, if any, and else when to look again; zero: when something happens.
func (c *choice) decide(now time.Time) (to *peer, again time.Time) {
	i := slices.IndexFunc(c.parents, func(p *peer) bool { return p.site == c.current })
	if i < 0 {
		return nil, time.Time{}
	}
	current := c.parents[i]
	if current.session != nil {
		c.lost = time.Time{}
		for _, p := range c.parents[:i] {
			ready := p.since.Add(c.back)
			switch {
			case p.session == nil:
			case !now.Before(ready):
				return p, time.Time{}
			case again.IsZero() || ready.Before(again):
				again = ready
			}
		}
		return nil, again
	}
	if c.lost.IsZero() {
		c.lost = now
	}
	if ready := c.lost.Add(c.timeout); current.state != PeerLeft && now.Before(ready) {
		return nil, ready
	}
	for _, p := range c.parents {
		if p.session != nil {
			return p, time.Time{}
		}
	}
	return nil, time.Time{}
}

// choosing attaches this site to one of its parents, as sessions come and go, until ctx ends.
func (x *Exchange) choosing(ctx context.Context) {
	for ctx.Err() == nil {
		x.mu.Lock()
		now := time.Now()
		to, again := x.choice.decide(now)
		var from string
		if to != nil {
			from = x.choice.current
			x.choice.current, x.choice.lost = to.site, time.Time{}
			again = now
		}
		x.mu.Unlock()
		if to != nil {
			x.log.Info("mep.attached", zap.String("peer", to.site), zap.String("before", from))
			x.bump.Store(true) // what is told from now on is newer than all that was told before, also if nothing changed
			x.Announce()
		}
		if again.IsZero() {
			select {
			case <-x.turned:
			case <-ctx.Done():
			}
			continue
		}
		waitUntil(ctx, again, x.turned)
	}
}

// standing is what this site tells a peer of now.
type standing struct {
	relation Relation
	attached bool // this site reports to it
}

// tellsServices reports whether the peer is told of services and views.
func (s standing) tellsServices() bool { return s.relation == RelationMesh || s.attached }

// standing returns what a session's peer is told.
func (x *Exchange) standing(s *session) standing {
	x.mu.Lock()
	defer x.mu.Unlock()
	r := s.peer.wish.Relation
	return standing{r, r == RelationParent && x.choice.current == s.peer.site}
}
