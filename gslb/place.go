package gslb

import (
	"math/bits"
	"runtime"
	"sync/atomic"
)

const (
	// placeWays is how many entries of a table have the same place.
	placeWays = 15
	// placeRoom is the slots for ten entries. Entries do not spread evenly over the places: with so many, a table that holds
	// all that it may has turned away some two of a hundred.
	placeRoom = 14
	// spins is how often a lock is looked at before another goroutine may run.
	spins = 32
)

// places returns how many places a table of most entries has.
func places(most int) int { return most*placeRoom/10/placeWays + 1 }

// placeOf returns the place of a hash among n: by its upper bits.
func placeOf(hash uint64, n int) int {
	i, _ := bits.Mul64(hash, uint64(n))
	return int(i)
}

// place guards the slots of one place of a hash table. Who reads takes them as valid when version was even, and the same
// before and after. Who writes makes it odd for so long. All words are atomic, so that reading what is just being written is
// no data race.
type place struct {
	version atomic.Uint64
	tags    [2]atomic.Uint64 // an octet for each slot: some bits of the hash, 0 when the slot is free; the last is 0
}

const (
	placeLocked = 1 // of version: somebody writes
	placeSealed = 2 // of version: the entries have moved to a newer table
	placeNext   = 4 // what version grows by
)

// tagOf returns the octet that stands for a hash. Its bits are not those that choose the place.
func tagOf(hash uint64) uint64 { return max(hash&0xff, 1) }

func (p *place) tag(slot int) uint8 { return uint8(p.tags[slot/8].Load() >> (slot % 8 * 8)) }

// setTag belongs to who writes.
func (p *place) setTag(slot int, tag uint64) {
	word, shift := &p.tags[slot/8], slot%8*8
	word.Store(word.Load()&^(0xff<<shift) | tag<<shift)
}

// matching marks the slots of one half whose tag is that of a hash, each by the top bit of an octet: nextMatch lists them.
// It may mark others, too.
func (p *place) matching(half int, hash uint64) uint64 {
	const low, high = 0x0101010101010101, 0x8080808080808080
	x := p.tags[half].Load() ^ tagOf(hash)*low
	match := (x - low) &^ x & high
	if half == 1 {
		match &^= 0x80 << 56 // there is no slot
	}
	return match
}

func nextMatch(half int, match uint64) (slot int) { return half*8 + bits.TrailingZeros64(match)/8 }

// reading begins a look that is good when same says so.
func (p *place) reading() (version uint64, ok bool) {
	version = p.version.Load()
	return version, version&placeLocked == 0
}

func (p *place) same(version uint64) bool { return p.version.Load() == version }

// acquire makes the caller the one who writes; not when the place is sealed.
func (p *place) acquire() (version uint64, ok bool) {
	for n := 0; ; n++ {
		version = p.version.Load()
		switch {
		case version&placeSealed != 0:
			return 0, false
		case version&placeLocked == 0 && p.version.CompareAndSwap(version, version|placeLocked):
			return version, true
		}
		relax(n)
	}
}

// release ends what acquire began.
func (p *place) release(version uint64) { p.version.Store(version + placeNext) }

// seal ends what acquire began, for good, and empties the place.
func (p *place) seal(version uint64) {
	p.tags[0].Store(0)
	p.tags[1].Store(0)
	p.version.Store((version + placeNext) | placeSealed)
}

// relax lets others run now and then: a writer may have lost its processor.
func relax(n int) {
	if n%spins == spins-1 {
		runtime.Gosched()
	}
}
