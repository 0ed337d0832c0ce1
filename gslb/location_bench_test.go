package gslb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"fairlead/config/geodata"
)

// manyPlaces loads a table of prefixes with one of many places each, by family.
func manyPlaces(b *testing.B, prefixes, places int, is4 bool) *geodata.Table {
	path := filepath.Join(b.TempDir(), "many.csv")
	var text strings.Builder
	text.WriteString("NSGEO1.0\nStart\n")
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range uint64(prefixes) {
		n := rng.IntN(places)
		first, last := geodata.Key{Lo: i << 10}, geodata.Key{Lo: i<<10 + 1023}
		if !is4 {
			first = geodata.Key{Hi: 0x2000<<48 + i<<39} // 2000::/3
			last = geodata.Key{Hi: first.Hi + 1<<39 - 1, Lo: 1<<64 - 1}
		}
		fmt.Fprintf(&text, "%s,%s,EU,NL,R%d,City %d,,,%.4f,%.4f\n", first.Addr(is4), last.Addr(is4), n%400, n%90000, float64(n*7%3600000)/10000-180, float64(n*13%1800000)/10000-90)
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	format := geodata.NetScaler
	if !is4 {
		format = geodata.NetScaler6
	}
	geo, err := geodata.Load(context.Background(), []geodata.File{{Path: path, Format: format}})
	if err != nil {
		b.Fatal(err)
	}
	return geo
}

// BenchmarkLocations compiles large tables into regions, and finds the regions of clients: of a few that stay in the caches,
// of random ones of whom none waits for the one before, and of random ones of whom each does.
func BenchmarkLocations(b *testing.B) {
	w := newWorld()
	for i := range 8 {
		w.site(fmt.Sprint("s", i), "EU.NL", float64(i*20-70), float64(i*40-150))
	}
	for _, c := range []struct {
		name   string
		places int
		is4    bool
	}{{"IPv4-4M", 200_000, true}, {"IPv4-4M-places", 4_000_000, true}, {"IPv6-4M", 200_000, false}} {
		b.Run(c.name, func(b *testing.B) {
			geo := manyPlaces(b, 4_000_000, c.places, c.is4)
			var l *locations
			b.Run("compile", func(b *testing.B) {
				for range b.N {
					l = buildLocations(b, w, geo)
				}
				b.ReportMetric(float64(l.ranges.Bytes())/1e6, "MB-kept")
				b.ReportMetric(float64(len(l.regions)), "regions")
				b.ReportMetric(float64(l.ranges.Len()), "ranges")
			})
			if l == nil {
				l = buildLocations(b, w, geo)
			}
			ring := make([]netip.Addr, 1<<20)
			rng := rand.New(rand.NewPCG(3, 4))
			for i := range ring {
				if ring[i] = (geodata.Key{Lo: uint64(rng.Uint32())}).Addr(true); !c.is4 {
					ring[i] = geodata.Key{Hi: 0x2000<<48 + rng.Uint64N(1<<61), Lo: rng.Uint64()}.Addr(false)
				}
			}
			b.Run("find-cached", func(b *testing.B) { findRegions(b, l, ring[:1<<10]) })
			b.Run("find-independent", func(b *testing.B) { findRegions(b, l, ring) })
			b.Run("find-dependent", func(b *testing.B) { findRegionsInTurn(b, l, c.is4) })
		})
	}
}

// findRegions finds the regions of clients, and how close one site is to them.
func findRegions(b *testing.B, l *locations, ring []netip.Addr) {
	b.ReportAllocs()
	sum := uint32(0)
	for i := range b.N {
		r, bits := l.find(ring[i%len(ring)])
		if sum += uint32(bits); r != nil {
			sum += r.closeness[0]
		}
	}
	runtime.KeepAlive(sum)
}

// findRegionsInTurn is findRegions for random clients, of whom each follows from what was found of the one before.
func findRegionsInTurn(b *testing.B, l *locations, is4 bool) {
	b.ReportAllocs()
	sum, x := uint64(0), uint64(1)
	for range b.N {
		x = x*6364136223846793005 + 1442695040888963407
		k := geodata.Key{Lo: (x ^ sum<<32) >> 32}
		if !is4 {
			k = geodata.Key{Hi: 0x2000<<48 + (x^sum<<32)>>3, Lo: x}
		}
		r, bits := l.find(k.Addr(is4))
		if sum += uint64(bits); r != nil {
			sum += uint64(r.closeness[0])
		}
	}
	runtime.KeepAlive(sum)
}
