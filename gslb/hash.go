package gslb

import (
	"math/bits"
	"net/netip"

	"github.com/cespare/xxhash/v2"
)

// Weighted rendezvous hashing: each member draws a number from the client and its own name, the best draw wins. When a
// member leaves, only its clients move; a member's share is its weight's share.
//
// With u uniform in (0, 1), the winner is the member with the least -log2(u)/weight. All of it is integer arithmetic, so
// that every site, processor and release makes the same choice; floating point would not promise that. The golden
// vectors in hash_test.go hold it.

// logTable holds log2(1 + i/256) for i = 0…256 in units of 2^-32.
var logTable = makeLogTable()

// makeLogTable computes each logarithm bit by bit: squaring a number in [1, 2) gives the next bit of its logarithm.
func makeLogTable() (t [257]uint64) {
	for i := range 256 {
		x := uint64(256+i) << 55 // fixed point, one integer bit
		var y uint64
		for range 32 {
			hi, lo := bits.Mul64(x, x) // two integer bits, in hi's top
			y <<= 1
			if hi>>63 != 0 {
				y |= 1
				x = hi
			} else {
				x = hi<<1 | lo>>63
			}
		}
		t[i] = y
	}
	t[256] = 1 << 32
	return t
}

// negLog2 is -log2((h+1)/2^64) in units of 2^-32, between 0 and 64·2^32.
func negLog2(h uint64) uint64 {
	if h == ^uint64(0) {
		return 0
	}
	h++
	exponent := 63 - bits.LeadingZeros64(h)
	mantissa := h << (63 - exponent) << 1 // without the leading 1
	i, rest := mantissa>>56, mantissa<<8>>32
	low, high := logTable[i], logTable[i+1]
	fraction := low + (high-low)*rest>>32
	return uint64(64-exponent)<<32 - fraction
}

// clientHash hashes a masked client address.
func clientHash(client netip.Addr) uint64 {
	b := client.As16()
	return xxhash.Sum64(b[:])
}

const (
	drawMix1 = 0xff51afd7ed558ccd
	drawMix2 = 0xc4ceb9fe1a85ec53
)

// draw mixes the client's and the member's hashes (the finalizer of MurmurHash3).
func draw(client, seed uint64) uint64 {
	h := client ^ bits.RotateLeft64(seed, 32)
	h ^= h >> 33
	h *= drawMix1
	h ^= h >> 33
	h *= drawMix2
	h ^= h >> 33
	return h
}
