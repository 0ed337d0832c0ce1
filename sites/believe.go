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
	kept               bool        // this node suspects itself: the belief of before
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
	b = t.frozen(e, b, now)
	b = t.damp(e, b, now)
	if want == config.ServiceDraining && b.state == gslb.Up {
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

// wish is what operators want of a service: by an override while there is one, else by the document.
func (t *Tracker) wish(e *evidence, now time.Time) (config.ServiceState, word) {
	if o, ok := t.opts.Overrides.For(e.service.Name, e.service.Site, now); ok {
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
//	monitors bound | session with the owner's site  | no session
//	no             | the owner's report             | UNKNOWN for hold, then what most other sites see, else DOWN
//	yes            | by the site's trigger_monitors | the monitors decide
//
// A service of the local site without monitors is assumed UP.
func (t *Tracker) weigh(e *evidence, now time.Time) belief {
	monitored := len(e.service.Monitors) > 0
	switch {
	case e.service.Site == t.opts.Site && !monitored:
		return belief{state: gslb.Up, reason: "no monitor is bound", source: "assumed", seen: now, direct: true}
	case e.service.Site == t.opts.Site:
		return e.byMonitors()
	}
	s := t.sites[e.service.Site]
	switch {
	case !s.up:
		if monitored {
			return e.byMonitors()
		}
		return t.unheard(e, s, now)
	case e.report == nil:
		if monitored {
			return e.byMonitors()
		}
		return t.unreported(e, s, now)
	case !monitored:
		return e.byReport()
	}
	return e.byTrigger()
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
func (t *Tracker) unheard(e *evidence, s *session, now time.Time) belief {
	b := belief{state: gslb.Down, source: "mep " + e.service.Site, blind: true}
	patience, since := t.document.Settings.MEP.Hold.Std(), time.Time{}
	switch {
	case s.since.IsZero():
		since, b.reason = s.added, fmt.Sprintf("site %s was not heard yet", e.service.Site)
		patience = max(patience, t.document.Settings.MEP.KeepaliveTimeout.Std()) // it is learning
	case s.left:
		b.reason, b.seen = fmt.Sprintf("site %s announced that it stops", e.service.Site), s.since
		b.reported = true
		return b
	default:
		since, b.reason, b.seen = s.since, fmt.Sprintf("site %s is not heard, and no monitor is bound", e.service.Site), s.since
	}
	if now.Sub(since) < patience {
		b.state = gslb.Unknown
		return b
	}
	return t.indirect(e, b, now)
}

// unreported is the belief about a service that only its site could speak for, while that is heard but says nothing. What other
// sites see counts until it has told what it has.
func (t *Tracker) unreported(e *evidence, s *session, now time.Time) belief {
	b := belief{state: gslb.Unknown, source: "mep " + e.service.Site, seen: s.since, blind: true}
	if s.told {
		b.reason = fmt.Sprintf("site %s does not report it", e.service.Site)
		return b
	}
	b.reason = fmt.Sprintf("site %s is heard, but has not reported yet", e.service.Site)
	return t.indirect(e, b, now)
}

// byReport takes the owner's word.
func (e *evidence) byReport() belief {
	r := &e.report.record
	b := belief{
		state: stateOf(r.State), without4: r.Without4, without6: r.Without6,
		reason: r.Reason, source: "mep " + e.service.Site, seen: e.report.seen, direct: true, reported: true,
	}
	if b.reason == "" {
		b.reason = fmt.Sprintf("site %s reports %s", e.service.Site, b.state)
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
