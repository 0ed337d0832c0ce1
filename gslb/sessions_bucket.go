package gslb

import (
	"sync/atomic"
	"unsafe"
)

// sessionTable is buckets of the same size, without pointers: the garbage collector never looks into them.
type sessionTable struct {
	buckets  []sessionBucket
	notes    []atomic.Uint64              // a bit for each bucket: other sites are to be told something of it
	previous atomic.Pointer[sessionTable] // that sessions move here from; nil: none
}

func newSessionTable(most int) *sessionTable {
	n := places(most)
	return &sessionTable{buckets: make([]sessionBucket, n), notes: make([]atomic.Uint64, (n+63)/64)}
}

func (t *sessionTable) bytes() int {
	return len(t.buckets)*int(unsafe.Sizeof(sessionBucket{})) + len(t.notes)*int(unsafe.Sizeof(atomic.Uint64{}))
}

// bucket returns the place of a hash.
func (t *sessionTable) bucket(hash uint64) *sessionBucket {
	return &t.buckets[placeOf(hash, len(t.buckets))]
}

// walk calls f for each session from a position on, until f returns false: then it returns the position after that, else 0.
func (t *sessionTable) walk(from int, f func(k SessionKey, service uint64, until int64) bool) (next int) {
	var copied [placeWays]session
	for b := from / placeWays; b < len(t.buckets); b++ {
		t.buckets[b].copy(&copied)
		for i := max(0, from-b*placeWays); i < placeWays; i++ {
			if c := &copied[i]; c.until != 0 && !f(SessionKey{ID: c.id, Client: addrOf(c.high, c.low)}, c.service, c.until) {
				return b*placeWays + i + 1
			}
		}
	}
	return 0
}

// sessionBucket is the sessions of one place, in eight cache lines.
type sessionBucket struct {
	place
	marks atomic.Uint64 // of the slots: see markTell
	slots [placeWays]sessionSlot
}

// sessionSlot is one session.
type sessionSlot struct {
	high, low, service atomic.Uint64
	ends               atomic.Uint64 // id in the upper half, end in the lower
}

// session is a copy of a slot; until 0: there is none.
type session struct {
	high, low, service uint64
	id                 uint32
	until              int64
}

// sought is a key as the table needs it.
type sought struct {
	high, low, hash uint64
	id              uint32
}

// sessionChange is a session to be written.
type sessionChange struct {
	sought
	service   uint64
	at, until int64
	wins      func(service uint64, until int64, old uint64, end int64) bool
	moves     bool // from an older table: it takes a free slot if there is one
	marks     uint64
}

func (p *sessionSlot) session() session {
	ends := p.ends.Load()
	return session{high: p.high.Load(), low: p.low.Load(), service: p.service.Load(), id: uint32(ends >> 32), until: int64(uint32(ends))}
}

// owner is the id and the service of the slot's session.
func (p *sessionSlot) owner() (id uint32, service uint64) {
	return uint32(p.ends.Load() >> 32), p.service.Load()
}

// index returns the slot of a key; -1 when it has none.
func (b *sessionBucket) index(w *sought) int {
	for half := range 2 {
		for match := b.matching(half, w.hash); match != 0; match &= match - 1 {
			i := nextMatch(half, match)
			p := &b.slots[i]
			if p.high.Load() == w.high && p.low.Load() == w.low && uint32(p.ends.Load()>>32) == w.id && b.tag(i) != 0 {
				return i
			}
		}
	}
	return -1
}

// find reads a session; until is 0 when there is none. When the bucket is sealed, the answer is in a newer table.
func (b *sessionBucket) find(w *sought) (service uint64, until int64, sealed bool) {
	for n := 0; ; n++ {
		if version, ok := b.reading(); ok {
			service, until = 0, 0
			if i := b.index(w); i >= 0 {
				service, until = b.slots[i].service.Load(), int64(uint32(b.slots[i].ends.Load()))
			}
			if b.same(version) {
				return service, until, version&placeSealed != 0
			}
		}
		relax(n)
	}
}

// copy reads all sessions.
func (b *sessionBucket) copy(to *[placeWays]session) {
	for n := 0; ; n++ {
		if version, ok := b.reading(); ok {
			for i := range to {
				if to[i] = (session{}); b.tag(i) != 0 {
					to[i] = b.slots[i].session()
				}
			}
			if b.same(version) {
				return
			}
		}
		relax(n)
	}
}

// put writes a session, over another one if there is no room.
func (b *sessionBucket) put(s *Sessions, c *sessionChange) (done, sealed bool) {
	version, ok := b.acquire()
	if !ok {
		return false, true
	}
	if i := b.index(&c.sought); i >= 0 {
		p := &b.slots[i]
		if done = c.wins == nil || c.wins(c.service, c.until, p.service.Load(), int64(uint32(p.ends.Load()))); done {
			if int64(uint32(p.ends.Load())) <= c.at {
				s.ended(p.owner())
			}
			p.service.Store(c.service)
			p.ends.Store(uint64(c.id)<<32 | uint64(c.until))
			b.mark(i, c.marks, markHeard)
		}
		b.release(version)
		return done, false
	}
	i, end := b.room(!c.moves && s.used.Load() >= s.max.Load())
	if end == 0 {
		s.used.Add(1)
	} else if min(end, c.until) > c.at {
		s.evictions.Add(1)
	}
	if done = c.wins == nil || end < c.until; done {
		if end != 0 && end <= c.at {
			s.ended(b.slots[i].owner())
		}
		b.fill(i, c)
	}
	b.release(version)
	return done, false
}

// fill makes a slot the one of another key.
func (b *sessionBucket) fill(i int, c *sessionChange) {
	p := &b.slots[i]
	p.high.Store(c.high)
	p.low.Store(c.low)
	p.service.Store(c.service)
	p.ends.Store(uint64(c.id)<<32 | uint64(c.until))
	b.setTag(i, tagOf(c.hash))
	b.mark(i, c.marks, markAll)
}

// room returns a free slot, else the one whose session ends first, and that end; 0 for a free one. In a full table the
// last slots of a bucket, which are for an uneven spread, are no room.
func (b *sessionBucket) room(full bool) (slot int, end int64) {
	free, taken := -1, 0
	for i := range b.slots {
		if b.tag(i) == 0 {
			free = i
			continue
		}
		if e := int64(uint32(b.slots[i].ends.Load())); taken == 0 || e < end {
			slot, end = i, e
		}
		taken++
	}
	if free >= 0 && (!full || taken <= placeWays*10/placeRoom) {
		return free, 0
	}
	return slot, end
}

// drop frees the slot of a key.
func (b *sessionBucket) drop(w *sought) (done, sealed bool) {
	version, ok := b.acquire()
	if !ok {
		return false, true
	}
	if i := b.index(w); i >= 0 {
		b.setTag(i, 0)
		done = true
	}
	b.release(version)
	return done, false
}

// expire frees the slots of sessions that have ended.
func (b *sessionBucket) expire(s *Sessions, at int64) (removed int) {
	ended := func(i int) bool { return b.tag(i) != 0 && int64(uint32(b.slots[i].ends.Load())) <= at }
	some := false
	for i := range b.slots {
		some = some || ended(i)
	}
	if !some {
		return 0
	}
	version, ok := b.acquire()
	if !ok {
		return 0
	}
	for i := range b.slots {
		if ended(i) {
			s.ended(b.slots[i].owner())
			b.setTag(i, 0)
			removed++
		}
	}
	b.release(version)
	return removed
}
