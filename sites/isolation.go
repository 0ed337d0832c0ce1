package sites

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"fairlead/gslb"
	"fairlead/mep"
)

// A node that hears none of several other sites of the mesh is more likely to be cut off itself than they are to have failed
// together. What only they could tell it, of services without monitors, stays as it was for as long as that lasts. Losing a single
// site is no isolation: two sites would else never fail over.

// leastUnheard is how many other sites of the mesh are silent at least while a node is isolated.
const leastUnheard = 2

// isolation is whether this node hears nobody.
type isolation struct {
	since time.Time // zero: it hears somebody, or there are not enough others
	keeps bool      // it heard enough of them before
	grace time.Time // until when what it kept stays, although some are heard again: they do not all come back at once
	alarm string
	// quiet is until when sites that are silent, too, may follow one that was lost. Sites are not lost at the same moment, and what
	// only they could tell should not be lost for the moment between.
	quiet time.Time
}

const (
	// quietSlack is how much later than its time a silent site is lost at most.
	quietSlack = time.Second
	// brokenSlack is how much longer than by silence a site is waited for whose session broke: the other end may have to find out by
	// silence first, and to connect anew.
	brokenSlack = 800 * time.Millisecond
)

// broke takes in how a session was lost. A session that ends before its time says little about the site: connections break, and are
// made again. So what only the site could tell stays until it would have been lost by silence, and a little longer. And when all others have been silent
// for long, too, this node is probably about to be isolated.
func (t *Tracker) broke(e *mep.SessionDown) {
	s := t.sites[e.Peer]
	if s == nil || e.Left {
		return
	}
	patience := t.document.Settings.MEP.KeepaliveTimeout.Std()
	for _, of := range t.list {
		if of != s && of.via != s.name {
			continue // it did not tell of it
		}
		of.broken = time.Time{}
		if !e.Heard.IsZero() && e.At.Sub(e.Heard) < patience {
			of.broken = e.Heard.Add(patience + brokenSlack)
		}
	}
	if s.mesh && !e.Others.IsZero() && e.At.Sub(e.Others) > patience/2 {
		t.isolation.quiet = e.Others.Add(patience + quietSlack)
	}
}

// meetings begins or ends isolation. What it costs goes by the sites.
func (t *Tracker) meetings(now time.Time) {
	if t.opts.Alone {
		return
	}
	heard, lost, never := 0, 0, 0
	patience := t.document.Settings.MEP.KeepaliveTimeout.Std()
	for _, s := range t.list {
		switch {
		case !s.mesh || s.standing == standsHere:
		case s.session && !s.left:
			heard++
		case s.left:
		case !s.since.IsZero():
			lost++
		case now.Sub(s.added) >= patience:
			never++
		}
	}
	was := &t.isolation
	switch alone := heard == 0 && lost+never >= leastUnheard; {
	case alone && was.since.IsZero():
		t.isolation = isolation{since: now, quiet: was.quiet, keeps: lost >= leastUnheard, alarm: fmt.Sprintf(
			"this node is isolated since %s: it hears none of %d other sites; what only they could tell it stays as it was", now.UTC().Format(time.RFC3339), lost+never)}
		t.log.Error("sites.isolated", zap.Int("unheard", lost+never), zap.String("then", "what only other sites could tell stays as it was"))
	case alone:
		was.keeps = was.keeps || lost >= leastUnheard
	case !was.since.IsZero():
		t.log.Warn("sites.rejoined", zap.Duration("after", now.Sub(was.since)), zap.Int("heard", heard))
		t.isolation = isolation{keeps: was.keeps, grace: now.Add(patience)}
	}
}

// standBys keeps what is known of children that are there, but report to a parent that is not heard: as long as there is a session
// with one, it has not failed.
func (t *Tracker) standBys(now time.Time) {
	patience := t.document.Settings.MEP.KeepaliveTimeout.Std()
	for _, s := range t.list {
		if s.several && s.session && !s.up && !s.left && !s.learning.IsZero() && s.learning.Sub(now) < patience/2 {
			s.learning = now.Add(patience)
			t.reached++
		}
	}
}

// strands reports whether only sites that this node is cut off from could tell of a service, or one whose session just broke.
func (t *Tracker) strands(e *evidence, now time.Time) bool {
	i, s := &t.isolation, e.site
	if e.sees() || s.standing != standsTelling || s.left || s.up && s.told {
		return false
	}
	cutOff := i.keeps && (!i.since.IsZero() || now.Before(i.grace)) || now.Before(i.quiet)
	return now.Before(s.broken) || cutOff && (s.mesh || s.via != s.name)
}

// stranded returns the belief from before this node was cut off from who could tell of a service, while it is; else b.
func (t *Tracker) stranded(e *evidence, b belief, now time.Time) belief {
	if b.kept || !b.blind || !t.strands(e, now) {
		return b
	}
	k := e.before
	if k.state != gslb.Up && k.state != gslb.Draining {
		return b
	}
	k.reason = "kept as it was, as this node hears no other site; it sees: " + b.reason
	switch {
	case !t.isolation.since.IsZero():
	case now.Before(e.site.broken):
		k.reason = "kept as it was, as the session just broke; it sees: " + b.reason
	case now.Before(t.isolation.quiet):
		k.reason = "kept as it was, as other sites are silent, too; it sees: " + b.reason
	default:
		k.reason = "kept as it was, as this node heard no other site until just now; it sees: " + b.reason
	}
	k.doubt, k.direct, k.kept = b.doubt, false, true
	return k
}
