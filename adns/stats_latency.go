package adns

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// LatencyBounds is how many upper bounds a Latency has: 1 µs, doubled up to 1.05 s.
const LatencyBounds = 21

// LatencyBound returns the upper bound of bucket i, from 0 to LatencyBounds-1.
func LatencyBound(i int) time.Duration { return time.Microsecond << i }

// Latency is how long requests took, from when the first of their batch was taken up until all of the batch were answered.
// Over UDP sending is not part of it; over the others it is.
type Latency struct {
	// Buckets[i] counts requests that took at most LatencyBound(i) and longer than the bound before; the last bucket
	// counts those that took longer than all bounds.
	Buckets [LatencyBounds + 1]uint64
	Sum     time.Duration
}

// Count returns how many requests were measured.
func (l *Latency) Count() (n uint64) {
	for _, b := range l.Buckets {
		n += b
	}
	return n
}

// latencyCell is where a Latency comes from.
type latencyCell struct {
	buckets [LatencyBounds + 1]atomic.Uint64
	nanos   atomic.Int64
}

// latencyBucket returns the bucket of a time in nanoseconds.
func latencyBucket(nanos int64) int {
	if nanos <= 0 {
		return 0
	}
	return min(bits.Len64(uint64(nanos-1)/uint64(time.Microsecond)), LatencyBounds)
}

// add counts n requests that took nanos each.
func (c *latencyCell) add(nanos int64, n uint64) {
	nanos = max(nanos, 0)
	c.buckets[latencyBucket(nanos)].Add(n)
	c.nanos.Add(nanos * int64(n))
}

// latency returns what was published for a transport.
func (s *shards) latency(t Transport) (sum Latency) {
	for i := range s.cells {
		c := &s.cells[i].latency[t]
		for b := range c.buckets {
			sum.Buckets[b] += c.buckets[b].Load()
		}
		sum.Sum += time.Duration(c.nanos.Load())
	}
	return sum
}
