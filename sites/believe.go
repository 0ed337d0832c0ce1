package sites

import (
	"fmt"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
)

// belief is the conclusion from a service's evidence.
type belief struct {
	state              gslb.State
	without4, without6 bool
	reason, source     string
	seen               time.Time   // of the evidence that decided
	doubt              gslb.Reason // why it is uncertain; "": it is not
	direct             bool        // this node saw it itself, or heard it from the owner: it may be told to others
	reported           bool        // the owner's own word
	blind              bool        // not UP for want of evidence, not because evidence says so
	kept               bool        // this node suspects itself, or hears nobody: the belief of before
	beyond             bool        // nobody tells this node of it
	agreed             bool        // enough of the sites that are asked were heard
	draining           bool        // it is UP, and asks to be sent nobody new (drain_on)
	mute               bool        // a passive monitor that was told nothing yet
}

// believe weighs a service's evidence in this order:
//
//  1. the table of precedence (weigh);
//  2. while this node suspects itself, what it lost sight of stays as it was (suspicion.go);
//  3. damping may keep an address out that came back, never one in (damping.go);
//  4. what the operator wants, by an override or else by the document, comes before all of it.
func (t *Tracker) believe(e *evidence, now time.Time) belief {
	want, by := t.wish(e, now)
	b := t.weigh(e, now)
	if e.seen = b; want == config.ServiceDisabled {
		if e.service.State == config.ServiceDisabled {
			e.unwatch()
		}
		return belief{state: gslb.Disabled, reason: by.reason, source: by.source, seen: now, direct: true}
	}
	b.doubt = t.doubt(e, b, now)
	b = t.stranded(e, t.frozen(e, b, now), now)
	b = t.damp(e, b, now)
	if want == config.ServiceDraining && (b.state == gslb.Up || b.state == gslb.Draining) {
		b.state, b.reason, b.source = gslb.Draining, by.reason, by.source
	}
	return b
}

// unwatch forgets what monitors saw of a service that they do not probe: it says nothing of when it is enabled again. That is no
// loss.
func (e *evidence) unwatch() {
	e.verdicts, e.passing = nil, nil
	for f := range e.dampers {
		e.dampers[f].good, e.dampers[f].raw = false, false
	}
}

// word is whose word counts, and what is said about it.
type word struct{ reason, source string }

// order is the override that counts for a service as of the last Status: its own, else its group's, else its site's.
func (t *Tracker) order(e *evidence) (o Override, ok bool) {
	if t.orders == nil {
		return o, false
	}
	if o, ok = t.orders[overrideKey{OfService, e.service.Name}]; !ok {
		if e.service.Group != "" {
			o, ok = t.orders[overrideKey{OfServiceGroup, e.service.Group}]
		}
		if !ok {
			o, ok = t.orders[overrideKey{OfSite, e.service.Site}]
		}
	}
	return o, ok
}

// wish is what operators want of a service: by an override while there is one, else by the document.
func (t *Tracker) wish(e *evidence, now time.Time) (config.ServiceState, word) {
	if o, ok := t.order(e); ok {
		return o.wants(), word{o.explain(now), "override " + o.Owner}
	}
	switch e.service.State {
	case config.ServiceDisabled:
		return config.ServiceDisabled, word{"disabled by the operator", "operator"}
	case config.ServiceDraining:
		return config.ServiceDraining, word{"draining by the operator", "operator"}
	}
	return config.ServiceEnabled, word{}
}

// weigh is the table of precedence:
//
//	monitors bound | the owner is heard             | it is not
//	no             | the owner's report             | UNKNOWN for hold, then what most other sites see, else DOWN
//	yes            | by the site's trigger_monitors | the monitors decide
//
// With a quorum the monitors are those of the sites that are asked (quorum.go), else this node's.
// A service of the local site or of a foreign one without monitors is assumed UP. One of a site that may have changed the way by
// which it is heard keeps what it reported. A site that does not answer DNS has monitors for its own services only.
func (t *Tracker) weigh(e *evidence, now time.Time) belief {
	s := e.site
	switch s.standing {
	case standsHere:
		if e.watched() {
			return e.byMonitors()
		}
		return belief{state: gslb.Up, reason: "no monitor is bound", source: "assumed", seen: now, direct: true}
	case standsForeign:
		return t.foreign(e, now)
	case standsBeyond:
		if e.probed && !e.hearsay {
			return e.byMonitors()
		}
		return belief{state: gslb.Unknown, reason: "not known here: this site reports to " + t.parents() + ", and is told nothing of others' services", source: "none", beyond: true}
	}
	learning := now.Before(s.learning)
	switch {
	case learning && e.report != nil:
		return e.relearned(now)
	case (!s.up || !s.told || e.report == nil) && e.sees():
		return e.byMonitors()
	case !s.up:
		return t.unheard(e, s, now)
	case !s.told || e.report == nil:
		return t.unreported(e, s, now)
	case !e.watched():
		return e.byReport()
	}
	return e.byTrigger()
}

// watched reports whether monitors say something of a service: this node's, or those of others that are asked.
func (e *evidence) watched() bool { return e.probed || e.quorum != nil }

// sees reports whether monitors say something of a service that is not only what its owner told.
func (e *evidence) sees() bool { return e.watched() && !e.hearsay }

// foreign is the belief about a service of a site that nobody speaks for. A node that does not probe it knows nothing of it.
func (t *Tracker) foreign(e *evidence, now time.Time) belief {
	switch {
	case e.watched():
		return e.byMonitors()
	case len(e.service.Monitors) > 0:
		return belief{state: gslb.Unknown, reason: "not known here: only sites that answer DNS probe the services of foreign sites", source: "none", beyond: true}
	}
	return belief{state: gslb.Up, reason: "no monitor is bound, and nobody speaks for foreign site " + e.site.name, source: "assumed", seen: now}
}

// parents names those that this site may report to.
func (t *Tracker) parents() string {
	if own := t.document.Site(t.opts.Site); own != nil && own.Parent != "" {
		return own.Parent
	}
	return "its parent"
}

// relearned is the belief about a service whose site may have changed the way by which it is heard: what it reported last, unless
// monitors lost sight of the service since.
func (e *evidence) relearned(now time.Time) belief {
	newer := e.sights[0].lost.After(e.report.received) || e.sights[1].lost.After(e.report.received)
	if e.sees() && (e.trigger == config.TriggerAlways || newer) {
		return e.byMonitors()
	}
	b := e.byTriggerOr(e.sees())
	if b.direct = e.sees() && !b.reported; b.reported {
		b.doubt, b.reported = gslb.DoubtLearning, false
		b.reason += fmt.Sprintf("; site %s is not heard: it may have changed its parent, and keeps its state until %s", e.site.name, e.site.learning.UTC().Format("15:04:05 UTC"))
	}
	return b
}

// byTriggerOr is byTrigger for a service that is probed, else the report.
func (e *evidence) byTriggerOr(probed bool) belief {
	if probed {
		return e.byTrigger()
	}
	return e.byReport()
}

// byTrigger settles who decides when there are both monitors and a report.
func (e *evidence) byTrigger() belief {
	switch e.trigger {
	case config.TriggerMEPDown:
		return e.byReport()
	case config.TriggerMEPDownOrServiceDown:
		if e.report.record.State == mep.StateDown {
			return e.byMonitors()
		}
		return e.byReport()
	}
	return e.byMonitors()
}

// unheard is the belief about a service that only its site could speak for, while that is not heard.
func (t *Tracker) unheard(e *evidence, s *site, now time.Time) belief {
	b := belief{state: gslb.Down, source: s.source, blind: true}
	patience, since := t.document.Settings.MEP.Hold.Std(), time.Time{}
	switch {
	case s.since.IsZero():
		since, b.reason = s.added, fmt.Sprintf("site %s was not heard yet", s.name)
		patience = max(patience, t.document.Settings.MEP.KeepaliveTimeout.Std()) // it is learning
	case s.left:
		b.reason, b.seen = fmt.Sprintf("site %s announced that it stops", s.name), s.since
		b.reported = true
		return b
	default:
		since, b.reason, b.seen = s.since, fmt.Sprintf("site %s is not heard, and no monitor is bound", s.name), s.since
		if len(e.service.Monitors) > 0 {
			b.reason = fmt.Sprintf("site %s is not heard, and monitors probe it at sites that answer DNS only", s.name)
		}
	}
	if now.Sub(since) < patience {
		b.state = gslb.Unknown
		return b
	}
	return t.indirect(e, b, now)
}

// unreported is the belief about a service that only its site could speak for, while that is heard but says nothing. What other
// sites see counts until it has told what it has.
func (t *Tracker) unreported(e *evidence, s *site, now time.Time) belief {
	b := belief{state: gslb.Unknown, source: s.source, seen: s.since, blind: true}
	if s.told {
		b.reason = fmt.Sprintf("site %s does not report it", s.name)
		return b
	}
	b.reason = fmt.Sprintf("site %s is heard, but has not reported yet", s.name)
	if s.several && s.session {
		b.reason = fmt.Sprintf("site %s is there, but has not reported here yet; it may report to another of its parents", s.name)
	}
	return t.indirect(e, b, now)
}

// byReport takes the owner's word.
func (e *evidence) byReport() belief {
	r := &e.report.record
	b := belief{
		state: stateOf(r.State), without4: r.Without4, without6: r.Without6,
		reason: r.Reason, source: e.site.source, seen: e.report.seen, direct: true, reported: true,
	}
	if b.reason == "" {
		b.reason = "site " + e.site.name + " reports " + b.state.String()
	}
	return b
}

func stateOf(s mep.State) gslb.State {
	switch s {
	case mep.StateUp:
		return gslb.Up
	case mep.StateDown:
		return gslb.Down
	case mep.StateDisabled:
		return gslb.Disabled
	case mep.StateDraining:
		return gslb.Draining
	}
	return gslb.Unknown
}
