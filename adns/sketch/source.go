package sketch

import "math/rand/v2"

// Pace of a Source.
const (
	// samplesPerSecond is about how many samples one Source takes at most; what is slower than that is taken whole.
	samplesPerSecond = 200
	nanosPerSample   = 1_000_000_000 / samplesPerSecond
	// slowest is how many times longer than that samples may be apart before they become denser.
	slowest = 4
	// maxGap bounds the mean distance between samples.
	maxGap = 1 << 16
)

// Source chooses queries for one goroutine. It is not safe for concurrent use and needs no closing.
type Source struct {
	sketch *Sketch
	rand   *rand.Rand
	mean   int64 // of the distance between samples
	gap    int64 // to the sample that is due next
	last   int64 // when the last one was taken, in nanoseconds of any clock
	taken  int64 // samples
	slow   int64 // when Slow was called last
}

// Source returns a Source whose first query is due. Safe for concurrent use.
func (s *Sketch) Source() *Source {
	return &Source{sketch: s, rand: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), mean: 1, gap: 1}
}

// Gap returns how many queries there are to the one that is due, which is counted.
func (s *Source) Gap() int64 { return s.gap }

// Take says that the query is there that was due, at a time in nanoseconds of a clock that does not go back. It returns
// how many queries the sample stands for; Gap is then the distance to the next one. Distances are random, so that nothing
// that repeats itself in the queries is chosen more often than its share.
func (s *Source) Take(nanos int64) (weight uint32) {
	weight = uint32(s.gap)
	if s.taken++; s.taken > 1 {
		switch elapsed := nanos - s.last; {
		case elapsed < nanosPerSample && s.mean < maxGap:
			s.mean *= 2
		case elapsed > slowest*nanosPerSample && s.mean > 1:
			s.mean /= 2
		}
	}
	s.last = nanos
	s.gap = 1 + s.rand.Int64N(2*s.mean-1) // 1 to 2×mean-1, each as likely
	return weight
}

// Late is when Slow is to be told the time, in nanoseconds.
func (s *Source) Late() int64 { return max(s.last, s.slow) + slowest*nanosPerSample }

// Slow says that no query was due until Late, and left are still to come before one is. It returns how many there are from
// now on: what was right for a flood would keep a quiet server waiting for hours.
func (s *Source) Slow(nanos, left int64) int64 {
	if s.slow = nanos; s.mean == 1 {
		return left
	}
	if s.mean /= 2; left <= 1 {
		return left
	}
	passed := s.gap - left
	left = min(left, 1+s.rand.Int64N(2*s.mean-1))
	s.gap = passed + left
	return left
}

// Record passes a sample on, or drops and counts it when too many wait. It never waits.
func (s *Source) Record(sample *Sample) { s.sketch.put(sample) }
