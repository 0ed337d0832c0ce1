package gslb

import (
	"math"
	"sync/atomic"
	"time"
	"unsafe"
)

// resolverTable is the places and, apart from them, the words of their slots: for each the address in two words, when it
// was wanted last, how each cell was measured (4 bits each, the first lowest), and the cells. None of it is a pointer.
type resolverTable struct {
	places []place
	words  []atomic.Uint64
	cells  int // of a slot
}

const (
	resolverHead = 4 // words before the cells
	resolverBy   = 3 // word of the sources
	sourceBits   = 4 // of one cell's
	sourceMask   = 1<<sourceBits - 1
)

// resolver is a copy of a slot.
type resolver struct {
	taken     bool
	high, low uint64
	wanted    int64
	count     int
	cells     [MaxResolverSites]rttCell
	by        [MaxResolverSites]RTTSource
	place     int    // where it was read, as fresh notes it
	version   uint64 // of the place then
}

// rttCell is a round-trip time: the site's number in 8 bits, microseconds in 24, the time in 32. 0: none.
type rttCell uint64

func newCell(name uint8, rtt time.Duration, at int64) rttCell {
	micro := uint64(min(rtt, maxRTT) / time.Microsecond)
	return rttCell(uint64(name)<<56 | micro<<32 | uint64(min(at, math.MaxUint32)))
}

func (c rttCell) name() uint8               { return uint8(c >> 56) }
func (c rttCell) rtt() time.Duration        { return time.Duration(c>>32&(1<<24-1)) * time.Microsecond }
func (c rttCell) micro() int                { return int(c >> 32 & (1<<24 - 1)) } // microseconds
func (c rttCell) at() int64                 { return int64(uint32(c)) }
func (c rttCell) until(timeout int64) int64 { return c.at() + timeout }

func newResolverTable(most, cells int) *resolverTable {
	n := places(most)
	return &resolverTable{places: make([]place, n), words: make([]atomic.Uint64, n*placeWays*(resolverHead+cells)), cells: cells}
}

func (t *resolverTable) bytes() int {
	return len(t.places)*int(unsafe.Sizeof(place{})) + len(t.words)*int(unsafe.Sizeof(uint64(0)))
}

// slot returns the words of a slot.
func (t *resolverTable) slot(p, i int) []atomic.Uint64 {
	size := resolverHead + t.cells
	first := (p*placeWays + i) * size
	return t.words[first : first+size : first+size]
}

// index returns the slot of a resolver at place p; -1 when it has none.
func (t *resolverTable) index(p int, w *sought) int {
	at := &t.places[p]
	for half := range 2 {
		for match := at.matching(half, w.hash); match != 0; match &= match - 1 {
			i := nextMatch(half, match)
			if s := t.slot(p, i); s[0].Load() == w.high && s[1].Load() == w.low && at.tag(i) != 0 {
				return i
			}
		}
	}
	return -1
}

// find reads a resolver.
func (t *resolverTable) find(w sought, e *resolver) bool {
	p := placeOf(w.hash, len(t.places))
	at := &t.places[p]
	for n := 0; ; n++ {
		if version, ok := at.reading(); ok {
			i := t.index(p, &w)
			if i >= 0 {
				t.read(p, i, e)
			}
			if at.same(version) {
				return i >= 0
			}
		}
		relax(n)
	}
}

// fresh reads of a resolver what a decision needs: when it was wanted, and the cells that were measured after a time.
func (t *resolverTable) fresh(w *sought, after int64, e *resolver) bool {
	p := placeOf(w.hash, len(t.places))
	at := &t.places[p]
	for n := 0; ; n++ {
		if version, ok := at.reading(); ok {
			i := t.index(p, w)
			if i >= 0 {
				t.readFresh(p, i, after, e)
				e.place, e.version = p, version
			}
			if at.same(version) {
				return i >= 0
			}
		}
		relax(n)
	}
}

func (t *resolverTable) readFresh(p, i int, after int64, e *resolver) {
	s := t.slot(p, i)
	e.high, e.low, e.wanted = s[0].Load(), s[1].Load(), int64(s[2].Load())
	cells, n := s[resolverHead:], uint(0)
	for j := range cells {
		c := rttCell(cells[j].Load())
		e.cells[n%MaxResolverSites] = c
		n += uint(uint64(after-c.at()) >> 63) // 1 when it counts: which do is not for the processor to guess
	}
	e.count = int(n)
}

func (t *resolverTable) read(p, i int, e *resolver) {
	s := t.slot(p, i)
	e.taken, e.high, e.low, e.wanted, e.count = true, s[0].Load(), s[1].Load(), int64(s[2].Load()), 0
	by := s[resolverBy].Load()
	for j := resolverHead; j < len(s); j++ {
		if c := s[j].Load(); c != 0 {
			e.cells[e.count] = rttCell(c)
			e.by[e.count] = RTTSource(by >> (sourceBits * (j - resolverHead)) & sourceMask)
			e.count++
		}
	}
}

// copy reads all resolvers of a place.
func (t *resolverTable) copy(p int, to *[placeWays]resolver) {
	at := &t.places[p]
	for n := 0; ; n++ {
		if version, ok := at.reading(); ok {
			for i := range to {
				if to[i].taken = false; at.tag(i) != 0 {
					t.read(p, i, &to[i])
				}
			}
			if at.same(version) {
				return
			}
		}
		relax(n)
	}
}

// measured writes a cell, in place of a resolver that nobody needs if there is no room. restores: the resolver was in a table
// like this one, and takes a free slot if there is one.
func (t *resolverTable) measured(r *resolverStore, w sought, c rttCell, by RTTSource, restores bool) bool {
	p := placeOf(w.hash, len(t.places))
	at := &t.places[p]
	version, _ := at.acquire() // never sealed
	i := t.index(p, &w)
	if i < 0 {
		i = t.room(r, p, restores)
		s := t.slot(p, i)
		s[0].Store(w.high)
		s[1].Store(w.low)
		for j := 2; j < len(s); j++ {
			s[j].Store(0)
		}
		at.setTag(i, tagOf(w.hash))
	}
	s := t.slot(p, i)
	cell := setCell(s[resolverHead:], c, r.seconds())
	if cell >= 0 {
		shift := sourceBits * cell
		s[resolverBy].Store(s[resolverBy].Load()&^(sourceMask<<shift) | uint64(by&sourceMask)<<shift)
	}
	at.release(version)
	return cell >= 0
}

// setCell puts a round-trip time in its place: that of the same site, a free one, an old one, or that of the longest. It
// returns which, and -1 when there was none.
func setCell(cells []atomic.Uint64, c rttCell, timeout int64) int {
	free, longest := -1, 0
	for i := range cells {
		old := rttCell(cells[i].Load())
		switch {
		case old == 0 || old.until(timeout) <= c.at() && old.name() != c.name():
			free = i
		case old.name() == c.name():
			if old.at() > c.at() {
				return -1
			}
			cells[i].Store(uint64(c))
			return i
		case old.rtt() > rttCell(cells[longest].Load()).rtt():
			longest = i
		}
	}
	if free < 0 && rttCell(cells[longest].Load()).rtt() > c.rtt() {
		free = longest
	}
	if free >= 0 {
		cells[free].Store(uint64(c))
	}
	return free
}

// room returns a free slot, else that of the resolver that was wanted and measured least lately.
func (t *resolverTable) room(r *resolverStore, p int, restores bool) int {
	full := !restores && int(r.used.Load()) >= r.options.Max
	at, free, taken, oldest := &t.places[p], -1, 0, 0
	var least int64
	for i := range placeWays {
		if at.tag(i) == 0 {
			free = i
			continue
		}
		if last := lastUse(t.slot(p, i)); taken == 0 || last < least {
			oldest, least = i, last
		}
		taken++
	}
	if free >= 0 && (!full || taken <= placeWays*10/placeRoom) {
		r.used.Add(1)
		return free
	}
	r.evictions.Add(1)
	return oldest
}

// lastUse returns when a resolver was wanted or measured last.
func lastUse(s []atomic.Uint64) int64 {
	last := int64(s[2].Load())
	for i := resolverHead; i < len(s); i++ {
		last = max(last, rttCell(s[i].Load()).at())
	}
	return last
}

// touch notes when a resolver was wanted.
func (t *resolverTable) touch(w sought, at int64) {
	p := placeOf(w.hash, len(t.places))
	version, _ := t.places[p].acquire()
	if i := t.index(p, &w); i >= 0 {
		t.slot(p, i)[2].Store(uint64(at))
	}
	t.places[p].release(version)
}

func (t *resolverTable) drop(w sought) bool {
	p := placeOf(w.hash, len(t.places))
	version, _ := t.places[p].acquire()
	i := t.index(p, &w)
	if i >= 0 {
		t.places[p].setTag(i, 0)
	}
	t.places[p].release(version)
	return i >= 0
}

// expire frees the slots of a place that were not used after a time.
func (t *resolverTable) expire(p int, after int64) (removed int) {
	at := &t.places[p]
	if at.tags[0].Load()|at.tags[1].Load() == 0 {
		return 0
	}
	version, _ := at.acquire()
	for i := range placeWays {
		if at.tag(i) != 0 && lastUse(t.slot(p, i)) <= after {
			at.setTag(i, 0)
			removed++
		}
	}
	at.release(version)
	return removed
}
