package geodata

import (
	"iter"
	"math/bits"
	"net/netip"
)

// Ranges gives every address a value. It is immutable and holds no pointers beside its slices, so that the garbage
// collector has nothing to look at. The zero Ranges gives 0 everywhere.
//
// Each family is a list of ranges that touch each other, by their first address, with an index over the leading bits that
// leads to a handful of them.
type Ranges struct {
	v4 ranges4
	v6 ranges6
}

// NewRanges makes Ranges of disjoint spans in ascending order, as Flatten and Overlay make them.
func NewRanges(v4, v6 []Span) *Ranges {
	return &Ranges{v4: newRanges4(v4), v6: newRanges6(v6)}
}

// Lookup returns the value of an address, and the length of the widest prefix around it in which all have that value. It
// does not allocate, and is safe for concurrent use.
func (r *Ranges) Lookup(a netip.Addr) (value uint32, bits int) {
	if a.Is4() {
		return r.v4.lookup(uint32(KeyOf(a).Lo))
	}
	return r.v6.lookup(KeyOf(a))
}

// Range returns the first and the last address around a that share its value without a gap.
func (r *Ranges) Range(a netip.Addr) (first, last netip.Addr) {
	if a.Is4() {
		if len(r.v4.entries) == 0 {
			return Key{}.Addr(true), maxKey4.Addr(true)
		}
		f, l := r.v4.bounds(r.v4.find(uint32(KeyOf(a).Lo)))
		return f.Addr(true), l.Addr(true)
	}
	if len(r.v6.entries) == 0 {
		return Key{}.Addr(false), maxKey6.Addr(false)
	}
	f, l := r.v6.bounds(r.v6.find(KeyOf(a)))
	return f.Addr(false), l.Addr(false)
}

// Len returns how many ranges there are, those without a value included.
func (r *Ranges) Len() int { return len(r.v4.entries) + len(r.v6.entries) }

// Bytes returns about how much memory r takes.
func (r *Ranges) Bytes() int {
	return 8*len(r.v4.entries) + 4*len(r.v4.index) + 24*len(r.v6.entries) + 4*len(r.v6.sub) + 12*len(r.v6.top)
}

// Spans4 and Spans6 go through the spans with a value, in ascending order.
func (r *Ranges) Spans4() iter.Seq[Span] {
	return func(yield func(Span) bool) {
		for i := range r.v4.entries {
			v := r.v4.entries[i].value
			if v == 0 {
				continue
			}
			first, last := r.v4.bounds(i)
			if !yield(Span{first, last, v}) {
				return
			}
		}
	}
}

// Spans6 is as Spans4, for IPv6.
func (r *Ranges) Spans6() iter.Seq[Span] {
	return func(yield func(Span) bool) {
		for i := range r.v6.entries {
			v := r.v6.entries[i].value
			if v == 0 {
				continue
			}
			first, last := r.v6.bounds(i)
			if !yield(Span{first, last, v}) {
				return
			}
		}
	}
}

// ranges4 is the ranges of IPv4.
type ranges4 struct {
	entries []entry4 // by start; the first starts at 0
	index   []uint32 // by the leading bits: how many entries start before them
	shift   uint8    // how many bits an index drops
}

type entry4 struct{ start, value uint32 }

const (
	leastIndexBits = 8
	mostIndexBits4 = 22
	// indexShare is how many ranges, as a power of two, an index entry leads to on average.
	indexShare = 1
)

func newRanges4(spans []Span) ranges4 {
	var r ranges4
	if len(spans) == 0 {
		return r
	}
	r.entries = make([]entry4, 0, touching(spans, maxKey4))
	touch(spans, maxKey4, func(first Key, value uint32) {
		r.entries = append(r.entries, entry4{uint32(first.Lo), value})
	})
	width := min(max(bits.Len(uint(len(r.entries)))-indexShare, leastIndexBits), mostIndexBits4)
	r.shift = uint8(32 - width)
	r.index = make([]uint32, 1<<width+1)
	slot := 0
	for i := range r.entries {
		for ; slot <= int(r.entries[i].start>>r.shift); slot++ {
			r.index[slot] = uint32(i)
		}
	}
	for ; slot < len(r.index); slot++ {
		r.index[slot] = uint32(len(r.entries))
	}
	return r
}

// find returns the range that an address is in.
func (r *ranges4) find(a uint32) int {
	slot := a >> r.shift
	lo, hi := int(r.index[slot]), int(r.index[slot+1])
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if r.entries[mid].start <= a {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo - 1
}

func (r *ranges4) lookup(a uint32) (uint32, int) {
	if len(r.entries) == 0 {
		return 0, 0
	}
	i := r.find(a)
	e, wide := r.entries[i], 0
	if e.start > 0 {
		wide = bits.LeadingZeros32(a^(e.start-1)) + 1
	}
	if i+1 < len(r.entries) {
		wide = max(wide, bits.LeadingZeros32(a^r.entries[i+1].start)+1)
	}
	return e.value, wide
}

func (r *ranges4) bounds(i int) (first, last Key) {
	first, last = Key{Lo: uint64(r.entries[i].start)}, maxKey4
	if i+1 < len(r.entries) {
		last = Key{Lo: uint64(r.entries[i+1].start) - 1}
	}
	return first, last
}

// touching counts the ranges that touch makes.
func touching(spans []Span, end Key) (n int) {
	touch(spans, end, func(Key, uint32) { n++ })
	return n
}

// touch calls emit with the start of every range that covers the addresses up to end, gaps with value 0 included.
func touch(spans []Span, end Key, emit func(first Key, value uint32)) {
	at := Key{}
	for i := range spans {
		if at.Less(spans[i].First) {
			emit(at, 0)
		}
		emit(spans[i].First, spans[i].Value)
		if spans[i].Last == end {
			return
		}
		at = spans[i].Last.After()
	}
	emit(at, 0)
}
