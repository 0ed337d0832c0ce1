package geodata

import (
	"flag"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sort"
	"testing"
)

var (
	worlds = flag.Int("worlds", 500, "random sets of ranges that are compared with their twins")
	crowd  = flag.Int("crowd", 4_000, "ranges in each of the worst places")
)

// crowds makes edges that share leading bits with others, of which groups have no other bits up to some length, as the
// prefixes in files have.
func crowds(rng *rand.Rand, is4 bool, most int) []Key {
	random := func(length int) Key { return Key{rng.Uint64(), rng.Uint64()}.leading(length) }
	total := 128
	if is4 {
		total = 32
	}
	out := []Key{}
	for len(out) < most {
		shared := rng.IntN(total + 1)
		length := shared + rng.IntN(total+1-shared)
		prefix := random(shared)
		for range 1 + rng.IntN(1+most/2) {
			r := random(length)
			out = append(out, Key{prefix.Hi | r.Hi&(maxKey6.Hi>>shared), prefix.Lo | r.Lo&(maxKey6.Lo>>max(shared-64, 0))})
			if rng.IntN(3) == 0 { // the end of a small one
				out = append(out, out[len(out)-1].filled(length).After())
			}
		}
	}
	return out
}

// spansOf makes spans of which each begins at an edge and most end at the next. It may leave some out.
func spansOf(edges []Key, is4 bool, value func() uint32) []Span {
	end := LastKey(is4)
	for i := range edges {
		if is4 {
			edges[i] = Key{Lo: edges[i].Hi >> 32}
		}
	}
	slices.SortFunc(edges, Key.Compare)
	edges = slices.Compact(edges)
	var out []Span
	for i, first := range edges {
		last := end
		if i+1 < len(edges) {
			last = edges[i+1].Before()
		}
		out = AppendSpan(out, Span{first, last, value()})
	}
	return out
}

// twin is what Ranges should know, found by looking at all spans.
func twin(spans []Span, k, end Key) (value uint32, first, last Key) {
	last = end
	for _, s := range spans {
		switch {
		case s.Last.Less(k):
			first = s.Last.After()
		case k.Less(s.First):
			return 0, first, s.First.Before()
		default:
			return s.Value, s.First, s.Last
		}
	}
	return 0, first, last
}

// twinWidth is the length of the widest prefix around k between first and last.
func twinWidth(k, first, last Key, is4 bool) int {
	total := 128
	if is4 {
		total = 32
	}
	return sort.Search(total, func(wide int) bool { // a prefix has all of those inside it
		f, l := PrefixRange(netip.PrefixFrom(k.Addr(is4), wide))
		return !f.Less(first) && !last.Less(l)
	})
}

// rangesOf makes Ranges of spans of one family.
func rangesOf(spans []Span, is4 bool) *Ranges {
	if is4 {
		return NewRanges(spans, nil)
	}
	return NewRanges(nil, spans)
}

// checkRanges compares Ranges of spans of one family with the twin, at and around all edges and at other places.
func checkRanges(t *testing.T, rng *rand.Rand, spans []Span, is4 bool) *Ranges {
	t.Helper()
	r, all := rangesOf(spans, is4), (*Ranges).Spans6
	if is4 {
		all = (*Ranges).Spans4
	}
	if got := slices.Collect(all(r)); !slices.Equal(got, spans) {
		t.Fatalf("spans\ngot  %v\nwant %v", got, spans)
	}
	end := LastKey(is4)
	ask := []Key{{}, end, {Lo: rng.Uint64() & end.Lo, Hi: rng.Uint64() & end.Hi}}
	for i := range min(len(spans), 60) {
		s := spans[i*len(spans)/min(len(spans), 60)]
		flip := Key{Lo: s.First.Lo ^ 1<<rng.IntN(64)&end.Lo, Hi: s.First.Hi ^ 1<<rng.IntN(64)&end.Hi}
		ask = append(ask, s.First, s.Last, flip)
		if s.First != (Key{}) {
			ask = append(ask, s.First.Before())
		}
		if s.Last != end {
			ask = append(ask, s.Last.After())
		}
	}
	for _, k := range ask {
		a := k.Addr(is4)
		value, first, last := twin(spans, k, end)
		wide := twinWidth(k, first, last, is4)
		if gotValue, gotWide := r.Lookup(a); gotValue != value || gotWide != wide {
			t.Fatalf("%v: got value %d in /%d, want %d in /%d; spans %v", a, gotValue, gotWide, value, wide, spans)
		}
		if f, l := r.Range(a); KeyOf(f) != first || KeyOf(l) != last {
			t.Fatalf("%v: got the range %v to %v, want %v to %v", a, f, l, first.Addr(is4), last.Addr(is4))
		}
	}
	return r
}

func TestCellsAgreeWithTheirTwin(t *testing.T) {
	seen := [kindIndex + 1]int{}
	for seed := range uint64(*worlds) {
		rng := rand.New(rand.NewPCG(seed, 5))
		is4 := seed%2 == 0
		values := 1 + rng.Uint32N(5)
		spans := spansOf(crowds(rng, is4, rng.IntN(120)), is4, func() uint32 { return rng.Uint32N(1 + values) })
		r := checkRanges(t, rng, spans, is4)
		for _, cells := range [][]cell{r.v4.root, r.v4.more, r.v6.root, r.v6.more} {
			for i := range cells {
				if cells[i][sizeAt] > 0 {
					seen[cells[i][kindAt]]++
				}
			}
		}
		if most := 3*cellBytes*r.Len() + 1024; r.Bytes() > most {
			t.Fatalf("seed %d: %d octets for %d ranges, want at most %d", seed, r.Bytes(), r.Len(), most)
		}
	}
	for kind, n := range seen {
		if n < 100 {
			t.Errorf("only %d cells of kind %d were looked at", n, kind)
		}
	}
}

// worst are the worst places for ranges: the edges of each, of which there may be any number.
var worst = map[string]struct {
	is4  bool
	edge func(i int) Key
}{
	"addresses in a row":       {true, func(i int) Key { return Key{Hi: (10<<24 + uint64(i)) << 32} }},
	"IPv6 addresses in a row":  {false, func(i int) Key { return Key{Hi: 0x2001_0db8 << 32, Lo: uint64(i)} }},
	"ever closer to an end":    {false, func(i int) Key { return maxKey6.leading(i % 128) }},
	"ever closer to the start": {false, func(i int) Key { return Key{}.with(1, i%128, 1) }},
	"ever closer, then a row": {false, func(i int) Key {
		if i < 127 {
			return maxKey6.leading(i)
		}
		return maxKey6.minus(Key{Lo: 1<<24 - uint64(i)})
	}},
	"ever closer, everywhere": {false, func(i int) Key { return Key{Hi: uint64(i/100) << 48}.with(1, 20+i%100, 1) }},
	"across the middle":       {false, func(i int) Key { return Key{Hi: 0x2001_0db8<<32 | uint64(i)<<11, Lo: uint64(i&63) << 58} }},
	"pairs far apart":         {false, func(i int) Key { return Key{Hi: uint64(i/2) << 40, Lo: uint64(i % 2)} }},
	"threes far apart":        {false, func(i int) Key { return Key{Hi: uint64(i/3) << 40, Lo: uint64(i % 3)} }},
}

// TestCrowdedRanges holds that memory stays bounded, and answers right, where ranges are in the worst places.
func TestCrowdedRanges(t *testing.T) {
	for name, c := range worst {
		t.Run(name, func(t *testing.T) {
			rng, value := rand.New(rand.NewPCG(1, 2)), uint32(0)
			edges := make([]Key, *crowd)
			for i := range edges {
				edges[i] = c.edge(i)
			}
			r := checkRanges(t, rng, spansOf(edges, c.is4, func() uint32 { value++; return value }), c.is4)
			if most := 3*cellBytes*r.Len() + 1024; r.Bytes() > most {
				t.Errorf("%d octets for %d ranges, want at most %d", r.Bytes(), r.Len(), most)
			}
		})
	}
}

// FuzzRanges compares Ranges with the twin. Each edge is made of the one before: how many of its bits stay, how many are
// taken from the input, and the value from there on.
func FuzzRanges(f *testing.F) {
	f.Add(true, []byte{0, 8, 10, 1, 8, 16, 1, 2, 16, 24, 1, 0})
	f.Add(false, []byte{0, 16, 0x20, 1, 16, 64, 1, 2, 64, 128, 1, 0, 64, 128, 2, 1, 64, 128, 3, 2, 20, 40, 5, 3})
	f.Fuzz(func(t *testing.T, is4 bool, in []byte) {
		const octetsEach, mostEdges = 4, 200
		var edges []Key
		var values []uint32
		var k Key
		for ; len(in) >= octetsEach && len(edges) < mostEdges; in = in[octetsEach:] {
			keep := int(in[0]) % 129
			width := min(int(in[1])%65, 128-keep)
			if k = k.leading(keep); width > 0 {
				k = k.with(uint64(in[2])*0x0101_0101_0101_0101&(1<<width-1), keep, width)
			}
			edges, values = append(edges, k), append(values, uint32(in[3]%4))
		}
		i := -1
		spans := spansOf(edges, is4, func() uint32 { i++; return values[i] })
		checkRanges(t, rand.New(rand.NewPCG(1, uint64(len(edges)))), spans, is4)
	})
}
