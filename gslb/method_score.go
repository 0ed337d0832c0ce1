package gslb

import (
	"math"
	"sync/atomic"
	"time"
)

// scoring is what method score knows of a field's contenders without a client.
type scoring struct {
	cost       []float64 // weighted, in proportion to the worst
	loads      []scoredLoad
	weighs     bool // loads count: they are weighed, and some is known
	capacities bool // all contenders have one: loads are parts of it
	fill       *fill
	many       *scoredMany // nil: few contenders, or no client counts
}

// scoredLoad is one contender's load, in connections or parts of its capacity: when it was reported, and what answers add.
type scoredLoad struct {
	active, perAnswer float64
	expected          float64 // that answers between the report and the snapshot add
	handed            uint64
	basis             basis
}

// scoredSpots remembers spots. It is kept as long as the contenders are the same.
type scoredSpots [scoredSpotSlots]atomic.Pointer[scoredSpot]

// scoredSpot is what is the same for all clients at one spot. It follows from the plan, the contenders and the spot alone: who
// makes it, and when, changes nothing.
type scoredSpot struct {
	number uint32    // of the spot, in the plan's locations
	near   bool      // some distance is known
	base   []float64 // of each contender: its cost and its distance, in proportion to the farthest, both weighted
}

const (
	scoredSpotSlots = 256
	// fewConnections is the load below which differences count less: one connection more than none is not twice as busy.
	fewConnections = 10
)

// newScoring gathers what is known of a field's contenders.
func (s *Snapshot) newScoring(v *virtualServer, f *field) *scoring {
	n := len(f.contenders)
	w := &scoring{cost: make([]float64, n), loads: make([]scoredLoad, n), capacities: true}
	units, dearest, known := make([]float64, n), 0.0, false
	for i := range f.contenders {
		svc, st := &s.Plan.services[f.contenders[i].service], &s.Status.Services[f.contenders[i].service]
		units[i] = float64(svc.Capacity)
		if st.Measures != nil && st.Measures.Capacity.Value > 0 {
			units[i] = st.Measures.Capacity.Value
		}
		w.capacities = w.capacities && units[i] > 0
		if l := &st.Load; !l.At.IsZero() && s.Status.At.Sub(l.At) <= forgotten*svc.loadFresh {
			w.loads[i] = scoredLoad{active: float64(l.Active), perAnswer: max(l.PerAnswer, 0), expected: l.Expected, handed: l.Handed, basis: basisAged}
			if l.Fresh(s.Status.At, svc.loadFresh) {
				w.loads[i].basis = basisMeasured
			}
			known = true
		}
		dearest = max(dearest, svc.cost)
	}
	for i := range f.contenders {
		if l := &w.loads[i]; w.capacities {
			l.active, l.perAnswer, l.expected = l.active/units[i], l.perAnswer/units[i], l.expected/units[i]
		}
		if dearest > 0 {
			w.cost[i] = v.score.cost * s.Plan.services[f.contenders[i].service].cost / dearest
		}
	}
	w.weighs = known && v.score.load > 0
	switch {
	case v.score.distance == 0 && v.score.rtt == 0:
		w.fill = newFill(w.pours(v), f.contenders)
	case f.sites != nil:
		w.many = w.newMany(v, s.allowances)
	}
	return w
}

// pours is each contender's score when the snapshot was made, and what an answer adds to it, where clients do not count.
func (w *scoring) pours(v *virtualServer) []pour {
	load := func(l *scoredLoad) float64 { return l.active + l.expected }
	scale, out := w.scaleOf(load), make([]pour, len(w.loads))
	for i := range out {
		out[i] = pour{value: w.cost[i], basis: basisMeasured}
		switch l := &w.loads[i]; {
		case scale.most == 0:
		case l.basis == basisNone:
			out[i].value += v.score.load * scale.mean / scale.most
		default:
			out[i].value += v.score.load * load(l) / scale.most
			out[i].growth = v.score.load * l.perAnswer / scale.most
		}
	}
	return out
}

// scale brings an input to 0…1: it is divided by most, and mean stands in for what is missing. most 0: nothing is known.
type scale struct{ most, mean float64 }

// scaleOf is the scale of loads: 1 where they are parts of capacities.
func (w *scoring) scaleOf(load func(*scoredLoad) float64) (s scale) {
	n := 0.0
	for i := range w.loads {
		if l := &w.loads[i]; l.basis != basisNone {
			s.most, s.mean, n = max(s.most, load(l)), s.mean+load(l), n+1
		}
	}
	if n == 0 {
		return scale{}
	}
	s.mean /= n
	if s.most = max(s.most, fewConnections); w.capacities {
		s.most = 1
	}
	return s
}

// pickScore takes the contender with the least score per weight.
func (d *Decider) pickScore(v *virtualServer, f *field) (int, Reason) {
	here := d.scoredSpot(v, f)
	var cells []rttCell
	if v.score.rtt > 0 {
		if f.scoring.many != nil {
			if i, reason := d.leastSeen(f, here); i != none {
				return i, reason
			}
		}
		cells = d.freshCells(true)
	}
	if !here.near && !f.scoring.weighs && v.score.cost == 0 && len(d.timesOf(cells)) == 0 {
		return none, ReasonNoInputs
	}
	if d.pairKind != 0 {
		if i := d.joinPair(f, nil); i != none {
			return i, ReasonPaired
		}
	}
	switch {
	case f.scoring.fill != nil:
		turn, since := d.cursor().pour(d.s.Generation)
		if d.told != nil {
			d.told.pours(f, f.scoring.fill, turn, since)
		}
		return f.scoring.fill.pick(turn, since), ReasonScore
	case f.scoring.many != nil:
		return d.leastOfMany(v, f, here, cells)
	}
	return d.leastOfFew(v, f, here, d.timesOf(cells))
}

// leastOfFew compares all contenders as they are now. Equals take turns by weight.
func (d *Decider) leastOfFew(v *virtualServer, f *field, here *scoredSpot, times []siteTime) (int, Reason) {
	n := len(f.contenders)
	base, scores, byLoad, byTime := here.base[:n], d.scores[:n], 0.0, 0.0
	var load, rtt scale
	if f.scoring.weighs {
		load = d.loadScale(f)
		byLoad = v.score.load / load.most
	}
	if rtt = d.rttScale(f, times); rtt.most > 0 {
		byTime = v.score.rtt / rtt.most
	}
	best, least, ties := none, math.Inf(1), 0
	for i := range scores {
		score := base[i]
		if byLoad > 0 {
			score += byLoad * orMean(d.loads[i], load.mean)
		}
		if byTime > 0 {
			score += byTime * orMean(d.rtts[i], rtt.mean)
		}
		if !f.even {
			score /= float64(f.contenders[i].weight)
		}
		scores[i] = score
		switch {
		case score < least:
			best, least, ties = i, score, 1
		case score == least:
			ties++
		}
	}
	if ties == 1 {
		return best, ReasonScore
	}
	return d.rotate(f, func(i int) bool { return d.scores[i] == least })
}

// orMean returns x, or the mean where it is unknown: negative.
func orMean(x, mean float64) float64 {
	if x < 0 {
		return mean
	}
	return x
}

// loadOf returns a contender's load now; negative: not known.
func (d *Decider) loadOf(f *field, i int) float64 {
	l := &f.scoring.loads[i]
	if l.basis == basisNone {
		return -1
	}
	return l.active + float64(max(int64(d.learned.Handed(f.contenders[i].service)-l.handed), 0))*l.perAnswer
}

// loadScale is the scale of loads: among few of what they are now, which it leaves in loads; among many as they were reported.
func (d *Decider) loadScale(f *field) (s scale) {
	if len(f.contenders) > fewContenders {
		return f.scoring.scaleOf(reportedLoad)
	}
	n := 0
	for i := range f.contenders {
		x := d.loadOf(f, i)
		if d.loads[i] = x; x >= 0 {
			s.most, s.mean, n = max(s.most, x), s.mean+x, n+1
		}
	}
	if n == 0 {
		return scale{}
	}
	if n < len(f.contenders) {
		s.mean /= float64(n)
	}
	if s.most = max(s.most, fewConnections); f.scoring.capacities {
		s.most = 1
	}
	return s
}

// rttScale is the scale of times, in nanoseconds. Among few it leaves them in rtts.
func (d *Decider) rttScale(f *field, times []siteTime) (s scale) {
	if len(times) == 0 {
		return scale{}
	}
	n := 0.0
	add := func(t time.Duration, k float64) {
		s.most, s.mean, n = max(s.most, float64(t)), s.mean+k*float64(t), n+k
	}
	if f.sites != nil {
		for _, t := range times {
			if k := float64(len(f.sites.at(t.site))); k > 0 {
				add(t.time, k)
			}
		}
	} else {
		for i := range f.contenders {
			d.rtts[i] = -1
			if t, ok := timeTo(times, f.contenders[i].site); ok {
				d.rtts[i] = float64(t)
				add(t, 1)
			}
		}
	}
	if n > 0 {
		s.mean /= n
		s.most = max(s.most, float64(time.Microsecond))
	}
	return s
}

// scoredSpot returns what is the same for all clients at the client's spot.
func (d *Decider) scoredSpot(v *virtualServer, f *field) *scoredSpot {
	var number uint32
	if v.score.distance > 0 {
		var bits int
		number, bits = d.s.Plan.locations.spotNumber(d.client)
		d.needScope(bits, scopeDistance)
	}
	slot := f.spot(number)
	here := slot.Load()
	if here == nil || here.number != number {
		here = d.newScoredSpot(v, f, number)
		slot.Store(here)
	}
	return here
}

// spot returns where what is known of a spot is, or belongs.
func (f *field) spot(number uint32) *atomic.Pointer[scoredSpot] {
	return &f.spots[uint64(number)*golden>>56]
}

func (d *Decider) newScoredSpot(v *virtualServer, f *field, number uint32) *scoredSpot {
	here, at := &scoredSpot{number: number, base: f.scoring.cost}, d.s.Plan.locations.spotOf(number)
	if !at.located {
		return here
	}
	far, farthest, sum, n := make([]float64, len(f.contenders)), 0.0, 0.0, 0.0
	toward := directionOf(at)
	for i := range f.contenders {
		site := &d.s.Plan.locations.sites[f.contenders[i].site]
		if far[i] = -1; site.at.located {
			far[i] = toward.metres(&site.toward)
			farthest, sum, n = max(farthest, far[i]), sum+far[i], n+1
		}
	}
	if n == 0 {
		return here
	}
	for i := range far {
		far[i] = orMean(far[i], sum/n)
		if farthest > 0 {
			far[i] *= v.score.distance / farthest
		}
		far[i] += f.scoring.cost[i]
	}
	here.base, here.near = far, true
	return here
}
