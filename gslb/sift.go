package gslb

// siftPortably sets halves to those of all members whose draws for a client begin with the ones they need, and returns which halves
// have any, the first in the lowest bit. low and high are the client's rows, from that of the first bit on, as many of each. done is, for each
// of the last of these rows, who needs no ones from there on; for those before, nobody is.
func siftPortably(halves *[wideHalves]uint32, all *[wideWords]uint64, low [][2][wideWords]uint64, high, done [][wideWords]uint64, client uint64) (any uint32) {
	before := len(high) - len(done)
	for j := 0; j < wideWords; j += 4 { // four words at a time stay in registers
		w0, w1, w2, w3, own := all[j], all[j+1], all[j+2], all[j+3], client
		for i := range high {
			a, c := (*[4]uint64)(low[i][own>>63][j:]), (*[4]uint64)(high[i][j:])
			own <<= 1
			if i < before {
				w0, w1, w2, w3 = w0&(a[0]^c[0]), w1&(a[1]^c[1]), w2&(a[2]^c[2]), w3&(a[3]^c[3])
				continue
			}
			d := (*[4]uint64)(done[i-before][j:])
			w0, w1, w2, w3 = w0&(a[0]^c[0]|d[0]), w1&(a[1]^c[1]|d[1]), w2&(a[2]^c[2]|d[2]), w3&(a[3]^c[3]|d[3])
		}
		any |= setHalves(halves, j, w0) | setHalves(halves, j+1, w1) | setHalves(halves, j+2, w2) | setHalves(halves, j+3, w3)
	}
	return any
}

// setHalves sets the halves of a word.
func setHalves(halves *[wideHalves]uint32, word int, to uint64) (any uint32) {
	low, high := uint32(to), uint32(to>>halfMembers)
	halves[2*word], halves[2*word+1] = low, high
	return (oneIfAny(low) | oneIfAny(high)<<1) << (2 * word)
}

// oneIfAny is 1 for a half that has a member.
func oneIfAny(half uint32) uint32 {
	if half != 0 {
		return 1
	}
	return 0
}
