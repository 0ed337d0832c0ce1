package monitors

import (
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"
)

// TestPassive: reports decide, fall and rise count them, and silence changes nothing.
func TestPassive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil, "behind")
		tell := func(members float64) {
			time.Sleep(time.Second)
			w.s.Members("web", members, time.Now())
		}
		inBubble(t, w.s.Run, func() {
			if n := len(w.heard.of("web")); n != 0 {
				t.Fatalf("%d verdicts before the first report", n)
			}
			tell(3)
			w.want("behind", "UP", "3 usable servers behind it, 2 needed")
			tell(1)
			if v := w.want("behind", "UP", "1 usable server behind it, 2 needed"); v.Failures != 1 {
				t.Errorf("failures: %d, want 1", v.Failures)
			}
			tell(0)
			down := w.want("behind", "DOWN", "0 usable servers")
			if len(down.Values) != 1 || down.Values[0].Name != "members" || down.Values[0].Value != 0 {
				t.Errorf("values: %+v", down.Values)
			}
			told := len(w.heard.of("web"))
			time.Sleep(time.Hour) // the source is dead
			if n := len(w.heard.of("web")); n != told {
				t.Errorf("silence made %d verdicts", n-told)
			}
			tell(2)
			w.want("behind", "DOWN", "2 usable servers")
			tell(2)
			w.want("behind", "UP", "2 usable servers")
			w.s.Members("db", 0, time.Now())
			w.s.Members("nothing", 0, time.Now())
			w.want("behind", "UP", "2 usable servers")
		})
	})
}

// TestPassiveRepeated: sites repeat what was measured once, and reports overtake each other. That is no evidence.
func TestPassiveRepeated(t *testing.T) {
	w := newWorld(t, nil, "behind")
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		after   time.Duration
		members float64
		want    int // verdicts so far, of two addresses
	}{
		{0, 2, 2},
		{time.Second, 0, 4},
		{1100 * time.Millisecond, 0, 4}, // the same again
		{900 * time.Millisecond, 0, 4},  // from before
		{time.Second, 5, 4},
		{1150 * time.Millisecond, 1, 6}, // another number is another report
		{2 * time.Second, 1, 8},
	} {
		w.s.Members("web", tt.members, at.Add(tt.after))
		if got := len(w.heard.of("web")); got != tt.want {
			t.Errorf("%v servers at %v: %d verdicts, want %d", tt.members, tt.after, got, tt.want)
		}
	}
	if v := w.last("behind"); v.State != Down || !v.At.Equal(at.Add(2*time.Second)) {
		t.Errorf("it is %s as of %v", v.State, v.At)
	}
}

// TestPassivePart: a passive monitor that nobody told anything does not stand in the way of what is made of it.
func TestPassivePart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string]*config.CalculatedProbe{"both": parts(0, "web-ok", "behind")}, "both")
		w.up(web4, web6)
		inBubble(t, w.s.Run, func() {
			time.Sleep(2 * time.Second)
			v := w.want("both", "UP", "2 of 2")
			if v.Parts[1].Reason != noReport {
				t.Errorf("the part says %q", v.Parts[1].Reason)
			}
			for range 2 {
				time.Sleep(time.Second)
				w.s.Members("web", 1, time.Now())
			}
			w.want("both", "DOWN", "behind at 192.0.2.1:80: 1 usable server behind it, 2 needed")
			for range 2 {
				time.Sleep(time.Second)
				w.s.Members("web", 2, time.Now())
			}
			w.want("both", "UP", "2 of 2")
			time.Sleep(10 * time.Minute)
			if v := w.want("both", "UP", "2 of 2"); time.Since(v.At) < 9*time.Minute {
				t.Errorf("the evidence is %v old, want as old as the last report", time.Since(v.At))
			}
		})
	})
}
