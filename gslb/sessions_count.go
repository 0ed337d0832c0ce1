package gslb

import (
	"maps"
	"sync/atomic"
)

// useCounts counts what queries did with the sessions of one SessionUse.
type useCounts struct {
	created, honoured atomic.Uint64
	_                 [cacheLine - 16]byte
}

// uses is how many uses for sessions a virtual server can have: persistence and lasting spillover.
const uses = 2

// usesOf makes the counters of a plan's uses, those of an older one by name first. They are shared, so that none goes back when a
// document changes.
func usesOf(plan *Plan, was []*useCounts, of *Plan) []*useCounts {
	out := make([]*useCounts, len(plan.virtualServers)*uses)
	old := make(map[string]int)
	if of != nil {
		for i := range of.virtualServers {
			old[of.virtualServers[i].name] = i
		}
	}
	for i := range plan.virtualServers {
		v := &plan.virtualServers[i]
		for kind, keeps := range []*persistence{&v.persistence, &v.spillover.stay} {
			if !keeps.on {
				continue
			}
			if j, ok := old[v.name]; ok && was[j*uses+kind] != nil {
				out[i*uses+kind] = was[j*uses+kind]
				continue
			}
			out[i*uses+kind] = new(useCounts)
		}
	}
	return out
}

// SessionCounts returns how many sessions queries have begun for a use, those that took the place of one with another service
// included, and how many answers were given by one. Both only grow.
func (l *Learned) SessionCounts(u *SessionUse) (created, honoured uint64) {
	if u.use >= len(l.uses) || l.uses[u.use] == nil {
		return 0, 0
	}
	return l.uses[u.use].created.Load(), l.uses[u.use].honoured.Load()
}

// countKept counts a session that is kept, by what was there before.
func (l *Learned) countKept(p *persistence, seen *seenSession, service uint64, at int64) {
	switch c := l.uses[p.use]; {
	case c == nil:
	case seen.until > at && seen.service == service:
		c.honoured.Add(1)
	default:
		c.created.Add(1)
	}
}

// CountEnds says for whom sessions are counted; ends of those with other ids are not. Counters of ids that stay go on. One caller
// at a time.
func (s *Sessions) CountEnds(list []SessionUse) {
	old := s.ends.Load()
	next := make(map[uint32]*atomic.Uint64, len(list))
	for i := range list {
		id := list[i].ID
		if next[id] = new(atomic.Uint64); old != nil && (*old)[id] != nil {
			next[id] = (*old)[id]
		}
	}
	if old == nil || !maps.Equal(*old, next) {
		s.ends.Store(&next)
	}
}

// ended counts a session whose end has passed, when that is noticed: by Expire, when the client comes back, or when its place is taken.
func (s *Sessions) ended(id uint32, service uint64) {
	if service == dropped {
		return
	}
	if all := s.ends.Load(); all != nil {
		if n := (*all)[id]; n != nil {
			n.Add(1)
		}
	}
}

// SessionCensus is how many sessions there are with one id.
type SessionCensus struct {
	Live    int    // have not ended
	Heard   int    // of these, another site told of the session or of its last renewal
	Expired uint64 // have come to their end since the start; it only grows
}

// Census counts sessions as of a time, by id, of those that CountEnds was told of. It reads the whole table: about 16 ms for a million sessions.
func (s *Sessions) Census(at int64) map[uint32]SessionCensus {
	all := s.ends.Load()
	if all == nil || len(*all) == 0 {
		return nil
	}
	counts := make(map[uint32]*SessionCensus, len(*all))
	for id, n := range *all {
		counts[id] = &SessionCensus{Expired: n.Load()}
	}
	if t := s.settled(); t != nil {
		for i := range t.buckets {
			t.buckets[i].count(at, counts)
		}
	}
	out := make(map[uint32]SessionCensus, len(counts))
	for id, c := range counts {
		out[id] = *c
	}
	return out
}

// count adds the bucket's sessions.
func (b *sessionBucket) count(at int64, to map[uint32]*SessionCensus) {
	var copied [placeWays]session
	b.copy(&copied)
	marks := b.marks.Load() // a moment later: of a session that changes meanwhile it does not matter which
	for i := range copied {
		c := &copied[i]
		if c.until <= at || c.service == dropped {
			continue
		}
		if n := to[c.id]; n != nil {
			n.Live++
			if marks>>i&markHeard != 0 {
				n.Heard++
			}
		}
	}
}
