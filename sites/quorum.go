package sites

import (
	"slices"
	"strings"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
)

// A service with a quorum is DOWN when enough of the sites that are asked see it DOWN, each by its own monitors. A link that fails
// between a site and a service is then no failure of the service. All sites that hear each other count the same votes, each
// site's own included, and so come to the same belief.
//
// While too few votes can be heard, what this site sees counts when it is asked, else what was agreed last.

// quorum is what the sites that are asked about a service see of it, and what follows.
type quorum struct {
	agree, regions int
	seats          []seat // by name
	votes          []vote // by seat
	mine           int    // this site's seat; -1: it is not asked

	stale bool      // the votes have to be counted anew
	due   time.Time // then also, as one ends to count; zero: none does
	count count
	seen  time.Time // the newest evidence of others

	belief   belief // what follows, as of the last Status
	last     belief // the last one that enough sites spoke for; source is empty: none
	inquired time.Time
}

// vote is what a site sees of a service itself. One that does not know the service at all its addresses has none.
type vote struct {
	by    *site // nil: it told nothing
	known bool
	bad   [2]bool   // by family
	told  time.Time // last
	// draining: it works, and asks to be sent nobody new.
	draining bool
	round    uint64 // of site.views

	counted bool // when votes were counted last
}

// count is votes, counted.
type count struct {
	heard  int  // sites whose votes count
	enough bool // they could agree, if all saw the service DOWN
	down   [2]int
	agreed [2]bool // by family: enough of them see it DOWN
	// draining is how many see it DRAINING; drains says that enough see it DRAINING or DOWN, and not all of these DOWN.
	draining int
	drains   bool
	text     string
}

// convene makes the quorums of a document's services. What was heard about services that stay is kept.
func (t *Tracker) convene(doc *config.Document, services []evidence) {
	t.agreeing = nil
	own := doc.Site(t.opts.Site)
	if own == nil || !own.Asked() {
		return
	}
	in := newInquest(doc)
	for i := range services {
		e := &services[i]
		if e.quorum = in.quorum(e.service, t.opts.Site); e.quorum == nil {
			continue
		}
		e.views = nil
		t.agreeing = append(t.agreeing, int32(i))
	}
}

// quorum makes the quorum of a service, as a site has it; nil: it has none.
func (in *inquest) quorum(s *config.Service, site string) *quorum {
	rule := in.of(s)
	if rule.Agree == 0 {
		return nil
	}
	q := &quorum{agree: rule.Agree, regions: rule.Regions, seats: in.asked(s, rule), mine: -1, stale: true}
	slices.SortFunc(q.seats, func(a, b seat) int { return strings.Compare(a.name, b.name) })
	q.votes = make([]vote, len(q.seats))
	if k := q.seat(site); k >= 0 {
		q.mine = k
	}
	return q
}

// inherit takes over what was heard about the same service.
func (q *quorum) inherit(old *quorum, sites map[string]*site) {
	q.last, q.seen, q.inquired = old.last, old.seen, old.inquired
	for i := range old.votes {
		v := &old.votes[i]
		if k := q.seat(old.seats[i].name); k >= 0 && v.by != nil && sites[v.by.name] == v.by {
			q.votes[k] = *v
		}
	}
}

// seat finds a site's; -1 when it is not asked.
func (q *quorum) seat(site string) int {
	i, ok := slices.BinarySearchFunc(q.seats, site, func(s seat, name string) int { return strings.Compare(s.name, name) })
	if !ok {
		return -1
	}
	return i
}

// take takes in what a site says that it sees. It reports whether that is another vote.
func (q *quorum) take(by *site, r *mep.ViewRecord, seen, told time.Time) (first, changed bool) {
	k := q.seat(by.name)
	if k < 0 || k == q.mine {
		return false, false
	}
	v := vote{by: by, draining: r.State == mep.StateDraining, told: told, round: by.views}
	v.known = r.State == mep.StateUp || r.State == mep.StateDown || v.draining
	v.bad = [2]bool{r.State == mep.StateDown || r.Without4, r.State == mep.StateDown || r.Without6}
	old := q.votes[k]
	v.counted = old.counted
	q.votes[k] = v
	if v.known && seen.After(q.seen) {
		q.seen = seen
	}
	if changed = old.by != by || old.known != v.known || old.bad != v.bad || old.draining != v.draining || v.known != v.counted; changed {
		q.stale = true
	}
	return old.by != by, changed
}

// withdraw takes in that a site does not say any more what it sees. It reports whether it said so this time.
func (q *quorum) withdraw(by *site) (gone bool) {
	k := q.seat(by.name)
	if k < 0 || q.votes[k].by != by {
		return true
	}
	if q.votes[k].round == by.views {
		return false
	}
	q.votes[k], q.stale = vote{}, true
	return true
}

// recountOf has the votes counted anew where a site has one.
func (t *Tracker) recountOf(s *site) {
	for _, i := range s.viewed {
		if q := t.services[i].quorum; q != nil {
			q.stale = true
		}
	}
}

// vote is what this node sees of a service itself. What it lost sight of while it suspects itself is no vote.
func (t *Tracker) vote(e *evidence) (v vote) {
	v.known = len(e.service.Addresses) > 0
	for _, a := range e.service.Addresses {
		f := family(a)
		s := &e.sights[f]
		switch s.belief.state {
		case gslb.Up:
			v.draining = v.draining || s.belief.draining
		case gslb.Down:
			v.bad[f] = true
			v.known = v.known && !(t.suspicion.on() && s.lost.After(t.suspicion.from))
		default:
			v.known = false
		}
	}
	return v
}

// agree settles what the sites agree on about a service.
func (t *Tracker) agree(e *evidence, now time.Time) {
	q := e.quorum
	if q.mine >= 0 {
		own, before := t.vote(e), &q.votes[q.mine]
		if own.known != before.known || own.bad != before.bad || own.draining != before.draining {
			*before, q.stale = own, true
		}
	}
	if q.stale || !q.due.IsZero() && !now.Before(q.due) {
		q.recount(e, now, t.document.Settings.MEP.KeepaliveTimeout.Std())
	}
	q.belief = q.conclude(e)
}

// recount counts the votes. Those of sites that announced that they stop, or have told nothing for longest, do not count.
func (q *quorum) recount(e *evidence, now time.Time, longest time.Duration) {
	q.stale, q.due, q.count = false, time.Time{}, count{}
	var all regions
	var down [2]regions
	names := [2][]string{}
	unfit := unfitness{}
	for i := range q.votes {
		v := &q.votes[i]
		if v.counted = false; !v.known {
			continue
		}
		if i != q.mine {
			ends := v.told.Add(longest)
			if v.by.left || !now.Before(ends) {
				continue
			}
			if q.due.IsZero() || ends.Before(q.due) {
				q.due = ends
			}
		}
		v.counted = true
		q.count.heard++
		all.add(q.seats[i].region, q.regions)
		for f := range v.bad {
			if v.bad[f] {
				q.count.down[f]++
				down[f].add(q.seats[i].region, q.regions)
				names[f] = append(names[f], q.seats[i].name)
			}
		}
		unfit.add(e, v, q.seats[i], q.regions)
	}
	q.count.enough = q.count.heard >= q.agree && len(all) >= q.regions
	for f := range down {
		q.count.agreed[f] = q.count.down[f] >= q.agree && len(down[f]) >= q.regions
	}
	q.count.draining = len(unfit.draining)
	q.count.drains = len(unfit.draining) > 0 && len(unfit.draining)+len(unfit.down) >= q.agree && len(unfit.regions) >= q.regions
	if q.count.text = q.words(e, names, down); q.count.enough && unfit.speaks(&q.count) {
		q.count.text = q.drainWords(&unfit)
	}
}

// unfitness is who sees that a service is not for new clients: it asks to be drained, or is DOWN.
type unfitness struct {
	draining, down []string
	regions        regions
}

func (u *unfitness) add(e *evidence, v *vote, of seat, most int) {
	down := true
	for _, a := range e.service.Addresses {
		down = down && v.bad[family(a)]
	}
	switch {
	case v.draining:
		u.draining = append(u.draining, of.name)
	case down:
		u.down = append(u.down, of.name)
	default:
		return
	}
	u.regions.add(of.region, most)
}

// speaks reports whether draining is what is to be said of a count.
func (u *unfitness) speaks(c *count) bool {
	return len(u.draining) > 0 && !c.agreed[0] && !c.agreed[1] && (c.drains || c.down[0]+c.down[1] == 0)
}

// regions is different regions, as many as matter.
type regions []string

func (r *regions) add(region string, most int) {
	if len(*r) < most && !slices.Contains(*r, region) {
		*r = append(*r, region)
	}
}

// conclude is the belief that follows from the votes.
func (q *quorum) conclude(e *evidence) belief {
	var own belief
	if e.probed {
		own = e.byOwnMonitors()
	}
	if !q.count.enough {
		return q.lonely(own)
	}
	b := belief{state: gslb.Down, direct: true, agreed: true, source: "quorum", seen: q.seen, reason: q.count.text}
	var bad [2]bool
	for _, a := range e.service.Addresses {
		f := family(a)
		if bad[f] = q.count.agreed[f]; !bad[f] {
			b.state = gslb.Up
		}
	}
	if b.state == gslb.Up {
		b.without4, b.without6 = bad[0], bad[1]
	}
	if own.seen.After(b.seen) {
		b.seen = own.seen
	}
	b.draining = b.state == gslb.Up && q.count.drains
	disputed := q.count.down[0] > 0 || q.count.down[1] > 0 || q.count.draining > 0
	switch {
	case !disputed && own.state == gslb.Up:
		b.reason, b.source, b.doubt = own.reason, own.source, own.doubt
	case own.state == gslb.Down:
		b.reason += "; here: " + own.reason
	case own.draining:
		b.reason += "; here: " + own.reason
	}
	switch {
	case b.draining:
	case b.state == gslb.Up && disputed:
		b.doubt = gslb.DoubtFailing
	case b.state == gslb.Down && own.doubt == gslb.DoubtRecovering:
		b.doubt = own.doubt
	}
	q.last = b.drained()
	return q.last
}

// lonely is the belief while too few votes are heard: this node's own, if it has one, else the last that was agreed on.
func (q *quorum) lonely(own belief) belief {
	switch {
	case own.state != gslb.Unknown:
		own.reason = q.count.text + ": what this site sees counts; " + own.reason
		if own.doubt == "" {
			own.doubt = gslb.DoubtPeerLost
		}
		return own.drained()
	case q.last.source != "":
		b := q.last
		b.reason, b.doubt = "kept "+b.state.String()+" as it was agreed last: "+q.count.text, gslb.DoubtPeerLost
		b.kept, b.agreed, b.direct = true, false, false
		return b
	}
	b := belief{source: "quorum", reason: q.count.text, doubt: gslb.DoubtLearning, blind: true}
	if own.reason != "" {
		b.reason += "; " + own.reason
	}
	return b
}
