package rrl

import (
	"math/bits"
	"sync/atomic"
)

// An entry is one account in one word, so that it is read and replaced whole:
//
//	TAG(20) | SLIP(7) | DUE(37)
//
// DUE is the theoretical arrival time of the generic cell rate algorithm: when the account, taking PerSecond steps a
// second, will have caught up with what it was sent, in units of 1/unitsPerResponse of a step and modulo 2^37. SLIP counts
// limited responses modulo Options.Slip. TAG is part of the key.
//
// An account that has caught up (DUE is not in the future) is worth no more than one that was never seen. So an entry
// whose time has passed is free, nothing ever has to be cleaned up, and the zero table is empty.
const (
	tagBits  = 20
	slipBits = 7
	dueBits  = 64 - tagBits - slipBits

	dueMask   = 1<<dueBits - 1
	slipShift = dueBits
	slipMask  = 1<<slipBits - 1
	tagShift  = dueBits + slipBits

	// unitsPerResponse is the resolution of time. The clock of DUE comes round after 2.4 hours at a million responses per
	// second, after 16 months at 200. An account that was idle for exactly that long may be taken for one in debt, for a
	// second at most.
	unitsPerResponse = 16

	// bucketEntries is one cache line. An account can be in any entry of its bucket.
	bucketEntries = 8
)

// place returns the index where the search for a key begins: the bucket, and an entry in it.
func (l *Limiter) place(key Key) uint64 {
	return uint64(key)&l.buckets*bucketEntries + uint64(key)>>(64-tagBits-3)&(bucketEntries-1)
}

// debt returns how far due is after now, in units; 0 when it has passed. What no account can owe counts as passed: it
// is a leftover from before the clock came round. The limit of that is twice the burst, because callers whose clocks lag see
// more debt than there can be.
func (l *Limiter) debt(due, now uint64) uint64 {
	d := (due - now) & dueMask
	if d > 2*l.burst {
		return 0
	}
	return d
}

// count adds a response to an account, if it is within the limit.
func (l *Limiter) count(key Key, now int64) Action {
	units, _ := bits.Mul64(uint64(now), l.scale)
	tag, place := uint64(key)>>(64-tagBits), l.place(key)
	for {
		p := &l.table[place]
		entry := atomic.LoadUint64(p)
		if entry>>tagShift != tag { // seldom: most stand where their search begins
			p, entry = l.find(tag, place, units)
		}
		var debt, slipped uint64
		if entry>>tagShift == tag {
			debt = l.debt(entry&dueMask, units)
			slipped = entry >> slipShift & slipMask
		}
		action := Send
		if debt+unitsPerResponse <= l.burst {
			debt += unitsPerResponse
		} else {
			action, slipped = l.limited(slipped)
		}
		changed := tag<<tagShift | slipped<<slipShift | (units+debt)&dueMask
		// Who loses the race begins again: the other may have taken the entry for another account.
		if changed == entry || atomic.CompareAndSwapUint64(p, entry, changed) {
			return action
		}
	}
}

// limited chooses between Slip and Drop, and returns the next count.
func (l *Limiter) limited(slipped uint64) (Action, uint64) {
	if l.slip == 0 {
		return Drop, 0
	}
	action := Drop
	if slipped == 0 {
		action = Slip
	}
	if slipped++; slipped >= l.slip {
		slipped = 0
	}
	return action, slipped
}

// find returns the entry of a tag, else the one to take for it: a free one, or the one with the least debt.
func (l *Limiter) find(tag, place, now uint64) (*uint64, uint64) {
	bucket := (*[bucketEntries]uint64)(l.table[place&^(bucketEntries-1):])
	var best *uint64
	var found uint64
	least := ^uint64(0)
	for i := range uint64(bucketEntries) {
		p := &bucket[(place+i)&(bucketEntries-1)]
		entry := atomic.LoadUint64(p)
		if entry>>tagShift == tag {
			return p, entry
		}
		if debt := l.debt(entry&dueMask, now); debt < least {
			best, found, least = p, entry, debt
		}
	}
	return best, found
}
