package sites

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"
)

func damping(hold, half time.Duration, suppress, reuse int, most time.Duration) config.DampingSettings {
	return config.DampingSettings{MinHold: config.Duration(hold), HalfLife: config.Duration(half), Suppress: suppress, Reuse: reuse, MaxSuppress: config.Duration(most)}
}

// adversary says what evidence shall be next. It sees all there is to see.
type adversary func(d *damper, now time.Time) bool

// losses plays window in steps, and counts how often an address was lost.
func losses(s *config.DampingSettings, window, step time.Duration, a adversary) (lost int) {
	var d damper
	now, good := epoch, false
	for end := epoch.Add(window); now.Before(end); now = now.Add(step) {
		next := d.step(s, a(&d, now), false, now)
		if good && !next {
			lost++
		}
		good = next
	}
	return lost
}

// maxLosses bounds how often one address of a service goes from good to bad within a window, whatever its evidence does;
// it comes back as often, so twice as many changes plus one. Two limits hold:
//
//   - a loss is at least MinHold after the one before: window/MinHold + 1. What a suspicion restores is not held, and not
//     bounded by this.
//   - each loss adds 1000 to the penalty, so in the long run there are no more losses than decay pays for. While nothing is
//     suppressed the penalty is below Suppress (S) and loses at most S × ln 2 / HalfLife per second; while it is, it falls
//     from at most S + 1000 to Reuse (R), by the logarithmic mean of the two in that time, which is below their arithmetic
//     mean, or at once after MaxSuppress. What the penalty was at the beginning of the window comes on top: S + 1000.
func maxLosses(s *config.DampingSettings, window time.Duration) int {
	most := math.Inf(1)
	if s.MinHold > 0 {
		most = float64(window)/float64(s.MinHold) + 1
	}
	if s.Suppress > 0 {
		suppress, reuse := float64(s.Suppress), float64(s.Reuse)
		decay := max(suppress, (suppress+penaltyPerLoss+reuse)/2) * math.Ln2 / s.HalfLife.Std().Seconds()
		decay = max(decay, (suppress+penaltyPerLoss-reuse)/s.MaxSuppress.Std().Seconds())
		most = min(most, (suppress+penaltyPerLoss+decay*window.Seconds())/penaltyPerLoss)
	}
	return int(min(most, math.MaxInt32))
}

// TestDampingBound holds maxLosses against adversaries: ones that toss coins, one that breaks the address whenever it is up,
// and ones that watch the penalty and stay just below where it would be suppressed.
func TestDampingBound(t *testing.T) {
	const second, minute = time.Second, time.Minute
	settings := map[string]config.DampingSettings{
		"default":              damping(2*second, minute, 3000, 1000, 5*minute),
		"no hold":              damping(0, minute, 3000, 1000, 5*minute),
		"no suppression":       damping(10*second, minute, 0, 1000, 5*minute),
		"short suppression":    damping(second, 10*minute, 5000, 500, 3*second),
		"reuse near suppress":  damping(second, 20*second, 2000, 1999, minute),
		"suppressed at once":   damping(second, minute, 1000, 1, time.Hour),
		"tolerant":             damping(second, 15*second, 20000, 10000, minute),
		"reuse below one loss": damping(5*second, 2*minute, 2500, 100, 24*time.Hour),
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for name, s := range settings {
		adversaries := map[string]adversary{
			"greedy":      func(d *damper, _ time.Time) bool { return !d.good },
			"in and wait": func(d *damper, now time.Time) bool { return !d.good || now.Sub(d.lost) < 3*s.HalfLife.Std() },
			"below":       func(d *damper, _ time.Time) bool { return !d.good || d.penalty+penaltyPerLoss >= float64(s.Suppress) },
			"well below": func(d *damper, _ time.Time) bool {
				return !d.good || d.penalty+penaltyPerLoss >= 0.9*float64(s.Suppress)
			},
			"to the brink": func(d *damper, _ time.Time) bool {
				return !d.good || d.penalty > float64(s.Reuse) && d.penalty < float64(s.Suppress)-penaltyPerLoss
			},
		}
		for _, p := range []float64{0.02, 0.1, 0.5, 0.9} {
			adversaries[fmt.Sprintf("random %v", p)] = func(d *damper, _ time.Time) bool { return d.raw != (rng.Float64() < p) }
		}
		for who, a := range adversaries {
			for _, window := range []time.Duration{10 * minute, time.Hour, 3 * time.Hour} {
				got, bound := losses(&s, window, 250*time.Millisecond, a), maxLosses(&s, window)
				if got > bound {
					t.Errorf("%s, %s: %d losses in %s, the bound is %d", name, who, got, window, bound)
				}
			}
		}
		worst := losses(&s, time.Hour, 250*time.Millisecond, adversaries["below"])
		t.Logf("%s: bound %d an hour, one that stays below suppress %d, greedy %d", name, maxLosses(&s, time.Hour), worst,
			losses(&s, time.Hour, 250*time.Millisecond, adversaries["greedy"]))
	}
}

func TestDampingOfAFlappingService(t *testing.T) {
	s := newScene(t, "ams", monitored("m"))
	play := func(words ...string) gslb.ServiceStatus {
		t.Helper()
		for _, w := range words {
			for word := range strings.FieldsSeq(w) {
				s.do(word)
			}
		}
		return s.believed()
	}
	want := func(what string, b gslb.ServiceStatus, state gslb.State, doubt gslb.Reason) {
		t.Helper()
		if b.State != state || b.Doubt != doubt {
			t.Errorf("%s: got %v, doubt %q (%s); want %v, %q", what, b.State, b.Doubt, b.Reason, state, doubt)
		}
	}
	const up, down = "mon4=up mon6=up", "mon4=down mon6=down"
	want("at first", play(up), gslb.Up, "")
	want("a first failure is believed at once", play("wait=1h", up, "status", down), gslb.Down, "")
	b := play("wait=1s", up)
	want("back within the hold", b, gslb.Down, gslb.DoubtFlapping)
	if !strings.Contains(b.Reason, "kept DOWN until 04:04:08 UTC") { // two seconds after the loss, rounded up
		t.Errorf("the reason does not say when it will be back: %q", b.Reason)
	}
	want("after the hold", play("wait=1s", "status"), gslb.Up, "")
	want("second", play("wait=1s", down), gslb.Down, gslb.DoubtFlapping)
	want("and back", play("wait=2s", up), gslb.Up, gslb.DoubtFlapping)
	want("third", play("wait=1s", down), gslb.Down, gslb.DoubtFlapping)
	want("and back", play("wait=2s", up), gslb.Up, gslb.DoubtFlapping)
	want("the fourth is one too many", play("wait=1s", down), gslb.Down, gslb.DoubtFlapping)
	want("back, but kept", play("wait=1m", up), gslb.Down, gslb.DoubtFlapping)
	want("until the penalty is low", play("wait=1m", up), gslb.Up, "")
	want("an hour later nothing is left of it", play("wait=1h", up), gslb.Up, "")
}

// TestDampingOfOneFamily: an address that flaps is left out alone.
func TestDampingOfOneFamily(t *testing.T) {
	s := newScene(t, "ams", monitored("m"))
	for _, word := range []string{"mon4=up", "mon6=up", "status", "mon6=down", "status", "wait=1s", "mon6=up"} {
		s.do(word)
	}
	b := s.believed()
	if b.State != gslb.Up || b.Without4 || !b.Without6 || !strings.Contains(b.Reason, "left out until") {
		t.Errorf("got %v, without4 %v, without6 %v (%s); want UP without the address that was just lost", b.State, b.Without4, b.Without6, b.Reason)
	}
	s.do("wait=1s")
	if b = s.believed(); b.Without6 {
		t.Errorf("after the hold it is still left out: %s", b.Reason)
	}
}

// TestDampingOutlivesAReload: a document that changes something else does not let a flapping service in.
func TestDampingOutlivesAReload(t *testing.T) {
	s := newScene(t, "ams", monitored("m"))
	for _, word := range []string{"mon4=up", "mon6=up", "status", "mon4=down", "mon6=down", "status", "wait=1s", "mon4=up", "mon6=up", "status"} {
		s.do(word)
	}
	next := *s.doc
	s.set(&next)
	if b := s.believed(); b.State != gslb.Down {
		t.Errorf("after a reload: %v (%s), want DOWN until the hold is over", b.State, b.Reason)
	}
}
