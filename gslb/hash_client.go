package gslb

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// clientHash hashes a masked client address: xxHash64 of its 16 octets, an IPv4 address as it is mapped into IPv6.
func clientHash(client netip.Addr) uint64 {
	if client.Is4() {
		a := client.As4()
		return clientHash4(binary.BigEndian.Uint32(a[:]))
	}
	a := client.As16()
	return clientHash6(binary.BigEndian.Uint64(a[:]), binary.BigEndian.Uint64(a[8:]))
}

// maskedHash is clientHash of the client's first bits, so many of each family.
func maskedHash(client netip.Addr, bits4, bits6 int) uint64 {
	if client.Is4() {
		a := client.As4()
		return clientHash4(binary.BigEndian.Uint32(a[:]) & (^uint32(0) << uint(32-bits4)))
	}
	b := client.AsSlice() // on the stack; what As16 gives is copied in another width than it was written in, which waits
	if len(b) != 16 {     // no address
		return clientHash6(0, 0)
	}
	high, low := ^uint64(0), uint64(0)
	if bits6 > 64 {
		low = ^uint64(0) << uint(128-bits6)
	} else {
		high <<= uint(64 - bits6)
	}
	return clientHash6(binary.BigEndian.Uint64(b)&high, binary.BigEndian.Uint64(b[8:])&low)
}

// The primes of xxHash64.
const (
	xxPrime1 = 0x9e3779b185ebca87
	xxPrime2 = 0xc2b2ae3d27d4eb4f
	xxPrime3 = 0x165667b19e3779f9
	xxPrime4 = 0x85ebca77c2b2ae63
	xxPrime5 = 0x27d4eb2f165667c5
)

// mappedBefore is xxHash64 before the last eight of 16 octets, the first eight being zero as those of all IPv4 addresses are.
var mappedBefore = func() uint64 {
	start := uint64(xxPrime5) // not a constant, as the product overflows
	return nextHash(start+16, 0)
}()

// clientHash4 and clientHash6 are clientHash. Their steps do not wait for octets that were just written, as those of xxhash.Sum64 would.
func clientHash4(address uint32) uint64 {
	return lastHash(mappedBefore, uint64(bits.ReverseBytes32(address))<<32|0xffff0000)
}

func clientHash6(high, low uint64) uint64 {
	start := uint64(xxPrime5)
	return lastHash(nextHash(start+16, bits.ReverseBytes64(high)), bits.ReverseBytes64(low))
}

// nextHash takes eight octets into an xxHash64.
func nextHash(h, octets uint64) uint64 {
	return bits.RotateLeft64(h^bits.RotateLeft64(octets*xxPrime2, 31)*xxPrime1, 27)*xxPrime1 + xxPrime4
}

// lastHash takes the last ones.
func lastHash(h, octets uint64) uint64 {
	h = nextHash(h, octets)
	h ^= h >> 33
	h *= xxPrime2
	h ^= h >> 29
	h *= xxPrime3
	return h ^ h>>32
}
