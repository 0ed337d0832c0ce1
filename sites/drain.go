package sites

import (
	"math"
	"time"

	"fairlead/config"
	"fairlead/gslb"
)

// Limits of what is remembered of a service that drains.
const (
	maxDrainSamples = 64
	// leastDrainSamples is how many reports a trend is made of at least.
	leastDrainSamples = 3
)

// drain is what was seen of a service since it began to drain.
type drain struct {
	since   time.Time
	samples []drainSample // at most maxDrainSamples, the oldest first
	load    gslb.Load     // last one
}

type drainSample struct {
	at     time.Time
	active float64
}

// note takes in a load report.
func (d *drain) note(l *gslb.Load) {
	n := len(d.samples)
	if l.At.IsZero() || l.At.Before(d.since) || n > 0 && !l.At.After(d.samples[n-1].at) {
		return
	}
	if n == maxDrainSamples { // thin out: the trend is over all of the time
		kept := d.samples[:0]
		for i := 0; i < n; i += 2 {
			kept = append(kept, d.samples[i])
		}
		d.samples = kept
	}
	d.samples = append(d.samples, drainSample{l.At, float64(l.Active)})
}

// halfLife is the time in which the connections halve, by regression of their logarithm over time; 0: they do not fall, or
// there are too few reports.
func (d *drain) halfLife() time.Duration {
	var n, sx, sy, sxx, sxy float64
	for _, s := range d.samples {
		if s.active < 1 {
			continue
		}
		x, y := s.at.Sub(d.since).Seconds(), math.Log2(s.active)
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	slope := (n*sxy - sx*sy) / (n*sxx - sx*sx)
	if n < leastDrainSamples || math.IsNaN(slope) || slope >= 0 || -1/slope > (365*24*time.Hour).Seconds() {
		return 0
	}
	return time.Duration(-1 / slope * float64(time.Second))
}

// DrainStatus is how far a DRAINING service has come.
type DrainStatus struct {
	Since time.Time
	// Load is the last report of its connections.
	Load gslb.Load
	// HalfLife is the time in which its connections halve. 0: they do not, or it is not known yet.
	HalfLife time.Duration
	// ResolversUntil is until when resolvers may still hold an answer with it.
	ResolversUntil time.Time
	// Sessions is how many persistence sessions still point to it. Nil: they were not counted.
	Sessions *int
}

// Left estimates the time from now until nothing comes any more: no resolver holds an answer, and less than one connection is
// left. ok is false while nobody can tell: connections are not reported, or do not fall.
func (d *DrainStatus) Left(now time.Time) (left time.Duration, ok bool) {
	left = max(d.ResolversUntil.Sub(now), 0)
	switch {
	case d.Load.At.IsZero():
		return 0, false
	case d.Load.Active == 0:
		return left, true
	case d.HalfLife == 0:
		return 0, false
	}
	halvings := math.Log2(float64(d.Load.Active)) + 1 // to one half
	end := d.Load.At.Add(time.Duration(halvings * float64(d.HalfLife)))
	return max(left, end.Sub(now)), true
}

// Drains returns how far the services have come that drain, as of the last Status.
func (t *Tracker) Drains() map[string]DrainStatus {
	var out map[string]DrainStatus
	for i := range t.services {
		e := &t.services[i]
		if e.drain == nil {
			continue
		}
		if out == nil {
			out = make(map[string]DrainStatus)
		}
		if t.ttls == nil {
			t.ttls = longestTTLs(t.document, t.plan)
		}
		out[e.service.Name] = DrainStatus{Since: e.drain.since, Load: e.drain.load, HalfLife: e.drain.halfLife(),
			ResolversUntil: e.drain.since.Add(t.ttls[e.service.Name])}
	}
	return out
}

// draining keeps the notes about a service that drains, and drops those of one that does not.
func (e *evidence) draining(s *gslb.ServiceStatus, now time.Time) {
	if s.State != gslb.Draining {
		e.drain = nil
		return
	}
	if e.drain == nil {
		e.drain = &drain{since: now}
	}
	e.drain.load = s.Load
	e.drain.note(&s.Load)
}

// longestTTLs is, by service, the longest time that an answer with it may be held: the greatest TTL of the domains whose virtual
// server, or one that it falls back to, has it as a member.
func longestTTLs(doc *config.Document, plan *gslb.Plan) map[string]time.Duration {
	byName := make(map[string]*config.VirtualServer, len(doc.VirtualServers))
	for i := range doc.VirtualServers {
		byName[doc.VirtualServers[i].Name] = &doc.VirtualServers[i]
	}
	ttls := make(map[string]time.Duration, plan.Domains())
	for i := range plan.Domains() {
		d := plan.Domain(gslb.DomainIndex(i))
		ttls[d.Name] = max(ttls[d.Name], time.Duration(d.TTL)*time.Second)
	}
	out := make(map[string]time.Duration, len(doc.Services))
	for i := range doc.VirtualServers {
		v, longest := &doc.VirtualServers[i], time.Duration(0)
		for j := range v.Domains {
			if name, err := config.CanonicalName(v.Domains[j].Name); err == nil {
				longest = max(longest, ttls[name])
			}
		}
		for depth, at := 0, v; longest > 0 && at != nil && depth <= gslb.MaxBackupDepth; depth, at = depth+1, byName[at.Backup] {
			for j := range at.Members {
				name := at.Members[j].Service
				out[name] = max(out[name], longest)
			}
		}
	}
	return out
}
