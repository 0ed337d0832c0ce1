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
