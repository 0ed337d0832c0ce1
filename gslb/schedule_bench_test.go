package gslb

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkRotation is what the turns of 1,024 members cost.
func BenchmarkRotation(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 5))
	for _, c := range []struct {
		name   string
		weight func() uint32
	}{
		{"equal", func() uint32 { return 1 }},
		{"to-100", func() uint32 { return 1 + r.Uint32N(100) }},
		{"two", func() uint32 { return 99 + r.Uint32N(2) }},
		{"heavy-and-light", func() uint32 { return []uint32{1, 100}[r.Uint32N(2)] }},
	} {
		weights := make([]uint32, 1024)
		for i := range weights {
			weights[i] = c.weight()
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rotation(weights)
			}
		})
	}
}

// BenchmarkStateChange is a snapshot in which one of 1,024 members with weights from 1 to 100 is in another state.
func BenchmarkStateChange(b *testing.B) {
	for _, m := range benchMethods {
		b.Run(string(m), func(b *testing.B) {
			w := benchWorld(m, 1024)
			for i := range w.doc.VirtualServers[0].Members {
				w.doc.VirtualServers[0].Members[i].Weight = 1 + i*37%100
			}
			s, _ := w.snapshot(b)
			states := [2]*Status{s.Status, withState(s.Status, 700, Down)}
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				n++
				s = NewSnapshot(s.Generation+1, s.Plan, states[n%2], s)
			}
		})
	}
}
