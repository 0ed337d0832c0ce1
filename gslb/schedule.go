package gslb

// rotation returns the order in which contenders with these weights take turns: each appears in proportion to its
// weight, spread as evenly as whole turns allow, and the whole repeats. Its length is the sum of the weights divided by
// their greatest common divisor, at most 1,024 members × weight 100.
//
// The k-th turn of a contender with weight w is due at (2k+1)/2w of the round; turns are taken by due time, so equal
// weights alternate strictly (earliest deadline first).
func rotation(weights []uint32) []uint16 {
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
		h[i] = due{contender: uint16(i), numerator: 1, weight: uint64(w / divisor)}
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

// due is the time of a contender's next turn: numerator / (2 × weight).
type due struct {
	numerator, weight uint64
	contender         uint16
}

func (d due) before(e due) bool {
	l, r := d.numerator*e.weight, e.numerator*d.weight
	return l < r || l == r && d.contender < e.contender
}

type dueHeap []due

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

func gcd(a, b uint32) uint32 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
