package zonedata

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// Limits of names (RFC 1035 section 2.3.4).
const (
	MaxNameOctets = 255 // the root label included
	// NamePadding is how many octets must be readable behind a name that is hashed: names are read sixteen octets at a
	// time.
	NamePadding = 16
)

const (
	mulEven = 0xa0761d6478bd642f
	mulOdd  = 0xe7037ed1a0b428db
)

// hashSeed differs from process to process, so that names whose hashes collide cannot be made up in advance.
var hashSeed = rand.Uint64()

// Hash returns the hash of an uncompressed name in lower case, root label included. At least NamePadding octets behind it
// can be read by way of name[:cap(name)].
func Hash(name []byte) uint64 {
	n := len(name)
	p := name[: n+NamePadding : n+NamePadding]
	h := hashSeed ^ uint64(n)*mulOdd
	for ; n > 16; n -= 16 {
		hi, lo := bits.Mul64(binary.LittleEndian.Uint64(p)^mulEven, binary.LittleEndian.Uint64(p[8:])^h)
		h = hi ^ lo
		p = p[16:]
	}
	first, second := binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[8:])
	if n > 8 {
		second &= ^uint64(0) >> (8 * uint(16-n) & 63)
	} else {
		first &= ^uint64(0) >> (8 * uint(8-n) & 63)
		second = 0
	}
	hi, lo := bits.Mul64(first^mulEven, second^h)
	hi, lo = bits.Mul64(hi^lo^mulOdd, h^mulEven) // the last octets reach all bits
	return hi ^ lo
}

// HashName is Hash for a name behind which nothing can be read.
func HashName(name []byte) uint64 {
	var padded [MaxNameOctets + 1 + NamePadding]byte
	return Hash(padded[:copy(padded[:MaxNameOctets+1], name)])
}

// lowerName returns a copy of a name with its ASCII letters in lower case. Other octets are no text of any encoding (RFC 4343).
func lowerName(name []byte) []byte {
	lower := make([]byte, len(name))
	for i, c := range name {
		lower[i] = byte(Lower8(uint64(c)))
	}
	return lower
}

// Lower8 puts the ASCII letters among eight octets into lower case. Length octets of labels are below 'A' and stay.
func Lower8(x uint64) uint64 {
	const ones = 0x0101010101010101
	low := x & (0x7F * ones)
	fromA := low + (0x80-'A')*ones
	pastZ := low + (0x80-'Z'-1)*ones
	return x | (fromA^pastZ)&^x&(0x80*ones)>>2
}

// nameOctets returns the length of the uncompressed name at the start of b, or -1.
func nameOctets(b []byte) int {
	for i := 0; i < len(b) && i < MaxNameOctets; i += 1 + int(b[i]) {
		switch {
		case b[i] == 0:
			return i + 1
		case b[i] > 63:
			return -1
		}
	}
	return -1
}

// countLabels returns the number of labels of a name, without the root's.
func countLabels(name []byte) (n int) {
	for i := 0; i < len(name) && name[i] != 0; i += 1 + int(name[i]) {
		n++
	}
	return n
}
