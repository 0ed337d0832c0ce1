package gslb

import "sync/atomic"

// fewContenders is up to how many contenders are compared one by one; the choice among more is remembered.
const fewContenders = 16

// memo remembers choices among many contenders that depend on the client alone: by hash for source-ip-hash, by region for
// static-proximity. It changes no answer: what is not remembered is found out again. A newer choice takes an older one's
// place. Safe for concurrent use.
type memo struct {
	hashed  [memoHashes]atomic.Uint64 // the client's hash but its last 16 bits, which are the contender and 1
	nearest [memoRegions]atomic.Pointer[nearest]
}

const (
	memoHashes  = 1 << 14
	memoRegions = 1 << 9
)

// nearest is the contenders that are closest to a region.
type nearest struct {
	region     *region
	contenders []uint16
	weights    []uint64 // running sums
}

// hash returns the contender for a client's hash, and whether it is remembered.
func (m *memo) hash(client uint64) (int, bool) {
	v := m.hashed[client%memoHashes].Load()
	if v&0xffff == 0 || v>>16 != client>>16 {
		return 0, false
	}
	return int(v&0xffff) - 1, true
}

func (m *memo) setHash(client uint64, contender int) {
	m.hashed[client%memoHashes].Store(client>>16<<16 | uint64(contender+1))
}
