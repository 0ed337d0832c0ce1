package gslb

import "sync/atomic"

// What is remembered for clients changes no answer, only how long it takes. So all virtual servers of a Plan share what memory it
// may take: who comes when nothing is left does without, and is slower. A snapshot hands its allowances to the next one.
//
// rankedAllowance is for rankings by method score, kept as long as a snapshot is the latest, in octets.
const rankedAllowance = 64 << 20

// allowances is what the snapshots of one Plan may remember.
type allowances struct{ ranked allowance }

func newAllowances() *allowances {
	a := &allowances{}
	a.ranked.left.Store(rankedAllowance)
	return a
}

// allowance is memory that several share. Safe for concurrent use.
type allowance struct{ left atomic.Int64 } // octets

// claim is what one of them has taken. One of no allowance gets nothing. Safe for concurrent use.
type claim struct {
	of    *allowance
	taken atomic.Int64 // octets; negative: it has ended
}

const claimEnded = -1 << 62

// take reports whether there was so much left.
func (c *claim) take(octets int64) bool {
	if c.of == nil || c.of.left.Load() < octets || c.taken.Load() < 0 { // nothing is written when it is of no use
		return false
	}
	if c.of.left.Add(-octets) < 0 || !c.add(octets) {
		c.of.left.Add(octets)
		return false
	}
	return true
}

// give returns a part of what was taken.
func (c *claim) give(octets int64) {
	if c.add(-octets) {
		c.of.left.Add(octets)
	}
}

// add reports whether the claim has not ended.
func (c *claim) add(octets int64) bool {
	for {
		taken := c.taken.Load()
		if taken < 0 {
			return false
		}
		if c.taken.CompareAndSwap(taken, taken+octets) {
			return true
		}
	}
}

// end returns all that was taken. Nothing more can be.
func (c *claim) end() {
	if taken := c.taken.Swap(claimEnded); taken > 0 {
		c.of.left.Add(taken)
	}
}

// replaces ends the claims of fields that the next standing of the virtual server, st, does not use: what they hold goes with the last queries that do.
func (st *standing) replaces(old *standing) {
	for f := range Family(families + otherFamilies) {
		if f >= families && old.other == nil {
			break
		}
		st.field(f).replaces(old.field(f))
		for j := range old.preferred {
			st.preferred[j][f].replaces(&old.preferred[j][f])
		}
	}
}

func (f *field) replaces(old *field) {
	if old.scoring != nil && old.scoring.many != nil {
		old.scoring.many.claim.end()
	}
}
