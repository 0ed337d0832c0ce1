package sites

import (
	"net/netip"
	"slices"
	"time"

	"fairlead/config"
	"fairlead/gslb"
)

// amend is SetDocument for a document that differs from the one before in some services and virtual servers only: it makes the evidence about these
// services anew, and no other. It reports whether that could be done; if not, nothing was.
func (t *Tracker) amend(doc *config.Document, plan *gslb.Plan, now time.Time) bool {
	if t.plan == nil || len(doc.Services) != len(t.services) {
		return false
	}
	services, virtualServers, known := plan.Since(t.plan)
	if !known {
		return false
	}
	made := make([]evidence, len(services))
	var in *inquest
	if own := doc.Site(t.opts.Site); own != nil && own.Asked() && len(services) > 0 {
		in = newInquest(doc)
	}
	for k, i := range services {
		s, old := &doc.Services[i], &t.services[i]
		if probes(s, t.opts.Site, t.answers, in) != old.probed || (s.Load != nil) != (old.busy != nil) {
			return false
		}
		made[k] = t.remade(s, old, now)
		if in == nil {
			continue
		}
		made[k].quorum = in.quorum(s, t.opts.Site)
		if (made[k].quorum != nil) != (old.quorum != nil) {
			return false
		}
	}
	for k, i := range services {
		t.replace(int32(i), &made[k], now)
	}
	for i := range t.services { // nobody keeps the document before
		t.services[i].service = &doc.Services[i]
	}
	if len(virtualServers) > 0 {
		t.keepAnswers(doc, plan)
	}
	t.amendedFrom, t.document, t.plan, t.ttls = t.plan, doc, plan, nil
	t.reached++
	return true
}

// StatusSince is Status by a document whose plan was made from that of the last Status, before: it weighs again what is known of the services that the document
// changed, and leaves all others as they were then, and so At. Loads are as of now, as answers count from the snapshot that comes. nil: all has to be weighed, as
// more depends on it than that, or before is too old.
func (t *Tracker) StatusSince(before *gslb.Status, plan *gslb.Plan, now time.Time, handed func(gslb.ServiceIndex) uint64) *gslb.Status {
	services, _, known := t.plan.Since(plan)
	if !known || t.amendedFrom != plan || len(before.Services) != len(t.services) || now.Sub(before.At) > statusKept || now.Before(before.At) {
		return nil
	}
	for _, i := range services {
		if e := &t.services[i]; e.quorum != nil || e.losesSight() {
			return nil
		}
	}
	out := *before
	out.Services = slices.Clone(before.Services)
	for i := range out.Services {
		if t.services[i].busy != nil {
			out.Services[i].Load, out.Services[i].Measures = t.busyness(gslb.ServiceIndex(i), now, handed(gslb.ServiceIndex(i)), false, false)
		}
	}
	for _, i := range services {
		t.weighIn(&out, i, now, handed, false, false)
	}
	return &out
}

// losesSight looks at the service's targets, and reports whether watch has yet to find that one is lost, or that its site is or is heard again: until then it
// cannot be said whether that is suspicious, and the service must not be weighed.
func (e *evidence) losesSight() bool {
	if s := e.site; s.standing == standsTelling && s.sight.good != s.up {
		return true
	}
	if !e.probed {
		return false
	}
	e.look()
	return slices.ContainsFunc(e.service.Addresses, func(a netip.Addr) bool {
		s := &e.sights[family(a)]
		return s.good && s.belief.state != gslb.Up
	})
}

// statusKept is how old a Status may be to be taken over for services that a document did not change.
const statusKept = 2 * time.Second

// remade is the evidence about a service that is described otherwise now, at the same site. What is known of it is not taken over yet.
func (t *Tracker) remade(s *config.Service, old *evidence, now time.Time) evidence {
	e := evidence{service: s, site: old.site, trigger: old.trigger, since: now, kinds: old.kinds, probed: old.probed}
	e.hearsay = e.kinds.hearsayOnly(s) && e.site.standing != standsHere && e.site.standing != standsForeign
	if s.Load != nil {
		e.busy = &busy{from: t.rounds.n, kept: old.busy.kept}
	}
	return e
}

// replace puts evidence in the place of that about the same service, and takes over what is still about the same thing.
func (t *Tracker) replace(i int32, e *evidence, now time.Time) {
	old := &t.services[i]
	e.inherit(old, now)
	if e.quorum != nil {
		e.views = nil
		for _, s := range t.list {
			s.viewed = slices.DeleteFunc(s.viewed, func(j int32) bool { return j == i })
		}
		if slices.Equal(old.service.Addresses, e.service.Addresses) {
			e.quorum.inherit(old.quorum, t.sites)
		}
		for k := range e.quorum.votes {
			if by := e.quorum.votes[k].by; by != nil {
				by.viewed = append(by.viewed, i)
			}
		}
	}
	t.services[i] = *e
}

// keepAnswers says how long answers with services are kept, by another plan.
func (t *Tracker) keepAnswers(doc *config.Document, plan *gslb.Plan) {
	var kept map[string]time.Duration
	for i := range t.services {
		if e := &t.services[i]; e.busy != nil {
			if kept == nil {
				kept = answersKept(doc, plan)
			}
			e.busy.kept = kept[e.service.Name]
		}
	}
}
