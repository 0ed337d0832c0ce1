package bench

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"time"
)

// lane is the bookkeeping of one socket: which queries are out, under which ID. The low bits of an ID are the number of a
// slot, the others change with each use of the slot, so that a late answer is not taken for the next one.
type lane struct {
	slots []slot
	free  []uint16
	mask  uint16 // of the slot's number in an ID
}

type slot struct {
	at    time.Duration // when it was due; in a closed loop when it was sent; since the generator's start
	sent  time.Duration
	query uint32
	id    uint16
	busy  bool
}

func newLane(outstanding int, random *rand.Rand) *lane {
	l := &lane{
		slots: make([]slot, outstanding),
		free:  make([]uint16, outstanding),
		mask:  1<<bits.Len16(uint16(outstanding-1)) - 1,
	}
	for i := range l.slots {
		l.slots[i].id = uint16(random.Uint32())&^l.mask | uint16(i)
		l.free[i] = uint16(outstanding - 1 - i)
	}
	return l
}

// out returns the number of outstanding queries.
func (l *lane) out() int { return len(l.slots) - len(l.free) }

// take marks a slot as sent and returns its ID. There must be a free one.
func (l *lane) take(query uint32, at, sent time.Duration) uint16 {
	i := l.free[len(l.free)-1]
	l.free = l.free[:len(l.free)-1]
	s := &l.slots[i]
	s.id += l.mask + 1
	s.at, s.sent, s.query, s.busy = at, sent, query, true
	return s.id
}

// find returns the outstanding query that a message answers by its ID; nil when there is none.
func (l *lane) find(message []byte) *slot {
	if len(message) < headerOctets {
		return nil
	}
	id := binary.BigEndian.Uint16(message)
	i := int(id & l.mask)
	if i >= len(l.slots) || !l.slots[i].busy || l.slots[i].id != id {
		return nil
	}
	return &l.slots[i]
}

// put frees a slot.
func (l *lane) put(s *slot) {
	s.busy = false
	l.free = append(l.free, s.id&l.mask)
}
