package gslb

import (
	"math"
	"slices"
	"sync/atomic"
)

// scoredMany is what finds the least score among many contenders without comparing all of them for each query. The scale of
// loads is that of the reports, so that a score only grows with the answers: what is known once of who is beyond the best
// stays true.
type scoredMany struct {
	loads  []scaledLoad
	claim  claim
	ranked atomic.Pointer[rankings]
}

// rankings is what is remembered, by a hash of the spot and the resolver.
type rankings [rankedSets][rankedWays]atomic.Pointer[ranked]

// scaledLoad is a contender's part of the score that its load is.
type scaledLoad struct {
	reported, perAnswer float64
	handed              uint64
}

// ranked is the contenders with the least scores for the clients at one spot and of one resolver, as they were when it was
// made. It changes no answer: who is not in it has no less than rest, and each one's score has only grown since.
type ranked struct {
	here    *scoredSpot
	cells   [MaxResolverSites]rttCell // the resolver's times
	count   int
	seen    atomic.Pointer[seenResolver]
	used    atomic.Bool   // a query needed it: the next snapshot makes it ahead
	learned *Learned      // whose counts these scores are of
	best    []rankedScore // a binary heap, the least first
	second  float64       // the least score of best but the first
	rest    float64       // the least of all others
	heaps   [rankedHeaps]rankedHeap
	octets  int64                    // that it may take
	places  atomic.Pointer[[]uint16] // by contender: 1 and its index in best; nil: nobody has needed it
	// ties, where loads do not count, is who has the least score, for good, and sums their weights.
	ties []uint16
	sums []uint64
}

// rankedScore is a contender's score, and what of it no answer changes.
type rankedScore struct {
	score, fixed float64
	contender    uint16
}

const (
	// rankedSets of rankedWays each is for how many pairs of a spot and a resolver it is remembered.
	rankedSets = 256
	rankedWays = 4
	// rankedFirst is how many contenders are kept at first, rankedMost when that has not been enough: as many members as a
	// virtual server of a document may have.
	rankedFirst = 64
	rankedMost  = 1024
	rankedHeaps = 4
	// rankedTies is how many equals are found without comparing all contenders.
	rankedTies = 32
)

func reportedLoad(l *scoredLoad) float64 { return l.active }

func (w *scoring) newMany(v *virtualServer, allowed *allowances) *scoredMany {
	m := &scoredMany{loads: make([]scaledLoad, len(w.loads))}
	if allowed != nil {
		m.claim.of = &allowed.ranked
	}
	if !w.weighs {
		return m
	}
	scale := w.scaleOf(reportedLoad)
	by := v.score.load / scale.most
	for i := range w.loads {
		l := &w.loads[i]
		m.loads[i] = scaledLoad{by * l.active, by * l.perAnswer, l.handed}
		if l.basis == basisNone {
			m.loads[i] = scaledLoad{reported: by * scale.mean}
		}
	}
	return m
}

// scoreNow is the score of a contender for whom the part that no answer changes is fixed.
func (d *Decider) scoreNow(f *field, i int, fixed float64) float64 {
	l, c := &f.scoring.many.loads[i], &f.contenders[i]
	fixed += l.reported
	if l.perAnswer > 0 {
		fixed += float64(max(int64(d.learned.handed[c.service].n.Load()-l.handed), 0)) * l.perAnswer
	}
	if f.even {
		return fixed
	}
	return fixed / float64(c.weight)
}

// leastOfMany takes the contender with the least score. Equals take turns by weight.
func (d *Decider) leastOfMany(v *virtualServer, f *field, here *scoredSpot, cells []rttCell) (int, Reason) {
	_, r := d.rankedFor(f, here, cells)
	keep := rankedFirst
	if r != nil {
		r.use()
	}
	switch {
	case r == nil:
	case r.ties != nil:
		d.noteSeen(r, cells)
		return d.takeTurnOf(f, r.ties, r.sums)
	case r.learned == d.learned && d.told == nil: // an explanation tells of all that tie
		if i, reason := d.leastRanked(f, r); i != none {
			d.noteSeen(r, cells)
			return i, reason
		}
		keep = min(4*len(r.best), rankedMost)
	}
	all := d.fixedScores(v, f, here, cells)
	i, reason := d.leastOfAll(f, all)
	if !d.learned.frozen && d.told == nil {
		d.remember(f, here, cells, all, keep)
	}
	return i, reason
}

// use notes that a query needed it. It is written once.
func (r *ranked) use() {
	if !r.used.Load() {
		r.used.Store(true)
	}
}

// rankedFor returns what is remembered for a spot and a resolver; nil when there is nothing. slot is where it belongs: in place
// of another one when all ways are taken; nil when there is no place for any yet.
func (d *Decider) rankedFor(f *field, here *scoredSpot, cells []rttCell) (slot *atomic.Pointer[ranked], r *ranked) {
	hash := uint64(0)
	if len(cells) > 0 {
		hash = d.resolverHash
	}
	set := f.scoring.many.set(here, hash)
	if set == nil {
		return nil, nil
	}
	slot = &set[hash>>56%rankedWays]
	for i := range set {
		switch r := set[i].Load(); {
		case r == nil:
			slot = &set[i]
		case r.is(here, cells):
			return &set[i], r
		}
	}
	return slot, nil
}

// set returns where what is remembered for a spot and a resolver's hash may be; nil when nothing is remembered at all.
func (m *scoredMany) set(here *scoredSpot, resolver uint64) *[rankedWays]atomic.Pointer[ranked] {
	all := m.ranked.Load()
	if all == nil {
		return nil
	}
	return &all[(uint64(here.number)*golden^resolver)>>32%rankedSets]
}

// is reports whether it is for a spot and a resolver with these times.
func (r *ranked) is(here *scoredSpot, cells []rttCell) bool {
	if r.here != here || r.count != len(cells) {
		return false
	}
	for i, c := range cells {
		if r.cells[i&(MaxResolverSites-1)] != c {
			return false
		}
	}
	return true
}

// leastOfAll compares all contenders, whose scores it fills in, and takes the one with the least.
func (d *Decider) leastOfAll(f *field, all []rankedScore) (int, Reason) {
	least := d.compareAll(f, all)
	if f.scoring.weighs && len(d.ties) > rankedTies {
		return d.takeTurnAmong(f, func(i int) bool { return all[i].score == least }), ReasonTie
	}
	return d.takeTurnOf(f, d.ties, d.sums)
}

// compareAll fills in the scores of all contenders, and leaves in ties and sums who has the least.
func (d *Decider) compareAll(f *field, all []rankedScore) (least float64) {
	least, ties := math.Inf(1), d.ties[:0]
	for i := range all {
		e := &all[i]
		e.score = d.scoreNow(f, i, e.fixed)
		if e.score < least {
			least, ties = e.score, ties[:0]
		}
		if e.score == least {
			ties = append(ties, uint16(i))
		}
	}
	d.ties = ties
	d.sums = f.sumWeights(ties, d.sums[:0])
	return least
}

// setBest keeps so many of the least scores, and the least of the others.
func (r *ranked) setBest(all []rankedScore, keep int) {
	if len(all) > keep {
		selectLeast(all, keep)
		for i := range all[keep:] {
			r.rest = min(r.rest, all[keep+i].score)
		}
		all = all[:keep]
	}
	r.best = slices.Clone(all)
	for at := len(r.best)/heapArity + 1; at >= 0; at-- {
		r.sinkBest(at)
	}
	r.second = math.Inf(1)
	for _, e := range r.best[1:min(1+heapArity, len(r.best))] {
		r.second = min(r.second, e.score)
	}
}

// selectLeast brings the n least scores to the front, in no order (Hoare's selection).
func selectLeast(all []rankedScore, n int) {
	for len(all) > n && n > 0 {
		middle := medianOf(all[0].score, all[len(all)/2].score, all[len(all)-1].score)
		low, high := 0, len(all)-1
		for low <= high {
			for all[low].score < middle {
				low++
			}
			for all[high].score > middle {
				high--
			}
			if low <= high {
				all[low], all[high] = all[high], all[low]
				low++
				high--
			}
		}
		switch { // all[:high+1] <= middle <= all[low:]
		case n <= high+1:
			all = all[:high+1]
		case n >= low:
			all, n = all[low:], n-low
		default:
			return
		}
	}
}

func medianOf(a, b, c float64) float64 { return max(min(a, b), min(max(a, b), c)) }

// fixedScores returns what of each contender's score no answer changes, in memory that is used again.
func (d *Decider) fixedScores(v *virtualServer, f *field, here *scoredSpot, cells []rttCell) []rankedScore {
	if cap(d.all) < len(f.contenders) {
		d.all = make([]rankedScore, len(f.contenders))
	}
	all, times := d.all[:len(f.contenders)], d.timesOf(cells)
	rtt, by, mean := d.rttScale(f, times), 0.0, 0.0
	if rtt.most > 0 {
		by = v.score.rtt / rtt.most
		mean = by * rtt.mean
	}
	for i := range all {
		all[i] = rankedScore{fixed: here.base[i] + mean, contender: uint16(i)}
	}
	for _, t := range times {
		for _, i := range f.sites.at(t.site) {
			all[i].fixed = here.base[i] + by*float64(t.time)
		}
	}
	return all
}

// sumWeights appends the running sums of contenders' weights.
func (f *field) sumWeights(of []uint16, to []uint64) []uint64 {
	sum := uint64(0)
	for _, i := range of {
		sum += uint64(f.contenders[i].weight)
		to = append(to, sum)
	}
	return to
}

// takeTurnOf takes turns by weight among some contenders, in ascending order, whose weights have these running sums.
func (d *Decider) takeTurnOf(f *field, of []uint16, sums []uint64) (int, Reason) {
	if len(of) == 1 {
		return int(of[0]), ReasonScore
	}
	turn, total := d.turn(), sums[len(sums)-1]
	if d.told != nil {
		d.told.ties(f, turn, total, func(i int) bool { return slices.Contains(of, uint16(i)) })
	}
	at, found := slices.BinarySearch(sums, turn%total)
	if found {
		at++
	}
	return int(of[at]), ReasonTie
}
