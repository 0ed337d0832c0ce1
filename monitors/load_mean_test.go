package monitors

import (
	"math"
	"testing"
	"time"

	"fairlead/monitors/metric"
)

func TestMeanResponseTime(t *testing.T) {
	type told struct {
		after          time.Duration // the start
		seconds, count float64       // -1: not told
		want           float64       // seconds; -1: no mean
	}
	tests := []struct {
		name string
		told []told
	}{
		{"first tells nothing", []told{{0, 50, 1000, -1}, {time.Second, 51, 1010, 0.1}}},
		{"no response in the window", []told{{0, 50, 1000, -1}, {time.Second, 50, 1000, -1}, {2 * time.Second, 51, 1002, 0.5}}},
		{"window", []told{{0, 0, 0, -1}, {7 * time.Second, 70, 7, 10}, {14 * time.Second, 71, 14, 71. / 14}, {21 * time.Second, 72, 21, 1. / 7}, {28 * time.Second, 73, 28, 1. / 7}}},
		{"both began anew", []told{{0, 50, 1000, -1}, {time.Second, 51, 1010, 0.1}, {2 * time.Second, 1, 1, -1}, {3 * time.Second, 3, 11, 0.2}}},
		{"only one shows that it began anew", []told{{0, 5, 1000, -1}, {time.Second, 6, 1010, 0.1}, {2 * time.Second, 60, 3, -1}, {3 * time.Second, 63, 13, 0.3}}},
		{"the same moment", []told{{0, 5, 10, -1}, {0, 6, 20, -1}, {time.Second, 8, 40, 0.1}}},
		{"a sum without a count", []told{{0, 5, -1, -1}, {time.Second, 6, -1, -1}}},
		{"a count without a sum", []told{{0, -1, 5, -1}, {time.Second, -1, 6, -1}}},
		{"told once in a while", []told{{0, 1, 10, -1}, {time.Second, -1, 20, -1}, {2 * time.Second, 4, 40, 0.1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mean, start := newMeanTime(0), time.Unix(1000, 0)
			for i, one := range tt.told {
				var m metric.Metrics
				if one.seconds >= 0 {
					m.Set(metric.ResponseSecondsTotal, one.seconds)
				}
				if one.count >= 0 {
					m.Set(metric.RequestsTotal, one.count)
				}
				mean.resolve(&m, start.Add(one.after))
				got, ok := m.Get(metric.ResponseTime)
				if !ok {
					got = -1
				}
				if math.Abs(got-one.want) > 1e-9 {
					t.Errorf("sample %d: a mean of %v s, want %v", i, got, one.want)
				}
				if _, left := m.Get(metric.ResponseSecondsTotal); left {
					t.Errorf("sample %d: the sum is handed on", i)
				}
				if _, left := m.Get(metric.RequestsTotal); left != (one.count >= 0) {
					t.Errorf("sample %d: the count is gone", i)
				}
			}
		})
	}
	t.Run("a mean that is told counts", func(t *testing.T) {
		mean, start := newMeanTime(0), time.Unix(1000, 0)
		for i := range 3 {
			var m metric.Metrics
			m.Set(metric.ResponseSecondsTotal, float64(i))
			m.Set(metric.RequestsTotal, float64(i))
			m.Set(metric.ResponseTime, 7)
			mean.resolve(&m, start.Add(time.Duration(i)*time.Second))
			if got, _ := m.Get(metric.ResponseTime); got != 7 {
				t.Errorf("a mean of %v s, want 7", got)
			}
		}
	})
}
