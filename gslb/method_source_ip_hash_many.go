package gslb

import (
	"math"
	"math/bits"
)

// sieve finds those of many members whose draws begin with so many ones that the best one is among them, without drawing for
// each. A block's members need the same number of ones: the fewer, the greater their weights are. Immutable.
type sieve struct {
	wide   []wideBlock
	narrow []narrowBlock
	least  missed // by the blocks as they are
}

// missed is the least -log2(draw) by weight that a member can have whom the sieve did not find.
type missed struct{ cost, weight uint64 }

const (
	sieveMembers = 64 // of a word
	wideWords    = 8  // a cache line
	// wideFrom is from how many members on a sieve is made of wide blocks.
	wideFrom = 2*sieveMembers + 1
	// sieveFinds is how many members are found on average at least. That none is found has a chance of about e^-sieveFinds.
	sieveFinds = 3.9
	// sieveLoosened is how many ones fewer are asked for when nobody was found who is surely the best.
	sieveLoosened = 3
)

// sieveBlock is what is known of neighbours.
type sieveBlock struct {
	first, count int
	ones         int    // that are needed
	weight       uint64 // the greatest
}

// narrowBlock and wideBlock are up to 64 and 512 members. Their rows have a bit for each member, for each bit that is sieved: what a
// value of an octet of the client makes of that bit of the draw.
type narrowBlock struct {
	sieveBlock
	low  [][2]uint64 // by the lowest octet but its last bit, bit of the draw, from the first, and its own bit of the client
	high []uint64    // by the next octet, and bit of the draw
}

type wideBlock struct {
	sieveBlock
	low  [][2][wideWords]uint64
	high [][wideWords]uint64
	all  [wideWords]uint64 // its members
}

// newSieve makes a sieve for members by weight, the greatest first.
func newSieve(members []drawer, weights []uint32) *sieve {
	s, size, sum := &sieve{}, sieveMembers, 0.0
	if len(members) >= wideFrom {
		size *= wideWords
	}
	for _, w := range weights {
		sum += float64(w)
	}
	for first := 0; first < len(members); first += size {
		b := sieveBlock{first: first, count: min(size, len(members)-first), weight: uint64(weights[first])}
		b.ones = onesFor(float64(b.weight) / sum)
		of := members[first : first+b.count]
		if size == sieveMembers {
			s.narrow = append(s.narrow, newNarrowBlock(b, of))
		} else {
			s.wide = append(s.wide, newWideBlock(b, of))
		}
	}
	s.least = s.missed(0)
	return s
}

// onesFor returns with how many ones the draws of members begin that have a part of all weights.
func onesFor(part float64) int {
	p := -math.Expm1(-sieveFinds * part)
	return int(min(max(math.Floor(-math.Log2(p)), 0), firstBits))
}

// missed returns what those have at least whom the sieve does not find when it asks for fewer ones.
func (s *sieve) missed(fewer int) (m missed) {
	m = missed{math.MaxUint64, 1}
	add := func(b *sieveBlock) {
		ones := b.ones - fewer
		if ones <= 0 {
			return
		}
		cost := negLog2(^uint64(0)<<(64-ones) - 1)
		if m.cost == math.MaxUint64 || less(cost, b.weight, m.cost, m.weight) {
			m = missed{cost, b.weight}
		}
	}
	for i := range s.narrow {
		add(&s.narrow[i].sieveBlock)
	}
	for i := range s.wide {
		add(&s.wide[i].sieveBlock)
	}
	return m
}

// less reports whether one cost is less than another by weight.
func less(cost, weight, than, thanWeight uint64) bool {
	high, low := bits.Mul64(cost, thanWeight)
	thanHigh, thanLow := bits.Mul64(than, weight)
	return high < thanHigh || high == thanHigh && low < thanLow
}

// sieved is best among many. It asks for fewer ones until who has the best draw of those found is better than all others can be.
func (w *draws) sieved(client uint64) int {
	least := w.sieve.least
	for fewer := 0; ; fewer += sieveLoosened {
		if fewer > 0 {
			least = w.sieve.missed(fewer)
		}
		at := drawing{best: none}
		for i := range w.sieve.narrow {
			b := &w.sieve.narrow[i]
			at = w.compareWord(client, b.find(client, b.ones-fewer), b.first, at)
		}
		for i := range w.sieve.wide {
			b := &w.sieve.wide[i]
			var words [wideWords]uint64
			b.find(client, b.ones-fewer, &words)
			for j, word := range &words {
				at = w.compareWord(client, word, b.first+j*sieveMembers, at)
			}
		}
		if at.best != none && (least.cost == math.MaxUint64 || less(at.cost, uint64(w.weights[at.best]), least.cost, least.weight)) {
			return int(w.of[at.best])
		}
	}
}

// compareWord compares the members of a word.
func (w *draws) compareWord(client, word uint64, first int, at drawing) drawing {
	for ; word != 0; word &= word - 1 {
		at = w.compare(client, first+bits.TrailingZeros64(word), at)
	}
	return at
}

// sievedEven is sieved where all weights are equal: whoever is found is better than all others.
func (w *draws) sievedEven(client uint64) int {
	for fewer := 0; ; fewer += sieveLoosened {
		var g greatest
		ones := 0
		for i := range w.sieve.narrow {
			b := &w.sieve.narrow[i]
			ones = b.ones - fewer
			g = w.greatestNarrow(b, client, ones, g)
		}
		for i := range w.sieve.wide {
			b := &w.sieve.wide[i]
			ones = b.ones - fewer
			g = w.greatestWide(b, client, ones, g)
		}
		switch {
		case g.most == 0:
		case g.close(), ones > 0 && g.most-^uint64(0)<<(64-ones) < 1<<(sameLog+1): // who was not found may have the same logarithm
			return int(w.of[w.leastCost(client).best])
		default:
			return int(w.of[g.best()])
		}
	}
}

// siftedMost bounds how many members are listed, so that it need not be guessed where the next one is.
const siftedMost = 64

// greatestNarrow is greatestOf those whom a sieve finds. Most words have four at most.
func (w *draws) greatestNarrow(b *narrowBlock, client uint64, ones int, g greatest) greatest {
	var list [siftedMost]uint16
	word, n := b.find(client, ones), 0
	for range 4 {
		list[n%siftedMost] = uint16(b.first + bits.TrailingZeros64(word))
		n += oneIfAny(word)
		word &= word - 1
	}
	for ; word != 0; word &= word - 1 {
		list[n%siftedMost] = uint16(b.first + bits.TrailingZeros64(word))
		n++
	}
	return w.greatestOf(client, list[:n], ones, g)
}

// greatestWide is greatestNarrow for a wide block. Most words have one at most.
func (w *draws) greatestWide(b *wideBlock, client uint64, ones int, g greatest) greatest {
	var list [siftedMost]uint16
	var words [wideWords]uint64
	b.find(client, ones, &words)
	n, left := 0, uint64(0)
	for j, word := range &words {
		list[n%siftedMost] = uint16(b.first + j*sieveMembers + bits.TrailingZeros64(word))
		n += oneIfAny(word)
		left |= word & (word - 1)
	}
	if left == 0 {
		return w.greatestOf(client, list[:n], ones, g)
	}
	for j, word := range &words {
		for word &= word - 1; word != 0; word &= word - 1 {
			if n == siftedMost {
				g, n = w.greatestOf(client, list[:], ones, g), 0
			}
			list[n%siftedMost] = uint16(b.first + j*sieveMembers + bits.TrailingZeros64(word))
			n++
		}
	}
	return w.greatestOf(client, list[:n], ones, g)
}

// oneIfAny is 1 for a word that has a member.
func oneIfAny(word uint64) int {
	if word != 0 {
		return 1
	}
	return 0
}

// greatestOf compares members where all weights are equal, whose draws begin with some ones.
func (w *draws) greatestOf(client uint64, list []uint16, ones int, g greatest) greatest {
	half, halves := halfMix(client), w.halves
	if ones == firstBits {
		for _, i := range list {
			g = g.with(firstMask|nearlyDraw(half^halves[i])>>firstBits, int(i))
		}
		return g
	}
	of := viewOf(client)
	for _, i := range list {
		g = g.with(w.members[i].first(of, client)|nearlyDraw(half^halves[i])>>firstBits, int(i))
	}
	return g
}

// allOf is a word with so many members.
func allOf(count int) uint64 {
	if count >= sieveMembers {
		return ^uint64(0)
	}
	return 1<<max(count, 0) - 1
}

// find returns the members whose draws begin with some ones.
func (b *narrowBlock) find(client uint64, ones int) uint64 {
	ones = max(ones, 0)
	word, low, high := allOf(b.count), b.low[rowOfLow(client)*b.ones:], b.high[rowOfHigh(client)*b.ones:]
	low, high = low[:ones], high[:ones]
	for i := range high {
		word &= low[i][client>>63] ^ high[i]
		client <<= 1
	}
	return word
}

// rowOfLow and rowOfHigh are the client's bits that keys choose among.
func rowOfLow(client uint64) int  { return int(client & keyMask >> 1) }
func rowOfHigh(client uint64) int { return int(client >> keyBits & keyMask) }

// find sets words to the members whose draws begin with some ones.
func (b *wideBlock) find(client uint64, ones int, words *[wideWords]uint64) {
	ones = max(ones, 0)
	low, high := b.low[rowOfLow(client)*b.ones:], b.high[rowOfHigh(client)*b.ones:]
	low, high = low[:ones], high[:ones]
	for half := 0; half < wideWords; half += wideWords / 2 { // four words at a time stay in registers
		to := (*[wideWords / 2]uint64)(words[half:])
		all := (*[wideWords / 2]uint64)(b.all[half:])
		w0, w1, w2, w3, own := all[0], all[1], all[2], all[3], client
		for i := range high {
			a, c := (*[wideWords / 2]uint64)(low[i][own>>63][half:]), (*[wideWords / 2]uint64)(high[i][half:])
			w0 &= a[0] ^ c[0]
			w1 &= a[1] ^ c[1]
			w2 &= a[2] ^ c[2]
			w3 &= a[3] ^ c[3]
			own <<= 1
		}
		to[0], to[1], to[2], to[3] = w0, w1, w2, w3
	}
}
