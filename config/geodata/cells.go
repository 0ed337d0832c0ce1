package geodata

import (
	"encoding/binary"
	"math/bits"
)

// cells gives every address of one family a value. A root of cells is indexed by leading bits, and one cell has all that
// is needed of the ranges in its addresses, in one line of the cache: what a lookup waits for is one read of memory. Where
// ranges are crowded, a cell leads to a block of cells by the bits that follow.
//
// Addresses are here numbers of 128 bits in both families: those of IPv4 are in the 32 leading ones.
type cells struct {
	root  []cell
	more  []cell // blocks of the crowded ones
	count int    // of ranges

	// All edges but the one at 0 are among the addresses of the root, which begin at first. Of their leading 64 bits, drop
	// are not in the index; at is 64 less that.
	first         uint64
	drop, at      uint8
	before, after uint32 // the values of other addresses
}

// cell is 64 octets, numbers in little-endian order. The first say what it is:
//
//	kindAt  its kind
//	baseAt  of a leaf with edges: how many leading bits its addresses share; without: how long the widest prefix around
//	        them is; of an index: behind how many leading bits it begins, which are those of its prefix
//	sizeAt  of a leaf: how many edges it has; of an index: how many bits it is over
//
// Octets 4 to 7 are all ones. A leaf has n edges, in which ranges begin, and n+1 values. An edge is kept as the bits of it
// behind the leading ones that all addresses in the cell share; behind those that are kept it has only zeros.
//
//	kind      edges                                        values
//	shorts    8 of 15 bits in 16, from octet 8             from octet 28
//	words     6 of 31 bits in 32, from octet 8             from octet 36
//	longs     4 of 63 bits in 64, from octet 8             the first at octet 40, the others from octet 48
//	pairs     2 of 128 bits in two of 64, from octet 8     from octet 48
//	index     (octet 8: prefix of 128 bits; 24, 28: values before and behind it; 32: where its block begins in more)
//
// An edge's leading bit is 0. In places of edges that there are not, and behind the last, it is 1; so it is in front of
// the first, in what is all ones. That is how a lookup goes without branches that depend on what it read.
type cell [cellBytes]byte

const cellBytes = 64

const (
	kindAt = 0
	baseAt = 1
	sizeAt = 2
)

const (
	kindShorts = iota
	kindWords
	kindLongs
	kindPairs
	kindIndex
)

// How many edges a leaf has at most, by kind.
const (
	mostShorts = 8
	mostWords  = 6
	mostLongs  = 4
	mostPairs  = 2
)

const (
	top16 = 0x8000_8000_8000_8000 // the leading bits of four numbers of 16 bits
	all16 = 0x0001_0001_0001_0001
	top32 = 0x8000_0000_8000_0000
	all32 = 0x0000_0001_0000_0001
	top64 = 1 << 63
)

// lookup returns the value of an address, and the length of the widest prefix around it in which all have that value.
func (t *cells) lookup(k Key) (value uint32, wide int) {
	i := (k.Hi - t.first) >> t.drop
	if i >= uint64(len(t.root)) {
		return t.outside(k.Hi)
	}
	return t.deeper(&t.root[i], k, t.at)
}

// outside is lookup for addresses in front of the root and behind it.
func (t *cells) outside(hi uint64) (value uint32, wide int) {
	switch {
	case len(t.root) == 0:
		return 0, 0
	case hi < t.first:
		return t.before, bits.LeadingZeros64(hi^t.first) + 1
	}
	return t.after, bits.LeadingZeros64(hi^t.first) + 1
}

// deeper is lookup from a cell on whose addresses share the first at bits.
func (t *cells) deeper(c *cell, k Key, at uint8) (value uint32, wide int) {
	for {
		rest, base := k.from(at), int(c[baseAt])
		switch c[kindAt] {
		case kindShorts:
			spread := rest >> 49 * all16
			value, wide = c.shorts(spread, c.count4(spread))
			return value, wide + base
		case kindWords:
			spread := rest >> 33 * all32
			value, wide = c.words(spread, c.count2(spread))
			return value, wide + base
		case kindLongs:
			value, wide = c.longs(rest >> 1)
			return value, wide + base
		case kindPairs:
			return c.pairs(k, base)
		}
		prefix := Key{c.word(8), c.word(16)}
		if shared := k.commonBits(prefix); shared < base {
			return outside(k.Less(prefix), c.half(24), c.half(28)), shared + 1
		}
		width := c[sizeAt]
		c, at = &t.more[c.word(32)+k.from(uint8(base))>>(64-width)], uint8(base)+width
	}
}

// outside is the value of an address that is not among those that an index is for.
func outside(below bool, before, after uint32) uint32 {
	if below {
		return before
	}
	return after
}

// from returns the 64 bits behind the first n; behind the last are zeros.
func (k Key) from(n uint8) uint64 {
	return k.Hi<<n | k.Lo>>(64-n) | k.Lo<<(n-64) // shifts by less than 0 count as by more than 64, and make 0
}

func (c *cell) word(at uint64) uint64 { return binary.LittleEndian.Uint64(c[at&56:]) }

func (c *cell) half(at uint64) uint32 { return binary.LittleEndian.Uint32(c[at&60:]) }

// count4 and count2 count the edges of a leaf of shorts or words up to a number. It is in all parts of spread, so that all
// edges in a word are compared at once. The sum of what comes of all is in the leading four or three bits of a product.
func (c *cell) count4(spread uint64) uint64 {
	spread |= top16
	return (((spread-c.word(8))&top16)>>3 + ((spread-c.word(16))&top16)>>3) * all16 >> 60
}

func (c *cell) count2(spread uint64) uint64 {
	spread |= top32
	return (((spread-c.word(8))&top32)>>2 + ((spread-c.word(16))&top32)>>2 + ((spread-c.word(24))&top32)>>2) * all32 >> 61
}

// shorts and words return the value behind n edges, and how many bits a prefix has to have, less those that all addresses
// in the cell share, to lie between the edges on both sides of the number; 0 where there are no edges.
func (c *cell) shorts(spread, n uint64) (value uint32, wide int) {
	sides := (binary.LittleEndian.Uint32(c[6+2*n:]) - 1) ^ uint32(spread)
	return c.half(28 + 4*n), 16 - bits.Len16(min(uint16(sides), uint16(sides>>16)))
}

func (c *cell) words(spread, n uint64) (value uint32, wide int) {
	sides := (binary.LittleEndian.Uint64(c[4+4*n:]) - 1) ^ spread
	return c.half(36 + 4*n), 32 - bits.Len32(min(uint32(sides), uint32(sides>>32)))
}

func (c *cell) longs(r uint64) (uint32, int) {
	all := r | top64
	n := (all-c.word(8))>>63 + (all-c.word(16))>>63 + (all-c.word(24))>>63 + (all-c.word(32))>>63
	return c.half(40 + 4*n + (n+3)&4), bits.LeadingZeros64(min(r^(c.word(8*n)-1), r^c.word(8+8*n)))
}

// pairs compares whole addresses: edges this long are rare.
func (c *cell) pairs(k Key, base int) (uint32, int) {
	n, edges, wide := 0, int(c[sizeAt]), base
	for ; n < edges; n++ {
		edge := Key{c.word(uint64(8 + 16*n)), c.word(uint64(16 + 16*n))}
		if k.Less(edge) {
			wide = max(wide, k.commonBits(edge)+1)
			break
		}
		wide = k.commonBits(edge.Before()) + 1
	}
	return c.half(uint64(48 + 4*n)), wide
}
