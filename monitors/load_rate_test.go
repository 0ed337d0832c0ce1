package monitors

import (
	"math"
	"testing"
	"time"

	"fairlead/monitors/metric"
)

func TestRate(t *testing.T) {
	type told struct {
		after time.Duration // the start
		total float64
		want  float64 // -1: no rate
	}
	tests := []struct {
		name string
		gap  time.Duration
		told []told
	}{
		{"first tells nothing", 0, []told{{0, 1000, -1}, {time.Second, 1010, 10}}},
		{"whole window", 0, []told{{0, 0, -1}, {7 * time.Second, 70, 10}, {14 * time.Second, 140, 10}, {21 * time.Second, 140, 5}, {28 * time.Second, 140, 0}}},
		{"old growth is forgotten", 0, []told{{0, 0, -1}, {time.Second, 1e6, 1e6}, {8 * time.Second, 1e6, 125000}, {15 * time.Second, 1e6, 0}}},
		{"counter began anew", 0, []told{{0, 500, -1}, {time.Second, 600, 100}, {2 * time.Second, 3, -1}, {3 * time.Second, 13, 10}}},
		{"same time twice", 0, []told{{0, 5, -1}, {0, 9, -1}, {time.Second, 15, 10}}},
		{"back in time", 0, []told{{time.Second, 5, -1}, {0, 9, -1}, {2 * time.Second, 15, 10}}},
		{"long silence", 15 * time.Second, []told{{0, 5, -1}, {time.Second, 6, 1}, {20 * time.Second, 1000, -1}, {21 * time.Second, 1007, 7}}},
		{"slow source", time.Hour, []told{{0, 0, -1}, {time.Minute, 60, 1}, {2 * time.Minute, 180, 2}}},
		{"slow at first", 0, []told{{0, 0, -1}, {10 * time.Millisecond, 1, 100}, {20 * time.Millisecond, 2, 100}, {10 * time.Second, 2, 0.2}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &newRates(tt.gap)[0]
			start := time.Unix(1000, 0)
			for i, one := range tt.told {
				got, ok := r.add(start.Add(one.after), one.total)
				if !ok {
					got = -1
				}
				if math.Abs(got-one.want) > 1e-9 {
					t.Errorf("sample %d: got %v a second, want %v", i, got, one.want)
				}
			}
		})
	}
}

// TestRateIsBounded: a total that is read ever so often costs a bounded number of samples, and counts over the window.
func TestRateIsBounded(t *testing.T) {
	r := &newRates(0)[0]
	at, total := time.Unix(1000, 0), 0.0
	for i := range 10_000 {
		at, total = at.Add(10*time.Millisecond), total+2
		if i > 5000 {
			total += 2 // twice as fast in the second half
		}
		got, ok := r.add(at, total)
		if len(r.samples) > 30 || cap(r.samples) > 64 {
			t.Fatalf("%d samples", len(r.samples))
		}
		switch {
		case i == 0 && ok, i > 0 && !ok:
			t.Fatalf("sample %d: a rate is %t", i, ok)
		case i == 5000 && math.Abs(got-200) > 1e-6, i == 6350 && (got < 370 || got > 400), i == 9999 && math.Abs(got-400) > 1e-6:
			t.Errorf("sample %d: %v a second", i, got)
		}
	}
}

func TestNarrowCounters(t *testing.T) {
	const end = 1 << 32
	tests := []struct {
		name   string
		totals []float64 // one each second
		want   float64   // the last rate; -1: none
	}{
		{"within", []float64{end - 3000, end - 2000}, 1000},
		{"past the end", []float64{end - 1500, end - 500, 500}, 1000},
		{"past the end twice", []float64{end - 100, 900, 1 << 30, 1 << 31, 3 << 30, end - 100, 900}, (end + 1000) / 6.0},
		{"a new beginning far from the end", []float64{1 << 31, 1000}, -1},
		{"a new beginning near the end of a wide one", []float64{3 * end, 1000}, -1},
		{"a sum of two, one of them past the end", []float64{end + end - 400, end + 600}, 1000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRates(time.Minute)
			at := time.Unix(1_700_000_000, 0)
			got := -1.0
			for _, total := range tt.totals {
				var m metric.Metrics
				m.Set(metric.PacketsTotal, total)
				var narrow metric.Set
				narrow.Add(metric.PacketsTotal)
				r.resolve(&m, narrow, at)
				at = at.Add(time.Second)
				if got = -1; !m.Empty() {
					got, _ = m.Get(metric.Packets)
				}
			}
			if math.Abs(got-tt.want) > 0.5 {
				t.Errorf("rate %v, want %v", got, tt.want)
			}
		})
	}
}
