package gslb

import "sync/atomic"

// cacheLine keeps counters that different cores write on lines of their own.
const cacheLine = 64

// Learned is what queries may write: how far each rotation has come, and how many answers named each service. It
// belongs to one Plan and is bounded by it. Safe for concurrent use.
type Learned struct {
	cursors []counter // by virtual server and family
	handed  []counter // by service
}

type counter struct {
	n atomic.Uint64
	_ [cacheLine - 8]byte
}

const families = 3 // FamilyNone, IPv4, IPv6

// NewLearned returns an empty Learned for plan.
func NewLearned(plan *Plan) *Learned {
	return &Learned{
		cursors: make([]counter, len(plan.virtualServers)*families),
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
			for f := range families {
				out.cursors[i*families+f].n.Store(l.cursors[j*families+f].n.Load())
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
	out := &Learned{cursors: make([]counter, len(l.cursors)), handed: make([]counter, len(l.handed))}
	for i := range l.cursors {
		out.cursors[i].n.Store(l.cursors[i].n.Load())
	}
	for i := range l.handed {
		out.handed[i].n.Store(l.handed[i].n.Load())
	}
	return out
}

// Handed returns how many answers had the service first. It only grows.
func (l *Learned) Handed(s ServiceIndex) uint64 { return l.handed[s].n.Load() }

// turn returns the next turn of a virtual server's rotation, from 0.
func (l *Learned) turn(vs VirtualServerIndex, f Family) uint64 {
	return l.cursors[int(vs)*families+int(f)].n.Add(1) - 1
}
