package schedule

import (
	"math/bits"
	"time"
)

// Shape of the counts of lateness.
const (
	latenessSpans  = 6 // of which the oldest is given up when a new one begins
	latenessSpan   = 10 * time.Second
	latenessUnit   = time.Millisecond // what is below it is counted as one
	latenessSteps  = 4                // buckets for each doubling: what is read is at most a fourth too much
	latenessRanges = 22               // doublings: beyond an hour all is the same
)

// Lateness is how long after they were due runs were started. All of it is rounded up, by at most a fourth; Max is exact.
type Lateness struct {
	Runs          uint64
	P50, P99, Max time.Duration
}

// lateness counts what was started during the last minute.
type lateness struct {
	spans [latenessSpans]latenessCounts
	at    int       // the span that is counted in
	ends  time.Time // of that span
}

type latenessCounts struct {
	buckets [latenessSteps * latenessRanges]uint32
	most    time.Duration
}

func (l *lateness) add(now time.Time, behind time.Duration) {
	l.turn(now)
	c := &l.spans[l.at]
	c.buckets[latenessBucket(behind)]++
	c.most = max(c.most, behind)
}

// turn forgets what is older than all spans.
func (l *lateness) turn(now time.Time) {
	for range latenessSpans {
		if now.Before(l.ends) {
			return
		}
		l.at = (l.at + 1) % latenessSpans
		l.spans[l.at] = latenessCounts{}
		l.ends = l.ends.Add(latenessSpan)
	}
	if !now.Before(l.ends) { // a long time without any
		l.ends = now.Add(latenessSpan)
	}
}

func (l *lateness) read(now time.Time) Lateness {
	l.turn(now)
	var all latenessCounts
	out := Lateness{}
	for i := range l.spans {
		for b, n := range l.spans[i].buckets {
			all.buckets[b] += n
			out.Runs += uint64(n)
		}
		out.Max = max(out.Max, l.spans[i].most)
	}
	out.P50, out.P99 = all.quantile(out.Runs, 50), all.quantile(out.Runs, 99)
	out.P50, out.P99 = min(out.P50, out.Max), min(out.P99, out.Max)
	return out
}

// quantile is what percent of total are not above.
func (c *latenessCounts) quantile(total, percent uint64) time.Duration {
	rank := (total*percent + 99) / 100
	for b, n := range c.buckets {
		if uint64(n) >= rank {
			return latenessBound(b)
		}
		rank -= uint64(n)
	}
	return 0
}

// latenessBucket is where d is counted: the first is for what is below a unit, then there are latenessSteps for each
// doubling.
func latenessBucket(d time.Duration) int {
	units := uint64(d * latenessSteps / latenessUnit)
	if units < latenessSteps {
		return 0
	}
	exponent := bits.Len64(units) - 1 // at least 2
	step := int(units>>(exponent-2)) & (latenessSteps - 1)
	return min((exponent-2)*latenessSteps+step+1, latenessSteps*latenessRanges-1)
}

// latenessBound is what is above all that is counted in a bucket.
func latenessBound(bucket int) time.Duration {
	if bucket == 0 {
		return latenessUnit
	}
	exponent, step := (bucket-1)/latenessSteps, (bucket-1)%latenessSteps
	return latenessUnit * time.Duration((latenessSteps+step+1)<<exponent) / latenessSteps
}
