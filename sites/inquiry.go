package sites

import (
	"time"

	"fairlead/mep"
	"fairlead/monitors"
)

const (
	// inquiryGap is the least time between two inquiries about a service.
	inquiryGap = time.Second
	// mostInquired is how many sites are asked to probe at once; the others tell at their intervals.
	mostInquired = 16
)

// Inquiry is a service that other sites are to probe now.
type Inquiry struct {
	Service string
	Sites   []string // at most 16
}

// Inquire returns who is to be asked after a result of this node's monitors: the other sites of the service's quorum that are heard,
// when a probe failed that may end in DOWN, or just did, or when the service asked to be drained. nil: nobody. It comes after Verdict.
func (t *Tracker) Inquire(v *monitors.Verdict, now time.Time) *Inquiry {
	i, ok := t.byName[v.Service]
	failing := v.Failures > 0 && (v.State == monitors.Up || v.Changed)
	if !ok || !failing && !v.Draining {
		return nil
	}
	e := &t.services[i]
	q := e.quorum
	if q == nil || !failing && q.count.drains || q.mine < 0 || q.agree < 2 || now.Sub(q.inquired) < inquiryGap {
		return nil
	}
	out := &Inquiry{Service: v.Service}
	for k := range q.seats { // from this site's on: with many, each asks others
		if j := (q.mine + 1 + k) % len(q.seats); j != q.mine && len(out.Sites) < mostInquired {
			if s := t.sites[q.seats[j].name]; s != nil && s.session && !s.left {
				out.Sites = append(out.Sites, s.name)
			}
		}
	}
	if len(out.Sites) == 0 {
		return nil
	}
	q.inquired = now
	return out
}

// Answered takes in what a site answered to an inquiry, at a time. It reports whether belief may have changed.
func (t *Tracker) Answered(site, service string, a *mep.ProbeAnswer, at time.Time) bool {
	i, ok := t.byName[service]
	by := t.sites[site]
	if !ok || by == nil || !by.session || t.services[i].quorum == nil {
		return false
	}
	r := mep.ViewRecord{Kind: mep.ViewOfService, State: a.State, Name: service, Without4: a.Without4, Without6: a.Without6, Age: a.Age}
	return t.heardView(by, &r, at.Add(-a.Age), at)
}

// Vote is what this node sees of a service itself, as of the last Status. State is UNKNOWN when it has no quorum here, or this
// node does not know.
func (t *Tracker) Vote(service string, now time.Time) (out mep.ProbeAnswer) {
	i, ok := t.byName[service]
	if !ok || t.services[i].quorum == nil {
		out.Reason = "the service has no quorum here"
		return out
	}
	e := &t.services[i]
	var r mep.ViewRecord
	if e.quorum.mine < 0 {
		out.Reason = "this site is not asked"
		return out
	}
	if e.tellsVote(&r, now) {
		out.State, out.Without4, out.Without6, out.Age = r.State, r.Without4, r.Without6, r.Age
	}
	out.Reason = e.byOwnMonitors().reason
	return out
}
