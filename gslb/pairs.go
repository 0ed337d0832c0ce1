package gslb

import (
	"math/bits"
	"net/netip"
	"sync/atomic"
)

// pairs remembers for a moment which service a client was given, so that A, AAAA and HTTPS of one name and client name the
// same one although the method would go on to the next. It is a fixed table that forgets: a newer client takes an older
// one's slot, and then a family is decided anew. Safe for concurrent use.
//
// A slot is one word: 20 bits of the client's hash, 20 bits of service, 3 bits of families, 21 bits of time.
type pairs struct {
	slots [pairSlots]atomic.Uint64
}

const (
	pairSlots = 1 << 14

	pairServiceBits = 20
	pairTimeBits    = 21
	pairTimeMask    = 1<<pairTimeBits - 1
)

// pairKind is the family of an answer in a slot.
func pairKind(f Family) uint64 {
	switch f {
	case IPv4:
		return 1
	case IPv6:
		return 2
	case AnyFamily:
		return 4
	}
	return 0
}

// pairKey hashes who asks for what.
func pairKey(domain DomainIndex, ldns netip.Addr, subnet netip.Prefix) uint64 {
	h := fold(uint64(domain)+0x2d358dccaa6c78a5, 0x8bb84b93962eacc9)
	h = foldAddr(h, ldns)
	if subnet.IsValid() {
		h = foldAddr(h^uint64(subnet.Bits()), subnet.Addr())
	}
	return h
}

func foldAddr(h uint64, a netip.Addr) uint64 {
	b := a.As16()
	low := uint64(b[8])<<56 | uint64(b[9])<<48 | uint64(b[10])<<40 | uint64(b[11])<<32 | uint64(b[12])<<24 | uint64(b[13])<<16 | uint64(b[14])<<8 | uint64(b[15])
	high := uint64(b[0])<<56 | uint64(b[1])<<48 | uint64(b[2])<<40 | uint64(b[3])<<32 | uint64(b[4])<<24 | uint64(b[5])<<16 | uint64(b[6])<<8 | uint64(b[7])
	return fold(h^low, high^0x4b33a62ed433d4a3)
}

// fold multiplies two words into one (the mixing step of wyhash).
func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}

// find returns the service that the client was given for other families only, at most ttl seconds ago.
func (p *pairs) find(key, kind uint64, at int64, ttl uint32) (ServiceIndex, bool) {
	v := p.slots[key%pairSlots].Load()
	age := (uint64(at) - v) & pairTimeMask
	if v>>44 != key>>44 || v>>pairTimeBits&kind != 0 || v>>pairTimeBits&7 == 0 || age > uint64(ttl) {
		return 0, false
	}
	return ServiceIndex(v >> (pairTimeBits + 3) & (1<<pairServiceBits - 1)), true
}

// note remembers what the client was given. joined says that it was found by find.
func (p *pairs) note(key, kind uint64, service ServiceIndex, at int64, joined bool) {
	if service >= 1<<pairServiceBits {
		return
	}
	slot := &p.slots[key%pairSlots]
	if old := slot.Load(); joined && old>>44 == key>>44 {
		slot.CompareAndSwap(old, old|kind<<pairTimeBits)
		return
	}
	slot.Store(key>>44<<44 | uint64(service)<<(pairTimeBits+3) | kind<<pairTimeBits | uint64(at)&pairTimeMask)
}
