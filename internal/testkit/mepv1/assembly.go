package mepv1

// assembly puts the parts of a peer's sets together. It belongs to one session, so its memory is bounded by MaxServices
// records in the making and as many of the last set, whose strings are shared with it.
type assembly struct {
	origin      string // the only site this peer may speak for
	incarnation uint64

	last    uint64 // number of the last complete set
	set     uint64 // number of the set in the making; 0: none
	part    uint16 // parts of it that were taken
	records []ServiceRecord
	before  []ServiceRecord // the last complete set
}

// take adds a frame. complete is true when it was the last of its set; records then belong to the caller, who must not
// write to them: the next set shares their strings and reads them while it is decoded.
func (a *assembly) take(payload []byte, more bool) (p servicesPrefix, records []ServiceRecord, complete bool, err error) {
	from := min(len(a.records), len(a.before))
	p, part, err := decodeServices(payload, a.before[from:])
	if err != nil {
		return p, nil, false, err
	}
	if err := a.check(p); err != nil {
		return p, nil, false, err
	}
	if len(a.records)+len(part) > MaxServices {
		return p, nil, false, refusef(RejectOversize, "assemble services of site %q: set %d has more than %d records",
			a.origin, p.set, MaxServices)
	}
	if a.set, a.part = p.set, p.part+1; a.records == nil {
		a.records = part
	} else {
		a.records = append(a.records, part...)
	}
	if more {
		return p, nil, false, nil
	}
	a.before, a.last = a.records, a.set
	a.records, a.set, a.part = nil, 0, 0
	return p, a.before, true, nil
}

// check refuses what this peer may not say, and what is not next.
func (a *assembly) check(p servicesPrefix) error {
	switch {
	case p.origin != a.origin:
		return refusef(RejectWrongSite, "take services: site %q reports services of site %q; a site speaks for itself only",
			a.origin, p.origin)
	case p.incarnation != a.incarnation:
		return refusef(RejectSequence, "take services of site %q: incarnation %d is not the %d of its Hello",
			a.origin, p.incarnation, a.incarnation)
	case a.set == 0 && (p.set <= a.last || p.part != 0):
		return refusef(RejectSequence, "take services of site %q: part %d of set %d follows the end of set %d",
			a.origin, p.part, p.set, a.last)
	case a.set != 0 && (p.set != a.set || p.part != a.part):
		return refusef(RejectSequence, "take services of site %q: part %d of set %d follows part %d of set %d",
			a.origin, p.part, p.set, int(a.part)-1, a.set)
	}
	return nil
}
