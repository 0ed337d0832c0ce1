package whatif

import (
	"time"

	"fairlead/gslb"
)

// Outcomes of a decision that names no service, in place of a service's index.
const (
	Nobody     = -1 // no address
	LastResort = -2 // addresses of services that are down, or backup addresses
	Familyless = -3 // no address of the family, while there are services for another
)

// part is how often one outcome is drawn.
type part struct {
	to    int32 // a gslb.ServiceIndex, or an outcome above
	share float64
}

// Limits of draws for one kind of query.
const (
	leastDraws = 8
	// leastWhole is the least for a kind that stands for all queries of a name.
	leastWhole = 32
	// MostDraws bounds the draws for one query. It is a number that many small sums of weights divide.
	MostDraws = 240
	// turns is how often each outcome should have its turn on the average before a rotation is believed to be known: one
	// that was cut off hides the members whose turn did not come. mostTurning bounds the draws for that.
	turns       = 3
	mostTurning = 2048
)

// drawer decides kinds against one snapshot.
type drawer struct {
	decider  gslb.Decider
	snapshot *gslb.Snapshot
	learned  *gslb.Learned
	from     *gslb.Learned // that learned is a copy of; nil where nothing is forgotten
}

// forget makes the learned what it was before queries of a name and a family that came to an outcome, among others.
func (d *drawer) forget(domain gslb.DomainIndex, family gslb.Family, to int32) {
	d.learned.Rewind(d.from, d.snapshot.Plan, domain, family)
	if to >= 0 {
		d.learned.RewindService(d.from, gslb.ServiceIndex(to))
	}
}

// draw decides a query n times, or once if there is nothing that takes turns, and returns what comes out. It goes on up to
// most draws until all that take turns had some, and as many as the others where weights are equal.
func (d *drawer) draw(q *gslb.Query, n, most int, into []part) []part {
	into = into[:0]
	d.decider.Query = *q
	for i := 0; i < n || i < most && (i < turns*len(into) || i%len(into) != 0); i++ {
		d.decider.Decide(d.snapshot, d.learned, time.Time{}, nil)
		to, fixed := Outcome(&d.decider.Decision)
		into = add(into, to, 1)
		if i == 0 && fixed {
			break
		}
	}
	total := 0.0
	for i := range into {
		total += into[i].share
	}
	for i := range into {
		into[i].share /= total
	}
	return into
}

func add(parts []part, to int32, share float64) []part {
	for i := range parts {
		if parts[i].to == to {
			parts[i].share += share
			return parts
		}
	}
	return append(parts, part{to, share})
}

// Outcome returns what a decision came to: a gslb.ServiceIndex or one of the outcomes above, and whether the same query always comes to it.
func Outcome(d *gslb.Decision) (to int32, fixed bool) {
	switch {
	case d.Reason == gslb.ReasonAllDown || d.Reason == gslb.ReasonAllBackup:
		return LastResort, true
	case d.Outcome == gslb.OutcomeEmpty && d.Reason == gslb.ReasonNobody:
		return Familyless, true
	case d.Outcome != gslb.OutcomeServices || d.Count == 0:
		return Nobody, true
	}
	switch d.Reason {
	case gslb.ReasonOnlyOne, gslb.ReasonHash, gslb.ReasonProximity, gslb.ReasonMeasured, gslb.ReasonSession:
		fixed = true
	}
	return int32(d.Services[0]), fixed
}

// shareOf returns the share of an outcome.
func shareOf(parts []part, to int32) float64 {
	for i := range parts {
		if parts[i].to == to {
			return parts[i].share
		}
	}
	return 0
}

// drawAll decides all kinds: each as often as its weight is worth, so that rotations come out even over all of them.
func (m *model) drawAll(status *gslb.Status) [][]part {
	m.generation++
	d := drawer{snapshot: gslb.NewSnapshot(m.generation, m.in.Snapshot.Plan, status, nil), learned: m.in.Learned.Copy()}
	out := make([][]part, len(m.kinds.all))
	buf := make([]part, 0, 16)
	for i := range m.kinds.all {
		k := &m.kinds.all[i]
		worth := min(int(float64(m.in.Draws)*k.weight/m.kinds.weight), mostTurning)
		if k.anywhere {
			buf = d.draw(&k.query, min(max(worth, leastWhole), MostDraws), mostTurning, buf)
		} else {
			buf = d.draw(&k.query, min(max(worth, leastDraws), MostDraws/4), worth, buf)
		}
		out[i] = append(m.room(len(buf)), buf...)
	}
	return out
}

// room returns an empty slice for n parts out of a large one: there are as many as kinds.
func (m *model) room(n int) []part {
	const block = 4096
	if cap(m.spare)-len(m.spare) < n {
		m.spare = make([]part, 0, max(block, n))
	}
	at := len(m.spare)
	m.spare = m.spare[:at+n]
	return m.spare[at : at : at+n]
}
