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
	ranked [rankedSlots]atomic.Pointer[ranked]
}

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
	learned *Learned      // whose counts these scores are of
	best    []rankedScore // a binary heap, the least first
	second  float64       // the least score of best but the first
	rest    float64       // the least of all others
	heaps   [rankedHeaps]rankedHeap
	// ties, where loads do not count, is who has the least score, for good, and sums their weights.
	ties []uint16
	sums []uint64
}

// rankedScore is a contender's score, and what of it no answer changes.
type rankedScore struct {
	score, fixed float64
	contender    uint16
}

// rankedHeap is all of best by what their scores have become. Each is right for itself: there are several so that queries that
// come at once need not wait.
type rankedHeap struct {
	busy  atomic.Bool  // it belongs to a query
	nodes []rankedNode // nil: nobody has needed it
}

// rankedNode is a place in the heap. Its score is one that the contender had: by now it may be more.
type rankedNode struct {
	score float64
	best  uint32 // index
}

const (
	rankedSlots = 256
	rankedBest  = 512 // as many members as a document's virtual server may have
	rankedHeaps = 4
	// rankedTies is how many equals are found without comparing all contenders.
	rankedTies = 32
)

func reportedLoad(l *scoredLoad) float64 { return l.active }

func (w *scoring) newMany(v *virtualServer) *scoredMany {
	m := &scoredMany{loads: make([]scaledLoad, len(w.loads))}
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
	slot := &f.scoring.many.ranked[d.rankedSlot(here, cells)]
	if r := slot.Load(); r != nil && r.is(here, cells) {
		if r.ties != nil {
			return d.takeTurnOf(f, r.ties, r.sums)
		}
		if r.learned == d.learned {
			if i, reason := d.leastRanked(f, r); i != none {
				return i, reason
			}
		}
	}
	i, reason, r := d.rank(v, f, here, cells)
	if !d.learned.frozen {
		slot.Store(r)
	}
	return i, reason
}

// rankedSlot is where what is known for a spot and a resolver is kept.
func (d *Decider) rankedSlot(here *scoredSpot, cells []rttCell) uint64 {
	hash := uint64(here.number) * golden
	if len(cells) > 0 {
		hash ^= d.resolverHash
	}
	return hash >> 32 % rankedSlots
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

// leastRanked finds the least score among those that were the best; none when it may be another one by now.
func (d *Decider) leastRanked(f *field, r *ranked) (int, Reason) {
	first := &r.best[0]
	if d.scoreNow(f, int(first.contender), first.fixed) < min(r.second, r.rest) {
		return int(first.contender), ReasonScore
	}
	var tied tiedScores
	for i := range r.heaps {
		h := &r.heaps[i]
		if !h.busy.CompareAndSwap(false, true) {
			continue
		}
		if h.nodes == nil {
			h.nodes = r.newNodes()
		}
		if least := d.sink(f, r, h.nodes); least < r.rest {
			tied.add(r.best[h.nodes[0].best].contender)
			for child := 1; child <= heapArity; child++ {
				d.addTied(f, r, h.nodes, child, least, &tied)
			}
		}
		h.busy.Store(false)
		return d.takeTied(f, &tied)
	}
	least := r.rest
	for j := range r.best {
		e := &r.best[j]
		score := d.scoreNow(f, int(e.contender), e.fixed)
		if score < least {
			least, tied.n = score, 0
		}
		if score == least && score < r.rest {
			tied.add(e.contender)
		}
	}
	return d.takeTied(f, &tied)
}

func (r *ranked) newNodes() []rankedNode {
	nodes := make([]rankedNode, len(r.best))
	for i := range nodes {
		nodes[i] = rankedNode{r.best[i].score, uint32(i)}
	}
	return nodes
}

// tiedScores is a few contenders with the least score.
type tiedScores struct {
	of [rankedTies]uint16
	n  int // may be more than of holds
}

func (t *tiedScores) add(contender uint16) {
	if t.n < len(t.of) {
		t.of[t.n] = contender
	}
	t.n++
}

// takeTied takes turns among those that tied; none when there are none, or too many.
func (d *Decider) takeTied(f *field, t *tiedScores) (int, Reason) {
	switch {
	case t.n == 1:
		return int(t.of[0]), ReasonScore
	case t.n == 0 || t.n > len(t.of):
		return none, ReasonScore
	}
	of := t.of[:t.n]
	slices.Sort(of)
	var sums [rankedTies]uint64
	return d.takeTurnOf(f, of, f.sumWeights(of, sums[:0]))
}

// rank compares all contenders, and takes the one with the least score.
func (d *Decider) rank(v *virtualServer, f *field, here *scoredSpot, cells []rttCell) (int, Reason, *ranked) {
	all := d.fixedScores(v, f, here, cells)
	least, ties := math.Inf(1), []uint16(nil)
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
	r := &ranked{here: here, count: len(cells), learned: d.learned, rest: math.Inf(1)}
	copy(r.cells[:], cells)
	sums := f.sumWeights(ties, nil)
	if !f.scoring.weighs {
		r.ties, r.sums = ties, sums
	} else {
		r.setBest(all)
	}
	if len(ties) == 1 {
		return int(ties[0]), ReasonScore, r
	}
	i, reason := d.takeTurnOf(f, ties, sums)
	return i, reason, r
}

// setBest keeps the least scores, and the least of the others.
func (r *ranked) setBest(all []rankedScore) {
	if len(all) > rankedBest {
		selectLeast(all, rankedBest)
		for i := range all[rankedBest:] {
			r.rest = min(r.rest, all[rankedBest+i].score)
		}
		all = all[:rankedBest]
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

// heapArity is how many children a place has: flat heaps take fewer steps, each of them over neighbours.
const heapArity = 4

// sinkBest puts one of best in its place below where it is.
func (r *ranked) sinkBest(at int) {
	if at >= len(r.best) {
		return
	}
	e := r.best[at]
	for {
		first := heapArity*at + 1
		if first >= len(r.best) {
			break
		}
		child := first
		for i := first + 1; i < min(first+heapArity, len(r.best)); i++ {
			if r.best[i].score < r.best[child].score {
				child = i
			}
		}
		if r.best[child].score >= e.score {
			break
		}
		r.best[at] = r.best[child]
		at = child
	}
	r.best[at] = e
}

// sink returns the least score as it is now; whose it is is then at the top. Each time that the one at the top has grown it
// sinks, until one has not: those below it had no less, and can only have more.
func (d *Decider) sink(f *field, r *ranked, nodes []rankedNode) float64 {
	for {
		top := nodes[0]
		e := &r.best[top.best]
		score := d.scoreNow(f, int(e.contender), e.fixed)
		if score <= top.score {
			return top.score
		}
		top.score = score
		if sinkNode(nodes, top) {
			return score
		}
	}
}

// sinkNode puts a node in its place below the top, and reports whether that is the top.
func sinkNode(nodes []rankedNode, node rankedNode) bool {
	at := 0
	for {
		first := heapArity*at + 1
		if first >= len(nodes) {
			break
		}
		under := nodes[first:min(first+heapArity, len(nodes))]
		child, least := 0, under[0].score
		for i := 1; i < len(under); i++ {
			if s := under[i].score; s < least {
				child, least = i, s
			}
		}
		if least >= node.score {
			break
		}
		nodes[at] = under[child]
		at = first + child
	}
	nodes[at] = node
	return at == 0
}

// addTied adds who has the least score, from one place of the heap on downwards.
func (d *Decider) addTied(f *field, r *ranked, nodes []rankedNode, at int, least float64, to *tiedScores) {
	if at >= len(nodes) || nodes[at].score > least || to.n > len(to.of) {
		return
	}
	if e := &r.best[nodes[at].best]; d.scoreNow(f, int(e.contender), e.fixed) == least {
		to.add(e.contender)
	}
	for child := heapArity*at + 1; child <= heapArity*at+heapArity; child++ {
		d.addTied(f, r, nodes, child, least, to)
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
	turn, total := d.learned.turn(d.Decision.VirtualServer, d.Query.Family), sums[len(sums)-1]
	if d.told != nil {
		d.told.ties(f, turn, total, func(i int) bool { return slices.Contains(of, uint16(i)) })
	}
	at, found := slices.BinarySearch(sums, turn%total)
	if found {
		at++
	}
	return int(of[at]), ReasonTie
}
