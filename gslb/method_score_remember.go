package gslb

import (
	"math"
	"slices"
	"unsafe"
)

// remember keeps what leastOfAll has just found, as far as the allowance goes. It orders all anew. So many equals that they do not
// fit are not kept: all would have to be compared again each time.
func (d *Decider) remember(f *field, here *scoredSpot, cells []rttCell, all []rankedScore, keep int) {
	m, ties, octets := f.scoring.many, len(d.ties), int64(0)
	if f.scoring.weighs {
		if keep = min(max(keep, ties+rankedFirst), rankedMost, len(all)); keep <= ties && keep < len(all) {
			return
		}
		octets = rankedOctets(keep, len(all))
	} else {
		octets = tiesOctets(ties)
	}
	if !m.open() {
		return
	}
	slot, _ := d.rankedFor(f, here, cells)
	if old := slot.Swap(nil); old != nil {
		m.claim.give(old.octets)
	}
	if !m.claim.take(octets) {
		return
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
