package gslb

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/cespare/xxhash/v2"
)

// TestClientHashIsXXHash: of all addresses, also of those that are hashed without their octets.
func TestClientHashIsXXHash(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for i := range 10_000 {
		var b [16]byte
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		address := netip.AddrFrom16(b)
		if i%2 == 0 {
			address = netip.AddrFrom4([4]byte(b[:]))
		}
		b = address.As16()
		if got, want := clientHash(address), xxhash.Sum64(b[:]); got != want {
			t.Fatalf("%s: %#x, want %#x", address, got, want)
		}
	}
}

// TestHashOfMaskedClient: the bits that are masked do not matter, all others do, with any mask.
func TestHashOfMaskedClient(t *testing.T) {
	if got, want := maskedHash(netip.Addr{}, 24, 56), xxhash.Sum64(make([]byte, 16)); got != want {
		t.Errorf("no address: %#x, want %#x", got, want)
	}
	r := rand.New(rand.NewPCG(8, 8))
	for mask := range 129 {
		for range 20 {
			var b [16]byte
			for j := range b {
				b[j] = byte(r.Uint32())
			}
			four, six := netip.AddrFrom4([4]byte(b[:])), netip.AddrFrom16(b)
			for _, a := range []netip.Addr{four, six} {
				masked := netip.PrefixFrom(a, min(mask, a.BitLen())).Masked().Addr().As16()
				if got, want := maskedHash(a, min(mask, 32), mask), xxhash.Sum64(masked[:]); got != want {
					t.Fatalf("%s/%d: %#x, want %#x", a, mask, got, want)
				}
			}
		}
	}
}
