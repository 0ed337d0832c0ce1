package gslb

import (
	"cmp"
	"slices"
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
	times := d.resolverTimes()
	best, bestIndex := time.Duration(0), none
	for _, t := range times {
		if bestIndex != none && t.time >= best {
			continue
		}
		if i := f.firstAt(t.site); i != none {
			best, bestIndex = t.time, i
		}
	}
	if bestIndex == none {
		return none, ReasonNotMeasured
	}
	near := d.within(times, best+v.tolerance)
	if len(near) == 1 && !f.several(near[0].site) {
		return bestIndex, ReasonRTT
	}
	return d.rotateSites(f, near)
}

// within keeps the sites that are at most so far, in place.
func (d *Decider) within(times []siteTime, most time.Duration) []siteTime {
	near := times[:0]
	for _, t := range times {
		if t.time <= most {
			near = append(near, t)
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
	turn := d.learned.turn(d.Decision.VirtualServer, d.Query.Family)
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

// resolverTimes returns what sites of the plan have measured of the query's resolver, and notes that it is wanted.
func (d *Decider) resolverTimes() []siteTime {
	if table := d.learned.Resolvers; table != nil && !d.learned.frozen {
		table.Wanted(d.Query.LDNS, d.Query.At)
	}
	return d.knownTimes()
}

// knownTimes is resolverTimes without the note.
func (d *Decider) knownTimes() []siteTime {
	table := d.learned.Resolvers
	if table == nil || !d.Query.LDNS.IsValid() {
		return nil
	}
	out := d.times[:0]
	for _, r := range table.RTTs(d.Query.LDNS, d.Query.At, d.rtts[:0]) {
		if site, ok := d.s.Plan.siteByHash(r.Site); ok && len(out) < len(d.times) {
			out = append(out, siteTime{site, r.RTT})
		}
	}
	return out
}

// timeTo finds a site's measurement.
func timeTo(times []siteTime, site uint32) (time.Duration, bool) {
	for i := range times {
		if times[i].site == site {
			return times[i].time, true
		}
	}
	return 0, false
}

// siteByHash finds a site by the hash of its name.
func (p *Plan) siteByHash(hash uint64) (uint32, bool) {
	if len(p.siteHashes) <= fewContenders {
		for i := range p.siteHashes {
			if p.siteHashes[i].hash == hash {
				return p.siteHashes[i].site, true
			}
		}
		return 0, false
	}
	i, ok := slices.BinarySearchFunc(p.siteHashes, hash, func(s siteHash, h uint64) int { return cmp.Compare(s.hash, h) })
	if !ok {
		return 0, false
	}
	return p.siteHashes[i].site, true
}
