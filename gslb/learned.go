package gslb

import (
	"slices"
	"sync/atomic"
)

// cacheLine keeps counters that different cores write on lines of their own.
const cacheLine = 64

// Learned is what queries may write: how far each rotation has come, and how many answers named each service. It
// belongs to one Plan and is bounded by it. Safe for concurrent use.
type Learned struct {
	// Sessions are clients that keep their service; shared by all copies.
	Sessions *Sessions
	// Resolvers are measured round-trip times; shared by all copies.
	Resolvers *Resolvers
	// Pushed are measurements that were pushed for method api; shared by all copies.
	Pushed *Pushed

	pairs   *pairs
	frozen  bool      // nothing is kept but turns: this is a copy
	cursors []counter // by virtual server and family
	others  []int32   // the Plan's
	other   []counter // by number in others and other family
	prefers []counter // by number of a policy (policy.number) and family
	handed  []counter // by service
}

type counter struct {
	n     atomic.Uint64
	start atomic.Uint64 // of the snapshot in use: generationBits of its generation, then the turn that it began with
	_     [cacheLine - 16]byte
}

const (
	startTurnBits  = 40
	startTurnMask  = 1<<startTurnBits - 1
	generationMask = 1<<(64-startTurnBits) - 1
	// lateSnapshots bounds by how many snapshots a query may lag behind others. Who is further back is ahead: the numbers came
	// round, or it is the first query since.
	lateSnapshots = 1 << 10
)

// NewLearned returns an empty Learned for plan.
func NewLearned(plan *Plan) *Learned {
	return &Learned{
		cursors: make([]counter, len(plan.virtualServers)*families),
		others:  plan.others,
		other:   make([]counter, plan.otherCount*otherFamilies),
		prefers: make([]counter, plan.policies*allFamilies),
		handed:  make([]counter, len(plan.services)),
		pairs:   new(pairs),
		Pushed:  NewPushed(),
	}
}

// Carry returns a Learned for plan next that starts with what this one, which belongs to plan, knows of the virtual
// servers and services that both have. Names identify them.
func (l *Learned) Carry(plan, next *Plan) *Learned {
	out := NewLearned(next)
	out.Sessions, out.Resolvers, out.Pushed = l.Sessions, l.Resolvers, l.Pushed
	old := make(map[string]int, len(plan.virtualServers))
	for i := range plan.virtualServers {
		old[plan.virtualServers[i].name] = i
	}
	for i := range next.virtualServers {
		if j, ok := old[next.virtualServers[i].name]; ok {
			for f := range Family(families + otherFamilies) {
				if to, from := out.cursor(VirtualServerIndex(i), f), l.cursor(VirtualServerIndex(j), f); to != nil && from != nil {
					to.n.Store(from.n.Load())
				}
			}
			out.carryPolicies(next.virtualServers[i].policies, l, plan.virtualServers[j].policies)
		}
	}
	for i := range next.services {
		if j, ok := plan.serviceIndex[next.services[i].Name]; ok {
			out.handed[i].n.Store(l.handed[j].n.Load())
		}
	}
	return out
}

// carryPolicies starts the rotations of policies with what an older Learned knows of those of the same name.
func (l *Learned) carryPolicies(policies []policy, old *Learned, were []policy) {
	for i := range policies {
		j := slices.IndexFunc(were, func(p policy) bool { return p.name == policies[i].name })
		if j < 0 {
			continue
		}
		for f := range Family(allFamilies) {
			l.preferred(&policies[i], f).n.Store(old.preferred(&were[j], f).n.Load())
		}
	}
}

// Copy returns a Learned that decides as this one does and leaves no mark on it: an explanation uses one. It takes turns of
// its own, and keeps no session, pair or wish.
func (l *Learned) Copy() *Learned {
	return &Learned{cursors: copyCounters(l.cursors), others: l.others, other: copyCounters(l.other), prefers: copyCounters(l.prefers), handed: copyCounters(l.handed),
		Sessions: l.Sessions, Resolvers: l.Resolvers, Pushed: l.Pushed, pairs: l.pairs, frozen: true}
}

func copyCounters(from []counter) []counter {
	to := make([]counter, len(from))
	for i := range from {
		to[i].n.Store(from[i].n.Load())
		to[i].start.Store(from[i].start.Load())
	}
	return to
}

// Handed returns how many answers had the service first. It only grows.
func (l *Learned) Handed(s ServiceIndex) uint64 { return l.handed[s].n.Load() }

// turn returns the next turn of a virtual server's rotation, from 0.
func (l *Learned) turn(vs VirtualServerIndex, f Family) uint64 {
	if f < families {
		return l.cursors[int(vs)*families+int(f)].n.Add(1) - 1
	}
	if c := l.cursor(vs, f); c != nil {
		return c.n.Add(1) - 1
	}
	return 0
}

// pour returns the next turn of a fill, and how many answers it has given since the snapshot of this generation came.
func (c *counter) pour(generation uint64) (turn, since uint64) {
	turn = c.n.Add(1) - 1
	start := c.start.Load()
	switch ahead := (generation - start>>startTurnBits) & generationMask; {
	case ahead == 0:
	case ahead <= generationMask-lateSnapshots:
		c.start.CompareAndSwap(start, generation<<startTurnBits|turn&startTurnMask)
		return turn, 0
	default:
		return turn, 0 // a newer snapshot is in use already
	}
	if since = (turn - start) & startTurnMask; since > startTurnMask/2 {
		return turn, 0 // taken before the turn that the snapshot began with, by somebody slower
	}
	return turn, since
}

// preferred returns the position of the rotation among what a policy prefers. Each has one of its own, as clients of several
// policies, or families, that come in a steady pattern would get the same service each time from one that they share.
func (l *Learned) preferred(p *policy, f Family) *counter {
	return &l.prefers[p.number*allFamilies+int(f)]
}

// of returns what queries of one family may move: the rotations of a virtual server and of its policies, for that family and
// for all.
func (l *Learned) of(p *Plan, vs int, asked Family) []*counter {
	var out []*counter
	for _, f := range []Family{FamilyNone, asked} {
		if c := l.cursor(VirtualServerIndex(vs), f); c != nil {
			out = append(out, c)
		}
		for i := range p.virtualServers[vs].policies {
			out = append(out, l.preferred(&p.virtualServers[vs].policies[i], f))
		}
	}
	return out
}

// cursor returns a rotation's position; nil when the virtual server is not asked for the family.
func (l *Learned) cursor(vs VirtualServerIndex, f Family) *counter {
	switch {
	case f < families:
		return &l.cursors[int(vs)*families+int(f)]
	case l.others == nil || l.others[vs] == none:
		return nil
	}
	return &l.other[int(l.others[vs])*otherFamilies+int(f-families)]
}
