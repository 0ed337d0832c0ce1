package geodata

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// manyPrefixes writes a file with IPv4 prefixes one behind the other: places of them, all different, in turn.
func manyPrefixes(b *testing.B, prefixes, places int) string {
	path := filepath.Join(b.TempDir(), "many.csv")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w, rng := bufio.NewWriterSize(f, 1<<20), rand.New(rand.NewPCG(1, 2))
	fmt.Fprint(w, netscalerHead)
	step := uint64(1<<32) / uint64(prefixes)
	for i := range uint64(prefixes) {
		first := Key{Lo: i * step}
		n := rng.IntN(places)
		fmt.Fprintf(w, "%s,%s,EU,NL,R%d,City %d,,,%.4f,%.4f\n", first.Addr(true), Key{Lo: first.Lo + step - 1 - i%2}.Addr(true),
			n%400, n%90000, float64(n*7%3600000)/10000-180, float64(n*13%1800000)/10000-90)
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}

func BenchmarkLoad(b *testing.B) {
	for _, c := range []struct {
		name             string
		prefixes, places int
	}{{"4M-prefixes", 4_000_000, 200_000}, {"4M-places", 4_000_000, 4_000_000}} {
		b.Run(c.name, func(b *testing.B) {
			path := manyPrefixes(b, c.prefixes, c.places)
			b.ResetTimer()
			for range b.N {
				table, err := Load(context.Background(), []File{{Path: path, Format: NetScaler}})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(table.Bytes())/1e6, "MB-kept")
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				b.ReportMetric(float64(m.HeapSys)/1e6, "MB-heap")
			}
		})
	}
}

// BenchmarkNewRanges makes Ranges of the worst places: time and memory grow with the number of ranges and no faster.
func BenchmarkNewRanges(b *testing.B) {
	for _, name := range slices.Sorted(maps.Keys(worst)) {
		for _, n := range []int{8_000, 64_000} {
			edges := make([]Key, n)
			for i := range edges {
				edges[i] = worst[name].edge(i)
			}
			value, is4 := uint32(0), worst[name].is4
			spans := spansOf(edges, is4, func() uint32 { value++; return value })
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					rangesOf(spans, is4)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(spans)), "ns/range")
			})
		}
	}
}

// tables has one of 4,000,000 spans of each kind: those of prefixes as files have them, ranges without order, and IPv6 with
// ranges that end in the last bits.
func tables(n int) map[string]*Ranges {
	rng := rand.New(rand.NewPCG(1, 2))
	var even4, even6, odd6 []Span
	for i := range uint64(n) {
		value := 1 + uint32(i%999)
		step := 1 << 32 / uint64(n)
		even4 = append(even4, Span{Key{Lo: i * step}, Key{Lo: i*step + step - 1}, value})
		hi := 0x2000<<48 + i*(0x2000<<48/uint64(n)) // 2000::/3
		even6 = append(even6, Span{Key{Hi: hi &^ 0xffff}, Key{Hi: hi | 0xffff, Lo: maxKey6.Lo}, value})
		odd6 = append(odd6, Span{Key{Hi: hi}, Key{Hi: hi + 1<<38, Lo: 1}, value})
	}
	return map[string]*Ranges{
		"IPv4-4M": NewRanges(even4, nil), "IPv4-4M-random": NewRanges(spansAt(n, func() Key { return Key{Lo: uint64(rng.Uint32())} }), nil),
		"IPv6-4M": NewRanges(nil, even6), "IPv6-4M-random": NewRanges(nil, spansAt(n, func() Key {
			return Key{Hi: 0x2000<<48 + rng.Uint64N(0x2000<<48)&^0xffff}
		})), "IPv6-4M-odd": NewRanges(nil, odd6),
	}
}

// spansAt makes spans that touch, with n random edges.
func spansAt(n int, edge func() Key) []Span {
	edges := make([]Key, n)
	for i := range edges {
		edges[i] = edge()
	}
	slices.SortFunc(edges, Key.Compare)
	edges = slices.Compact(edges)
	out := make([]Span, len(edges)-1)
	for i := range out {
		out[i] = Span{edges[i], edges[i+1].Before(), 1 + uint32(i%999)}
	}
	return out
}

// step is a generator of numbers that costs about a nanosecond.
func step(x uint64) uint64 { return x*6364136223846793005 + 1442695040888963407 }

// addressFor makes an address of a table of a number.
func addressFor(is4 bool, x uint64) netip.Addr {
	if is4 {
		return Key{Lo: x >> 32}.Addr(true)
	}
	return Key{Hi: 0x2000<<48 + x>>3, Lo: x * 31}.Addr(false)
}

// BenchmarkLookup looks addresses up in large tables: a few that stay in the caches, random ones of which none waits for the
// one before, and random ones of which each follows from what the one before gave. The last is ruled by how long the
// machine takes to read memory: chase is one such read, from as much memory. All addresses are made before: what makes them
// would be in the way of what is measured.
func BenchmarkLookup(b *testing.B) {
	all := tables(4_000_000)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		r, is4 := all[name], strings.HasPrefix(name, "IPv4")
		ring := make([]netip.Addr, 1<<20)
		x := uint64(1)
		for i := range ring {
			x = step(x)
			ring[i] = addressFor(is4, x)
		}
		b.Run(name+"/cached", func(b *testing.B) { lookUp(b, r, ring[:1<<10]) })
		b.Run(name+"/independent", func(b *testing.B) { lookUp(b, r, ring) })
		b.Run(name+"/dependent", func(b *testing.B) { lookUpInTurn(b, r, ring) })
		b.Run(name+"/chase", func(b *testing.B) { chase(b, r.Bytes()) })
	}
}

func lookUp(b *testing.B, r *Ranges, ring []netip.Addr) {
	b.ReportAllocs()
	sum := uint64(0)
	for left := b.N; left > 0; left -= len(ring) {
		for _, a := range ring[:min(left, len(ring))] {
			v, bits := r.Lookup(a)
			sum += uint64(v) + uint64(bits)
		}
	}
	runtime.KeepAlive(sum)
	b.ReportMetric(float64(r.Bytes())/float64(r.Len()), "B/range")
}

// lookUpInTurn looks addresses up of which each is known only when the one before is found: its value says how many of the
// ring to leave out. The ring's length is a power of 2.
func lookUpInTurn(b *testing.B, r *Ranges, ring []netip.Addr) {
	b.ReportAllocs()
	at, sum := 0, 0
	for range b.N {
		v, bits := r.Lookup(ring[at])
		sum += bits
		at = (at + 1 + int(v&7)) & (len(ring) - 1)
	}
	runtime.KeepAlive(sum)
}

// chase reads one line of the cache after the other, of octets of memory, each at a place that the one before says.
func chase(b *testing.B, octets int) {
	lines := make([][8]uint64, octets/64)
	order := rand.New(rand.NewPCG(1, 2)).Perm(len(lines))
	for i, at := range order {
		lines[at][0] = uint64(order[(i+1)%len(order)])
	}
	b.ResetTimer()
	at := uint64(0)
	for range b.N {
		at = lines[at][0]
	}
	runtime.KeepAlive(at)
}
