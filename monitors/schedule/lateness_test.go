package schedule

import (
	"testing"
	"time"
)

func TestLatenessBuckets(t *testing.T) {
	last := -1
	for d := time.Duration(0); d < 3*time.Hour; d += 1 + d/50 {
		b := latenessBucket(d)
		if b < last || b > last+1 && last >= 0 {
			t.Fatalf("%v: bucket %d after %d", d, b, last)
		}
		last = b
		if bound := latenessBound(b); b < latenessSteps*latenessRanges-1 && (bound <= d || d >= latenessUnit && bound > d*5/4+1) {
			t.Fatalf("%v: counted in a bucket up to %v", d, bound)
		}
	}
	if latenessBound(last) < time.Hour {
		t.Errorf("the last bucket ends at %v, want an hour or more", latenessBound(last))
	}
}

func TestLateness(t *testing.T) {
	var l lateness
	now := time.Unix(1000, 0)
	if got := l.read(now); got != (Lateness{}) {
		t.Errorf("nothing ran: %+v", got)
	}
	for i := range 1000 {
		behind := time.Millisecond / 2
		if i%100 == 99 {
			behind = 300 * time.Millisecond
		}
		if i == 500 {
			behind = time.Second
		}
		l.add(now, behind)
		now = now.Add(10 * time.Millisecond)
	}
	got := l.read(now)
	if got.Runs != 1000 || got.P50 != time.Millisecond || got.P99 < 300*time.Millisecond || got.P99 > 375*time.Millisecond || got.Max != time.Second {
		t.Errorf("got %+v, want 1ms, 300ms or a little above, 1s", got)
	}
	now = now.Add(time.Minute)
	l.add(now, 2*time.Millisecond)
	if got := l.read(now); got.Runs != 1 || got.P50 != 2*time.Millisecond || got.Max != 2*time.Millisecond {
		t.Errorf("after a minute: got %+v, want the new one only", got)
	}
	if got := l.read(now.Add(time.Hour)); got != (Lateness{}) {
		t.Errorf("after an hour: got %+v, want nothing", got)
	}
}
