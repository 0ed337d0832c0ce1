package gslb

import "math"

// lightest is the two least costs by weight so far, where weights differ: the bits of floating-point numbers, which are in the order
// of the numbers as none is negative, and in place of the last ones who has them. No branch depends on who is the best. A
// processor may round as it likes: costs as close as that are compared as integers (close).
type lightest struct{ least, second uint64 }

// noCost is nobody's.
const noCost = math.MaxUint64

// with takes the negLog2 of what a member draws. inverse is 1/weight.
func (l lightest) with(cost uint64, inverse float64, i int) lightest {
	by := costBy(cost, inverse)&^drawnMask | uint64(i)
	return lightest{min(l.least, by), min(l.second, max(l.least, by))}
}

// costBy is a cost by weight.
func costBy(cost uint64, inverse float64) uint64 {
	return math.Float64bits(float64(int64(cost)) * inverse)
}

// best is who has the least.
func (l lightest) best() int { return int(l.least & drawnMask) }

// close reports whether the two may be the other way round, or equal: what was left out of both, and what was rounded, which is 2^-52 of
// either, changes them by less than two units of what was kept. That there is one alone is no reason.
func (l lightest) close() bool { return !l.surely(l.second) }

// surely reports whether the least is less than another cost by weight.
func (l lightest) surely(than uint64) bool { return than>>drawnBits > l.least>>drawnBits+1 }
