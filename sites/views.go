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
