package gslb

import (
	"math"
	"time"
)

// siteTime is the round-trip time from a site to the query's resolver.
type siteTime struct {
	site uint32
	time time.Duration
}

// pickRTT takes the contender whose site has the least round-trip time to the resolver; all within the tolerance of it
// take turns by weight. Sites without a measurement wait until none with one is left. Resolvers that nobody has measured are
// noted, so that they will be.
func (d *Decider) pickRTT(v *virtualServer, f *field) (int, Reason) {
	cells := d.freshCells(true)
	bestIndex, best := d.nearestCell(f, cells)
	if bestIndex == none {
		return none, ReasonNotMeasured
	}
	near := d.within(cells, best+v.tolerance)
	if len(near) == 1 && !f.several(near[0].site) {
		return bestIndex, ReasonRTT
	}
	return d.rotateSites(f, near)
}

// nearestCell returns the first contender at the site with the least time, of sites that have contenders, and that time; none
// when there is no such site. It finds out which site a time is from only as far as it must.
func (d *Decider) nearestCell(f *field, cells []rttCell) (int, time.Duration) {
	for from := -1; ; { // times up to from belong to no contender
		least := math.MaxInt
		for _, c := range cells {
			if t := c.micro(); t < least && t > from {
				least = t
			}
		}
		if least == math.MaxInt {
			return none, 0
		}
		for _, c := range cells {
			if c.micro() != least {
				continue
			}
			if site, ok := d.siteOf(c); ok {
				if i := f.firstAt(site); i != none {
					return i, c.rtt()
				}
			}
		}
		from = least
	}
}

// within lists the sites that are at most so far.
func (d *Decider) within(cells []rttCell, most time.Duration) []siteTime {
	near := d.times[:0]
	for _, c := range cells {
		if c.rtt() > most {
			continue
		}
		if site, ok := d.siteOf(c); ok {
			near = append(near, siteTime{site, c.rtt()})
		}
	}
	return near
}

// rotateSites takes turns, by weight, among the contenders at some sites.
func (d *Decider) rotateSites(f *field, near []siteTime) (int, Reason) {
	tied := func(i int) bool {
		_, ok := timeTo(near, f.contenders[i].site)
		return ok
	}
	if i := d.joinPair(f, tied); i != none {
		return i, ReasonPaired
	}
	if f.sites == nil {
		i, reason := d.rotate(f, tied)
		if reason == ReasonTie {
			reason = ReasonRTT
		}
		return i, reason
	}
	total := uint64(0)
	for _, t := range near {
		total += f.sites.weight(t.site)
	}
	turn := d.turn()
	if d.told != nil {
		d.told.ties(f, turn, total, tied)
	}
	at := turn % total
	for _, t := range near {
		w := f.sites.weight(t.site)
		if at < w {
			return f.sites.pick(t.site, at), ReasonRTT
		}
		at -= w
	}
	return none, ReasonNotMeasured
}

// freshCells returns the times that are known of the query's resolver, and may note that it is wanted.
func (d *Decider) freshCells(note bool) []rttCell {
	table := d.learned.Resolvers
	if table == nil || !d.Query.LDNS.IsValid() {
		return nil
	}
	var e *resolver
	if note && !d.learned.frozen {
		e, d.resolverHash = table.ask(d.Query.LDNS, d.Query.At, &d.resolver)
	} else {
		e = table.peek(d.Query.LDNS, d.Query.At, &d.resolver)
	}
	if e == nil {
		return nil
	}
	return e.cells[:e.count]
}

// siteOf returns the site that a time is from; not when the plan has no such site.
func (d *Decider) siteOf(c rttCell) (uint32, bool) {
	return d.s.Plan.siteByHash(d.learned.Resolvers.names[c.name()].Load())
}

// timesOf returns times by site of the plan.
func (d *Decider) timesOf(cells []rttCell) []siteTime {
	out := d.times[:0]
	for _, c := range cells {
		if site, ok := d.siteOf(c); ok {
			out = append(out, siteTime{site, c.rtt()})
		}
	}
	return out
}

// knownTimes returns what sites of the plan have measured of the query's resolver.
func (d *Decider) knownTimes() []siteTime { return d.timesOf(d.freshCells(false)) }

// timeTo finds a site's measurement.
func timeTo(times []siteTime, site uint32) (time.Duration, bool) {
	for i := range times {
		if times[i].site == site {
			return times[i].time, true
		}
	}
	return 0, false
}

// indexSites makes the table that siteByHash looks into: open addressing, at most half full.
func (p *Plan) indexSites() {
	size := 2
	for size < 2*len(p.sites) {
		size *= 2
	}
	p.siteHashes = make([]siteHash, size)
	for i := range p.sites {
		at := p.sites[i].hash & uint64(size-1)
		for p.siteHashes[at].next != 0 {
			at = (at + 1) & uint64(size-1)
		}
		p.siteHashes[at] = siteHash{p.sites[i].hash, uint32(i + 1)}
	}
}

// siteByHash finds a site by the hash of its name.
func (p *Plan) siteByHash(hash uint64) (uint32, bool) {
	mask := uint64(len(p.siteHashes) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		switch slot := &p.siteHashes[at&mask]; {
		case slot.next == 0:
			return 0, false
		case slot.hash == hash:
			return slot.next - 1, true
		}
	}
}
