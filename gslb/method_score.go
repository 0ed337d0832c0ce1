package gslb

import (
	"cmp"
	"math"
	"sync/atomic"
	"time"
)

// scoring is what method score knows of a field's contenders without a client.
type scoring struct {
	cost  []float64 // weighted, in proportion to the worst
	loads []scoredLoad
	known bool // some load is known
	spots [scoredSpots]atomic.Pointer[scoredSpot]
}

// scoredLoad is one contender's load: connections when it was reported, and what answers add since.
type scoredLoad struct {
	active, perAnswer float64
	expected          float64 // that answers between the report and the snapshot add
	handed            uint64
	divisor           float64 // capacity where all contenders have one, else 0
	perConnection     float64 // the part of it that one connection is
	basis             basis
}

// scoredSpot is what nearness adds for clients at one spot. Where nearness does not count, and among many contenders, it has
// a fill of its own; among few, loads are compared as they are now, so that the answers for all spots count. It follows from
// the snapshot and the spot alone: who makes it, and when, changes nothing.
type scoredSpot struct {
	at       spot
	distance []float64 // weighted, in proportion to the farthest
	fill     *fill
}

const (
	scoredSpots = 256
	// fewConnections is the load below which differences count less: one connection more than none is not twice as busy.
	fewConnections = 10
)

// newScoring gathers what is known of a field's contenders.
func (s *Snapshot) newScoring(v *virtualServer, f *field) *scoring {
	n := len(f.contenders)
	w := &scoring{cost: make([]float64, n), loads: make([]scoredLoad, n)}
	capacities, dearest := true, 0.0
	for i := range f.contenders {
		svc, st := &s.Plan.services[f.contenders[i].service], &s.Status.Services[f.contenders[i].service]
		w.loads[i] = scoredLoad{divisor: float64(svc.Capacity)}
		if st.Measures != nil && st.Measures.Capacity.Value > 0 {
			w.loads[i].divisor = st.Measures.Capacity.Value
		}
		capacities = capacities && w.loads[i].divisor > 0
		if l := &st.Load; !l.At.IsZero() && s.Status.At.Sub(l.At) <= forgotten*svc.loadFresh {
			w.loads[i].active, w.loads[i].perAnswer, w.loads[i].handed, w.loads[i].basis = float64(l.Active), l.PerAnswer, l.Handed, basisAged
			w.loads[i].expected = l.Expected
			if l.Fresh(s.Status.At, svc.loadFresh) {
				w.loads[i].basis = basisMeasured
			}
			w.known = true
		}
		dearest = max(dearest, svc.cost)
	}
	for i := range f.contenders {
		if !capacities {
			w.loads[i].divisor = 0
		} else {
			w.loads[i].perConnection = 1 / w.loads[i].divisor
		}
		if dearest > 0 {
			w.cost[i] = v.score.cost * s.Plan.services[f.contenders[i].service].cost / dearest
		}
	}
	return w
}

// pickScore takes the contender with the least score per weight.
func (d *Decider) pickScore(v *virtualServer, f *field) (int, Reason) {
	here, known := d.scoredSpot(v, f)
	var times []siteTime
	if v.score.rtt > 0 {
		times = d.timesOf(d.freshCells(true))
	}
	if !known && !(v.score.load > 0 && f.scoring.known) && len(times) == 0 && v.score.cost == 0 {
		return none, ReasonNoInputs
	}
	if i := d.joinPair(f, nil); i != none {
		return i, ReasonPaired
	}
	if here != nil && here.fill != nil && len(times) == 0 {
		turn, since := d.learned.pour(d.Decision.VirtualServer, d.s.Generation)
		if d.told != nil {
			d.told.pours(f, here.fill, turn, since)
		}
		return here.fill.pick(turn, since), ReasonScore
	}
	return d.leastScore(v, f, here, times)
}

// leastScore compares all contenders as they are now. Equals take turns by weight.
func (d *Decider) leastScore(v *virtualServer, f *field, here *scoredSpot, times []siteTime) (int, Reason) {
	best, least, ties := none, math.Inf(1), 0
	load, rtt := d.loadScale(f), d.rttScale(f, times)
	for i := range f.contenders {
		score := d.score(v, f, i, here, times, load, rtt)
		if !f.even {
			score /= float64(f.contenders[i].weight)
		}
		if i < fewContenders {
			d.scores[i] = score
		}
		switch {
		case score < least:
			best, least, ties = i, score, 1
		case score == least:
			ties++
		}
	}
	switch {
	case ties == 1:
		return best, ReasonScore
	case len(f.contenders) <= fewContenders:
		return d.rotate(f, func(i int) bool { return d.scores[i] == least })
	}
	// Other queries count answers meanwhile: nobody may have that score any more.
	i, reason := d.rotate(f, func(i int) bool {
		return d.score(v, f, i, here, times, load, rtt)/float64(f.contenders[i].weight) == least
	})
	if i == none {
		return best, ReasonScore
	}
	return i, reason
}

// scale brings an input to 0…1: it is divided by most, and mean stands in for what is missing.
type scale struct{ most, mean float64 }

// score is one contender's sum.
func (d *Decider) score(v *virtualServer, f *field, i int, here *scoredSpot, times []siteTime, load, rtt scale) float64 {
	sum := f.scoring.cost[i]
	if v.score.load > 0 && load.most > 0 {
		var x float64
		var ok bool
		if len(f.contenders) <= fewContenders { // loadScale has just found it
			x, ok = d.loads[i], f.scoring.loads[i].basis != basisNone
		} else {
			x, ok = d.loadOf(f, i)
		}
		if !ok {
			x = load.mean
		}
		if load.most != 1 {
			x /= load.most
		}
		sum += v.score.load * x
	}
	if v.score.rtt > 0 && rtt.most > 0 {
		x := rtt.mean
		if t, ok := timeTo(times, f.contenders[i].site); ok {
			x = t.Seconds()
		}
		sum += v.score.rtt * x / rtt.most
	}
	if here != nil && here.distance != nil {
		sum += here.distance[i]
	}
	return sum
}

// loadOf returns a contender's load now.
func (d *Decider) loadOf(f *field, i int) (float64, bool) {
	l := &f.scoring.loads[i]
	if l.basis == basisNone {
		return 0, false
	}
	x := l.active + float64(max(int64(d.learned.Handed(f.contenders[i].service)-l.handed), 0))*l.perAnswer
	if l.divisor > 0 {
		x *= l.perConnection
	}
	return x, true
}

// loadScale is the scale of loads: 1 where they are parts of capacities.
func (d *Decider) loadScale(f *field) (s scale) {
	n := 0.0
	for i := range f.contenders {
		x, ok := d.loadOf(f, i)
		if i < fewContenders {
			d.loads[i] = x
		}
		if ok {
			s.most, s.mean, n = max(s.most, x), s.mean+x, n+1
		}
	}
	if n == 0 {
		return scale{}
	}
	s.mean /= n
	if s.most = max(s.most, fewConnections); f.scoring.loads[0].divisor > 0 {
		s.most = 1
	}
	return s
}

func (d *Decider) rttScale(f *field, times []siteTime) (s scale) {
	n := 0.0
	if f.sites != nil {
		for _, t := range times {
			if k := float64(len(f.sites.at(t.site))); k > 0 {
				s.most, s.mean, n = max(s.most, t.time.Seconds()), s.mean+k*t.time.Seconds(), n+k
			}
		}
	} else {
		for i := range f.contenders {
			if t, ok := timeTo(times, f.contenders[i].site); ok {
				s.most, s.mean, n = max(s.most, t.Seconds()), s.mean+t.Seconds(), n+1
			}
		}
	}
	if n > 0 {
		s.mean /= n
		s.most = max(s.most, time.Microsecond.Seconds())
	}
	return s
}

// scoredSpot returns what nearness adds at the client's spot, and whether the distance of any contender is known. It is nil
// when nothing there is needed.
func (d *Decider) scoredSpot(v *virtualServer, f *field) (*scoredSpot, bool) {
	if v.score.distance == 0 && v.score.rtt > 0 && f.sites == nil {
		return nil, false
	}
	var at spot
	if v.score.distance > 0 {
		var bits int
		at, bits = d.s.Plan.locations.spot(d.client)
		d.needScope(bits, scopeDistance)
		if !at.located {
			at = spot{}
		}
	}
	slot := &f.scoring.spots[math.Float64bits(at.lat*31+at.lon)*golden>>56]
	here := slot.Load()
	if here == nil || here.at.lat != at.lat || here.at.lon != at.lon || here.at.located != at.located {
		here = d.newScoredSpot(v, f, at)
		slot.Store(here)
	}
	return here, here.distance != nil
}

func (d *Decider) newScoredSpot(v *virtualServer, f *field, at spot) *scoredSpot {
	here := &scoredSpot{at: at}
	if at.located {
		here.distance = d.distances(v, f, at)
	}
	if f.sites == nil && (v.score.rtt > 0 || v.score.distance > 0) {
		return here
	}
	here.fill = newFill(f.scorePours(v, here), f.contenders)
	return here
}

// scorePours is each contender's score when the snapshot was made, and what an answer adds to it.
func (f *field) scorePours(v *virtualServer, here *scoredSpot) []pour {
	loads, most, mean, n := make([]pour, len(f.contenders)), float64(fewConnections), 0.0, 0.0
	load := func(l *scoredLoad) float64 { return (l.active + l.expected) / cmp.Or(l.divisor, 1) }
	for i := range f.scoring.loads {
		if l := &f.scoring.loads[i]; l.basis != basisNone {
			most, mean, n = max(most, load(l)), mean+load(l), n+1
		}
	}
	if f.scoring.loads[0].divisor > 0 {
		most = 1
	}
	for i := range loads {
		loads[i] = pour{value: f.scoring.cost[i], basis: basisMeasured}
		if here.distance != nil {
			loads[i].value += here.distance[i]
		}
		switch l := &f.scoring.loads[i]; {
		case n == 0:
		case l.basis == basisNone:
			loads[i].value += v.score.load * mean / n / most
		default:
			loads[i].value += v.score.load * load(l) / most
			loads[i].growth = v.score.load * l.perAnswer / cmp.Or(l.divisor, 1) / most
		}
	}
	return loads
}

// distances returns what distance adds for each contender; nil when no site's place is known.
func (d *Decider) distances(v *virtualServer, f *field, at spot) []float64 {
	out, farthest, sum, n := make([]float64, len(f.contenders)), 0.0, 0.0, 0.0
	for i := range f.contenders {
		site := &d.s.Plan.sites[f.contenders[i].site].spot
		if out[i] = -1; site.located {
			out[i] = greatCircleMetres(at, *site)
			farthest, sum, n = max(farthest, out[i]), sum+out[i], n+1
		}
	}
	if n == 0 {
		return nil
	}
	for i := range out {
		if out[i] < 0 {
			out[i] = sum / n
		}
		if farthest > 0 {
			out[i] *= v.score.distance / farthest
		}
	}
	return out
}
