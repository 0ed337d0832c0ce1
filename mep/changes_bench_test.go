package mep

import (
	"fmt"
	mathrand "math/rand/v2"
	"testing"
	"time"
)

// BenchmarkRound makes and takes rounds of 1,000 services that all change.
func BenchmarkRound(b *testing.B) {
	rng := mathrand.New(mathrand.NewPCG(7, 7))
	enc := newEncoder("ams", time.Second)
	m := new(mirror)
	var now time.Duration
	s := &sight{incarnation: 1, hops: maxHops, floor: noFloor}
	var sources []*source
	for i := range 1000 {
		sources = append(sources, newSource(rng, fmt.Sprintf("service-%04d", i)))
		s.records = append(s.records, sources[i].record)
	}
	var tell, take time.Duration
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		now += time.Second
		for i, src := range sources {
			src.walk(rng, now)
			s.records[i] = src.record
		}
		s.set++
		b.StartTimer()
		began := time.Now()
		enc.begin(now)
		enc.tell(enc.own, s)
		enc.refresh()
		parts := enc.finish()
		told := time.Now()
		var flags uint8
		if n == 0 {
			flags = flagAnew
		}
		if _, sane, err := m.take(parts[0], flags, now, allowAll); err != nil || !sane {
			b.Fatal(sane, err)
		}
		m.hand(m.table.byName["ams"])
		tell, take = tell+told.Sub(began), take+time.Since(told)
	}
	b.ReportMetric(float64(tell.Microseconds())/float64(b.N), "µs-to-tell")
	b.ReportMetric(float64(take.Microseconds())/float64(b.N), "µs-to-take")
}
