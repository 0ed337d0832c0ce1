package gslb

// pickStaticProximity takes the contender whose site is closest to the client: the most specific match of places, then
// the least great-circle distance. What is still equal takes turns by weight.
func (d *Decider) pickStaticProximity(f *field) (int, Reason) {
	d.locate()
	if d.here == nil || len(d.here.closeness) == 0 {
		return none, ReasonNotLocated
	}
	if f.memo != nil && f.memo.nearest != nil {
		return d.pickNearest(f)
	}
	row := d.here.closeness
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
	return d.rotate(f, func(i int) bool { return row[f.contenders[i].site] == best })
}

// pickNearest is pickStaticProximity among many contenders.
func (d *Decider) pickNearest(f *field) (int, Reason) {
	near := f.nearest(d.here)
	switch len(near.contenders) {
	case 0:
		return none, ReasonNoSiteLocated
	case 1:
		return int(near.contenders[0]), ReasonProximity
	}
	if d.findPair() {
		row := d.here.closeness
		best := row[f.contenders[near.contenders[0]].site]
		if i := d.joinPair(f, func(i int) bool { return row[f.contenders[i].site] == best }); i != none {
			return i, ReasonPaired
		}
	}
	return d.takeTurnOf(f, near.contenders, near.weights)
}

// nearest returns the contenders that are closest to a region, from the memo if they are there.
func (f *field) nearest(here *region) *nearest {
	slot := &f.memo.nearest[here.number%memoRegions]
	if n := slot.Load(); n != nil && n.region == here {
		return n
	}
	n, best, sum := &nearest{region: here}, uint32(1), uint64(0)
	for i := range f.contenders {
		c := here.closeness[f.contenders[i].site]
		if c < best {
			continue
		}
		if c > best {
			best, sum = c, 0
			n.contenders, n.weights = n.contenders[:0], n.weights[:0]
		}
		sum += uint64(f.contenders[i].weight)
		n.contenders, n.weights = append(n.contenders, uint16(i)), append(n.weights, sum)
	}
	slot.Store(n)
	return n
}
