package geodata

import (
	"encoding/binary"
	"math/bits"
)

// walk calls emit with every edge in ascending order, the one at 0 included, and its value, until emit returns false.
func (t *cells) walk(emit func(at Key, value uint32) bool) {
	if len(t.root) == 0 {
		return
	}
	w := walker{t: t, emit: emit}
	width := bits.TrailingZeros(uint(len(t.root)))
	if w.edge(Key{}, t.before) { // behind the root the value is that of the last edge
		w.block(t.root, Key{Hi: t.first}, int(t.at)-width, width)
	}
}

// walker goes through cells.
type walker struct {
	t       *cells
	emit    func(at Key, value uint32) bool
	value   uint32 // of the last edge
	started bool
}

// edge emits an edge at which the value changes.
func (w *walker) edge(at Key, value uint32) bool {
	if w.started && value == w.value {
		return true
	}
	w.value, w.started = value, true
	return w.emit(at, value)
}

func (w *walker) block(block []cell, prefix Key, skip, width int) bool {
	for i := range block {
		if !w.cell(&block[i], prefix.with(uint64(i), skip, width), skip+width) {
			return false
		}
	}
	return true
}

// cell goes through the cell of the addresses that share the first at bits with start.
func (w *walker) cell(c *cell, start Key, at int) bool {
	kind, base, size := c[kindAt], int(c[baseAt]), int(c[sizeAt])
	if kind != kindIndex {
		if !w.edge(start, c.half(uint64(valueAt(kind, 0)))) {
			return false
		}
		for i := range size {
			if !w.edge(c.edge(kind, i, start, at), c.half(uint64(valueAt(kind, i+1)))) {
				return false
			}
		}
		return true
	}
	prefix, block := Key{c.word(8), c.word(16)}, c.word(32)
	return w.edge(start, c.half(24)) && w.block(w.t.more[block:block+1<<size], prefix, base, size)
}

// edge returns an edge of a leaf.
func (c *cell) edge(kind uint8, i int, start Key, at int) Key {
	le := binary.LittleEndian
	switch kind {
	case kindShorts:
		return start.with(uint64(le.Uint16(c[8+2*i:])), at, 15)
	case kindWords:
		return start.with(uint64(le.Uint32(c[8+4*i:])), at, 31)
	case kindLongs:
		return start.with(le.Uint64(c[8+8*i:]), at, 63)
	}
	return Key{le.Uint64(c[8+16*i:]), le.Uint64(c[16+16*i:])}
}

// spans calls yield with the ranges that have a value, in ascending order, until it returns false.
func (t *cells) spans(yield func(first, last Key, value uint32) bool) {
	var first Key
	value, more := uint32(0), true
	t.walk(func(at Key, next uint32) bool {
		if value != 0 {
			more = yield(first, at.Before(), value)
		}
		first, value = at, next
		return more
	})
	if more && value != 0 {
		yield(first, maxKey6, value)
	}
}

// around returns the ends of the range that an address is in. A range is a few dozen widest prefixes at most.
func (t *cells) around(k Key) (first, last Key) {
	value, wide := t.lookup(k)
	first, last = k.leading(wide), k.filled(wide)
	for first != (Key{}) {
		before := first.Before()
		v, wide := t.lookup(before)
		if v != value {
			break
		}
		first = before.leading(wide)
	}
	for last != maxKey6 {
		after := last.After()
		v, wide := t.lookup(after)
		if v != value {
			break
		}
		last = after.filled(wide)
	}
	return first, last
}

// leading returns k with zeros behind the first n bits.
func (k Key) leading(n int) Key {
	return Key{k.Hi &^ (maxKey6.Hi >> n), k.Lo &^ (maxKey6.Lo >> max(n-64, 0))}
}

// filled returns k with ones behind the first n bits.
func (k Key) filled(n int) Key {
	return Key{k.Hi | maxKey6.Hi>>n, k.Lo | maxKey6.Lo>>max(n-64, 0)}
}
