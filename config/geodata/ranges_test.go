package geodata

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// obvious is the slow twin: the narrowest span that holds the address.
func obvious(spans []Span, k Key) uint32 {
	best, found := Span{}, false
	for _, s := range spans {
		if k.Less(s.First) || s.Last.Less(k) {
			continue
		}
		if !found || !best.Last.minus(best.First).Less(s.Last.minus(s.First)) {
			best, found = s, true
		}
	}
	return best.Value
}

// around makes numbers that are close together, so that spans overlap in every way, at the ends of the family too.
func around(rng *rand.Rand, is4 bool) Key {
	base := []Key{{}, {Lo: 1 << 20}, maxKey4}
	if !is4 {
		base = []Key{{}, {Hi: 0x2001_0db8_0000_0000}, {Hi: 0x2001_0db8_0000_0000, Lo: 1 << 63}, maxKey6}
	}
	k := base[rng.IntN(len(base))]
	d := Key{Lo: rng.Uint64N(40)}
	if k == maxKey4 || k == maxKey6 {
		return k.minus(d)
	}
	return Key{k.Hi, k.Lo + d.Lo}
}

func TestRangesAgreeWithTheObvious(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 400 {
		for _, is4 := range []bool{true, false} {
			spans := make([]Span, rng.IntN(12))
			for i := range spans {
				a, b := around(rng, is4), around(rng, is4)
				if b.Less(a) {
					a, b = b, a
				}
				spans[i] = Span{a, b, 1 + rng.Uint32N(3)}
			}
			flat := Flatten(append([]Span(nil), spans...))
			if !disjoint(flat) {
				t.Fatalf("round %d: %v overlap", round, flat)
			}
			r := rangesOf(flat, is4)
			for range 60 {
				k := around(rng, is4)
				got, bits := r.Lookup(k.Addr(is4))
				if want := obvious(spans, k); got != want {
					t.Fatalf("round %d: %v in %v: got %d, want %d", round, k.Addr(is4), spans, got, want)
				}
				checkWidth(t, r, k.Addr(is4), bits)
			}
		}
	}
}

// checkWidth holds that the prefix has one value, and that the next wider one has not, or is not all in the same range.
func checkWidth(t *testing.T, r *Ranges, a netip.Addr, bits int) {
	t.Helper()
	first, last := r.Range(a)
	inside := func(n int) bool {
		p, err := a.Prefix(n)
		if err != nil {
			return false
		}
		f, l := PrefixRange(p)
		return !f.Less(KeyOf(first)) && !KeyOf(last).Less(l)
	}
	if !inside(bits) {
		t.Fatalf("%v/%d is not inside %v to %v", a, bits, first, last)
	}
	if bits > 0 && inside(bits-1) {
		t.Fatalf("%v/%d could be wider: the range is %v to %v", a, bits, first, last)
	}
}

func TestLongestPrefixWins(t *testing.T) {
	prefixes := []string{"10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "0.0.0.0/0", "255.255.255.255/32"}
	var spans []Span
	for i, p := range prefixes {
		first, last := PrefixRange(netip.MustParsePrefix(p))
		spans = append(spans, Span{first, last, uint32(i + 1)})
	}
	r := NewRanges(Flatten(spans), nil)
	for _, c := range []struct {
		addr  string
		value uint32
		bits  int
	}{
		{"10.1.2.3", 3, 24}, {"10.1.3.3", 2, 24}, {"10.1.128.0", 2, 17}, {"10.2.0.1", 1, 15}, {"11.0.0.1", 4, 8},
		{"255.255.255.255", 5, 32}, {"128.0.0.1", 4, 2},
	} {
		value, bits := r.Lookup(netip.MustParseAddr(c.addr))
		if value != c.value || bits != c.bits {
			t.Errorf("%s: got value %d in /%d, want %d in /%d", c.addr, value, bits, c.value, c.bits)
		}
	}
}

func TestOverlay(t *testing.T) {
	span := func(first, last uint64, v uint32) Span { return Span{Key{Lo: first}, Key{Lo: last}, v} }
	a := []Span{span(0, 4, 1), span(10, 20, 2)}
	b := []Span{span(3, 12, 10), span(20, 20, 20), span(30, 31, 30)}
	got := Overlay(a, b, func(x, y uint32) uint32 { return x + y })
	want := []Span{span(0, 2, 1), span(3, 4, 11), span(5, 9, 10), span(10, 12, 12), span(13, 19, 2), span(20, 20, 22), span(30, 31, 30)}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	end := []Span{{Key{}, maxKey6, 1}}
	if got := Overlay(end, end, func(x, y uint32) uint32 { return x }); len(got) != 1 || got[0] != end[0] {
		t.Errorf("the whole of a family: got %v", got)
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	first, last := PrefixRange(netip.MustParsePrefix("2001:db8::/32"))
	r := NewRanges([]Span{{Key{Lo: 5}, Key{Lo: 9}, 1}}, []Span{{first, last, 2}})
	a, b := netip.MustParseAddr("0.0.0.7"), netip.MustParseAddr("2001:db8::1")
	if n := testing.AllocsPerRun(100, func() { r.Lookup(a); r.Lookup(b) }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}
