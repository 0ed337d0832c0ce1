package node

import (
	"testing"
	"time"
)

func TestPeak(t *testing.T) {
	var p peak
	start := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name      string
		after     time.Duration
		n         float64
		peak, now float64
	}{
		{"the first", 0, 10, 10, 10},
		{"more", time.Minute, 50, 50, 50},
		{"less", 2 * time.Minute, 20, 50, 20},
		{"hours later", 10 * time.Hour, 30, 50, 30},
		{"a day later", 24*time.Hour - time.Minute, 5, 50, 5},
		{"the first is too old", 24*time.Hour + 2*time.Minute, 5, 30, 5},
		{"all that were large are", 35 * time.Hour, 1, 5, 1},
	} {
		p.note(start.Add(c.after), c.n)
		if got := p.history(); got.Connections != c.peak || got.Now != c.now {
			t.Errorf("%s: got %+v, want a peak of %v and %v now", c.name, got, c.peak, c.now)
		}
	}
}
