package sites

import (
	"fmt"
	"math"
	"time"

	"fairlead/config"
	"fairlead/gslb"
)

// penaltyPerLoss is what each change from good to bad adds to an address's penalty.
const penaltyPerLoss = 1000

// damper keeps an address that comes and goes out of answers: at least DampingSettings.MinHold after each loss, and, once
// its penalty has reached Suppress, until that has fallen to Reuse. It never delays a loss. Losses count also while it is
// kept out, so that one which goes on flapping stays out, for MaxSuppress at most. The zero damper has seen nothing.
//
// Bound: how often an address can change is limited, whatever its evidence does: TestDampingBound says to what, and why.
type damper struct {
	good    bool // what is let through
	raw     bool // what evidence said last
	penalty float64
	at      time.Time // of penalty
	lost    time.Time // when good ended
	kept    time.Time // since when it is suppressed; zero: it is not
}

// step takes in what evidence says at now, and returns whether the address counts as good. unheld skips the minimum hold:
// the loss was this node's, not the address's.
func (d *damper) step(s *config.DampingSettings, raw, unheld bool, now time.Time) bool {
	d.decay(s, now)
	if d.raw && !raw {
		d.penalty += penaltyPerLoss
		if s.Suppress > 0 && d.penalty >= float64(s.Suppress) && d.kept.IsZero() {
			d.kept = now
		}
	}
	d.raw = raw
	switch {
	case !raw:
		if d.good {
			d.lost = now
		}
		d.good = false
	case !d.good:
		held := !unheld && now.Before(d.lost.Add(s.MinHold.Std()))
		d.good = d.kept.IsZero() && !held
	}
	return d.good
}

// decay lets the penalty fall to what it is at now, and ends a suppression that is over.
func (d *damper) decay(s *config.DampingSettings, now time.Time) {
	if passed := now.Sub(d.at); passed > 0 {
		d.penalty *= math.Exp2(-float64(passed) / float64(s.HalfLife))
		d.at = now
	}
	if d.penalty < 1 {
		d.penalty = 0
	}
	if d.kept.IsZero() {
		return
	}
	if d.penalty <= float64(s.Reuse) || now.Sub(d.kept) >= s.MaxSuppress.Std() {
		d.kept = time.Time{}
		d.penalty = min(d.penalty, float64(s.Reuse))
	}
}

// until is when the address may be good again at the earliest, as of the last step.
func (d *damper) until(s *config.DampingSettings) time.Time {
	at := d.lost.Add(s.MinHold.Std())
	if d.kept.IsZero() {
		return at
	}
	halvings := math.Log2(d.penalty / float64(s.Reuse))
	release := d.at.Add(time.Duration(halvings * float64(s.HalfLife)))
	if latest := d.kept.Add(s.MaxSuppress.Std()); latest.Before(release) {
		release = latest
	}
	if release.After(at) {
		return release
	}
	return at
}

// flapping reports whether the address was lost more often lately than one that would be let in again.
func (d *damper) flapping(s *config.DampingSettings) bool {
	return !d.kept.IsZero() || d.raw != d.good || d.penalty > float64(s.Reuse)
}

// damp passes a belief through the dampers of the service's addresses; one without addresses has one damper.
func (t *Tracker) damp(e *evidence, b belief, now time.Time) belief {
	if b.state == gslb.Disabled {
		return b // an operator's word, at its owner's
	}
	s := &t.document.Settings.Damping
	usable := b.state == gslb.Up || b.state == gslb.Draining
	without := [2]bool{b.without4, b.without6}
	left, flapping, until := false, false, time.Time{}
	for f := range e.dampers {
		if !e.damped(f) {
			continue
		}
		d := &e.dampers[f]
		good := d.step(s, usable && !without[f], b.kept, now)
		left = left || good
		if flapping = flapping || d.flapping(s); d.raw && !good {
			without[f] = true
			if at := d.until(s); until.IsZero() || at.Before(until) {
				until = at
			}
		}
	}
	if flapping && b.doubt != gslb.DoubtSuspicion {
		b.doubt = gslb.DoubtFlapping
	}
	if !usable || until.IsZero() {
		return b
	}
	when := until.UTC().Truncate(time.Second).Add(time.Second).Format("15:04:05 UTC")
	if left {
		b.without4, b.without6 = without[0], without[1]
		b.reason += fmt.Sprintf("; the other address was lost too often or just now, and is left out until %s", when)
		return b
	}
	b.state, b.without4, b.without6 = gslb.Down, false, false
	b.reason = fmt.Sprintf("kept DOWN until %s, as it was lost too often or just now; meanwhile %s", when, b.reason)
	return b
}

// damped reports whether the service has the damper f: one for each family that it has an address of, else the first.
func (e *evidence) damped(f int) bool {
	for _, a := range e.service.Addresses {
		if family(a) == f {
			return true
		}
	}
	return f == 0 && len(e.service.Addresses) == 0
}
