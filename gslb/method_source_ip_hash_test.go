package gslb

import (
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"testing"

	"fairlead/config"
)

// TestDrawsAmongMany: what only looks at the draws that may be the best chooses as what compares all of them.
func TestDrawsAmongMany(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, tt := range []struct {
		name   string
		n      int
		weight func(i int) int
	}{
		{"one", 1, func(int) int { return 7 }},
		{"equal", 333, func(int) int { return 1 }},
		{"two kinds", 500, func(i int) int { return 1 + i%2*99 }},
		{"all different", 101, func(i int) int { return i + 1 }},
		{"random", 130, func(int) int { return 1 + r.IntN(100) }},
		{"as far apart as can be", 66, func(i int) int { return 1 + i%3*(maxWeight-1)/2 }},
	} {
		f := &field{}
		for i := range tt.n {
			f.contenders = append(f.contenders, contender{service: ServiceIndex(i), weight: uint32(tt.weight(i)), seed: r.Uint64() >> (i % 2 * 62)}) // some have the same
		}
		f.even = reduceWeights(f.contenders)
		w := newDraws(f.contenders)
		for range 20_000 {
			client := r.Uint64()
			want := f.bestWeighted(client)
			if got := w.best(client); got != want || f.bestDraw(client) != want {
				t.Fatalf("%s: client %#x: got %d and %d, want %d", tt.name, client, got, f.bestDraw(client), want)
			}
		}
	}
}

// undraw returns the seed that makes a client draw h.
func undraw(client, h uint64) uint64 {
	inverse := func(x uint64) uint64 { // of an odd number, modulo 2^64
		y := x
		for range 6 {
			y *= 2 - x*y
		}
		return y
	}
	h = halfMix(h) * inverse(drawMix2)
	h = halfMix(h) * inverse(drawMix1)
	return bits.RotateLeft64(halfMix(h)^client, 32)
}

// TestDrawsThatAreClose: of draws with the same logarithm the first wins, not the greatest.
func TestDrawsThatAreClose(t *testing.T) {
	const client, high = 0x0123456789abcdef, 0xffff_0000_0000_0000
	for _, apart := range []uint64{0, 1, 1 << 20, 1 << 31, 1 << 33, 1 << 35, 1 << 40} {
		for _, first := range []int{3, 30} {
			f := &field{even: true}
			for i := range 40 {
				f.contenders = append(f.contenders, contender{weight: 1, seed: undraw(client, uint64(i))})
			}
			f.contenders[first].seed, f.contenders[20].seed = undraw(client, high), undraw(client, high+apart)
			if got := draw(client, f.contenders[20].seed); got != high+apart {
				t.Fatalf("undraw is wrong: %#x", got)
			}
			if got, want := newDraws(f.contenders).best(client), f.bestWeighted(client); got != want {
				t.Errorf("draws %#x apart, the less at %d: got %d, want %d", apart, first, got, want)
			}
		}
	}
}

// FuzzDraws looks for a client for whom the bound turns the best draw away.
func FuzzDraws(f *testing.F) {
	f.Add(uint64(1), uint64(2), uint32(3), uint32(4))
	f.Add(^uint64(0), uint64(0), uint32(1), uint32(maxWeight))
	f.Fuzz(func(t *testing.T, client, seed uint64, a, b uint32) {
		in := &field{}
		for i := range uint64(20) {
			weight := max(1, a)
			if i%3 == 0 {
				weight = max(1, b)
			}
			in.contenders = append(in.contenders, contender{weight: weight, seed: seed + i*i})
		}
		if got, want := newDraws(in.contenders).best(client), in.bestWeighted(client); got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	})
}

// TestLeastForBounds: whoever is as good as the best passes, however the draws and weights are.
func TestLeastForBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 1_000_000 {
		h := ^(r.Uint64() >> r.IntN(64))
		at := drawing{best: 1, cost: negLog2(h), weight: uint64(1 + r.IntN(100))}
		least := at.leastFor(at.weight)
		if h>>31<<31 < least {
			t.Fatalf("draw %#x does not reach its own bound %#x", h, least)
		}
	}
}

// hashClients is networks that ask: the one of rank n as often as 1/n.
func hashClients(networks, queries int) []uint32 {
	sums := make([]float64, networks)
	sum := 0.0
	for i := range sums {
		sum += 1 / float64(i+1)
		sums[i] = sum
	}
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]uint32, queries)
	for i := range out {
		x, low, high := r.Float64()*sum, 0, networks-1
		for low < high {
			if middle := (low + high) / 2; sums[middle] < x {
				low = middle + 1
			} else {
				high = middle
			}
		}
		out[i] = uint32(low)
	}
	return out
}

// BenchmarkSourceIPHash tells a network that asks for the first time from 100,000 of which the one of rank n asks as often as
// 1/n, after they have asked a million times.
func BenchmarkSourceIPHash(b *testing.B) {
	known := hashClients(100_000, 1<<20)
	for _, n := range []struct {
		name    string
		members int
	}{{"4", 4}, {"64", 64}, {"512", 512}, {"1000", 1000}} {
		for _, crowd := range []string{"first", "zipf"} {
			b.Run(crowd+"/"+n.name, func(b *testing.B) {
				s, l := benchWorld(config.SourceIPHashing, n.members).snapshot(b)
				d := &Decider{Query: benchQuery}
				ask := func(network uint32) {
					d.Query.Subnet = netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(16 + network>>16&0x3f), byte(network >> 8), byte(network), 0}), 24)
					d.Decide(s, l, epoch, nil)
				}
				at := 0
				if crowd == "zipf" {
					for _, network := range known {
						ask(network)
					}
				}
				b.ReportAllocs()
				for b.Loop() {
					if at++; crowd == "zipf" {
						ask(known[at%len(known)])
					} else {
						ask(uint32(at))
					}
				}
			})
		}
	}
}

// TestHashedMemoTellsClientsApart: hashes that differ in any one bit are different clients.
func TestHashedMemoTellsClientsApart(t *testing.T) {
	m, client := &hashedMemo{claim: claim{of: &newAllowances().hashed}}, uint64(0x0123456789abcdef)
	m.add(client, 3)
	if got := m.find(client); got != 3 {
		t.Errorf("got %d, want 3", got)
	}
	for bit := range 64 {
		if got := m.find(client ^ 1<<bit); got != none {
			t.Errorf("bit %d differs: got %d", bit, got)
		}
	}
}
