package gslb

import (
	"math"
	"slices"
	"sync/atomic"
	"unsafe"
)

// remember keeps what leastOfAll has just found, as far as the allowance goes. It orders all anew.
func (d *Decider) remember(f *field, here *scoredSpot, cells []rttCell, all []rankedScore, keep int) {
	keep, octets := d.rankedSize(f, all, keep)
	if octets == 0 || !f.scoring.many.open() {
		return
	}
	slot, _ := d.rankedFor(f, here, cells)
	if r := d.rank(f, slot, here, cells, all, keep, octets); r != nil {
		r.use()
	}
}

// rankedSize is how many of all are kept, and what they take; 0: they are not. So many equals that they do not fit are not kept: all
// would have to be compared again each time.
func (d *Decider) rankedSize(f *field, all []rankedScore, keep int) (most int, octets int64) {
	ties := len(d.ties)
	if !f.scoring.weighs {
		return keep, tiesOctets(ties)
	}
	if keep = min(max(keep, ties+rankedFirst), rankedMost, len(all)); keep <= ties && keep < len(all) {
		return keep, 0
	}
	return keep, rankedOctets(keep, len(all))
}

// rank makes what is remembered of a comparison, and puts it in its place; nil when there is no allowance.
func (d *Decider) rank(f *field, slot *atomic.Pointer[ranked], here *scoredSpot, cells []rttCell, all []rankedScore, keep int, octets int64) *ranked {
	m := f.scoring.many
	if old := slot.Swap(nil); old != nil {
		m.claim.give(old.octets)
	}
	if !m.claim.take(octets) {
		return nil
	}
	r := &ranked{here: here, count: len(cells), learned: d.learned, rest: math.Inf(1), octets: octets}
	copy(r.cells[:], cells)
	if f.scoring.weighs {
		r.setBest(all, keep)
	} else {
		r.ties, r.sums = slices.Clone(d.ties), slices.Clone(d.sums)
	}
	if old := slot.Swap(r); old != nil {
		m.claim.give(old.octets)
	}
	return r
}

// open makes place for what is remembered. It reports whether there is some.
func (m *scoredMany) open() bool {
	const octets = int64(unsafe.Sizeof(rankings{}))
	if m.ranked.Load() != nil {
		return true
	}
	if !m.claim.take(octets) {
		return false
	}
	if !m.ranked.CompareAndSwap(nil, new(rankings)) {
		m.claim.give(octets)
	}
	return true
}

// rankedOctets is what a ranking may take, of so many best out of so many contenders, when all of it has been needed.
func rankedOctets(best, of int) int64 {
	return int64(unsafe.Sizeof(ranked{})) + int64(unsafe.Sizeof(seenResolver{})) + int64(of)*int64(unsafe.Sizeof(uint16(0))) +
		int64(best)*(int64(unsafe.Sizeof(rankedScore{}))+rankedHeaps*int64(unsafe.Sizeof(rankedNode{})))
}

// tiesOctets is what so many equals take, where loads do not count.
func tiesOctets(ties int) int64 {
	return int64(unsafe.Sizeof(ranked{})) + int64(unsafe.Sizeof(seenResolver{})) + int64(ties)*int64(unsafe.Sizeof(uint16(0))+unsafe.Sizeof(uint64(0)))
}

// placesOf returns 1 and the index in best, by contender; 0: it is not there.
func (r *ranked) placesOf(f *field) []uint16 {
	if p := r.places.Load(); p != nil {
		return *p
	}
	places := make([]uint16, len(f.contenders))
	for i := range r.best {
		places[r.best[i].contender] = uint16(i + 1)
	}
	r.places.Store(&places)
	return places
}
