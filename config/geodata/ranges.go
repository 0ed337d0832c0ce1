package geodata

import (
	"encoding/binary"
	"iter"
	"net/netip"
)

// Ranges gives every address a value. It is immutable and holds no pointers beside its slices, so that the garbage
// collector has nothing to look at. The zero Ranges gives 0 everywhere.
type Ranges struct {
	v4 cells
	v6 cells
}

// NewRanges makes Ranges of disjoint spans in ascending order, as Flatten and Overlay make them. They take 13 to 26 octets
// for each of many ranges of IPv4 whose places are as good as random, and less than 200 whatever they are.
func NewRanges(v4, v6 []Span) *Ranges {
	return &Ranges{v4: newCells(v4, maxKey4), v6: newCells(v6, maxKey6)}
}

// Lookup returns the value of an address, and the length of the widest prefix around it in which all have that value. It
// does not allocate, and is safe for concurrent use.
//
// It waits for memory once, and processors wait for several reads at a time if they have room for the instructions between
// them: the fewer there are, the better. So what most addresses need is here and not behind further calls.
func (r *Ranges) Lookup(a netip.Addr) (value uint32, bits int) {
	t, k := &r.v6, Key{}
	if a.Is4() {
		b := a.As4()
		t, k.Hi = &r.v4, uint64(binary.BigEndian.Uint32(b[:]))<<32
	} else if b := a.AsSlice(); len(b) == 16 { // as in KeyOf
		k.Hi, k.Lo = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	}
	i := (k.Hi - t.first) >> (t.drop & 63)
	if i >= uint64(len(t.root)) {
		return t.outside(k.Hi)
	}
	c, rest := &t.root[i], k.Hi<<(t.at&63)|k.Lo>>1>>(^t.at&63)
	if c[kindAt] == kindShorts {
		spread := rest >> 49 * all16
		value, bits = c.shorts(spread, c.count4(spread))
		return value, bits + int(c[baseAt])
	}
	if c[kindAt] == kindWords {
		spread := rest >> 33 * all32
		value, bits = c.words(spread, c.count2(spread))
		return value, bits + int(c[baseAt])
	}
	return t.deeper(c, k, t.at)
}

// leftKey is the number of an IPv4 address in the leading bits, as cells have it.
func leftKey(a netip.Addr) Key { return Key{Hi: KeyOf(a).Lo << 32} }

// Range returns the first and the last address around a that share its value without a gap. It is slower than Lookup.
func (r *Ranges) Range(a netip.Addr) (first, last netip.Addr) {
	if a.Is4() {
		f, l := r.v4.around(leftKey(a))
		return Key{Lo: f.Hi >> 32}.Addr(true), Key{Lo: l.Hi >> 32}.Addr(true)
	}
	f, l := r.v6.around(KeyOf(a))
	return f.Addr(false), l.Addr(false)
}

// Len returns how many ranges there are, those without a value included.
func (r *Ranges) Len() int { return r.v4.count + r.v6.count }

// Len4 is Len for IPv4.
func (r *Ranges) Len4() int { return r.v4.count }

// Bytes returns about how much memory r takes.
func (r *Ranges) Bytes() int {
	return cellBytes * (len(r.v4.root) + len(r.v4.more) + len(r.v6.root) + len(r.v6.more))
}

// Spans4 and Spans6 go through the spans with a value, in ascending order.
func (r *Ranges) Spans4() iter.Seq[Span] {
	return func(yield func(Span) bool) {
		r.v4.spans(func(first, last Key, value uint32) bool {
			return yield(Span{Key{Lo: first.Hi >> 32}, Key{Lo: last.Hi >> 32}, value})
		})
	}
}

// Spans6 is as Spans4, for IPv6.
func (r *Ranges) Spans6() iter.Seq[Span] {
	return func(yield func(Span) bool) {
		r.v6.spans(func(first, last Key, value uint32) bool { return yield(Span{first, last, value}) })
	}
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
