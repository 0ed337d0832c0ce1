package gslb

import (
	"math"
	"math/bits"
)

// sieve finds those of many members whose draws begin with so many ones that the best one is among them, without drawing for
// each. A block's members need the same number of ones: the fewer, the greater their weights are. Immutable.
type sieve struct {
	narrow []narrowBlock
	wide   []wideBlock // in place of narrow ones where there are many members
	octets int64       // that it takes, about
	// least is what a cost by weight is at least of whom the sieve does not find, as it is and when it is asked again (sieveLoosened).
	least [sieveAsked]uint64
}

const (
	sieveMembers = 64 // of a word
	wideWords    = 8  // a cache line
	wideHalves   = 2 * wideWords
	wideMembers  = sieveMembers * wideWords
	halfMembers  = sieveMembers / 2
	// wideFrom is from how many members on a sieve has wide blocks.
	wideFrom = 2*sieveMembers + 1
	// sieveFinds is how many members are found on average at least: that nobody is found who is surely the best has a chance of e^-sieveFinds.
	// Up to sieveFinds·sieveStep^sieveSteps are, if that saves time: to ask again takes as long as to draw for sieveAgain members.
	sieveFinds = 2.6
	sieveStep  = 1.1
	sieveSteps = 9
	sieveAgain = 30
	// sieveLoosened is how many ones fewer are asked for when nobody was found who is surely the best.
	sieveLoosened = 2
	// sieveAsked is how often it is asked until it finds all.
	sieveAsked = 1 + firstBits/sieveLoosened
)

// sieveBlock is what is known of neighbours.
type sieveBlock struct {
	first int
	ones  []int // that each needs, no less than the one before
	least int   // of them
	most  int
}

// narrowBlock and wideBlock are up to 64 and 512 members. Their rows have a bit for each member, for each bit that is sieved: what a
// value of an octet of the client makes of that bit of the draw.
type narrowBlock struct {
	sieveBlock
	low  [][2]uint64           // by the lowest octet but its last bit, bit of the draw, from the first, and its own bit of the client
	high []uint64              // by the next octet, and bit of the draw
	need [firstBits + 1]uint64 // by the number of ones, who needs more
	all  uint64                // its members
}

type wideBlock struct {
	sieveBlock
	low  [][2][wideWords]uint64
	high [][wideWords]uint64
	done [firstBits + 1][wideWords]uint64 // by the number of ones, who needs no more
	all  [wideWords]uint64                // its members
}

// newSieve makes a sieve for members by weight, the greatest first; nil when it would take more than room.
func newSieve(members []seat, weights []uint32, room int64) *sieve {
	s, sum, ones := &sieve{}, 0.0, make([]int, len(members))
	for i := range s.least {
		s.least[i] = noCost
	}
	for _, w := range weights {
		sum += float64(w)
	}
	setOnes(ones, weights, sum)
	if s.octets = sieveOctets(ones); s.octets > room {
		return nil
	}
	each := sieveMembers
	if len(members) >= wideFrom {
		each = wideMembers
	}
	for first := 0; first < len(members); first += each {
		end := min(first+each, len(members))
		b := sieveBlock{first: first, ones: ones[first:end], least: ones[first], most: ones[end-1]}
		s.miss(&b, weights[first:])
		if each == wideMembers {
			s.wide = append(s.wide, newWideBlock(b, members[first:end]))
		} else {
			s.narrow = append(s.narrow, newNarrowBlock(b, members[first:end]))
		}
	}
	return s
}

// setOnes chooses with how many ones the draws of members begin.
func setOnes(ones []int, weights []uint32, sum float64) {
	best, bestTime, finds := 0.0, math.Inf(1), sieveFinds
	for range sieveSteps + 1 {
		found, surely := 0.0, math.Inf(1)
		eachWeight(weights, func(first, end int) {
			part := float64(weights[first]) / sum
			n := onesFor(part, finds)
			found += math.Ldexp(float64(end-first), -n)
			surely = min(surely, -math.Log1p(-math.Ldexp(1, -n))/part)
		})
		if time := found + sieveAgain*math.Exp(-surely); time < bestTime {
			best, bestTime = finds, time
		}
		finds *= sieveStep
	}
	eachWeight(weights, func(first, end int) {
		n := onesFor(float64(weights[first])/sum, best)
		for i := first; i < end; i++ {
			ones[i] = n
		}
	})
}

// eachWeight tells of neighbours with equal weights.
func eachWeight(weights []uint32, tell func(first, end int)) {
	for first, end := 0, 0; first < len(weights); first = end {
		for end = first + 1; end < len(weights) && weights[end] == weights[first]; end++ {
		}
		tell(first, end)
	}
}

// onesFor returns with how many ones the draws of members begin that have a part of all weights, so that so many are found of members with
// all of them.
func onesFor(part, finds float64) int {
	p := -math.Expm1(-finds * part)
	return int(min(max(math.Floor(-math.Log2(p)), 0), firstBits))
}

// miss takes into account that a block's members may not be found.
func (s *sieve) miss(b *sieveBlock, weights []uint32) {
	for i, ones := range b.ones {
		for again := range s.least {
			if left := ones - again*sieveLoosened; left > 0 {
				s.least[again] = min(s.least[again], costBy(negLog2(^uint64(0)<<(64-left)-1), 1/float64(weights[i])))
			}
		}
	}
}

// found is the members whom a sieve finds: of up to foundMembers neighbours a bit for each, and which of the halves of words have
// any.
type found struct {
	halves [foundHalves]uint32
	any    uint32
}

const (
	foundHalves  = 2 * wideHalves
	foundMembers = foundHalves * halfMembers
)

// find finds the members from first on, up to foundMembers, of a sieve's wide blocks.
func (s *sieve) find(client uint64, first, fewer int, f *found) {
	at := first / wideMembers
	f.any = s.wide[at].find(client, fewer, (*[wideHalves]uint32)(f.halves[:wideHalves]))
	if at+1 < len(s.wide) {
		f.any |= s.wide[at+1].find(client, fewer, (*[wideHalves]uint32)(f.halves[wideHalves:])) << wideHalves
	}
}

// next takes out the next one. There must be any.
func (f *found) next() int {
	at := bits.TrailingZeros32(f.any) % foundHalves
	half := f.halves[at]
	i := at*halfMembers + bits.TrailingZeros32(half)
	half &= half - 1
	f.halves[at] = half
	any := f.any & (f.any - 1)
	if half != 0 { // no branch: it would be guessed wrong
		any = f.any
	}
	f.any = any
	return i
}

// sieved is best among many. It asks for fewer ones until who has the best draw of those found is better than all others can be.
func (w *draws) sieved(client uint64) int {
	for again := 0; ; again++ {
		l := w.lightest(client, again*sieveLoosened)
		switch {
		case !l.surely(w.sieve.least[again]):
		case l.close():
			return int(w.of[w.leastCost(client).best])
		default:
			return int(w.of[l.best()])
		}
	}
}

// lightest compares those whom the sieve finds.
func (w *draws) lightest(client uint64, fewer int) lightest {
	if w.sieve.narrow != nil {
		return w.lightestNarrow(client, fewer)
	}
	l := lightest{noCost, noCost}
	half, of := halfMix(client), viewOf(client)
	var f found
	for first := 0; first < len(w.seats); first += foundMembers {
		for w.sieve.find(client, first, fewer, &f); f.any != 0; {
			i := first + f.next()
			l = l.with(negLog2(w.seats[i].draw(of, client, half)), w.seats[i].inverse, i)
		}
	}
	return l
}

// lightestNarrow is lightest of narrow blocks. They find so many with different weights that it is worth while to look for those whose draws
// are greater than that of a heavier one. Only the least is told, and it is the right one of those that are close.
func (w *draws) lightestNarrow(client uint64, fewer int) lightest {
	half, of, at := halfMix(client), viewOf(client), drawing{best: none}
	for i := range w.sieve.narrow {
		b := &w.sieve.narrow[i]
		for word := b.find(client, fewer); word != 0; word &= word - 1 {
			i := b.first + bits.TrailingZeros64(word)
			at = w.compare(w.seats[i].draw(of, client, half), i, at)
		}
	}
	if at.best == none {
		return lightest{noCost, noCost}
	}
	return lightest{noCost, noCost}.with(at.cost, w.seats[at.best].inverse, at.best)
}

// sievedEven is sieved where all weights are equal: whoever is found is better than all others.
func (w *draws) sievedEven(client uint64) int {
	for fewer := 0; ; fewer += sieveLoosened {
		g, ones := w.greatest(client, fewer)
		switch {
		case g.most == 0:
		case g.close(), ones > 0 && g.most-^uint64(0)<<(64-ones) < 1<<(sameLog+1): // who was not found may have the same logarithm
			return int(w.of[w.leastCost(client).best])
		default:
			return int(w.of[g.best()])
		}
	}
}

// greatest compares those whom the sieve finds, where all weights are equal. Their draws begin with some ones.
func (w *draws) greatest(client uint64, fewer int) (g greatest, ones int) {
	half, of := halfMix(client), viewOf(client)
	for i := range w.sieve.narrow {
		b := &w.sieve.narrow[i]
		ones = b.most - fewer
		for word := b.find(client, fewer); word != 0; word &= word - 1 {
			i := b.first + bits.TrailingZeros64(word)
			g = g.with(w.seats[i].keys.first(of, client)|nearlyDraw(half^w.seats[i].half)>>firstBits, i)
		}
	}
	if w.sieve.wide == nil {
		return g, ones
	}
	var f found
	for first := 0; first < len(w.seats); first += foundMembers {
		for w.sieve.find(client, first, fewer, &f); f.any != 0; {
			i := first + f.next()
			g = g.with(w.seats[i].keys.first(of, client)|nearlyDraw(half^w.seats[i].half)>>firstBits, i)
		}
	}
	return g, w.sieve.wide[0].most - fewer
}

// find returns the members whose draws begin with as many ones as they need, or some fewer.
func (b *narrowBlock) find(client uint64, fewer int) uint64 {
	ones := max(b.most-fewer, 0)
	word, need, low, high := b.all, b.need[fewer:], b.low[rowOfLow(client)*b.most:], b.high[rowOfHigh(client)*b.most:]
	low, high = low[:ones], high[:ones]
	for i := range high {
		word &= low[i][client>>63] ^ high[i] | ^need[i]
		client <<= 1
	}
	return word
}

// rowOfLow and rowOfHigh are the client's bits that keys choose among.
func rowOfLow(client uint64) int  { return int(client & keyMask >> 1) }
func rowOfHigh(client uint64) int { return int(client >> keyBits & keyMask) }

// find sets halves to the members whose draws begin with as many ones as they need, or some fewer, and returns which halves have any.
func (b *wideBlock) find(client uint64, fewer int, halves *[wideHalves]uint32) (any uint32) {
	ones, all := max(b.most-fewer, 0), max(b.least-fewer, 0)
	low, high := b.low[rowOfLow(client)*b.most:], b.high[rowOfHigh(client)*b.most:]
	return sift(halves, &b.all, low[:ones], high[:ones], b.done[min(fewer+all, firstBits):][:ones-all], client)
}
