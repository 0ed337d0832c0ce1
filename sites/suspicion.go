package sites

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"fairlead/gslb"
)

// A node that loses sight of most of what it watches at once is more likely to have lost its own network than all of them
// to have failed together. It then suspects itself: what it lost sight of stays as it was.
//
// Targets are the addresses that this node's monitors probe, and the sessions with other sites. Losing one site is never
// suspicious, however many of all targets it has, and whatever fails by chance elsewhere meanwhile: that is what the loss of a
// site looks like, and believing it is what this program is for. So the share must be lost of at least two sites' own targets, too.
// Services that operators disabled are no targets: they may be switched off.

// sight is one target.
type sight struct {
	belief belief    // at an address: what its monitors say
	good   bool      // it was good when it was looked at last
	lost   time.Time // when it ended to be good; zero: it did not, or that is believed
}

// look takes in how the target is. What is neither good nor lost is not known, and does not count.
func (s *sight) look(good, lost bool, now time.Time) {
	switch {
	case good:
		s.good, s.lost = true, time.Time{}
	case lost && s.good:
		s.good, s.lost = false, now
	case !lost:
		s.good, s.lost = false, time.Time{}
	}
}

// suspicion is whether this node suspects itself.
type suspicion struct {
	since  time.Time // zero: it does not
	from   time.Time // losses from then on belong to it
	losses int       // when it began
	alarm  string
	ended  time.Time // of the last one, when sight was regained
}

func (s *suspicion) on() bool { return !s.since.IsZero() }

// leastSitesLost is of how many sites more than the share must be lost.
const leastSitesLost = 2

// sightings counts targets. Those of a site are counted in it.
type sightings struct {
	all  tally
	list []*site
}

type tally struct{ good, lost int }

func (c *sightings) add(s *sight, of *site, from time.Time) {
	var one tally
	switch {
	case s.good:
		one.good = 1
	case !s.lost.IsZero() && s.lost.After(from):
		one.lost = 1
	default:
		return
	}
	of.tally = tally{of.tally.good + one.good, of.tally.lost + one.lost}
	c.all = tally{c.all.good + one.good, c.all.lost + one.lost}
}

// percent returns a hundred times the lost ones, and all: their quotient is the percentage.
func (c tally) percent() (lost, all int) { return 100 * c.lost, c.lost + c.good }

// sites is of how many sites more than share percent were lost.
func (c *sightings) sites(share int) int {
	n := 0
	for _, s := range c.list {
		if lost, all := s.tally.percent(); lost > share*all {
			n++
		}
	}
	return n
}

// watch looks at all targets, and begins or ends suspicion.
func (t *Tracker) watch(now time.Time) {
	o := &t.document.Settings.Suspicion
	from := now.Add(-o.Window.Std())
	if t.suspicion.on() {
		from = t.suspicion.from
	}
	c := sightings{list: t.list}
	for _, s := range t.list {
		s.tally = tally{}
	}
	t.eachSight(now, func(s *sight, of *site, good, lost, counts bool) {
		if s.look(good, lost, now); counts {
			c.add(s, of, from)
		}
	})
	lost, all := c.all.percent()
	sites := c.sites(o.Share)
	switch {
	case !t.suspicion.on():
		if o.Share > 0 && all >= o.Targets && lost > o.Share*all && sites >= leastSitesLost {
			t.beginSuspicion(&c, from, now)
		}
	case o.Share == 0 || lost < o.Share*all || all == 0 || sites < leastSitesLost:
		t.endSuspicion("sight was regained", now)
		t.suspicion.ended = now
	case now.Sub(t.suspicion.since) >= o.Longest.Std():
		t.endSuspicion("it lasted for the longest time; what is seen is believed", now)
	}
}

// eachSight visits all targets with how they are now. Sites that others tell of do not count: they are lost with these. Nor do those
// with which a document ended the session.
func (t *Tracker) eachSight(now time.Time, visit func(s *sight, of *site, good, lost, counts bool)) {
	for _, i := range t.probed {
		e := &t.services[i]
		for _, a := range e.service.Addresses {
			s := &e.sights[family(a)]
			watched := e.believed.state != gslb.Disabled && !e.hearsay
			visit(s, e.site, watched && s.belief.state == gslb.Up, watched && s.belief.state == gslb.Down, true)
		}
	}
	for _, s := range t.list {
		if s.standing == standsTelling || s.reported {
			lost := !s.up && !s.left && !now.Before(s.moved)
			visit(&s.sight, s, s.up, lost, s.via == "" || s.via == s.name)
		}
	}
}

func (t *Tracker) beginSuspicion(c *sightings, from, now time.Time) {
	o := &t.document.Settings.Suspicion
	t.suspicion = suspicion{since: now, from: from, losses: c.all.lost}
	t.suspicion.alarm = fmt.Sprintf("this node suspects itself since %s: it lost sight of %d of %d targets, of %d sites, within %s; they stay as they were until sight is regained, at most until %s",
		now.UTC().Format(time.RFC3339), c.all.lost, c.all.lost+c.all.good, c.sites(o.Share), o.Window, now.Add(o.Longest.Std()).UTC().Format(time.RFC3339))
	t.log.Error("node.suspicion.began", zap.Int("lost", c.all.lost), zap.Int("targets", c.all.lost+c.all.good), zap.Int("sites", c.sites(o.Share)),
		zap.String("then", "what this node lost sight of stays as it was"))
}

// endSuspicion believes what is seen: it is no reason for another suspicion.
func (t *Tracker) endSuspicion(why string, now time.Time) {
	t.log.Warn("node.suspicion.ended", zap.Duration("after", now.Sub(t.suspicion.since)), zap.String("why", why))
	t.suspicion = suspicion{}
	t.eachSight(now, func(s *sight, _ *site, _, _, _ bool) { s.lost = time.Time{} })
}

// frozen returns the belief from before this node lost sight of a service, while it suspects itself; else b. Better evidence
// counts at once, and so does what the owner itself reports.
func (t *Tracker) frozen(e *evidence, b belief, now time.Time) belief {
	from := t.suspicion.from
	if !t.suspicion.on() {
		from = now.Add(-t.document.Settings.Suspicion.Window.Std())
	}
	usable := b.state == gslb.Up || b.state == gslb.Draining
	lost := e.lostSight(from)
	if !t.suspicion.on() {
		switch {
		case t.strands(e, now): // what was before stays so
		case t.regains(e, b, now):
			return e.regained(b)
		case !lost && usable:
			e.before = b
		case !lost:
			e.before = belief{}
		}
		return b
	}
	if b.agreed {
		return b // others see it, too, and what this node lost sight of was no vote
	}
	b.doubt = gslb.DoubtSuspicion
	k := e.before
	switch {
	case !lost && !b.blind, b.reported, k.state != gslb.Up && k.state != gslb.Draining:
		return b
	case usable && (!b.without4 || k.without4) && (!b.without6 || k.without6):
		return b
	case usable:
		k.without4, k.without6 = k.without4 && b.without4, k.without6 && b.without6
	}
	k.reason = "kept as it was, as this node suspects itself; it sees: " + b.reason
	k.doubt, k.direct, k.kept = gslb.DoubtSuspicion, false, true
	return k
}

// regains reports whether a service that was kept while this node suspected itself is on its way back: its last probe passed.
func (t *Tracker) regains(e *evidence, b belief, now time.Time) bool {
	return e.probed && e.believed.kept && b.state == gslb.Down && b.doubt == gslb.DoubtRecovering && now.Sub(t.suspicion.ended) <= t.staleAfter(e, b)
}

// regained is the belief from before this node lost sight of a service that is on its way back.
func (e *evidence) regained(b belief) belief {
	k := e.before
	k.reason = "kept as it was, as this node suspected itself until just now; it sees: " + b.reason
	k.doubt, k.direct, k.kept = gslb.DoubtSuspicion, false, true
	return k
}

// lostSight reports whether this node lost sight of the service, or of one of its addresses.
func (e *evidence) lostSight(from time.Time) bool {
	if !e.sees() {
		return e.site.sight.lost.After(from)
	}
	return e.sights[0].lost.After(from) || e.sights[1].lost.After(from)
}
