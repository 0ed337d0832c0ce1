package geodata

import (
	"net/netip"
	"testing"
)

func TestKeyOf(t *testing.T) {
	for _, c := range []struct {
		name string
		of   netip.Addr
		want Key
	}{
		{"no address", netip.Addr{}, Key{}},
		{"IPv4", netip.MustParseAddr("192.0.2.254"), Key{Lo: 0xc000_02fe}},
		{"IPv6", netip.MustParseAddr("2001:db8:102:304:506:708:90a:b0c"), Key{0x2001_0db8_0102_0304, 0x0506_0708_090a_0b0c}},
		{"IPv4-mapped", netip.MustParseAddr("::ffff:192.0.2.254"), Key{Lo: 0xffff_c000_02fe}},
		{"with a zone", netip.MustParseAddr("fe80::1%eth0"), Key{0xfe80 << 48, 1}},
	} {
		if got := KeyOf(c.of); got != c.want {
			t.Errorf("%s: got %x, want %x", c.name, got, c.want)
		}
		n := testing.AllocsPerRun(10, func() { KeyOf(c.of) })
		if n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}

// TestLookupOfNoAddress: it is looked up as the first of IPv6.
func TestLookupOfNoAddress(t *testing.T) {
	all := []Span{{Key{}, maxKey6, 7}}
	if got, _ := NewRanges(nil, all).Lookup(netip.Addr{}); got != 7 {
		t.Errorf("got %d, want 7", got)
	}
}
