package sites

import (
	"time"

	"fairlead/mep"
)

// heardViews takes in all that a site sees of others. What it no longer names it no longer sees.
func (t *Tracker) heardViews(r *mep.ViewsReport) bool {
	by := t.sites[r.Peer]
	if by == nil {
		return false
	}
	changed := false
	by.views++
	for i := range r.Records {
		if v := &r.Records[i]; v.Kind == mep.ViewOfService {
			changed = t.heardView(by, v, r.ReceivedAt.Add(-r.Age-v.Age), r.ReceivedAt) || changed
		}
	}
	kept := by.viewed[:0]
	for _, i := range by.viewed {
		switch e := &t.services[i]; {
		case e.quorum != nil:
			if e.quorum.withdraw(by) {
				changed = true
				continue
			}
		case e.views[r.Peer].round != by.views:
			delete(e.views, r.Peer)
			changed = true
			continue
		}
		kept = append(kept, i)
	}
	by.viewed = kept
	t.heardSites(by, r)
	return changed
}

// heardView takes in what a site sees of one service.
func (t *Tracker) heardView(by *site, v *mep.ViewRecord, seen, told time.Time) bool {
	i, ok := t.byName[v.Name]
	if !ok || t.services[i].quorum == nil {
		return t.View(by.name, v.Name, stateOf(v.State), seen, told)
	}
	first, changed := t.services[i].quorum.take(by, v, seen, told)
	if first {
		by.viewed = append(by.viewed, int32(i))
	}
	return changed
}

// Views is what this node tells others that it sees itself, as of the last Status: which sites it hears itself, and
// the services that others weigh its word of: of other sites, those that have no monitor, and of all those with a quorum that
// it is asked about. Of others with monitors every site has verdicts of its own. When there is more than a set has room for,
// what is of the least use is left out: votes come before other services, and these before children.
func (t *Tracker) Views(now time.Time) []mep.ViewRecord {
	out := t.sitesHeard(nil, true)
	for _, i := range t.agreeing {
		e := &t.services[i]
		r := mep.ViewRecord{Kind: mep.ViewOfService, Name: e.service.Name}
		if e.tellsVote(&r, now) {
			out = append(out, r)
		}
	}
	for i := range t.services {
		e := &t.services[i]
		switch {
		case len(out) >= mep.MaxViews:
			return out[:mep.MaxViews]
		case e.quorum != nil:
			continue
		case e.site.standing != standsTelling || e.site.via != e.site.name || len(e.service.Monitors) > 0 || !e.seen.direct:
			continue
		}
		out = append(out, mep.ViewRecord{Kind: mep.ViewOfService, State: wireState(e.seen.state), Name: e.service.Name, Age: max(now.Sub(e.seen.seen), 0)})
	}
	out = t.sitesHeard(out, false)
	return out[:min(len(out), mep.MaxViews)]
}

// sitesHeard appends which sites this node hears itself: those of the mesh, or the others.
func (t *Tracker) sitesHeard(out []mep.ViewRecord, mesh bool) []mep.ViewRecord {
	for _, s := range t.list {
		if s.mesh != mesh || s.standing == standsHere || s.standing == standsForeign || s.via != "" && s.via != s.name {
			continue
		}
		r := mep.ViewRecord{Kind: mep.ViewOfSite, State: mep.StateDown, Name: s.name}
		if s.session {
			r.State = mep.StateUp
		}
		out = append(out, r)
	}
	return out
}

// tellsVote makes r this node's own vote on a service with a quorum. It reports whether it has one.
func (e *evidence) tellsVote(r *mep.ViewRecord, now time.Time) bool {
	q := e.quorum
	if q.mine < 0 || !q.votes[q.mine].known {
		return false
	}
	bad, good := q.votes[q.mine].bad, false
	for _, a := range e.service.Addresses {
		good = good || !bad[family(a)]
	}
	if r.State = mep.StateDown; good {
		if r.State, r.Without4, r.Without6 = mep.StateUp, bad[0], bad[1]; q.votes[q.mine].draining {
			r.State = mep.StateDraining
		}
	}
	r.Age = max(now.Sub(e.byOwnMonitors().seen), 0)
	return true
}
