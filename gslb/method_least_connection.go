package gslb

// pickLeastConnection takes the contender with the least (active + expected) / weight; equals take turns by weight.
// Expected are the connections that answers handed out since the last report will bring, so that clients do not all
// follow one report.
func (d *Decider) pickLeastConnection(f *field) (int, Reason) {
	if !f.loaded {
		return none, ReasonNoLoad
	}
	best, least, ties := none, 0.0, 0
	for i := range f.contenders {
		switch score := d.connections(&f.contenders[i]); {
		case best == none || score < least:
			best, least, ties = i, score, 1
		case score == least:
			ties++
		}
	}
	if ties == 1 {
		return best, ReasonLeastLoad
	}
	// Other queries count answers meanwhile: nobody may be at that load any more.
	if i := d.rotate(f, func(i int) bool { return d.connections(&f.contenders[i]) == least }); i != none {
		return i, ReasonTie
	}
	return best, ReasonLeastLoad
}

// connections is a contender's load now, per weight: as reported, and what was handed out since.
func (d *Decider) connections(c *contender) float64 {
	since := d.learned.Handed(c.service) - c.load.handed
	return (c.load.active + float64(since)*c.load.perAnswer) / float64(c.weight)
}
