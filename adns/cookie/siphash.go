package cookie

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// hash is SipHash-2-4 (Aumasson and Bernstein, 2012) over the first two octet groups of a cookie and the client's address
// (RFC 9018 section 4.4):
//
//	CLIENT COOKIE(64) | VERSION(8) RESERVED(24) TIMESTAMP(32) | CLIENT ADDRESS(32 or 128)
//
// cookie must have at least 16 octets. An IPv4-mapped address is hashed as the IPv6 address that it is.
func (s *Secret) hash(cookie []byte, client netip.Addr) uint64 {
	k0, k1 := binary.LittleEndian.Uint64(s[:8]), binary.LittleEndian.Uint64(s[8:])
	v0, v1, v2, v3 := k0^0x736f6d6570736575, k1^0x646f72616e646f6d, k0^0x6c7967656e657261, k1^0x7465646279746573

	v0, v1, v2, v3 = absorb(v0, v1, v2, v3, binary.LittleEndian.Uint64(cookie[:8]))
	v0, v1, v2, v3 = absorb(v0, v1, v2, v3, binary.LittleEndian.Uint64(cookie[8:16]))
	var last uint64
	if client.Is4() {
		a := client.As4()
		last = 20<<56 | uint64(binary.LittleEndian.Uint32(a[:]))
	} else {
		a := client.As16()
		v0, v1, v2, v3 = absorb(v0, v1, v2, v3, binary.LittleEndian.Uint64(a[:8]))
		v0, v1, v2, v3 = absorb(v0, v1, v2, v3, binary.LittleEndian.Uint64(a[8:]))
		last = 32 << 56
	}
	v0, v1, v2, v3 = absorb(v0, v1, v2, v3, last)

	v2 ^= 0xff
	for range 4 {
		v0, v1, v2, v3 = round(v0, v1, v2, v3)
	}
	return v0 ^ v1 ^ v2 ^ v3
}

// absorb takes in one word.
func absorb(v0, v1, v2, v3, word uint64) (uint64, uint64, uint64, uint64) {
	v3 ^= word
	v0, v1, v2, v3 = round(v0, v1, v2, v3)
	v0, v1, v2, v3 = round(v0, v1, v2, v3)
	return v0 ^ word, v1, v2, v3
}

// round is SipRound.
func round(v0, v1, v2, v3 uint64) (uint64, uint64, uint64, uint64) {
	v0 += v1
	v2 += v3
	v1 = bits.RotateLeft64(v1, 13) ^ v0
	v3 = bits.RotateLeft64(v3, 16) ^ v2
	v0 = bits.RotateLeft64(v0, 32) + v3
	v2 += v1
	v1 = bits.RotateLeft64(v1, 17) ^ v2
	v3 = bits.RotateLeft64(v3, 21) ^ v0
	return v0, v1, bits.RotateLeft64(v2, 32), v3
}
