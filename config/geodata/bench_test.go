package geodata

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
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
	}{{"4M-prefixes", 4_000_000, 200_000}} {
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

func BenchmarkLookup(b *testing.B) {
	const n = 4_000_000
	rng := rand.New(rand.NewPCG(1, 2))
	v4, v6 := make([]Span, 0, n), make([]Span, 0, n)
	for i := range uint64(n) {
		const step = 1 << 32 / n
		v4 = append(v4, Span{Key{Lo: i * step}, Key{Lo: i*step + step - 1}, 1 + uint32(i%999)})
		hi := 0x2000<<48 + i*(0x2000<<48/n) // 2000::/3
		v6 = append(v6, Span{Key{Hi: hi}, Key{Hi: hi + 1<<38, Lo: 1}, 1 + uint32(i%999)})
	}
	r := NewRanges(v4, v6)
	ask := func(b *testing.B, make func() netip.Addr) {
		addrs := [1 << 12]netip.Addr{}
		for i := range addrs {
			addrs[i] = make()
		}
		b.ReportAllocs()
		b.ResetTimer()
		sum := uint32(0)
		for i := range b.N {
			v, bits := r.Lookup(addrs[i%len(addrs)])
			sum += v + uint32(bits)
		}
		runtime.KeepAlive(sum)
	}
	b.Run("IPv4-4M", func(b *testing.B) { ask(b, func() netip.Addr { return Key{Lo: uint64(rng.Uint32())}.Addr(true) }) })
	b.Run("IPv6-4M", func(b *testing.B) {
		ask(b, func() netip.Addr { return Key{Hi: 0x2000<<48 + rng.Uint64N(0x2000<<48), Lo: rng.Uint64()}.Addr(false) })
	})
}
