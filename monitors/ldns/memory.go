package ldns

import (
	"net/netip"
	"time"
)

const (
	// maxMemories is how many resolvers are remembered at least before the older ones are forgotten, and half of the most.
	maxMemories = 1 << 16
	// pauseFirst is how long a silent resolver is left alone; twice as long each further time, up to pauseMost.
	pauseFirst = time.Minute
	pauseMost  = time.Hour
)

// memory is what is known of a resolver from its last round.
type memory struct {
	answered bool
	kind     Kind // that it answered
	pause    time.Duration
	until    time.Time // it is left alone
}

// memories are the last rounds of many resolvers, in two generations: when the younger one is full the older one is
// forgotten. The zero memories are ready.
type memories struct{ young, old map[netip.Addr]memory }

func (m *memories) get(a netip.Addr) (memory, bool) {
	if found, ok := m.young[a]; ok {
		return found, true
	}
	found, ok := m.old[a]
	return found, ok
}

func (m *memories) put(a netip.Addr, what memory) {
	if m.young == nil || len(m.young) >= maxMemories {
		m.old, m.young = m.young, make(map[netip.Addr]memory)
	}
	m.young[a] = what
}

func (m *memories) answered(a netip.Addr, k Kind) { m.put(a, memory{answered: true, kind: k}) }

func (m *memories) silent(a netip.Addr, now time.Time) {
	before, _ := m.get(a)
	pause := min(max(2*before.pause, pauseFirst), pauseMost)
	m.put(a, memory{pause: pause, until: now.Add(pause)})
}

func (m *memories) len() int { return len(m.young) + len(m.old) }
