package sites

import (
	"time"

	"go.uber.org/zap"

	"fairlead/mep"
)

// ViewsLeftOut counts, by what they are about, the records that a set of views had no room for.
type ViewsLeftOut struct {
	Votes    int // on services with a quorum
	Services int // of other sites, without monitors
	Sites    int
}

// leftOutAgain is the least time between two entries in the log that views are left out: near the limit they come and go.
const leftOutAgain = 10 * time.Minute

// viewSet is a set of views in the making.
type viewSet struct {
	records []mep.ViewRecord
	left    ViewsLeftOut
}

// add takes a record in, or counts it.
func (v *viewSet) add(r mep.ViewRecord, leftOut *int) {
	if len(v.records) < mep.MaxViews {
		v.records = append(v.records, r)
		return
	}
	*leftOut++
}

// Views is what this node tells others that it sees itself, as of the last Status: which sites it hears itself, and
// the services that others weigh its word of: of other sites, those that have no monitor, and of all those with a quorum that
// it is asked about. Of others with monitors every site has verdicts of its own. When there is more than a set has room for,
// what is of the least use is left out, counted and logged: votes come before other services, and these before children.
func (t *Tracker) Views(now time.Time) []mep.ViewRecord {
	v := viewSet{records: make([]mep.ViewRecord, 0, t.viewed)} // most often they are about as many as before
	t.sitesHeard(&v, true)
	for _, i := range t.agreeing {
		e := &t.services[i]
		r := mep.ViewRecord{Kind: mep.ViewOfService, Name: e.service.Name}
		if e.tellsVote(&r, now) {
			v.add(r, &v.left.Votes)
		}
	}
	for i := range t.services {
		e := &t.services[i]
		if e.quorum != nil || e.site.standing != standsTelling || e.site.via != e.site.name || len(e.service.Monitors) > 0 || !e.seen.direct {
			continue
		}
		v.add(mep.ViewRecord{Kind: mep.ViewOfService, State: wireState(e.seen.state), Name: e.service.Name, Age: max(now.Sub(e.seen.seen), 0)}, &v.left.Services)
	}
	t.sitesHeard(&v, false)
	t.sayLeftOut(v.left, now)
	t.viewed = len(v.records)
	return v.records
}

// sitesHeard adds which sites this node hears itself: those of the mesh, or the others.
func (t *Tracker) sitesHeard(v *viewSet, mesh bool) {
	for _, s := range t.list {
		if s.mesh != mesh || s.standing == standsHere || s.standing == standsForeign || s.via != "" && s.via != s.name {
			continue
		}
		r := mep.ViewRecord{Kind: mep.ViewOfSite, State: mep.StateDown, Name: s.name}
		if s.session {
			r.State = mep.StateUp
		}
		v.add(r, &v.left.Sites)
	}
}

// ViewsLeftOut is what the last set of views had no room for.
func (t *Tracker) ViewsLeftOut() ViewsLeftOut { return t.leftOut.ViewsLeftOut }

// leftOut is what was left out last, and when that was logged: of any, and of votes.
type leftOut struct {
	ViewsLeftOut
	said, saidVotes time.Time
}

// note takes in what a set leaves out, and reports whether that is to be logged: it begins, or votes begin to be among it.
func (l *leftOut) note(now ViewsLeftOut, at time.Time) (begins bool) {
	was := l.ViewsLeftOut
	l.ViewsLeftOut = now
	switch {
	case now.Votes > 0 && was.Votes == 0 && at.Sub(l.saidVotes) >= leftOutAgain:
		l.said, l.saidVotes = at, at
		return true
	case now != ViewsLeftOut{} && was == ViewsLeftOut{} && at.Sub(l.said) >= leftOutAgain:
		l.said = at
		return true
	}
	return false
}

// sayLeftOut logs that views begin to be left out. That votes are is an error: others decide without this site.
func (t *Tracker) sayLeftOut(left ViewsLeftOut, now time.Time) {
	if !t.leftOut.note(left, now) {
		return
	}
	say, then := t.log.Warn, "sites that do not hear these themselves go without this site's word"
	if left.Votes > 0 {
		say, then = t.log.Error, "other sites decide about these services without this site's vote"
	}
	say("sites.views_left_out", zap.Int("votes", left.Votes), zap.Int("services", left.Services), zap.Int("sites", left.Sites),
		zap.Int("limit", mep.MaxViews), zap.String("then", then))
}
