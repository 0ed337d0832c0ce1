package monitors

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"fairlead/config"
	"fairlead/monitors/probe"
	"fairlead/monitors/reason"
)

// Calculated is a target whose verdict is made of those of others: UP while enough of its parts are. It is not probed; whenever one
// of its parts has another result it is judged anew.
type Calculated struct {
	probe.Target // Monitor is of type calculated
	Parts        []Part
	// Unbound says that no verdict of it is told: it is only a part of others.
	Unbound bool
}

// Part is one of the monitors that a calculated one is made of: UP while one of its targets is.
type Part struct {
	// Name is the monitor's, with the service when that is another: "db-ok of db-ams".
	Name    string
	Targets []probe.Target
	// Absent says why there are no targets.
	Absent string
}

// PartVerdict is what is held of one part.
type PartVerdict struct {
	Name   string
	State  State
	Reason string
	At     time.Time
}

// voice is what can be a part: what is probed, and what is calculated itself.
type voice interface {
	// holds returns the last verdict; false before the first one.
	holds() (Verdict, bool)
	key() targetKey
}

// derived is a Calculated with its state.
type derived struct {
	of    Calculated
	need  int
	parts [][]voice // in the order of of.Parts
	// dependents are made of this one. A verdict goes from parts to what is made of them and never back: there are no circles.
	dependents []*derived
	// telling is held while a verdict is made and told, so that they are told in order; also across SetTargets, which never takes it.
	telling *sync.Mutex

	mu      sync.Mutex
	last    Verdict
	known   bool      // there is a last one
	told    time.Time // At of the last one that was told
	stale   bool      // SetTargets made it of something else than before: that was not judged yet
	heir    *derived  // what it became by SetTargets
	retired bool
}

func (d *derived) key() targetKey { return keyOf(&d.of.Target) }

func (d *derived) holds() (Verdict, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last, d.known
}

// inherit takes over from the same target before SetTargets. A result that is on its way to the old one goes to d instead. old.mu is held.
func (d *derived) inherit(old *derived) {
	old.retired, old.heir = true, d
	d.telling, d.last, d.known, d.told = old.telling, old.last, old.known, old.told
	d.stale = old.stale || !old.of.same(&d.of)
}

// same says that two are made alike of the same. When and how often that is asked does not matter: what is known of it stays.
func (c *Calculated) same(b *Calculated) bool {
	sameTarget := func(a, b probe.Target) bool { return keyOf(&a) == keyOf(&b) && sameQuestion(a.Monitor, b.Monitor) }
	return sameTarget(c.Target, b.Target) && c.Unbound == b.Unbound && slices.EqualFunc(c.Parts, b.Parts, func(a, b Part) bool {
		return a.Name == b.Name && a.Absent == b.Absent && slices.EqualFunc(a.Targets, b.Targets, sameTarget)
	})
}

// now is what d became by now.
func (d *derived) now() *derived {
	for {
		d.mu.Lock()
		heir := d.heir
		d.mu.Unlock()
		if heir == nil {
			return d
		}
		d = heir
	}
}

func (d *derived) isStale() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stale
}

// derive judges what is made of a part that has another result, and tells it.
func (s *Scheduler) derive(of []*derived) {
	for _, d := range of {
		d.telling.Lock()
		d = d.now()
		v, news := d.conclude()
		if news {
			s.logTurns(&v)
		}
		if news && !d.of.Unbound {
			s.verdict(v)
		}
		d.telling.Unlock()
		if news || slices.ContainsFunc(d.dependents, (*derived).isStale) {
			s.derive(d.dependents)
		}
	}
}

// conclude makes a verdict. It reports whether that is to be told: it says something else than the last one, or that is as old as
// the monitor's interval.
func (d *derived) conclude() (Verdict, bool) {
	var c sum
	for i := range d.parts {
		c.add(d.of.Parts[i].Name, d.of.Parts[i].Absent, d.parts[i])
	}
	v := c.verdict(d.need)
	v.Service, v.Monitor, v.Address = d.of.Service, d.of.Monitor.Name, d.of.Address
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.retired || v.At.IsZero() {
		return v, false
	}
	old, had := d.last, d.known
	if v.Since = old.Since; !had || v.State != old.State {
		v.Since, v.Changed = c.newest, had || v.State != Unknown
	}
	v.DrainingChanged = v.Draining != old.Draining
	d.last, d.known, d.stale = v, true, false
	news := !had || v.State != old.State || v.Draining != old.Draining || (v.Failures > 0) != (old.Failures > 0) ||
		(v.Successes > 0) != (old.Successes > 0) || v.Reason != old.Reason || v.At.Sub(d.told) >= d.of.Monitor.Interval.Std()
	if news {
		d.told = v.At
	}
	return v, news
}

// sum counts parts.
type sum struct {
	up, unknown, down           int
	steady, failing, recovering int // UP and not draining; UP, but the last result was bad; DOWN, but the last one was good
	parts                       []PartVerdict
	upAt, downAt                []time.Time
	newest                      time.Time
	draining, against           string // what the first such part says
}

// add counts a part: the best of its voices speaks.
func (c *sum) add(name, absent string, of []voice) {
	var best Verdict
	var at targetKey
	rank := -1
	for _, one := range of {
		v, _ := one.holds()
		if passive, ok := one.(*probed); ok && passive.passive() && v.State == Unknown {
			v.State, v.Reason = Up, noReport
		}
		if v.At.After(c.newest) {
			c.newest = v.At
		}
		if r := rankOf(&v); r > rank {
			best, at, rank = v, one.key(), r
		}
	}
	said := best.Reason
	switch {
	case len(of) == 0:
		said = absent
	case said == "":
		said = "no result yet"
	}
	where := ""
	if len(of) > 0 {
		where = fmt.Sprintf(" at %s", at.address)
	}
	c.parts = append(c.parts, PartVerdict{Name: name, State: best.State, Reason: said, At: best.At})
	said = name + where + ": " + said
	switch best.State {
	case Up:
		c.up++
		c.upAt = append(c.upAt, best.At)
		if best.Failures > 0 {
			c.failing++
		}
		if !best.Draining {
			c.steady++
		} else if c.draining == "" {
			c.draining = said
		}
		return
	case Down:
		c.down++
		c.downAt = append(c.downAt, best.At)
		if best.Successes > 0 {
			c.recovering++
		}
	default:
		c.unknown++
	}
	// What is DOWN says more than what is not known.
	if c.against == "" || best.State == Down && c.down == 1 {
		c.against = said
	}
}

// rankOf says which of a part's voices speaks for it: one that is UP, else one that is not known yet; of those that are UP one
// that has no reservations.
func rankOf(v *Verdict) int {
	switch {
	case v.State == Up && !v.Draining && v.Failures == 0:
		return 5
	case v.State == Up && !v.Draining:
		return 4
	case v.State == Up:
		return 3
	case v.State == Unknown:
		return 2
	case v.Successes > 0:
		return 1
	}
	return 0
}

// verdict is what follows when need of the parts must be UP. Evidence is as old as the oldest part without which it would not be so.
func (c *sum) verdict(need int) Verdict {
	n := len(c.parts)
	v := Verdict{Parts: c.parts, Reason: fmt.Sprintf("%d of %d monitors UP, %d needed", c.up, n, need)}
	switch {
	case c.up >= need:
		v.State, v.At, v.Successes = Up, oldestOf(c.upAt, need), 1
		v.Draining = c.steady < need
		if c.up-c.failing < need {
			v.Failures, v.Successes = 1, 0
		}
	case c.up+c.unknown < need:
		v.State, v.At, v.Failures = Down, oldestOf(c.downAt, n-need+1), 1
		if c.up+c.recovering >= need {
			v.Failures, v.Successes = 0, 1
		}
	default:
		v.At = c.newest
	}
	if v.At.IsZero() {
		v.At = c.newest
	}
	switch {
	case v.Draining:
		v.Reason += ": " + c.draining
	case c.against != "" && v.State == Up:
		v.Reason += "; " + c.against
	case c.against != "":
		v.Reason += ": " + c.against
	}
	v.Reason = reason.Printable(strings.TrimSpace(v.Reason))
	return v
}

// oldestOf returns the oldest of the newest n times.
func oldestOf(times []time.Time, n int) time.Time {
	slices.SortFunc(times, func(a, b time.Time) int { return b.Compare(a) })
	return times[min(n, len(times))-1]
}

// setCalculated makes these the calculated targets, of what is probed. It returns what is to be probed without delay: parts of what
// is new. s.mu is held.
func (s *Scheduler) setCalculated(calculated []Calculated, next map[targetKey]*probed) (hasten []*probed) {
	before := s.calculated
	s.calculated = make(map[targetKey]*derived, len(calculated))
	for i := range calculated {
		c := &calculated[i]
		if key := keyOf(&c.Target); s.calculated[key] == nil {
			s.calculated[key] = newDerived(c)
		}
	}
	dependents := make(map[*probed][]*derived)
	for _, d := range s.calculated {
		for i := range d.of.Parts {
			var voices []voice
			for j := range d.of.Parts[i].Targets {
				of := keyOf(&d.of.Parts[i].Targets[j])
				if p := next[of]; p != nil {
					voices, dependents[p] = append(voices, p), append(dependents[p], d)
				} else if part := s.calculated[of]; part != nil && part != d {
					voices, part.dependents = append(voices, part), append(part.dependents, d)
				}
			}
			d.parts = append(d.parts, voices)
		}
	}
	// All are held meanwhile: what is under way goes on from an old one to its heir, and from there to what is made of that, which has to
	// have inherited, too. Nobody who holds one waits for another one.
	for _, old := range before {
		old.mu.Lock()
	}
	for key, old := range before {
		if d := s.calculated[key]; d != nil {
			d.inherit(old)
		} else {
			old.retired = true
		}
	}
	for _, old := range before {
		old.mu.Unlock()
	}
	for _, d := range s.calculated {
		if d.isStale() {
			hasten = append(hasten, d.probes()...)
		}
	}
	for _, p := range next {
		p.mu.Lock()
		p.dependents = dependents[p]
		p.mu.Unlock()
	}
	return hasten
}

func newDerived(c *Calculated) *derived {
	d := &derived{of: *c, stale: true, need: config.SectionOf(c.Monitor.Calculated).Need, telling: new(sync.Mutex)}
	if d.need < 1 || d.need > len(c.Parts) {
		d.need = len(c.Parts)
	}
	return d
}

// probes lists what is probed of what this one is made of, its parts' parts counted in.
func (d *derived) probes() (out []*probed) {
	for _, voices := range d.parts {
		for _, v := range voices {
			switch of := v.(type) {
			case *probed:
				if of.job != nil {
					out = append(out, of)
				}
			case *derived:
				out = append(out, of.probes()...)
			}
		}
	}
	return out
}
