package gslb

// pickStaticProximity takes the contender whose site is closest to the client: the most specific match of places, then
// the least great-circle distance. What is still equal takes turns by weight.
func (d *Decider) pickStaticProximity(f *field) (int, Reason) {
	row, bits := d.s.Plan.locations.lookup(d.client)
	d.needScope(bits)
	if row == nil {
		return none, ReasonNotLocated
	}
	best, bestIndex, ties := uint32(0), none, 0
	for i := range f.contenders {
		switch c := row[f.contenders[i].site]; {
		case c > best:
			best, bestIndex, ties = c, i, 1
		case c == best:
			ties++
		}
	}
	switch {
	case best == 0:
		return none, ReasonNoSiteLocated
	case ties == 1:
		return bestIndex, ReasonProximity
	}
	return d.rotate(f, func(i int) bool { return row[f.contenders[i].site] == best }), ReasonTie
}
