package gslb

import "math/bits"

// pickSourceIPHash takes the contender with the best weighted draw for the masked client (hash.go).
func (d *Decider) pickSourceIPHash(v *virtualServer, f *field) (int, Reason) {
	mask := v.hash6
	if d.client.Is4() {
		mask = v.hash4
	}
	masked, err := d.client.Prefix(mask)
	if err != nil { // only an invalid address; it hashes like any other
		return d.pickRoundRobin(f)
	}
	d.needScope(mask, scopeHash)
	client := clientHash(masked.Addr())
	switch {
	case f.memo == nil:
		return f.bestDraw(client), ReasonHash
	case f.memo.hashed == nil:
		return f.memo.draws.best(client), ReasonHash
	}
	i := f.memo.hashed.find(client)
	if i == none {
		i = f.memo.draws.best(client)
		f.memo.hashed.add(client, i)
	}
	return i, ReasonHash
}

// bestDraw compares all contenders, one by one (draws does so for many). With equal weights the least -log2 is the greatest draw.
func (f *field) bestDraw(client uint64) int {
	if !f.even {
		return f.bestWeighted(client)
	}
	best, most := 0, draw(client, f.contenders[0].seed)
	for i := 1; i < len(f.contenders); i++ {
		h := draw(client, f.contenders[i].seed)
		if h > most && (h-most >= 1<<sameLog || negLog2(h) < negLog2(most)) {
			best, most = i, h
		}
	}
	return best
}

// sameLog bounds how close two draws are that may have the same logarithm in units of 2^-32, as a power of two: closer ones
// must be compared by it.
const sameLog = 34

func (f *field) bestWeighted(client uint64) int {
	best, bestCost, bestWeight := none, uint64(0), uint64(1)
	for i := range f.contenders {
		c := &f.contenders[i]
		cost, weight := negLog2(draw(client, c.seed)), uint64(c.weight)
		high, low := bits.Mul64(cost, bestWeight)
		bestHigh, bestLow := bits.Mul64(bestCost, weight)
		if best == none || high < bestHigh || high == bestHigh && low < bestLow {
			best, bestCost, bestWeight = i, cost, weight
		}
	}
	return best
}
