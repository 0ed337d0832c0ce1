package zonedata

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// Limits of names (RFC 1035 section 2.3.4).
const (
	MaxNameOctets = 255 // the root label included
	MaxLabels     = 127 // without the root label
	// NamePadding is how many octets must be readable behind a label that is hashed: labels are read eight octets at a
	// time.
	NamePadding = 8
)

const (
	mulName  = 0xa0761d6478bd642f
	mulLabel = 0xe7037ed1a0b428db
)

// rootHash is the hash of the root. It differs from process to process, so that names whose hashes collide cannot be
// made up in advance.
var rootHash = rand.Uint64()

// RootHash returns the hash of the root name.
func RootHash() uint64 { return rootHash }

// HashLabel returns the hash of the name that has label before suffix, given the suffix's hash. The case of letters does
// not matter. label is without its length octet and of at most 63 octets; at least NamePadding octets behind it can be read
// by way of label[:cap(label)].
func HashLabel(suffix uint64, label []byte) uint64 {
	n := len(label)
	p := label[: n+NamePadding : n+NamePadding]
	h := suffix ^ uint64(n)*mulLabel
	for ; n > 8; n -= 8 {
		hi, lo := bits.Mul64(Lower8(binary.LittleEndian.Uint64(p))^mulLabel, h^mulName)
		h = hi ^ lo
		p = p[8:]
	}
	tail := Lower8(binary.LittleEndian.Uint64(p)) & (^uint64(0) >> (64 - 8*uint(n)))
	hi, lo := bits.Mul64(tail^mulLabel, h^mulName)
	return hi ^ lo
}

// HashShort is HashLabel for a label of n octets, 1 to 8, which are the first of the octets in tail.
func HashShort(suffix, tail uint64, n uint) uint64 {
	h := suffix ^ uint64(n)*mulLabel
	hi, lo := bits.Mul64(Lower8(tail)&(^uint64(0)>>(64-8*n))^mulLabel, h^mulName)
	return hi ^ lo
}

// HashName returns the hash of an uncompressed name in lower case, root label included. It may be slow: names of queries
// are hashed label by label where they are parsed.
func HashName(name []byte) uint64 {
	var padded [MaxNameOctets + 1 + NamePadding]byte
	var starts [MaxLabels + 1]uint8
	n := 0
	copy(padded[:MaxNameOctets+1], name)
	for i := 0; i < len(name) && name[i] != 0 && n < len(starts); i += 1 + int(name[i]) {
		starts[n] = uint8(i)
		n++
	}
	h := rootHash
	for n--; n >= 0; n-- {
		at := int(starts[n])
		h = HashLabel(h, padded[at+1:at+1+int(padded[at])])
	}
	return h
}

// Lower8 puts the ASCII letters among eight octets into lower case. Length octets of labels are below 'A' and stay.
func Lower8(x uint64) uint64 {
	const ones = 0x0101010101010101
	low := x & (0x7F * ones)
	fromA := low + (0x80-'A')*ones
	pastZ := low + (0x80-'Z'-1)*ones
	return x | (fromA^pastZ)&^x&(0x80*ones)>>2
}
