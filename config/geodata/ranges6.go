package geodata

import "math/bits"

// topBits is how many leading bits of an IPv6 address the first index is over. Allocations share far more than these, so
// that crowded entries have an index of their own over the bits that follow.
const topBits = 16

const (
	// crowded is how many ranges an entry of the first index leads to without an index of its own.
	crowded = 8
	// mostSubBits bounds the second index of one entry.
	mostSubBits = 18
)

// ranges6 is the ranges of IPv6.
type ranges6 struct {
	entries []entry6 // by start; the first starts at 0
	top     []top6   // by the leading bits, and one more
	sub     []uint32
}

type entry6 struct {
	start Key
	value uint32
}

// top6 is an entry of the first index.
type top6 struct {
	before uint32 // how many ranges start before its addresses
	sub    uint32 // where its own index begins
	bits   uint32 // how many bits that is over; 0: it has none
}

func newRanges6(spans []Span) ranges6 {
	var r ranges6
	if len(spans) == 0 {
		return r
	}
	n := touching(spans, maxKey6)
	r.entries = make([]entry6, 0, n)
	touch(spans, maxKey6, func(first Key, value uint32) {
		r.entries = append(r.entries, entry6{first, value})
	})
	r.top = make([]top6, 1<<topBits+1)
	slot := 0
	for i := range r.entries {
		for ; slot <= int(r.entries[i].start.Hi>>(64-topBits)); slot++ {
			r.top[slot].before = uint32(i)
		}
	}
	for ; slot < len(r.top); slot++ {
		r.top[slot].before = uint32(n)
	}
	for slot := range len(r.top) - 1 {
		r.indexCrowded(&r.top[slot], int(r.top[slot+1].before))
	}
	return r
}

// indexCrowded gives an entry of the first index one of its own if it leads to many ranges.
func (r *ranges6) indexCrowded(t *top6, end int) {
	count := end - int(t.before)
	if count <= crowded {
		return
	}
	t.bits = uint32(min(bits.Len(uint(count))-indexShare, mostSubBits))
	t.sub = uint32(len(r.sub))
	slot := 0
	for i := int(t.before); i < end; i++ {
		for ; slot <= subSlot(r.entries[i].start.Hi, t.bits); slot++ {
			r.sub = append(r.sub, uint32(i))
		}
	}
	for ; slot <= 1<<t.bits; slot++ {
		r.sub = append(r.sub, uint32(end))
	}
}

// subSlot is the place of an address in a second index.
func subSlot(hi uint64, width uint32) int { return int(hi << topBits >> (64 - width)) }

// find returns the range that an address is in.
func (r *ranges6) find(k Key) int {
	slot := k.Hi >> (64 - topBits)
	t := &r.top[slot]
	lo, hi := int(t.before), int(r.top[slot+1].before)
	if t.bits > 0 {
		i := int(t.sub) + subSlot(k.Hi, t.bits)
		lo, hi = int(r.sub[i]), int(r.sub[i+1])
	}
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if k.Less(r.entries[mid].start) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo - 1
}

func (r *ranges6) lookup(k Key) (uint32, int) {
	if len(r.entries) == 0 {
		return 0, 0
	}
	i := r.find(k)
	wide := 0
	if i > 0 {
		wide = k.commonBits(r.entries[i].start.Before()) + 1
	}
	if i+1 < len(r.entries) {
		wide = max(wide, k.commonBits(r.entries[i+1].start)+1)
	}
	return r.entries[i].value, wide
}

func (r *ranges6) bounds(i int) (first, last Key) {
	first, last = r.entries[i].start, maxKey6
	if i+1 < len(r.entries) {
		last = r.entries[i+1].start.Before()
	}
	return first, last
}
