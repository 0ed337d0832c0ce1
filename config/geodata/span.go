package geodata

import (
	"cmp"
	"slices"
)

// Span gives the addresses from First to Last, both included, a value. Value 0 is none.
type Span struct {
	First, Last Key
	Value       uint32
}

// Flatten makes disjoint spans in ascending order of spans of one family that may overlap. Where they do, the narrowest
// wins, and of equally narrow ones the last. Neighbours of equal value become one. It may reuse the memory of spans, and
// changes their order.
func Flatten(spans []Span) []Span {
	if disjoint(spans) {
		return coalesce(spans)
	}
	type numbered struct {
		Span
		seq uint32
	}
	sorted := make([]numbered, len(spans))
	for i := range spans {
		sorted[i] = numbered{spans[i], uint32(i)}
	}
	slices.SortFunc(sorted, func(a, b numbered) int {
		return cmp.Or(a.First.Compare(b.First), cmp.Compare(a.seq, b.seq))
	})
	var active narrowest
	out := make([]Span, 0, len(spans))
	for i, at := 0, (Key{}); i < len(sorted) || len(active) > 0; {
		if len(active) == 0 {
			at = sorted[i].First
		}
		for ; i < len(sorted) && sorted[i].First == at; i++ {
			active.push(width{sorted[i].Last.minus(sorted[i].First), sorted[i].seq, sorted[i].Last, sorted[i].Value})
		}
		for len(active) > 0 && active[0].last.Less(at) {
			active.pop()
		}
		if len(active) == 0 {
			continue
		}
		end := active[0].last
		if i < len(sorted) && !end.Less(sorted[i].First) {
			end = sorted[i].First.Before()
		}
		out = AppendSpan(out, Span{at, end, active[0].value})
		if end == maxKey6 {
			break
		}
		at = end.After()
	}
	return out
}

// disjoint reports whether spans are in ascending order and do not overlap.
func disjoint(spans []Span) bool {
	for i := 1; i < len(spans); i++ {
		if !spans[i-1].Last.Less(spans[i].First) {
			return false
		}
	}
	return true
}

// coalesce joins neighbours of equal value in place.
func coalesce(spans []Span) []Span {
	out := spans[:0]
	for i := range spans {
		out = AppendSpan(out, spans[i])
	}
	return out
}

// AppendSpan appends a span that comes after all others, or lengthens the last one. Spans without a value are left out.
func AppendSpan(out []Span, s Span) []Span {
	if s.Value == 0 {
		return out
	}
	if n := len(out); n > 0 && out[n-1].Value == s.Value && out[n-1].Last.After() == s.First {
		out[n-1].Last = s.Last
		return out
	}
	return append(out, s)
}

// Overlay joins two lists of disjoint spans in ascending order. combine gives the value of addresses from the values that
// both lists have for them; 0 stands for none. It is not asked about addresses in neither list.
func Overlay(a, b []Span, combine func(a, b uint32) uint32) []Span {
	out := make([]Span, 0, max(len(a), len(b)))
	for i, j, at := 0, 0, (Key{}); i < len(a) || j < len(b); {
		end, va, vb := maxKey6, uint32(0), uint32(0)
		if i < len(a) {
			end, va = reach(&a[i], at, end)
		}
		if j < len(b) {
			end, vb = reach(&b[j], at, end)
		}
		if va|vb != 0 {
			out = AppendSpan(out, Span{at, end, combine(va, vb)})
		}
		if end == maxKey6 {
			break
		}
		at = end.After()
		if i < len(a) && a[i].Last.Less(at) {
			i++
		}
		if j < len(b) && b[j].Last.Less(at) {
			j++
		}
	}
	return out
}

// reach returns up to where nothing about s changes from at on, at most end, and its value there.
func reach(s *Span, at, end Key) (Key, uint32) {
	if at.Less(s.First) {
		if before := s.First.Before(); before.Less(end) {
			return before, 0
		}
		return end, 0
	}
	if s.Last.Less(end) {
		return s.Last, s.Value
	}
	return end, s.Value
}

// width is a span that has begun, as the heap orders it.
type width struct {
	size  Key
	seq   uint32
	last  Key
	value uint32
}

func (w *width) before(v *width) bool {
	if w.size != v.size {
		return w.size.Less(v.size)
	}
	return w.seq > v.seq
}

// narrowest is a binary heap with the narrowest span on top.
type narrowest []width

func (h *narrowest) push(w width) {
	s := append(*h, w)
	for i := len(s) - 1; i > 0; {
		parent := (i - 1) / 2
		if !s[i].before(&s[parent]) {
			break
		}
		s[i], s[parent] = s[parent], s[i]
		i = parent
	}
	*h = s
}

func (h *narrowest) pop() {
	s := *h
	last := len(s) - 1
	s[0] = s[last]
	s = s[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(s); child++ {
			if s[child].before(&s[least]) {
				least = child
			}
		}
		if least == i {
			break
		}
		s[i], s[least] = s[least], s[i]
		i = least
	}
	*h = s
}
