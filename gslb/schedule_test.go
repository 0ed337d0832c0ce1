package gslb

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestRotation(t *testing.T) {
	tests := []struct {
		name    string
		weights []uint32
		want    []uint16
	}{
		{"none", nil, nil},
		{"one", []uint32{7}, []uint16{0}},
		{"equal weights alternate", []uint32{5, 5}, []uint16{0, 1}},
		{"heavier is spread", []uint32{3, 1}, []uint16{0, 0, 1, 0}},
		{"divisor is removed", []uint32{20, 10}, []uint16{0, 1, 0}},
		{"three", []uint32{2, 1, 1}, []uint16{0, 1, 2, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := rotation(tt.weights); !slices.Equal(got, tt.want) {
				t.Errorf("rotation(%v) = %v, want %v", tt.weights, got, tt.want)
			}
		})
	}
}

// TestRotationIsFairEverywhere checks that in every prefix of the rotation each contender has had its share of turns,
// give or take one turn and the number of contenders over the total.
func TestRotationIsFairEverywhere(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		weights := make([]uint32, 1+r.IntN(20))
		total := uint32(0)
		for i := range weights {
			weights[i] = 1 + r.Uint32N(100)
			total += weights[i]
		}
		turns := make([]float64, len(weights))
		for n, c := range rotation(weights) {
			turns[c]++
			for i, w := range weights {
				due := float64(n+1) * float64(w) / float64(total)
				if d := turns[i] - due; d > 1.5 || d < -1.5 {
					t.Fatalf("weights %v: after %d turns contender %d had %v, due %.2f", weights, n+1, i, turns[i], due)
				}
			}
		}
	}
}

// TestTurnsOfManyWeights: weights whose sum is beyond what a rotation may have keep their proportions: turns are rounded.
func TestTurnsOfManyWeights(t *testing.T) {
	contenders := make([]contender, 512)
	for i := range contenders {
		contenders[i].weight = uint32(1+i%100) * shareUnits
	}
	contenders[0].weight = 1 // starts slowly
	turns, all, total := turnWeights(contenders), 0.0, 0.0
	for i := range turns {
		all, total = all+float64(turns[i]), total+float64(contenders[i].weight)
	}
	if all > maxTurns || all < maxTurns*9/10 {
		t.Errorf("%.0f turns, want about %d", all, maxTurns)
	}
	for i := range turns {
		if want := float64(contenders[i].weight) / total * all; turns[i] > 1 && math.Abs(float64(turns[i])-want) > 0.6 {
			t.Errorf("weight %d: %d turns, want %.2f", contenders[i].weight, turns[i], want)
		}
	}
}

// TestTurnsAreTakenByDueTime: the sequence is that of a queue in which the first that is due takes each turn.
func TestTurnsAreTakenByDueTime(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	check := func(weights []uint32) {
		t.Helper()
		if got, want := rotation(weights), rotationByHeap(weights); !slices.Equal(got, want) {
			at := 0
			for at < min(len(got), len(want)) && got[at] == want[at] {
				at++
			}
			t.Fatalf("weights %v: got %d turns, want %d; they differ from turn %d on", weights, len(got), len(want), at)
		}
	}
	for n := range 1000 {
		weights := make([]uint32, r.IntN(24))
		most := []uint32{1, 2, 3, 6, 12, 100, 100, 300}[n%8]
		for i := range weights {
			weights[i] = r.Uint32N(most+1) * []uint32{1, 1, 1, 7}[r.IntN(4)]
		}
		check(weights)
	}
	for n := range 12 {
		weights, a, b := make([]uint32, 1+r.IntN(400)), 1+r.Uint32N(100), 1+r.Uint32N(100)
		for i := range weights {
			weights[i] = []uint32{1 + r.Uint32N(100), a, []uint32{a, b}[r.IntN(2)], 1 + uint32(i)%100}[n%4]
		}
		check(weights)
	}
	for range 3 { // with weights that were scaled down, as those of members that start slowly or have many behind them
		contenders := make([]contender, 1+r.IntN(1024))
		for i := range contenders {
			contenders[i].weight = 1 + r.Uint32N(uint32(1)<<r.IntN(32))
		}
		check(turnWeights(contenders))
	}
	check([]uint32{maxTurns - 1, 1})
	check([]uint32{1, maxTurns - 1})
}

// rotationByHeap is rotation as its definition has it: turn after turn, whoever is due first.
func rotationByHeap(weights []uint32) []uint16 {
	divisor := uint32(0)
	for _, w := range weights {
		divisor = gcd(divisor, w)
	}
	if divisor == 0 {
		return nil
	}
	total := uint32(0)
	h := make(dueHeap, len(weights))
	for i, w := range weights {
		total += w / divisor
		h[i] = heapDue{contender: uint16(i), numerator: 1, weight: uint64(w / divisor)}
	}
	h.init()
	out := make([]uint16, total)
	for i := range out {
		out[i] = h[0].contender
		h[0].numerator += 2
		h.down(0)
	}
	return out
}

// heapDue is the time of a contender's next turn: numerator / (2 × weight).
type heapDue struct {
	numerator, weight uint64
	contender         uint16
}

func (d heapDue) before(e heapDue) bool {
	l, r := d.numerator*e.weight, e.numerator*d.weight
	return l < r || l == r && d.contender < e.contender
}

type dueHeap []heapDue

func (h dueHeap) init() {
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
}

func (h dueHeap) down(i int) {
	for {
		first := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(h); c++ {
			if h[c].before(h[first]) {
				first = c
			}
		}
		if first == i {
			return
		}
		h[i], h[first] = h[first], h[i]
		i = first
	}
}
