package gslb

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// HashKey is the secret of a table's hash: who does not know it cannot aim at one place of the table. All zeros is a key
// like any other, and known to everybody.
type HashKey [2]uint64

// hash is SipHash-1-3 (Aumasson and Bernstein, 2012; with one round for a word and three at the end, as hash tables use
// it) of the 24 octets of three little-endian words.
func (k HashKey) hash(a, b, c uint64) uint64 {
	v0, v1, v2, v3 := k[0]^0x736f6d6570736575, k[1]^0x646f72616e646f6d, k[0]^0x6c7967656e657261, k[1]^0x7465646279746573

	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3^a)
	v0, v1, v2, v3 = sipRound(v0^a, v1, v2, v3^b)
	v0, v1, v2, v3 = sipRound(v0^b, v1, v2, v3^c)
	const length = 24 << 56
	v0, v1, v2, v3 = sipRound(v0^c, v1, v2, v3^length)

	v0, v1, v2, v3 = sipRound(v0^length, v1, v2^0xff, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	return v0 ^ v1 ^ v2 ^ v3
}

// short is hash of the 8 octets of one word: no hash of three words is the hash of the same text.
func (k HashKey) short(a uint64) uint64 {
	v0, v1, v2, v3 := k[0]^0x736f6d6570736575, k[1]^0x646f72616e646f6d, k[0]^0x6c7967656e657261, k[1]^0x7465646279746573

	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3^a)
	const length = 8 << 56
	v0, v1, v2, v3 = sipRound(v0^a, v1, v2, v3^length)

	v0, v1, v2, v3 = sipRound(v0^length, v1, v2^0xff, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	v0, v1, v2, v3 = sipRound(v0, v1, v2, v3)
	return v0 ^ v1 ^ v2 ^ v3
}

// client is the hash of an address, in the words that words makes, and a number. An IPv4 address and the number are one word.
func (k HashKey) client(high, low uint64, id uint32) uint64 {
	if high == 0 && low>>32 == 0xffff {
		return k.short(uint64(id)<<32 | low&(1<<32-1))
	}
	return k.hash(high, low, uint64(id))
}

func sipRound(v0, v1, v2, v3 uint64) (uint64, uint64, uint64, uint64) {
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

// words returns an address as two words; an IPv4 address as the IPv4-mapped one. Zones are dropped.
func words(a netip.Addr) (high, low uint64) {
	b := a.As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

// addrOf is the other way.
func addrOf(high, low uint64) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], high)
	binary.BigEndian.PutUint64(b[8:], low)
	return netip.AddrFrom16(b).Unmap()
}
