package gslb

import (
	"cmp"
	"math/bits"
	"slices"
)

// pickSourceIPHash takes the contender with the best weighted draw for the masked client (hash.go).
func (d *Decider) pickSourceIPHash(v *virtualServer, f *field) (int, Reason) {
	mask := v.hash6
	if d.client.Is4() {
		mask = v.hash4
	} else if !d.client.IsValid() { // it hashes like any other
		return d.pickRoundRobin(f)
	}
	d.needScope(mask, scopeHash)
	return f.draws.best(maskedHash(d.client, v.hash4, v.hash6)), ReasonHash
}

// draws is what is known of a field's contenders to draw. Immutable.
type draws struct {
	seats   []seat // by weight, the greatest first, then as the contenders are
	weights []uint32
	of      []uint16 // contenders
	even    bool     // all weights are equal
	sieve   *sieve   // nil: few contenders, or there was no room for it
	few     []eight  // of few contenders, the first bits of their draws; nil: they are many
}

// seat is a drawer's part in the draws: two of them are in a cache line, so that a draw among many reads one.
type seat struct {
	keys    keys
	half    uint64  // its seed, as nearlyDraw wants it
	inverse float64 // 1/weight, rounded
}

// draw is what drawer.draw is. half is halfMix of the client.
func (m *seat) draw(of view, client, half uint64) uint64 {
	return m.keys.first(of, client) | lastMix(nearlyDraw(half^m.half))>>firstBits
}

// newDraws gathers what contenders need to draw; nil when they need not. room is how many octets a sieve may take.
func newDraws(v *virtualServer, services []Service, contenders []contender, room int64) *draws {
	n := len(contenders)
	if n <= 1 || v.picking != byHash && v.backupPicking != byHash {
		return nil
	}
	members := make([]drawer, n)
	for i := range contenders {
		members[i] = services[contenders[i].service].drawer
	}
	return drawsOf(members, contenders, room)
}

// drawsOf is newDraws for contenders of which members is how they draw.
func drawsOf(members []drawer, contenders []contender, room int64) *draws {
	n := len(contenders)
	w := &draws{seats: make([]seat, n), weights: make([]uint32, n), of: make([]uint16, n), even: true}
	for i := range w.of {
		w.of[i] = uint16(i)
	}
	slices.SortStableFunc(w.of, func(a, b uint16) int { return cmp.Compare(contenders[b].weight, contenders[a].weight) })
	for i, c := range w.of {
		w.weights[i] = contenders[c].weight
		w.seats[i] = seat{members[c].keys, halfMix(bits.RotateLeft64(members[c].seed, 32)), 1 / float64(w.weights[i])}
		w.even = w.even && w.weights[i] == w.weights[0]
	}
	if n > fewContenders {
		w.sieve = newSieve(w.seats, w.weights, room)
		return w
	}
	for first := 0; first < n; first += len(eight{}.halves) {
		w.few = append(w.few, newEight(w.seats[first:min(n, first+len(eight{}.halves))]))
	}
	return w
}

// best returns the contender with the best draw for a client.
func (w *draws) best(client uint64) int {
	switch {
	case w.sieve != nil && w.even:
		return w.sievedEven(client)
	case w.sieve != nil:
		return w.sieved(client)
	case w.few == nil:
		return int(w.of[w.leastCost(client).best])
	case !w.even:
		return w.fewWeighted(client)
	}
	g, half := greatest{}, halfMix(client)
	for i := range w.few {
		g = w.few[i].greatest(client, half, i*len(eight{}.halves), g)
	}
	if g.close() {
		return int(w.of[w.leastCost(client).best])
	}
	return int(w.of[g.best()])
}

// fewWeighted is best of few contenders.
func (w *draws) fewWeighted(client uint64) int {
	l, half := lightest{noCost, noCost}, halfMix(client)
	for i := range w.few {
		first := i * len(eight{}.halves)
		l = w.few[i].lightest(client, half, w.seats[first:], first, l)
	}
	if l.close() {
		return int(w.of[w.leastCost(client).best])
	}
	return int(w.of[l.best()])
}

// greatest is the two greatest draws so far, where weights are equal: their upper bits, and below them who drew, the first being the
// greatest. No branch depends on who is the best.
type greatest struct{ most, second uint64 }

const (
	// drawnBits is how many bits say who drew.
	drawnBits = 16
	drawnMask = 1<<drawnBits - 1
	// sameLog bounds how close two draws are that may have the same logarithm in units of 2^-32, as a power of two: closer ones
	// must be compared by it.
	sameLog = 34
)

func (g greatest) with(draw uint64, i int) greatest {
	h := draw&^drawnMask | uint64(drawnMask-i)
	return greatest{max(g.most, h), max(g.second, min(g.most, h))}
}

// best is who drew the greatest.
func (g greatest) best() int { return drawnMask - int(g.most&drawnMask) }

// close reports whether the two may have the same logarithm, so that the first of them wins: what was left out of both draws
// (drawnMask, nearlyDraw) changes less than the second summand. That there is one alone is no reason.
func (g greatest) close() bool {
	return g.second > 0 && g.most-g.second < 1<<sameLog+1<<33
}

// drawing is the best draw by weight so far.
type drawing struct {
	best       int // of seats
	draw, cost uint64
}

// leastCost compares all members.
func (w *draws) leastCost(client uint64) drawing {
	at := drawing{best: none}
	half, of := halfMix(client), viewOf(client)
	for i := range w.seats {
		at = w.compare(w.seats[i].draw(of, client, half), i, at)
	}
	return at
}

// compare takes a member if its draw, h, is the best by weight so far; among equals, the first contender. Those before have no less
// weight, so that a draw that is no greater needs no logarithm.
func (w *draws) compare(h uint64, i int, at drawing) drawing {
	if at.best != none && h <= at.draw && at.cost > 0 {
		return at
	}
	cost := negLog2(h)
	if at.best != none {
		high, low := bits.Mul64(cost, uint64(w.weights[at.best]))
		bestHigh, bestLow := bits.Mul64(at.cost, uint64(w.weights[i]))
		if high > bestHigh || high == bestHigh && (low > bestLow || low == bestLow && w.of[i] > w.of[at.best]) {
			return at
		}
	}
	return drawing{i, h, cost}
}

// eight is up to eight members with equal weights.
type eight struct {
	count  int
	halves [8]uint64 // their seeds, as nearlyDraw wants them
	// first is, of each part of the client's bits and each value, what it makes of the first bits of their draws: an octet each.
	first [fewParts][1 << fewPartBits]uint64
}

const (
	// fewParts is in how many parts the client's bits are looked up that the first bits of few draws are made of.
	fewParts    = drawKeys * keyBits / fewPartBits
	fewPartBits = 4
	fewPartMask = 1<<fewPartBits - 1
)

func newEight(members []seat) eight {
	e := eight{count: len(members)}
	for i := range members {
		m := &members[i]
		e.halves[i] = m.half
		for part := range e.first {
			for v := range e.first[part] {
				e.first[part][v] |= m.keys.first(viewOf(uint64(v)<<(part*fewPartBits)), 0) >> firstFrom << (8 * i)
			}
		}
	}
	return e
}

// greatest makes the draws of all. base is the number of the first.
func (e *eight) greatest(client, half uint64, base int, g greatest) greatest {
	first := e.firsts(client)
	for i, seed := range e.halves[:e.count] {
		g = g.with((first<<firstFrom^client)&firstMask|nearlyDraw(half^seed)>>firstBits, base+i)
		first >>= 8
	}
	return g
}

// lightest is greatest where weights differ.
func (e *eight) lightest(client, half uint64, seats []seat, base int, l lightest) lightest {
	first := e.firsts(client)
	seats = seats[:e.count]
	for i, seed := range e.halves[:len(seats)] {
		l = l.with(negLog2((first<<firstFrom^client)&firstMask|lastMix(nearlyDraw(half^seed))>>firstBits), seats[i].inverse, base+i)
		first >>= 8
	}
	return l
}

// firsts is the first bits of their draws, an octet each, but for the client's own.
func (e *eight) firsts(client uint64) uint64 {
	return e.first[0][client&fewPartMask] ^ e.first[1][client>>fewPartBits&fewPartMask] ^
		e.first[2][client>>(2*fewPartBits)&fewPartMask] ^ e.first[3][client>>(3*fewPartBits)&fewPartMask]
}
