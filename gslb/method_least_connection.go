package gslb

// pickLeastConnection takes the contender with the least (active + expected) / weight. Expected are the connections that
// answers handed out since the last report will bring, so that clients do not all follow one report.
func (d *decider) pickLeastConnection(f *field) (int, Reason) {
	if !f.loaded {
		return none, ReasonNoLoad
	}
	best, bestScore := none, 0.0
	for i := range f.contenders {
		if score := d.connections(&f.contenders[i]) / float64(f.contenders[i].weight); best == none || score < bestScore {
			best, bestScore = i, score
		}
	}
	return best, ReasonLeastLoad
}

// connections is a contender's load now: as reported, and what was handed out since.
func (d *decider) connections(c *contender) float64 {
	since := d.learned.Handed(c.service) - c.load.handed
	return c.load.active + float64(since)*c.load.perAnswer
}
