package gslb

import "time"

// pickRTT takes the contender whose site has the least round-trip time to the resolver; all within the tolerance of it
// take turns by weight. Sites without a measurement wait until none with one is left. Resolvers that nobody has measured are
// noted, so that they will be.
func (d *Decider) pickRTT(v *virtualServer, f *field) (int, Reason) {
	rtts := d.resolverRTTs()
	best, bestIndex, ties := time.Duration(0), none, 0
	for i := range f.contenders {
		if t, ok := d.rttOf(rtts, f.contenders[i].site); ok && (bestIndex == none || t < best) {
			best, bestIndex = t, i
		}
	}
	if bestIndex == none {
		return none, ReasonNotMeasured
	}
	within := func(i int) bool {
		t, ok := d.rttOf(rtts, f.contenders[i].site)
		return ok && t <= best+v.tolerance
	}
	for i := range f.contenders {
		if within(i) {
			ties++
		}
	}
	if ties == 1 {
		return bestIndex, ReasonRTT
	}
	i, reason := d.rotate(f, within)
	if reason == ReasonTie {
		reason = ReasonRTT
	}
	return i, reason
}

// resolverRTTs returns what sites have measured of the query's resolver, and notes that it is wanted.
func (d *Decider) resolverRTTs() []SiteRTT {
	table := d.learned.Resolvers
	if table == nil || !d.Query.LDNS.IsValid() {
		return nil
	}
	rtts := table.RTTs(d.Query.LDNS, d.Query.At, d.rtts[:0])
	if !d.learned.frozen {
		table.Wanted(d.Query.LDNS, d.Query.At)
	}
	return rtts
}

// rttOf finds a site's measurement.
func (d *Decider) rttOf(rtts []SiteRTT, site uint32) (time.Duration, bool) {
	hash := d.s.Plan.sites[site].hash
	for i := range rtts {
		if rtts[i].Site == hash {
			return rtts[i].RTT, true
		}
	}
	return 0, false
}
