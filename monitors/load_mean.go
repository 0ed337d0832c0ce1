package monitors

import (
	"time"

	"fairlead/monitors/metric"
)

// meanTime makes the mean response time over RateWindow of two totals that grow together: the sum of all response times, and the number
// of responses. It belongs to one goroutine.
type meanTime struct{ seconds, responses rate }

func newMeanTime(gap time.Duration) meanTime {
	gap = max(gap, RateWindow)
	return meanTime{seconds: rate{gap: gap}, responses: rate{gap: gap}}
}

// resolve takes the sum of response times out of m, and puts the mean in, unless the source tells one itself. Without a response
// in the window there is no mean. It needs the number of responses, so it comes before that becomes a rate.
func (t *meanTime) resolve(m *metric.Metrics, at time.Time) {
	sum, ok := m.Take(metric.ResponseSecondsTotal)
	count, counted := m.Get(metric.RequestsTotal)
	if !ok || !counted {
		return
	}
	seconds, ok1 := t.seconds.add(at, sum)
	responses, ok2 := t.responses.add(at, count)
	if ok1 != ok2 { // one of them began anew, and so did the other, though it does not show
		t.seconds.samples, t.responses.samples = nil, nil
		t.seconds.add(at, sum)
		t.responses.add(at, count)
		return
	}
	if _, told := m.Get(metric.ResponseTime); ok1 && responses > 0 && !told {
		m.Set(metric.ResponseTime, min(seconds/responses, metric.MaxActive))
	}
}
