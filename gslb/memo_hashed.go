package gslb

import (
	"sync/atomic"
	"unsafe"
)

// hashedMemo remembers the contenders of up to memoHashes clients of source-ip-hash, by their hashes. Its memory is taken as
// it is needed, and as far as the allowance goes.
type hashedMemo struct {
	claim  claim
	blocks [hashedBlocks]atomic.Pointer[hashedBlock]
}

// newHashedMemo returns an empty one; nil when there is no allowance for it.
func (s *Snapshot) newHashedMemo() *hashedMemo {
	m := &hashedMemo{}
	if s.allowances == nil {
		return nil
	}
	if m.claim.of = &s.allowances.hashed; !m.claim.take(int64(unsafe.Sizeof(*m))) {
		return nil
	}
	return m
}

// hashedBlock is sets of the clients whose hashes have the same lower bits, in any order. For each client it holds the other
// bits of its hash, all of them, and below them the contender and 1.
type hashedBlock [hashedSets][hashedWays]atomic.Uint64

const (
	memoHashes   = hashedBlocks * hashedSets * hashedWays
	hashedBlocks = 1 << 6
	hashedSets   = 1 << 8
	hashedWays   = 8 // of eight octets: a cache line
	// hashedBits is how many bits of a hash its set stands for: what a contender may take below the others.
	hashedBits       = 14
	hashedContenders = 1<<hashedBits - 1
	// hashedFrom is up to how many contenders are compared about as soon as one is found here.
	hashedFrom = 512
)

// set returns where a client's hash belongs; nil when there is nothing yet.
func (m *hashedMemo) set(client uint64) *[hashedWays]atomic.Uint64 {
	b := m.blocks[client%hashedBlocks].Load()
	if b == nil {
		return nil
	}
	return &b[client/hashedBlocks%hashedSets]
}

// find returns the contender for a client's hash; none when it is not remembered.
func (m *hashedMemo) find(client uint64) int {
	set := m.set(client)
	if set == nil {
		return none
	}
	for i := range set {
		if v := set[i].Load(); v>>hashedBits == client>>hashedBits && v&hashedContenders != 0 {
			return int(v&hashedContenders) - 1
		}
	}
	return none
}

// add remembers a contender, in place of any other one of the set when it is full.
func (m *hashedMemo) add(client uint64, contender int) {
	if m.set(client) == nil {
		const octets = int64(unsafe.Sizeof(hashedBlock{}))
		if !m.claim.take(octets) {
			return
		}
		if !m.blocks[client%hashedBlocks].CompareAndSwap(nil, new(hashedBlock)) {
			m.claim.give(octets)
		}
	}
	set, way := m.set(client), int(client>>32%hashedWays)
	for i := range set {
		if set[i].Load() == 0 {
			way = i
			break
		}
	}
	set[way].Store(client>>hashedBits<<hashedBits | uint64(contender+1))
}
