package gslb

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"fairlead/config"
)

// drawsBy is the draws of some members, and the best of them for a client by comparing all.
func drawsBy(members []drawer, weights []uint32) (w *draws, best func(client uint64) int) {
	var contenders []contender
	for i := range members {
		contenders = append(contenders, contender{service: ServiceIndex(i), weight: weights[i]})
	}
	reduceWeights(contenders)
	return drawsOf(members, contenders, sieveAllowance), func(client uint64) int {
		best, bestCost := 0, uint64(0)
		for i := range members {
			cost := negLog2(members[i].draw(client))
			if i == 0 || less(cost, uint64(contenders[i].weight), bestCost, uint64(contenders[best].weight)) {
				best, bestCost = i, cost
			}
		}
		return best
	}
}

// less reports whether one cost is less than another by weight.
func less(cost, weight, than, thanWeight uint64) bool {
	high, low := bits.Mul64(cost, thanWeight)
	thanHigh, thanLow := bits.Mul64(than, weight)
	return high < thanHigh || high == thanHigh && low < thanLow
}

// TestDrawsAmongMany: what only looks at the draws that may be the best chooses as what compares all of them.
func TestDrawsAmongMany(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, tt := range []struct {
		name   string
		n      int
		weight func(i int) int
	}{
		{"two", 2, func(int) int { return 7 }},
		{"few", 16, func(i int) int { return 1 + i%3 }},
		{"few, equal", 16, func(i int) int { return 1 }},
		{"one more", 17, func(int) int { return 1 }},
		{"a word", 64, func(int) int { return 1 }},
		{"equal", 333, func(int) int { return 1 }},
		{"a line", 512, func(int) int { return 1 }},
		{"many", 1000, func(int) int { return 1 }},
		{"many more", 5000, func(int) int { return 1 }},
		{"two kinds", 500, func(i int) int { return 1 + i%2*99 }},
		{"all different", 101, func(i int) int { return i + 1 }},
		{"random", 130, func(int) int { return 1 + r.IntN(100) }},
		{"random and many", 700, func(int) int { return 1 + r.IntN(100) }},
		{"as many as can be, random", 1024, func(int) int { return 1 + r.IntN(100) }},
		{"more than can be, random", 1600, func(int) int { return 1 + r.IntN(100) }},
		{"one more than a line", 513, func(int) int { return 1 }},
		{"the least with a line", wideFrom, func(i int) int { return 1 + i/(wideFrom-1)*99 }},
		{"one is much heavier than many", 1000, func(i int) int { return 1 + i/999*99 }},
		{"some are much heavier than many", 1023, func(i int) int { return 1 + i%10/9*99 }},
		{"one has nearly all of many", 1024, func(i int) int { return 1 + i/1023*1_000_000 }},
		{"each is as heavy as all after it", 200, func(i int) int { return 1 << min(i, 30) }},
		{"one over n", 1000, func(i int) int { return max(1, 100/(i+1)) }},
		{"one has nearly all", 300, func(i int) int { return 1 + i/299*1_000_000 }},
		{"as far apart as can be", 66, func(i int) int { return 1 + i%3*(maxWeight-1)/2 }},
	} {
		var members []drawer
		var weights []uint32
		for i := range tt.n {
			members = append(members, newDrawer(r.Uint64()>>(i%2*62))) // some have the same
			weights = append(weights, uint32(tt.weight(i)))
		}
		w, best := drawsBy(members, weights)
		for range 4_000_000 / (100 + tt.n) {
			client := r.Uint64()
			if got, want := w.best(client), best(client); got != want {
				t.Fatalf("%s: client %#x: got %d, want %d", tt.name, client, got, want)
			}
		}
	}
}

// TestSieveAsksForLess: when all whom the sieve finds may be worse than others, or there is nobody, it asks for fewer ones.
func TestSieveAsksForLess(t *testing.T) {
	for _, n := range []int{50, 100, 200} {
		var members []drawer
		weights := slices.Repeat([]uint32{1}, n)
		for i := range n {
			members = append(members, newDrawer(uint64(i)))
		}
		w, best := drawsBy(members, weights)
		r, again, calls, f := rand.New(rand.NewPCG(9, uint64(n))), 0, 20_000, found{}
		for range calls {
			client := r.Uint64()
			f.any = 0
			for i := range w.sieve.narrow {
				f.any |= setHalves((*[wideHalves]uint32)(f.halves[:]), 0, w.sieve.narrow[i].find(client, 0))
			}
			if w.sieve.wide != nil {
				w.sieve.find(client, 0, 0, &f)
			}
			if f.any != 0 {
				continue
			}
			again++
			if got, want := w.best(client), best(client); got != want {
				t.Fatalf("%d members, client %#x: got %d, want %d", n, client, got, want)
			}
		}
		if most := float64(calls) * math.Exp(-sieveFinds); again == 0 || float64(again) > most {
			t.Errorf("of %d members nobody was found %d times in %d, want some, and less than %.0f", n, again, calls, most)
		}
	}
}

// TestSieveFindsFew: whatever the weights are, not many more members draw than can be the best.
func TestSieveFindsFew(t *testing.T) {
	for _, tt := range []struct {
		name   string
		weight func(i int) uint32
	}{
		{"equal", func(int) uint32 { return 1 }},
		{"any", func(i int) uint32 { return uint32(1 + i*37%100) }},
		{"one is heavier", func(i int) uint32 { return uint32(1 + i/999*99) }},
		{"ten are heavier", func(i int) uint32 { return uint32(1 + i/990*99) }},
		{"a hundred are heavier", func(i int) uint32 { return uint32(1 + i/900*99) }},
		{"one has nearly all", func(i int) uint32 { return uint32(1 + i/999*1_000_000) }},
		{"one over n", func(i int) uint32 { return uint32(max(1, 100/(i+1))) }},
	} {
		var members []drawer
		var weights []uint32
		for i := range 1000 {
			members, weights = append(members, newDrawer(uint64(i))), append(weights, tt.weight(i))
		}
		w, _ := drawsBy(members, weights)
		r, draw, clients, f := rand.New(rand.NewPCG(4, 4)), 0, 2000, found{}
		for range clients {
			client := r.Uint64()
			for i := range w.sieve.narrow {
				draw += bits.OnesCount64(w.sieve.narrow[i].find(client, 0))
			}
			if w.sieve.wide == nil {
				continue
			}
			for w.sieve.find(client, 0, 0, &f); f.any != 0; draw++ {
				f.next()
			}
		}
		if got := float64(draw) / float64(clients); got < sieveFinds || got > 12 {
			t.Errorf("%s: %.1f of 1000 members draw for a client, want %.1f to 12", tt.name, got, sieveFinds)
		}
	}
}

// undraw returns the seed with which a member draws h for a client, but for its first bits.
func undraw(client, h uint64) uint64 {
	inverse := func(x uint64) uint64 { // of an odd number, modulo 2^64
		y := x
		for range 6 {
			y *= 2 - x*y
		}
		return y
	}
	half := func(h uint64) uint64 { return h ^ h>>33 }
	h = half(h) * inverse(drawMix2)
	h = half(h) * inverse(drawMix1)
	return bits.RotateLeft64(half(h)^client, 32)
}

// TestDrawsThatAreClose: of draws with the same logarithm the first wins, not the greatest.
func TestDrawsThatAreClose(t *testing.T) {
	const client, low = 0xff23456789abcdef, 0xfff0_0000_0000_0000 >> firstBits
	for _, apart := range []uint64{0, 1, 1 << 20, 1 << 31, 1 << 33, 1 << 35, 1 << 40} {
		for _, n := range []int{10, 40, 400} {
			for _, first := range []int{3, n - 1} {
				members := make([]drawer, n) // they choose no bits: the first bits are the client's alone
				for i := range n {
					members[i].seed = undraw(client, uint64(i)<<firstBits)
				}
				members[first].seed, members[5].seed = undraw(client, low<<firstBits), undraw(client, (low+apart)<<firstBits)
				if got, want := members[5].draw(client), uint64(firstMask|low+apart); got != want {
					t.Fatalf("undraw is wrong: %#x, want %#x", got, want)
				}
				w, best := drawsBy(members, slices.Repeat([]uint32{1}, n))
				if got, want := w.best(client), best(client); got != want {
					t.Errorf("%d draws, %#x apart, the less at %d: got %d, want %d", n, apart, first, got, want)
				}
			}
		}
	}
}

// TestTranspose compares with moving each bit.
func TestTranspose(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var in, want [64]uint64
	for i := range in {
		in[i] = r.Uint64()
		for j := range want {
			want[j] |= in[i] >> j & 1 << i
		}
	}
	if transpose(&in); in != want {
		t.Error("a bit is where it should not be")
	}
}

// FuzzDraws looks for a client for whom the sieve does not find the best.
func FuzzDraws(f *testing.F) {
	f.Add(uint64(1), uint64(2), uint32(3), uint32(4), uint16(20))
	f.Add(^uint64(0), uint64(0), uint32(1), uint32(maxWeight), uint16(300))
	f.Fuzz(func(t *testing.T, client, seed uint64, a, b uint32, n uint16) {
		var members []drawer
		var weights []uint32
		for i := range uint64(max(2, n%1100)) {
			members, weights = append(members, newDrawer(seed+i*i)), append(weights, min(max(1, a), maxWeight))
			if i%3 == 0 {
				weights[i] = min(max(1, b), maxWeight)
			}
		}
		w, best := drawsBy(members, weights)
		if got, want := w.best(client), best(client); got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	})
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

// benchCrowds are weights of n members, from 1 to maxWeight.
var benchCrowds = []struct {
	name   string
	weight func(i, n int) int
}{
	{"equal", func(int, int) int { return 1 }},
	{"weights", func(i, _ int) int { return 1 + i*37%100 }},
	{"heavy-one", func(i, n int) int { return 1 + (i+1)/n*99 }},
	{"heavy-tenth", func(i, _ int) int { return 1 + i%10/9*99 }},
	{"tenths", func(i, _ int) int { return 1 + i%10 }},
	{"one-over-n", func(i, _ int) int { return max(1, 100/(i+1)) }},
	{"one-has-all", func(i, n int) int { return 1 + (i+1)/n*999_999 }},
	{"powers", func(i, _ int) int { return 1 << (i % 20) }},
}

// BenchmarkSourceIPHash tells a network that asks for the first time, of members with weights of each kind; and, of members with equal ones, from 100,000 of which
// the one of rank n asks as often as 1/n, after they have asked a million times (zipf).
func BenchmarkSourceIPHash(b *testing.B) {
	for _, crowd := range benchCrowds {
		for _, n := range []int{4, 64, 512, 1000} {
			b.Run(fmt.Sprintf("%s/%d", crowd.name, n), func(b *testing.B) {
				at := uint32(0)
				benchHash(b, n, crowd.weight, nil, func() netip.Prefix { at++; return network4(at) })
			})
		}
	}
	for _, n := range []int{4, 1000} {
		b.Run(fmt.Sprintf("ipv6/%d", n), func(b *testing.B) {
			networks, at := make([]netip.Prefix, 4096), 0 // to make one takes 5 ns
			for i := range networks {
				networks[i] = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(i >> 8), byte(i)}), 56)
			}
			benchHash(b, n, benchCrowds[1].weight, nil, func() netip.Prefix { at++; return networks[at%len(networks)] })
		})
	}
	known := hashClients(100_000, 1<<20)
	b.Run("zipf/1000", func(b *testing.B) {
		at := 0
		benchHash(b, 1000, benchCrowds[0].weight, known, func() netip.Prefix { at++; return network4(known[at%len(known)]) })
	})
}

// network4 is one of 2^22 networks.
func network4(n uint32) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(16 + n>>16&0x3f), byte(n >> 8), byte(n), 0}), 24)
}

// benchHash decides for the next network, again and again, after some have asked.
func benchHash(b *testing.B, members int, weight func(i, n int) int, before []uint32, next func() netip.Prefix) {
	world := benchWorld(config.SourceIPHashing, members)
	for i := range world.doc.VirtualServers[0].Members {
		world.doc.VirtualServers[0].Members[i].Weight = weight(i, members)
	}
	s, l := world.snapshot(b)
	d := &Decider{Query: benchQuery}
	ask := func(network netip.Prefix) {
		d.Query.Subnet = network
		d.Decide(s, l, epoch, nil)
	}
	for _, network := range before {
		ask(network4(network))
	}
	b.ReportAllocs()
	for b.Loop() {
		ask(next())
	}
}

// BenchmarkDraws is the choice alone, for a client that was never met.
func BenchmarkDraws(b *testing.B) {
	for _, crowd := range benchCrowds {
		for _, n := range []int{4, 16, 64, 128, 256, 512, 1000} {
			b.Run(fmt.Sprintf("%s/%d", crowd.name, n), func(b *testing.B) {
				r := rand.New(rand.NewPCG(1, 2))
				var members []drawer
				var weights []uint32
				for i := range n {
					members, weights = append(members, newDrawer(r.Uint64())), append(weights, uint32(crowd.weight(i, n)))
				}
				w, _ := drawsBy(members, weights)
				client := uint64(1)
				for b.Loop() {
					client = mix(client + golden)
					w.best(client)
				}
			})
		}
	}
}
