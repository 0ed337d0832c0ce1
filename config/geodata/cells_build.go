package geodata

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// edge is where a range begins.
type edge struct {
	at    Key
	value uint32
}

const (
	// mostRootBits bounds the root: 512 MiB.
	mostRootBits = 23
	// mostRootSkip is how many leading bits the index of the root leaves out at most: with its own less than 64.
	mostRootSkip = 40
	// mostBlockBits bounds a block of crowded cells.
	mostBlockBits = 20
)

// The average number of edges that a cell gets at most when their places are as good as random, by kind: few enough that
// hardly any cell has more than it can hold, and enough that memory is used well.
const (
	shareShorts = 5
	shareWords  = 4
	shareLongs  = 2
	sharePairs  = 2
)

// builder makes cells of edges.
type builder struct {
	edges []edge // ascending; the first is at 0
	more  []cell
}

// newCells makes cells of disjoint spans in ascending order. Memory is bounded by three cells for an edge: the root has less
// than one for each, and a block at most two for each part of it with edges beyond the first.
func newCells(spans []Span, end Key) cells {
	if len(spans) == 0 {
		return cells{}
	}
	b := builder{edges: edgesOf(spans, end)}
	t := cells{count: len(b.edges), before: b.edges[0].value, after: b.edges[len(b.edges)-1].value}
	skip, width := 0, 1
	if inner := b.edges[1:]; len(inner) > 1 { // of two, one is behind the start of the root
		skip = min(inner[0].at.commonBits(inner[len(inner)-1].at), mostRootSkip)
		width = max(b.width(1, len(b.edges), skip, mostRootBits), 1) // so that at is not 0
		t.first = inner[0].at.leading(skip).Hi
	}
	t.at = uint8(skip + width)
	t.drop = 64 - t.at
	t.root = make([]cell, 1<<width)
	b.divide(skip, Key{Hi: t.first}, 1, len(b.edges), func(i int, c cell) { t.root[i] = c }, len(t.root))
	t.more = slices.Clone(b.more)
	return t
}

// edgesOf returns where the value changes, and 0, in keys with the leading bits first.
func edgesOf(spans []Span, end Key) []edge {
	n := 0
	touch(spans, end, func(Key, uint32) { n++ })
	out := make([]edge, 0, n)
	touch(spans, end, func(first Key, value uint32) {
		if end == maxKey4 {
			first = Key{Hi: first.Lo << 32}
		}
		if n := len(out); n == 0 || out[n-1].value != value {
			out = append(out, edge{first, value})
		}
	})
	return out
}

// places counts the bits up to the last that is not zero.
func (k Key) places() int {
	if k.Lo != 0 {
		return 128 - bits.TrailingZeros64(k.Lo)
	}
	return 64 - bits.TrailingZeros64(k.Hi)
}

// places is that of the edges from lo on, before hi.
func (b *builder) places(lo, hi int) int {
	var all Key
	for i := lo; i < hi; i++ {
		all.Hi |= b.edges[i].at.Hi
		all.Lo |= b.edges[i].at.Lo
	}
	return all.places()
}

// kindFor is the kind of leaf for edges with so many bits, and how many it holds.
func kindFor(length int) (kind uint8, most, share int) {
	switch {
	case length <= 15:
		return kindShorts, mostShorts, shareShorts
	case length <= 31:
		return kindWords, mostWords, shareWords
	case length <= 63:
		return kindLongs, mostLongs, shareLongs
	}
	return kindPairs, mostPairs, sharePairs
}

// width is over how many bits an index of the edges from lo on, before hi, should be, behind skip bits.
func (b *builder) width(lo, hi, skip, most int) int {
	length := b.places(lo, hi) - skip
	for width := 0; ; width++ {
		if _, _, share := kindFor(length - width); width == min(most, length) || hi-lo <= share<<width {
			return width
		}
	}
}

// divide makes the cells of a block, by the bits behind the first skip ones, which are those of prefix.
func (b *builder) divide(skip int, prefix Key, lo, hi int, put func(int, cell), count int) {
	width := bits.TrailingZeros(uint(count))
	for i := range count {
		start := prefix.with(uint64(i), skip, width)
		if lo < hi && b.edges[lo].at == start {
			lo++
		}
		end := lo
		for end < hi && b.edges[end].at.from(uint8(skip))>>(64-width) == uint64(i) {
			end++
		}
		put(i, b.cell(skip+width, start, lo, end))
		lo = end
	}
}

// with returns k with the width bits behind the first skip ones set to n.
func (k Key) with(n uint64, skip, width int) Key {
	n <<= 64 - width // width 0: n is 0
	if skip < 64 {
		return Key{k.Hi | n>>skip, k.Lo | n<<(64-skip)}
	}
	return Key{k.Hi, k.Lo | n>>(skip-64)}
}

// cell makes the cell for the addresses that share the first at bits with start. Inside, but not at its start, are the edges
// from lo on, before hi.
func (b *builder) cell(at int, start Key, lo, hi int) cell {
	if lo == hi {
		wide := 0
		if lo > 1 {
			wide = start.commonBits(b.edges[lo-1].at.Before()) + 1
		}
		if hi < len(b.edges) {
			wide = max(wide, start.commonBits(b.edges[hi].at)+1)
		}
		return b.leaf(kindShorts, at, wide, lo, hi)
	}
	kind, most, _ := kindFor(b.places(lo, hi) - at)
	if hi-lo <= most {
		return b.leaf(kind, at, at, lo, hi)
	}
	return b.index(lo, hi)
}

// head begins a cell.
func head(kind uint8, base, size int) (c cell) {
	c[kindAt], c[baseAt], c[sizeAt] = kind, uint8(base), uint8(size)
	binary.LittleEndian.PutUint32(c[4:], 1<<32-1)
	return c
}

func (b *builder) leaf(kind uint8, at, base, lo, hi int) cell {
	c := head(kind, base, hi-lo)
	le := binary.LittleEndian
	switch kind {
	case kindShorts:
		for i := range mostShorts + 1 {
			edge := uint16(1 << 15)
			if lo+i < hi {
				edge = uint16(b.edges[lo+i].at.from(uint8(at)) >> 49)
			}
			le.PutUint16(c[8+2*i:], edge)
		}
	case kindWords:
		for i := range mostWords + 1 {
			edge := uint32(1 << 31)
			if lo+i < hi {
				edge = uint32(b.edges[lo+i].at.from(uint8(at)) >> 33)
			}
			le.PutUint32(c[8+4*i:], edge)
		}
	case kindLongs:
		for i := range mostLongs + 1 {
			edge := uint64(top64)
			if lo+i < hi {
				edge = b.edges[lo+i].at.from(uint8(at)) >> 1
			}
			le.PutUint64(c[8+8*i:], edge)
		}
	case kindPairs:
		for i := range hi - lo {
			le.PutUint64(c[8+16*i:], b.edges[lo+i].at.Hi)
			le.PutUint64(c[16+16*i:], b.edges[lo+i].at.Lo)
		}
	}
	for i := range hi - lo + 1 {
		le.PutUint32(c[valueAt(kind, i):], b.edges[lo-1+i].value)
	}
	return c
}

// valueAt is where the value behind n edges is in a leaf.
func valueAt(kind uint8, n int) int {
	switch kind {
	case kindShorts:
		return 28 + 4*n
	case kindWords:
		return 36 + 4*n
	case kindLongs:
		return 40 + 4*n + (n+3)&4
	}
	return 48 + 4*n
}

// index makes a cell that leads to a block of others.
func (b *builder) index(lo, hi int) cell {
	first := b.edges[lo].at
	skip := first.commonBits(b.edges[hi-1].at)
	width := max(b.width(lo, hi, skip, mostBlockBits), 1)
	for parts := b.parts(lo, hi, skip, width); width > 1 && 4*parts[width] < 3<<width; {
		width--
	}
	c, prefix, block := head(kindIndex, skip, width), first.leading(skip), len(b.more)
	le := binary.LittleEndian
	le.PutUint64(c[8:], prefix.Hi)
	le.PutUint64(c[16:], prefix.Lo)
	le.PutUint32(c[24:], b.edges[lo-1].value)
	le.PutUint32(c[28:], b.edges[hi-1].value)
	le.PutUint64(c[32:], uint64(block))
	b.more = slices.Grow(b.more, 1<<width)[:block+1<<width]
	b.divide(skip, prefix, lo, hi, func(i int, c cell) { b.more[block+i] = c }, 1<<width)
	return c
}

// parts counts, for indexes over up to most bits behind skip ones, the cells of the block that would have edges. It reads the edges
// once for all of them: two neighbours are in different cells from the first bit on in which they differ.
func (b *builder) parts(lo, hi, skip, most int) (n [mostBlockBits + 1]int) {
	n[0] = 1
	for i := lo + 1; i < hi; i++ {
		if shared := b.edges[i-1].at.commonBits(b.edges[i].at) - skip; shared < most {
			n[shared+1]++
		}
	}
	for width := 1; width <= most; width++ {
		n[width] += n[width-1]
	}
	return n
}
