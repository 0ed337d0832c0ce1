package mep

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestBackSoonAfterAPlannedRestart: a site that announced that it stops is met again within about a second of its start, however
// long it drained and was away, and is not dialled all the time for that.
func TestBackSoonAfterAPlannedRestart(t *testing.T) {
	for _, c := range []struct {
		name        string
		drain, away time.Duration
	}{{"at once", 0, 0}, {"a short drain", 5 * time.Second, time.Second}, {"a long drain", 30 * time.Second, 2 * time.Second},
		{"away for long", 2 * time.Second, 40 * time.Second}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newMemNet()
				ams, nyc := twoSites(t, n, nil)
				defer ams.stop()
				pass(20 * time.Second)
				began, before := time.Now(), n.Dials()
				nyc.Leave(t.Context())
				pass(c.drain)
				nyc.stop()
				pass(c.away)
				if got, most := n.Dials()-before, 3+int(2*time.Since(began)/leftPause); got > most {
					t.Errorf("%d dials in %v, want at most %d", got, time.Since(began), most)
				}
				again := newTestSite(t, n, "nyc", "10.0.0.2", nil)
				started := time.Now()
				again.run(ams)
				defer again.stop()
				pass(10 * time.Second)
				if up, ok := ams.when(isUp); !ok || up.Before(started) || up.Sub(started) > leftPause+100*time.Millisecond {
					t.Errorf("session after %v (%v), want within %v of the start", up.Sub(started), ok, leftPause)
				}
			})
		})
	}
}

// TestASiteThatStaysAwayIsDialledAsAnyOther: after leftFor.
func TestASiteThatStaysAwayIsDialledAsAnyOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc := twoSites(t, n, nil)
		defer ams.stop()
		pass(20 * time.Second)
		nyc.Leave(t.Context())
		nyc.stop()
		pass(leftFor + 10*time.Second)
		before := n.Dials()
		pass(time.Minute)
		if got := n.Dials() - before; got < 10 || got > 30 {
			t.Errorf("%d dials in a minute, want one every 2.5 to 5 s", got)
		}
	})
}

// TestASiteThatDrainsIsMetSoon: also by one that had no session with it when it began to, and so was told nothing.
func TestASiteThatDrainsIsMetSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc := newTestSite(t, n, "ams", "10.0.0.1", nil), newTestSite(t, n, "nyc", "10.0.0.2", nil)
		nyc.run(ams)
		nyc.Leave(t.Context())
		ams.run(nyc)
		defer ams.stop()
		pass(30 * time.Second)
		if got := n.Dials(); got < 25 || got > 70 {
			t.Errorf("%d dials in 30 s, want about one a second", got)
		}
		nyc.stop()
		again := newTestSite(t, n, "nyc", "10.0.0.2", nil)
		started := time.Now()
		again.run(ams)
		defer again.stop()
		pass(10 * time.Second)
		if up, ok := ams.when(isUp); !ok || up.Sub(started) > leftPause+100*time.Millisecond {
			t.Errorf("session after %v (%v), want within %v of the start", up.Sub(started), ok, leftPause)
		}
	})
}
