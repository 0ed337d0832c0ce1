package monitors

import (
	"time"

	"fairlead/monitors/metric"
)

const (
	// RateWindow is the time over which the growth of a total becomes a rate.
	RateWindow = 14 * time.Second
	// rateSpacing is the least time between two samples that are kept; it bounds how many there are.
	rateSpacing = RateWindow / 28
	// pushedGap is the longest silence after which a pushed total still goes on.
	pushedGap = time.Hour
)

// rate turns a total that grows into its rate over the last RateWindow, or over the time between two samples when they
// are further apart. Its zero value but gap is ready. It belongs to one goroutine.
type rate struct {
	gap     time.Duration // longest time between two samples that belong together
	samples []sample      // at most one older than RateWindow, then at least rateSpacing apart
	last    sample
	past    float64 // what a counter of 32 bits counted before it went on from 2^32 at 0
}

type sample struct {
	at    time.Time
	total float64
}

// add takes in a sample. It returns no rate for the first one, for one that is not later than the last, and for one after
// the counter began anew: how much it had grown before is not known.
func (r *rate) add(at time.Time, total float64) (perSecond float64, ok bool) {
	switch apart := at.Sub(r.last.at); {
	case len(r.samples) == 0:
	case apart <= 0:
		return 0, false
	case total < r.last.total, apart > r.gap:
		r.samples = r.samples[:0]
	}
	now := sample{at, total}
	r.last = now
	if len(r.samples) == 0 {
		r.samples = append(r.samples, now)
		return 0, false
	}
	for len(r.samples) > 1 && at.Sub(r.samples[1].at) >= RateWindow {
		r.samples = append(r.samples[:0], r.samples[1:]...)
	}
	base := r.samples[0]
	if at.Sub(r.samples[len(r.samples)-1].at) >= rateSpacing {
		r.samples = append(r.samples, now)
	}
	return (total - base.total) / at.Sub(base.at).Seconds(), true
}

// Counters of 32 bits.
const (
	narrowEnd = 1 << 32
	// narrowFall is the least fall that is the end of such a counter, and not a new beginning: it grew by at most a quarter of its range.
	narrowFall = narrowEnd - narrowEnd/4
)

// onward is the total that a counter of 32 bits, or a sum of such, would show if it were wide enough.
func (r *rate) onward(total float64) float64 {
	total += r.past
	if fall := r.last.total - total; len(r.samples) > 0 && fall >= narrowFall && fall <= narrowEnd {
		r.past += narrowEnd
		total += narrowEnd
	}
	return total
}

// rates are those of one source's totals.
type rates [len(rated)]rate

// rated says which total becomes which metric, and how many of its units one of the total's are.
var rated = [...]struct {
	total, metric metric.Metric
	factor        float64
}{{metric.RequestsTotal, metric.Requests, 1}, {metric.BytesTotal, metric.Bandwidth, 8}, {metric.PacketsTotal, metric.Packets, 1}}

func newRates(gap time.Duration) *rates {
	out := new(rates)
	for i := range out {
		out[i].gap = max(gap, RateWindow)
	}
	return out
}

// resolve puts rates in the place of m's totals, of which some are narrow. A rate that the source tells itself counts.
func (r *rates) resolve(m *metric.Metrics, narrow metric.Set, at time.Time) {
	for i, one := range rated {
		total, ok := m.Take(one.total)
		if !ok {
			continue
		}
		if narrow.Has(one.total) {
			total = r[i].onward(total)
		}
		perSecond, ok := r[i].add(at, total)
		if _, told := m.Get(one.metric); ok && !told {
			m.Set(one.metric, min(perSecond*one.factor, metric.MaxActive))
		}
	}
}
