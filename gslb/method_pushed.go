package gslb

// pickPushed takes the contender with the least measurement that was pushed for the client. Equals take turns by weight;
// contenders without a measurement wait until none with one is left.
func (d *Decider) pickPushed(f *field) (int, Reason) {
	values, bits := d.learned.Pushed.Lookup(d.client)
	d.needScope(bits, scopePushed)
	best, bestIndex, ties := 0.0, none, 0
	for i := range values { // best first
		v := &values[i]
		if bestIndex != none && v.Value > best {
			break
		}
		if v.Until <= d.Query.At {
			continue
		}
		if c := f.contenderOf(d.s.Plan, v.Service); c != none {
			if bestIndex == none {
				best, bestIndex = v.Value, c
			}
			ties++
		}
	}
	switch {
	case bestIndex == none:
		return none, ReasonNothingPushed
	case ties == 1:
		return bestIndex, ReasonMeasured
	}
	return d.rotate(f, func(i int) bool {
		x, ok := pushedFor(values, d.s.Plan.services[f.contenders[i].service].Hash, d.Query.At)
		return ok && x == best
	})
}

// pushedFor finds a service's measurement.
func pushedFor(values []PushedValue, service uint64, at int64) (float64, bool) {
	for i := range values {
		if values[i].Service == service && values[i].Until > at {
			return values[i].Value, true
		}
	}
	return 0, false
}

// contenderOf finds a service among the contenders; none when it is not there.
func (f *field) contenderOf(p *Plan, hash uint64) int {
	for i := range f.contenders {
		if p.services[f.contenders[i].service].Hash == hash {
			return i
		}
	}
	return none
}
