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
	all    bool   // all bits that can be sieved are
}

// missed is the least -log2(draw) by weight that a member can have whom the sieve did not find.
type missed struct{ cost, weight uint64 }

const (
	// sieveParts is in how many parts the client's bits are looked up that the first bits of draws are made of.
	sieveParts   = 4
	sieveValues  = 1 << partBits
	partBits     = drawKeys * keyBits / sieveParts
	partsOfKey   = sieveParts / drawKeys
	sieveMembers = 64 // of a word
	wideWords    = 8  // a cache line
	// wideFrom is from how many members on a sieve is made of wide blocks.
	wideFrom = 2*sieveMembers + 1
	// sieveFinds is how many members are found on average at least. That none is found has a chance of about e^-sieveFinds.
	sieveFinds = 6
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
// value of a part of the client's bits makes of that bit of the draw.
type narrowBlock struct {
	sieveBlock
	rows [][firstBits]uint64 // by part and value
}

type wideBlock struct {
	sieveBlock
	rows [][firstBits][wideWords]uint64
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
			s.narrow = append(s.narrow, narrowBlock{b, narrowRows(of)})
		} else {
			s.wide = append(s.wide, wideBlock{b, wideRows(of), [wideWords]uint64{}})
			for i := range s.wide[len(s.wide)-1].all {
				s.wide[len(s.wide)-1].all[i] = allOf(b.count - i*sieveMembers)
			}
		}
	}
	s.least, s.all = s.missed(0), onesFor(float64(weights[len(weights)-1])/sum) == firstBits
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
	at, least := partsOf(client), w.sieve.least
	for fewer := 0; ; fewer += sieveLoosened {
		if fewer > 0 {
			least = w.sieve.missed(fewer)
		}
		best := w.sift(client, &at, fewer)
		if best.best != none && (least.cost == math.MaxUint64 || less(best.cost, uint64(w.weights[best.best]), least.cost, least.weight)) {
			return int(w.of[best.best])
		}
	}
}

// sift returns the best of all whom the sieve finds; none when it finds nobody.
func (w *draws) sift(client uint64, at *parts, fewer int) drawing {
	s := sifting{w: w, client: client, at: drawing{best: none}, all: w.even && fewer == 0 && w.sieve.all}
	for i := range w.sieve.narrow {
		b := &w.sieve.narrow[i]
		s.add(b.find(client, at, b.ones-fewer), b.first)
	}
	for i := range w.sieve.wide {
		b := &w.sieve.wide[i]
		var words [wideWords]uint64
		b.find(client, at, b.ones-fewer, &words)
		for j, word := range &words {
			s.add(word, b.first+j*sieveMembers)
		}
	}
	s.compare()
	switch {
	case !w.even || s.most.most == 0:
		return s.at
	case s.most.close():
		return w.leastCost(client)
	}
	best := s.most.best()
	h := w.members[best].draw(client)
	return drawing{best, h, negLog2(h)}
}

// sifting compares members whom a sieve found: some at a time, so that it need not be guessed where the next one is.
type sifting struct {
	w      *draws
	client uint64
	at     drawing  // the best so far, where weights differ
	most   greatest // where they are equal
	all    bool     // their first bits are ones
	n      int
	list   [siftedMost + sieveMembers]uint16
}

const siftedMost = 32

// add adds the members of a word. Most words have three at most.
func (s *sifting) add(word uint64, first int) {
	n := s.n
	for range 3 {
		s.list[n] = uint16(first + bits.TrailingZeros64(word))
		more := 0
		if word != 0 {
			more = 1
		}
		n += more
		word &= word - 1
	}
	for word != 0 {
		s.list[n] = uint16(first + bits.TrailingZeros64(word))
		n++
		word &= word - 1
	}
	if s.n = n; n >= siftedMost {
		s.compare()
	}
}

// compare compares those that were added.
func (s *sifting) compare() {
	list, w, client := s.list[:s.n], s.w, s.client
	if s.n = 0; w.even {
		most, half, halves := s.most, halfMix(client), w.halves
		if s.all {
			for _, i := range list {
				most = most.with(firstMask|nearlyDraw(half^halves[i])>>firstBits, int(i))
			}
		} else {
			of := viewOf(client)
			for _, i := range list {
				most = most.with(w.members[i].first(of, client)|nearlyDraw(half^halves[i])>>firstBits, int(i))
			}
		}
		s.most = most
		return
	}
	for _, i := range list {
		s.at = w.compare(client, int(i), s.at)
	}
}

// allOf is a word with so many members.
func allOf(count int) uint64 {
	if count >= sieveMembers {
		return ^uint64(0)
	}
	return 1<<max(count, 0) - 1
}

// parts is where the rows for a client are.
type parts [sieveParts]uint32

func partsOf(client uint64) parts {
	const values = sieveValues - 1
	return parts{uint32(client & values), uint32(client>>partBits&values + sieveValues),
		uint32(client>>(2*partBits)&values + 2*sieveValues), uint32(client>>(3*partBits)&values + 3*sieveValues)}
}

// find returns the members whose draws begin with some ones.
func (b *narrowBlock) find(client uint64, at *parts, ones int) uint64 {
	word, r0, r1, r2, r3 := allOf(b.count), &b.rows[at[0]], &b.rows[at[1]], &b.rows[at[2]], &b.rows[at[3]]
	for i := range r0[:max(ones, 0)] {
		word &= r0[i] ^ r1[i] ^ r2[i] ^ r3[i] ^ uint64(int64(client)>>63)
		client <<= 1
	}
	return word
}

// find sets words to the members whose draws begin with some ones.
func (b *wideBlock) find(client uint64, at *parts, ones int, words *[wideWords]uint64) {
	*words = b.all
	r0, r1, r2, r3 := &b.rows[at[0]], &b.rows[at[1]], &b.rows[at[2]], &b.rows[at[3]]
	for i := range r0[:max(ones, 0)] {
		a, b, c, d, not := &r0[i], &r1[i], &r2[i], &r3[i], uint64(int64(client)>>63)
		words[0] &= a[0] ^ b[0] ^ c[0] ^ d[0] ^ not
		words[1] &= a[1] ^ b[1] ^ c[1] ^ d[1] ^ not
		words[2] &= a[2] ^ b[2] ^ c[2] ^ d[2] ^ not
		words[3] &= a[3] ^ b[3] ^ c[3] ^ d[3] ^ not
		words[4] &= a[4] ^ b[4] ^ c[4] ^ d[4] ^ not
		words[5] &= a[5] ^ b[5] ^ c[5] ^ d[5] ^ not
		words[6] &= a[6] ^ b[6] ^ c[6] ^ d[6] ^ not
		words[7] &= a[7] ^ b[7] ^ c[7] ^ d[7] ^ not
		client <<= 1
	}
}
