package bench

import "time"

// Buckets of a histogram: 1 us wide below fineLimit, 1 ms wide above, and the last one takes the rest.
const (
	fineLimit   = 100 * time.Millisecond
	fineBuckets = int(fineLimit / time.Microsecond)
	coarseCount = int((MaxTimeout+10*time.Second)/time.Millisecond) + 1
)

// histogram counts latencies. It belongs to one goroutine.
type histogram struct {
	buckets []uint32
	count   uint64
	sum     time.Duration
	max     time.Duration
}

func newHistogram() *histogram { return &histogram{buckets: make([]uint32, fineBuckets+coarseCount)} }

func (h *histogram) record(d time.Duration) {
	d = max(d, 0)
	i := int(d / time.Microsecond)
	if i >= fineBuckets {
		i = min(fineBuckets+int((d-fineLimit)/time.Millisecond), len(h.buckets)-1)
	}
	h.buckets[i]++
	h.count++
	h.sum += d
	h.max = max(h.max, d)
}

func (h *histogram) add(other *histogram) {
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
	h.count += other.count
	h.sum += other.sum
	h.max = max(h.max, other.max)
}

// quantile returns the upper end of the bucket that holds quantile q (0 to 1), but never more than the maximum.
func (h *histogram) quantile(q float64) time.Duration {
	if h.count == 0 {
		return 0
	}
	rank := max(uint64(q*float64(h.count)+0.5), 1)
	var seen uint64
	for i, n := range h.buckets {
		if seen += uint64(n); seen < rank {
			continue
		}
		if i == len(h.buckets)-1 {
			break
		}
		end := time.Duration(i+1) * time.Microsecond
		if i >= fineBuckets {
			end = fineLimit + time.Duration(i-fineBuckets+1)*time.Millisecond
		}
		return min(end, h.max)
	}
	return h.max
}

func (h *histogram) mean() time.Duration {
	if h.count == 0 {
		return 0
	}
	return h.sum / time.Duration(h.count)
}
