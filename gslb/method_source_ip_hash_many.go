package gslb

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// draws finds the best draw among many contenders. It makes the choice of bestDraw: all draws are made, but only those that
// may be the best so far are finished and compared. Immutable.
type draws struct {
	seeds  []uint64 // rotated and half mixed; by weight, the greatest first, then as the contenders are
	of     []uint16
	blocks []drawBlock
	field  []contender
}

// drawBlock is neighbours with about the same weight.
type drawBlock struct {
	first, end int
	weight     uint64 // the greatest
	even       bool   // all have it
}

// blockWeights is by what part the weights of a block may differ: 1 / blockWeights.
const blockWeights = 8

func newDraws(contenders []contender) *draws {
	w := &draws{seeds: make([]uint64, len(contenders)), of: make([]uint16, len(contenders)), field: contenders}
	for i := range w.of {
		w.of[i] = uint16(i)
	}
	slices.SortStableFunc(w.of, func(a, b uint16) int { return cmp.Compare(contenders[b].weight, contenders[a].weight) })
	for i, c := range w.of {
		w.seeds[i] = halfMix(bits.RotateLeft64(contenders[c].seed, 32))
		weight := uint64(contenders[c].weight)
		if n := len(w.blocks); n == 0 || weight*blockWeights < w.blocks[n-1].weight*(blockWeights-1) {
			w.blocks = append(w.blocks, drawBlock{first: i, weight: weight, even: true})
		}
		b := &w.blocks[len(w.blocks)-1]
		b.end, b.even = i+1, b.even && b.weight == weight
	}
	return w
}

// drawing is the best draw so far.
type drawing struct {
	best         int
	cost, weight uint64
	least        uint64 // what is less than that is worse, of the block at hand
}

// best returns the contender with the best draw for a client.
func (w *draws) best(client uint64) int {
	client = halfMix(client)
	at := drawing{best: none, weight: 1}
	for i := range w.blocks {
		b := &w.blocks[i]
		at.least = at.leastFor(b.weight)
		if !b.even || !w.scanEven(client, b, &at) {
			w.scan(client, b, &at)
		}
	}
	return at.best
}

// scanEven finds the best of a block whose weights are equal: the greatest draw. It returns false when another one is so close
// that they may have the same logarithm. Four draws are made at a time: none of them waits for another one.
func (w *draws) scanEven(client uint64, b *drawBlock, at *drawing) bool {
	seeds, g := w.seeds[b.first:b.end], greatest{best: none, least: at.least}
	least, i := g.least, 0
	for ; i+4 <= len(seeds); i += 4 {
		four := seeds[i : i+4 : i+4]
		h0, h1, h2, h3 := nearlyDraw(client^four[0]), nearlyDraw(client^four[1]), nearlyDraw(client^four[2]), nearlyDraw(client^four[3])
		if h0 >= least || h1 >= least || h2 >= least || h3 >= least {
			g.take(h0, i)
			g.take(h1, i+1)
			g.take(h2, i+2)
			g.take(h3, i+3)
			least = g.least
		}
	}
	for ; i < len(seeds); i++ {
		g.take(nearlyDraw(client^seeds[i]), i)
	}
	if g.best != none && !g.close {
		w.compare(g.most, b.first+g.best, b.weight, at)
	}
	return !g.close
}

// greatest is the greatest of draws that are nearly made.
type greatest struct {
	best  int
	most  uint64
	least uint64 // what is less is out of the question
	close bool   // another one may have the same logarithm
}

func (g *greatest) take(h uint64, i int) {
	switch {
	case h < g.least:
		return
	case g.best == none || h > g.most && h-g.most > drawsClose:
		g.best, g.most, g.close = i, h, false
	default:
		g.close = true
		if h > g.most {
			g.best, g.most = i, h
		}
	}
	g.least = max(g.least, g.most-min(g.most, drawsClose))
}

// drawsClose is more than how far apart two draws that are nearly made can be and have the same logarithm: the last step
// changes 31 bits.
const drawsClose = 1<<sameLog + 1<<31

// scan draws for a block, and compares all that may be the best so far.
func (w *draws) scan(client uint64, b *drawBlock, at *drawing) {
	for i, seed := range w.seeds[b.first:b.end] {
		if h := nearlyDraw(client ^ seed); h >= at.least {
			w.compare(h, b.first+i, b.weight, at)
		}
	}
}

// compare takes a draw that is nearly made if it is the best so far; among equals, the first contender.
func (w *draws) compare(h uint64, i int, blockWeight uint64, at *drawing) {
	c := int(w.of[i])
	cost, weight := negLog2(h^h>>33), uint64(w.field[c].weight)
	if at.best != none {
		high, low := bits.Mul64(cost, at.weight)
		bestHigh, bestLow := bits.Mul64(at.cost, weight)
		if high > bestHigh || high == bestHigh && (low > bestLow || low == bestLow && c > at.best) {
			return
		}
	}
	at.best, at.cost, at.weight = c, cost, weight
	at.least = at.leastFor(blockWeight)
}

// leastFor returns what a nearly made draw must be at least to be as good as the best, with no more than this weight. With u
// = 1-x, -log2(u) is no less than x*log2(e), and negLog2 is no less than -log2(u). This bound alone is computed in floating
// point, with room for its errors; who passes it is compared in integers.
func (at *drawing) leastFor(weight uint64) uint64 {
	if at.best == none {
		return 0
	}
	x := float64(at.cost) * float64(weight) / float64(at.weight) * (math.Ln2 * (1 << 32) * (1 + 1e-9))
	if x += 1 << 16; x >= 1<<63 {
		return 0
	}
	return ^uint64(x) >> 31 << 31 // the last step of a draw changes its lower 31 bits
}

// halfMix is draw's first step, which can be made for the client and the member apart.
func halfMix(h uint64) uint64 { return h ^ h>>33 }

// nearlyDraw is draw without its first step, and without its last, h ^ h>>33.
func nearlyDraw(h uint64) uint64 {
	h *= drawMix1
	h ^= h >> 33
	return h * drawMix2
}
