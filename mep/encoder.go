package mep

import (
	"slices"
	"time"
)

// encoder makes rounds: what changed of all sites that this one speaks for, once for all receivers. It knows what they hold. It
// has no clock and is not safe for concurrent use.
type encoder struct {
	own     *toldSite
	sites   []*toldSite // by index
	byName  map[string]*toldSite
	records int
	sum     uint64 // of all records' digests

	round     uint64
	now       time.Duration // since the Exchange was made
	tolerance uint32        // how wrong an age may be, in milliseconds
	usual     uint32        // bound of ages to begin with
	force     bool          // tell the own site's set although nothing changed
	reserved  int           // records of the own site, before this round or after it

	next struct { // record that is told whole next
		site, record int
		credit       int
	}
	out     sectionWriter
	whole   []byte // records, in the making
	scratch []byte
	relayed []ServiceRecord
}

// refreshRounds is in how many rounds every record is told whole.
const refreshRounds = 1024

func newEncoder(site string, interval time.Duration) *encoder {
	e := &encoder{byName: make(map[string]*toldSite), tolerance: max(wireAge(interval/8), leastTolerance),
		usual: boundOf(wireAge(2 * interval))}
	e.own = e.add(site)
	return e
}

// leastTolerance is in milliseconds. Receivers take reports of one number 200 ms apart for one measurement.
const leastTolerance = 100

// add makes room for a site.
func (e *encoder) add(site string) *toldSite {
	t := &toldSite{index: len(e.sites), site: site, gone: true}
	e.sites, e.byName[site] = append(e.sites, t), t
	return t
}

// begin begins the next round.
func (e *encoder) begin(now time.Duration) {
	e.round++
	e.now = now
	e.out.round, e.out.parts = e.round, nil
}

// tell tells of a site what is not as receivers hold it. It reports whether that is urgent.
func (e *encoder) tell(t *toldSite, s *sight) (urgent bool) {
	t.round = e.round
	if !t.sameServices(s) {
		e.introduce(t, s)
		return true
	}
	return e.differ(t, s)
}

// leave tells that there is nothing more to tell of sites that this round has not seen, until there is again.
func (e *encoder) leave(reach func(site string) Reach) {
	for _, t := range e.sites {
		if !t.gone && t.round != e.round {
			e.end(t, reach(t.site))
		}
	}
}

// end tells that there is nothing more to tell of a site.
func (e *encoder) end(t *toldSite, reach Reach) {
	e.forget(t)
	t.gone = true
	e.out.begin(sectionGone, t.index)
	e.out.body = append(e.out.body, uint8(reach))
	e.out.add()
}

// room reports whether that many records of a site that is passed on fit beside the others and the site's own, at any moment while the
// round is read.
func (e *encoder) room(t *toldSite, records int) bool {
	return e.records-len(e.own.records)-len(t.records)+e.reserved+records <= MaxServices
}

// refresh tells some records whole, so that each has its turn.
func (e *encoder) refresh() {
	for e.next.credit += e.records; e.next.credit >= refreshRounds; e.next.credit -= refreshRounds {
		for tried := 0; tried <= len(e.sites); tried++ {
			t := e.sites[e.next.site%len(e.sites)]
			if e.next.record < len(t.records) {
				e.again(t, e.next.record)
				e.next.record++
				break
			}
			e.next.site, e.next.record = (e.next.site+1)%len(e.sites), 0
		}
	}
}

// finish returns the frames of the round.
func (e *encoder) finish() [][]byte {
	e.force = false
	parts := e.out.finish(e.sum)
	e.out.parts, e.out.body = nil, slices.Clip(e.out.body[:0])
	return parts
}

// all returns the frames of the round for who has heard nothing yet.
func (e *encoder) all() [][]byte {
	e.out.parts = nil
	for _, t := range e.sites {
		if !t.gone {
			e.tellWhole(t)
		}
	}
	return e.finish()
}
