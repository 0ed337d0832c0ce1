package gslb

import (
	"slices"
	"sync/atomic"
)

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
		least := d.sink(f, r, h.nodes)
		if least < r.rest {
			tied.add(r.best[h.nodes[0].best].contender)
			for child := 1; child <= heapArity; child++ {
				d.addTied(f, r, h.nodes, child, least, &tied)
			}
		}
		h.busy.Store(false)
		return d.takeTied(f, r, &tied, least)
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
	return d.takeTied(f, r, &tied, least)
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

// takeTied takes turns among those that tied, with the score least; none when there are none.
func (d *Decider) takeTied(f *field, r *ranked, t *tiedScores, least float64) (int, Reason) {
	switch {
	case t.n == 1:
		return int(t.of[0]), ReasonScore
	case t.n == 0:
		return none, ReasonScore
	case t.n > len(t.of):
		places := r.placesOf(f)
		return d.takeTurnAmong(f, func(i int) bool {
			at := places[i]
			return at > 0 && d.scoreNow(f, i, r.best[at-1].fixed) == least
		}), ReasonTie
	}
	of := t.of[:t.n]
	slices.Sort(of)
	var sums [rankedTies]uint64
	return d.takeTurnOf(f, of, f.sumWeights(of, sums[:0]))
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
		if sinkNode(nodes, top, 0) {
			return score
		}
	}
}

// sinkNode puts a node in its place at or below from, and reports whether that is from.
func sinkNode(nodes []rankedNode, node rankedNode, from int) bool {
	at := from
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
	return at == from
}

// addTied adds who has the least score, from one place of the heap on downwards, until there are more than enough. Those that have
// grown sink, so that nobody looks at them again.
func (d *Decider) addTied(f *field, r *ranked, nodes []rankedNode, at int, least float64, to *tiedScores) {
	for {
		if at >= len(nodes) || nodes[at].score > least || to.n > len(to.of) {
			return
		}
		node := nodes[at]
		e := &r.best[node.best]
		score := d.scoreNow(f, int(e.contender), e.fixed)
		if score <= node.score {
			to.add(e.contender)
			break
		}
		node.score = score
		sinkNode(nodes, node, at)
	}
	for child := heapArity*at + 1; child <= heapArity*at+heapArity; child++ {
		d.addTied(f, r, nodes, child, least, to)
	}
}
