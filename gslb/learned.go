package gslb

import "sync/atomic"

// cacheLine keeps counters that different cores write on lines of their own.
const cacheLine = 64

// Learned is what queries may write: how far each rotation has come, and how many answers named each service. It
// belongs to one Plan and is bounded by it. Safe for concurrent use.
type Learned struct {
	cursors []counter // by virtual server and family
	others  []int32   // the Plan's
	other   []counter // by number in others and other family
	handed  []counter // by service
}

type counter struct {
	n atomic.Uint64
	_ [cacheLine - 8]byte
}

// NewLearned returns an empty Learned for plan.
func NewLearned(plan *Plan) *Learned {
	return &Learned{
		cursors: make([]counter, len(plan.virtualServers)*families),
		others:  plan.others,
		other:   make([]counter, plan.otherCount*otherFamilies),
		handed:  make([]counter, len(plan.services)),
	}
}

// Carry returns a Learned for plan next that starts with what this one, which belongs to plan, knows of the virtual
// servers and services that both have. Names identify them.
func (l *Learned) Carry(plan, next *Plan) *Learned {
	out := NewLearned(next)
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
		}
	}
	for i := range next.services {
		if j, ok := plan.serviceIndex[next.services[i].Name]; ok {
			out.handed[i].n.Store(l.handed[j].n.Load())
		}
	}
	return out
}

// Copy returns a Learned with the same content that shares nothing with this one: an explanation decides on a copy and
// leaves no mark.
func (l *Learned) Copy() *Learned {
	return &Learned{cursors: copyCounters(l.cursors), others: l.others, other: copyCounters(l.other), handed: copyCounters(l.handed)}
}

func copyCounters(from []counter) []counter {
	to := make([]counter, len(from))
	for i := range from {
		to[i].n.Store(from[i].n.Load())
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
