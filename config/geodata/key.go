package geodata

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Key is an address as a number of 128 bits. An IPv4 address is its 32 bits in Lo; the two families are never in one list.
type Key struct{ Hi, Lo uint64 }

// maxKey4 and maxKey6 are the last addresses of the families.
var (
	maxKey4 = Key{Lo: 1<<32 - 1}
	maxKey6 = Key{Hi: 1<<64 - 1, Lo: 1<<64 - 1}
)

// LastKey returns the last address of a family.
func LastKey(is4 bool) Key {
	if is4 {
		return maxKey4
	}
	return maxKey6
}

// KeyOf returns the number of an address. IPv4-mapped addresses are not unmapped.
//
// The words are read from where AsSlice wrote them, as wide as they were written, so that a processor has them at once. What
// As16 returns is copied first, in one piece that is wider than the two it was written in: for such a read processors wait
// until all that was written before is in the cache.
func KeyOf(a netip.Addr) Key {
	b := a.AsSlice() // it stays on the stack
	switch len(b) {
	case 16:
		return Key{Hi: binary.BigEndian.Uint64(b), Lo: binary.BigEndian.Uint64(b[8:])}
	case 4:
		return Key{Lo: uint64(binary.BigEndian.Uint32(b))}
	}
	return Key{}
}

// Addr returns the address with a number.
func (k Key) Addr(is4 bool) netip.Addr {
	if is4 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(k.Lo))
		return netip.AddrFrom4(b)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], k.Hi)
	binary.BigEndian.PutUint64(b[8:], k.Lo)
	return netip.AddrFrom16(b)
}

// Less reports whether k comes before l.
func (k Key) Less(l Key) bool { return k.Hi < l.Hi || k.Hi == l.Hi && k.Lo < l.Lo }

// Compare is negative, 0 or positive as k comes before l, is l, or comes after it.
func (k Key) Compare(l Key) int {
	switch {
	case k.Less(l):
		return -1
	case k == l:
		return 0
	}
	return 1
}

// After returns the address behind k; behind the last one of all is the first.
func (k Key) After() Key {
	lo, carry := bits.Add64(k.Lo, 1, 0)
	return Key{k.Hi + carry, lo}
}

// Before returns the address in front of k.
func (k Key) Before() Key {
	lo, borrow := bits.Sub64(k.Lo, 1, 0)
	return Key{k.Hi - borrow, lo}
}

func (k Key) minus(l Key) Key {
	lo, borrow := bits.Sub64(k.Lo, l.Lo, 0)
	return Key{k.Hi - l.Hi - borrow, lo}
}

// commonBits counts the leading bits that two numbers of 128 bits share.
func (k Key) commonBits(l Key) int {
	if k.Hi != l.Hi {
		return bits.LeadingZeros64(k.Hi ^ l.Hi)
	}
	return 64 + bits.LeadingZeros64(k.Lo^l.Lo)
}

// PrefixRange returns the first and the last address of a prefix. The bits behind the prefix do not count.
func PrefixRange(p netip.Prefix) (first, last Key) {
	p = p.Masked()
	first = KeyOf(p.Addr())
	host := p.Addr().BitLen() - p.Bits()
	last = first
	switch {
	case host >= 128:
		last = maxKey6
	case host > 64:
		last.Hi |= 1<<(host-64) - 1
		last.Lo = 1<<64 - 1
	case host == 64:
		last.Lo = 1<<64 - 1
	default:
		last.Lo |= 1<<host - 1
	}
	return first, last
}
