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
	cursors []counter // by virtual server, family and way
	others  []int32   // the Plan's
	other   []counter // by number in others, other family and way
	prefers []counter // by number of a policy (policy.number), family and way
	handed  []counter // by service
	uses    []*useCounts
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

// The ways to pick have turns of their own: what one of them takes is no answer of another one's fill, and moves no rotation of it.
const (
	byMethod  = iota // also the last resort
	byBackup         // the backup method
	byDefault        // the rotation when neither has its data
	ways
)

// NewLearned returns an empty Learned for plan.
func NewLearned(plan *Plan) *Learned {
	return &Learned{
		cursors: make([]counter, len(plan.virtualServers)*families*ways),
		others:  plan.others,
		other:   make([]counter, plan.otherCount*otherFamilies*ways),
		prefers: make([]counter, plan.policies*allFamilies*ways),
		handed:  make([]counter, len(plan.services)),
		uses:    usesOf(plan, nil, nil),
		pairs:   new(pairs),
		Pushed:  NewPushed(),
	}
}

// Carry returns a Learned for plan next that starts with what this one, which belongs to plan, knows of the virtual
// servers and services that both have. Names identify them. When next was made from plan (Plan.Since), both are one in that: what queries that still
// go by plan teach is known to the other, too.
func (l *Learned) Carry(plan, next *Plan) *Learned {
	if _, virtualServers, known := next.SinceRenumbered(plan); known && slices.Equal(plan.others, next.others) {
		out := *l
		if next != plan && next.amended.renumbered != nil {
			out.handed = make([]counter, len(next.services))
			for i := range next.services {
				if was, there := next.ServiceBefore(plan, ServiceIndex(i)); there {
					out.handed[i].n.Store(l.handed[was].n.Load())
				}
			}
		}
		out.others, out.pairs, out.frozen = next.others, new(pairs), false
		if len(virtualServers) > 0 {
			out.uses = usesOf(next, l.uses, plan)
		}
		return &out
	}
	out := NewLearned(next)
	out.Sessions, out.Resolvers, out.Pushed = l.Sessions, l.Resolvers, l.Pushed
	out.uses = usesOf(next, l.uses, plan)
	old := make(map[string]int, len(plan.virtualServers))
	for i := range plan.virtualServers {
		old[plan.virtualServers[i].name] = i
	}
	for i := range next.virtualServers {
		if j, ok := old[next.virtualServers[i].name]; ok {
			for f := range Family(families + otherFamilies) {
				carryTurns(out.waysOf(VirtualServerIndex(i), f), l.waysOf(VirtualServerIndex(j), f))
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
			carryTurns(l.preferred(&policies[i], f), old.preferred(&were[j], f))
		}
	}
}

// carryTurns starts rotations where others are, if there are such.
func carryTurns(to, from []counter) {
	for i := range min(len(to), len(from)) {
		to[i].n.Store(from[i].n.Load())
	}
}

// Copy returns a Learned that decides as this one does and leaves no mark on it: an explanation uses one. It takes turns of
// its own, and keeps no session, pair or wish.
func (l *Learned) Copy() *Learned {
	return &Learned{cursors: copyCounters(l.cursors), others: l.others, other: copyCounters(l.other), prefers: copyCounters(l.prefers), handed: copyCounters(l.handed),
		Sessions: l.Sessions, Resolvers: l.Resolvers, Pushed: l.Pushed, pairs: l.pairs, uses: l.uses, frozen: true}
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

// preferred returns the positions of the rotations among what a policy prefers, by way. Each policy has its own, as clients of
// several policies, or families, that come in a steady pattern would get the same service each time from one that they share.
func (l *Learned) preferred(p *policy, f Family) []counter {
	at := (p.number*allFamilies + int(f)) * ways
	return l.prefers[at : at+ways]
}

// of returns what queries of one family may move: the rotations of a virtual server and of its policies, for that family and
// for all.
func (l *Learned) of(p *Plan, vs int, asked Family) []*counter {
	var out []*counter
	add := func(all []counter) {
		for i := range all {
			out = append(out, &all[i])
		}
	}
	for _, f := range []Family{FamilyNone, asked} {
		add(l.waysOf(VirtualServerIndex(vs), f))
		for i := range p.virtualServers[vs].policies {
			add(l.preferred(&p.virtualServers[vs].policies[i], f))
		}
	}
	return out
}

// waysOf returns a virtual server's rotations by way; nil when it is not asked for the family.
func (l *Learned) waysOf(vs VirtualServerIndex, f Family) []counter {
	switch {
	case f < families:
		at := (int(vs)*families + int(f)) * ways
		return l.cursors[at : at+ways]
	case l.others == nil || l.others[vs] == none:
		return nil
	}
	at := (int(l.others[vs])*otherFamilies + int(f-families)) * ways
	return l.other[at : at+ways]
}
