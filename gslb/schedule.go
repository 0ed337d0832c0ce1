package gslb

import (
	"cmp"
	"slices"
)

// rotation returns the order in which contenders with these weights take turns: each appears in proportion to its
// weight, spread as evenly as whole turns allow, and the whole repeats. Its length is the sum of the weights divided by
// their greatest common divisor, at most 1,024 members × weight 100.
//
// The k-th turn of a contender with weight w is due at (2k+1)/2w of the round; turns are taken by due time, so equal
// weights alternate strictly (earliest deadline first).
//
// Contenders of equal weight are always due together. The round is cut into as many slots as it has turns; no contender has two
// of them in one, so each weight waits in the slot of its next turn, and only those in the same slot are sorted.
func rotation(weights []uint32) []uint16 {
	divisor, total := uint32(0), uint64(0)
	for _, w := range weights {
		divisor, total = gcd(divisor, w), total+uint64(w)
	}
	if divisor == 0 {
		return nil
	}
	total /= uint64(divisor)
	q := queue{slots: make([]uint16, total), weights: alike(weights, divisor)}
	for i := range q.weights {
		d := &q.weights[i]
		d.slot, d.rest = total/(2*d.weight), total%(2*d.weight)
		d.slots, d.rests = total/d.weight, 2*(total%d.weight)
		q.wait(uint16(i))
	}
	out, here := make([]uint16, 0, total), make([]uint16, 0, len(q.weights))
	for slot := range q.slots {
		here = here[:0]
		for i := q.slots[slot]; i != 0; i = q.weights[i-1].next {
			here = append(here, i-1)
		}
		q.sort(here)
		out = q.take(out, here)
		for _, i := range here {
			q.pass(i)
		}
	}
	return out
}

// due is the time of the next turn of all contenders with one weight, in slots: slot + rest / (2 × weight).
type due struct {
	weight, slot, rest uint64
	slots, rests       uint64   // from one turn to the next, likewise
	contenders         []uint16 // in ascending order
	next               uint16   // which weight is due in the same slot, counted from 1; 0: none
}

// alike lists the weights there are but 0, divided, with who has them.
func alike(weights []uint32, divisor uint32) (out []due) {
	sorted := make([]uint64, len(weights))
	for i, w := range weights {
		sorted[i] = uint64(w)<<16 | uint64(i)
	}
	slices.Sort(sorted)
	contenders := make([]uint16, len(weights))
	for i, at := range sorted {
		contenders[i] = uint16(at)
	}
	for from, end := 0, 0; from < len(sorted); from = end {
		w := sorted[from] >> 16
		for end < len(sorted) && sorted[end]>>16 == w {
			end++
		}
		if w > 0 {
			out = append(out, due{weight: w / uint64(divisor), contenders: contenders[from:end]})
		}
	}
	return out
}

// queue is which weights wait in which slot for their next turn.
type queue struct {
	slots   []uint16 // the first of those that are due, counted from 1; 0: none
	weights []due
}

// wait puts a weight into the slot of its next turn, before all others there.
func (q *queue) wait(i uint16) {
	d := &q.weights[i]
	d.next, q.slots[d.slot] = q.slots[d.slot], i+1
}

// pass has a weight wait for the turn after its next, if the round has one.
func (q *queue) pass(i uint16) {
	d := &q.weights[i]
	d.slot += d.slots
	if d.rest += d.rests; d.rest >= 2*d.weight {
		d.rest -= 2 * d.weight
		d.slot++
	}
	if d.slot < uint64(len(q.slots)) {
		q.wait(i)
	}
}

// compare says which of two weights that are due in the same slot is due first.
func (q *queue) compare(i, j uint16) int {
	a, b := &q.weights[i], &q.weights[j]
	return cmp.Compare(a.rest*b.weight, b.rest*a.weight)
}

// fewDue is how many in a slot are sorted by putting one after another into its place.
const fewDue = 16

// sort sorts weights that are due in the same slot.
func (q *queue) sort(here []uint16) {
	if len(here) > fewDue {
		slices.SortFunc(here, q.compare)
		return
	}
	for n := 1; n < len(here); n++ {
		for at := n; at > 0 && q.compare(here[at], here[at-1]) < 0; at-- {
			here[at], here[at-1] = here[at-1], here[at]
		}
	}
}

// take appends the turns of weights that are sorted. Contenders that are due at the same time take them in their own order.
func (q *queue) take(out, here []uint16) []uint16 {
	for from, end := 0, 0; from < len(here); from = end {
		first := len(out)
		for end < len(here) && (end == from || q.compare(here[from], here[end]) == 0) {
			out = append(out, q.weights[here[end]].contenders...)
			end++
		}
		if end-from > 1 {
			slices.Sort(out[first:])
		}
	}
	return out
}

func gcd(a, b uint32) uint32 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
