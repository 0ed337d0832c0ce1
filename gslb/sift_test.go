package gslb

import (
	"math/rand/v2"
	"testing"
)

// TestSift: vector instructions find whom a loop finds, with any number of rows, where some need fewer, each client's own bits, and nobody in some halves.
func TestSift(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for round := range 2_000 {
		ones := round % (firstBits + 1)
		low, high := make([][2][wideWords]uint64, ones), make([][wideWords]uint64, ones)
		done := make([][wideWords]uint64, r.IntN(ones+1))
		var all [wideWords]uint64
		for j := range all {
			all[j] = r.Uint64() | r.Uint64()
			for i := range ones {
				low[i][0][j], low[i][1][j], high[i][j] = r.Uint64(), r.Uint64(), r.Uint64()
			}
			for i := range done {
				done[i][j] = r.Uint64() & r.Uint64()
			}
			if r.IntN(8) == 0 {
				all[j] &= 0xffff_ffff << (32 * r.IntN(3)) // one half or the other, or neither
			}
		}
		var got, want [wideHalves]uint32
		client := r.Uint64()
		gotAny, wantAny := sift(&got, &all, low, high, done, client), siftPortably(&want, &all, low, high, done, client)
		if got != want || gotAny != wantAny {
			t.Fatalf("%d ones, client %#x: got %#x %x, want %#x %x", ones, client, gotAny, got, wantAny, want)
		}
		for i, half := range want {
			if (half != 0) != (wantAny>>i&1 != 0) {
				t.Fatalf("half %d is %#x, which %#x does not say", i, half, wantAny)
			}
			for bit := range halfMembers { // one by one
				found := all[i/2]>>(32*(i%2)+bit)&1 != 0
				for k := range ones {
					need := low[k][client<<k>>63][i/2] ^ high[k][i/2]
					if last := k - (ones - len(done)); last >= 0 {
						need |= done[last][i/2]
					}
					found = found && need>>(32*(i%2)+bit)&1 != 0
				}
				if found != (half>>bit&1 != 0) {
					t.Fatalf("%d ones, client %#x, member %d: found %v", ones, client, 32*i+bit, !found)
				}
			}
		}
	}
}

// BenchmarkSift is a block of 512 members by vector instructions, where there are any, and without.
func BenchmarkSift(b *testing.B) {
	low, high := make([][2][wideWords]uint64, firstBits), make([][wideWords]uint64, firstBits)
	var all [wideWords]uint64
	var halves [wideHalves]uint32
	b.Run("vectors", func(b *testing.B) {
		for b.Loop() {
			sift(&halves, &all, low, high, nil, 1)
		}
	})
	b.Run("portably", func(b *testing.B) {
		for b.Loop() {
			siftPortably(&halves, &all, low, high, nil, 1)
		}
	})
}
