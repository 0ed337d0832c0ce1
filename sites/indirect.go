package sites

import (
	"fmt"
	"time"

	"fairlead/gslb"
)

// view is what another site sees of a service that it does not own.
type view struct {
	state gslb.State
	seen  time.Time // when its evidence was fresh, on this node's clock
	told  time.Time // when it was told last
	round uint64    // of site.views
}

// View takes in what site sees itself of a service that belongs to another one; told is when it said so. It reports whether
// belief may have changed. Sites and services outside the document, and what a site says of its own services here, do not
// count.
func (t *Tracker) View(site, service string, state gslb.State, seen, told time.Time) bool {
	i, ok := t.byName[service]
	by := t.sites[site]
	if !ok || by == nil || t.services[i].site == by || by.standing == standsHere {
		return false
	}
	e := &t.services[i]
	old, had := e.views[site]
	if e.views == nil {
		e.views = make(map[string]view)
	}
	if e.views[site] = (view{state, seen, told, by.views}); !had {
		by.viewed = append(by.viewed, int32(i))
	}
	return !had || old.state != state
}

// indirect asks the other sites: the ones that are heard, and that see the service themselves. What more than half of them
// see counts; b counts when they do not agree, or none sees it. A site whose word is older than a keep-alive time-out has
// none.
func (t *Tracker) indirect(e *evidence, b belief, now time.Time) belief {
	limit := t.document.Settings.MEP.KeepaliveTimeout.Std()
	count := map[gslb.State]int{}
	total, seen := 0, time.Time{}
	for site, v := range e.views {
		if s := t.sites[site]; s == nil || !s.session || now.Sub(v.told) > limit || v.state == gslb.Unknown {
			continue
		}
		total++
		count[v.state]++
		if v.seen.After(seen) {
			seen = v.seen
		}
	}
	state, most := gslb.Unknown, 0
	switch up := count[gslb.Up] + count[gslb.Draining]; {
	case 2*up > total && count[gslb.Draining] > count[gslb.Up]:
		state, most = gslb.Draining, up
	case 2*up > total:
		state, most = gslb.Up, up
	case 2*count[gslb.Down] > total:
		state, most = gslb.Down, count[gslb.Down]
	case 2*count[gslb.Disabled] > total:
		state, most = gslb.Disabled, count[gslb.Disabled]
	default:
		return b
	}
	return belief{state: state, source: "other sites", seen: seen, blind: b.blind && state == gslb.Down,
		reason: fmt.Sprintf("%s; %d of %d other sites see it %s", b.reason, most, total, state)}
}
