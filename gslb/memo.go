package gslb

import "sync/atomic"

// fewContenders is up to how many contenders are compared one by one; the choice among more is remembered, or made another way.
const fewContenders = 16

// memo is what helps to choose among many contenders where the choice depends on the client's region alone. It belongs to contenders
// and their weights, and changes no answer: what is not remembered is found out again. Safe for concurrent use.
type memo struct {
	nearest *[memoRegions]atomic.Pointer[nearest]
}

const memoRegions = 1 << 9

// newMemo returns an empty one where a virtual server's methods need it, else nil.
func newMemo(v *virtualServer) *memo {
	if v.picking != byProximity && v.backupPicking != byProximity {
		return nil
	}
	return &memo{nearest: new([memoRegions]atomic.Pointer[nearest])}
}

// nearest is the contenders that are closest to a region.
type nearest struct {
	region     *region
	contenders []uint16
	weights    []uint64 // running sums
}
