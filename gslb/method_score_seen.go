package gslb

// seenResolver is a resolver with certain times: it has them as long as nothing is written to its place in the table, and
// none of them ends. Immutable.
type seenResolver struct {
	table       *resolverTable
	place       int
	version     uint64
	high, low   uint64
	from, until int64 // as long, too, nothing is to be noted when it asks
}

// noteSeen makes what was ranked found without reading the times of the resolver, which have just been read.
func (d *Decider) noteSeen(r *ranked, cells []rttCell) {
	if len(cells) == 0 || d.learned.frozen {
		return
	}
	table, e := d.learned.Resolvers, &d.resolver
	if until := table.quietUntil(e); until > d.Query.At {
		r.seen.Store(&seenResolver{table.table.Load(), e.place, e.version, e.high, e.low, d.Query.At, until})
	}
}

// quietUntil returns until when a resolver, of which e is what counts, has the same times, and asks without a mark.
func (r *Resolvers) quietUntil(e *resolver) int64 {
	asks, ends := int64(0), e.wanted+r.seconds()/refreshShare+1
	for _, c := range e.cells[:e.count] {
		ends = min(ends, c.until(r.seconds()))
		if r.options.Own == 0 || r.names[c.name()].Load() == r.options.Own {
			asks = max(asks, c.at()+r.seconds()/2)
		}
	}
	return min(asks, ends)
}

// leastSeen is pickScore among many contenders for a resolver whose times are those that they were; none when they may not be.
func (d *Decider) leastSeen(f *field, here *scoredSpot) (int, Reason) {
	table := d.learned.Resolvers
	if table == nil || table.readOnly || d.learned.frozen || !d.Query.LDNS.IsValid() {
		return none, ""
	}
	t := table.table.Load()
	if t == nil {
		return none, ""
	}
	w := table.seek(d.Query.LDNS)
	place := placeOf(w.hash, len(t.places))
	version := t.places[place].version.Load()
	set := f.scoring.many.set(here, w.hash)
	if set == nil {
		return none, ""
	}
	for i := range set {
		r := set[i].Load()
		if r == nil || r.here != here {
			continue
		}
		seen := r.seen.Load()
		if seen == nil || seen.table != t || seen.place != place || seen.version != version || seen.high != w.high || seen.low != w.low ||
			d.Query.At < seen.from || d.Query.At >= seen.until {
			continue
		}
		r.use()
		if d.pairKind != 0 {
			if i := d.joinPair(f, nil); i != none {
				return i, ReasonPaired
			}
		}
		switch {
		case r.ties != nil:
			return d.takeTurnOf(f, r.ties, r.sums)
		case r.learned == d.learned && d.told == nil:
			return d.leastRanked(f, r)
		}
	}
	return none, ""
}
