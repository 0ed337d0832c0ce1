package gslb

import "fairlead/config"

// pickFill takes the contender whose turn the fill says it is: the methods that compare loads.
func (d *Decider) pickFill(v *virtualServer, f *field, which int) (int, Reason) {
	w := f.fills[which]
	if w == nil {
		return none, unknownReason(v.methodOf(which))
	}
	if i := d.joinPair(f, nil); i != none {
		return i, ReasonPaired
	}
	turn, since := d.cursor().pour(d.s.Generation)
	if d.told != nil {
		d.told.pours(f, w, turn, since)
	}
	return w.pick(turn, since), leastReason(v.methodOf(which))
}

func leastReason(m config.Method) Reason {
	switch m {
	case config.LeastResponseTime:
		return ReasonResponseTime
	case config.LeastBandwidth:
		return ReasonBandwidth
	case config.LeastPackets:
		return ReasonPackets
	case config.CustomLoad:
		return ReasonCustomLoad
	}
	return ReasonLeastLoad
}

// unknownReason says that no contender ever reported what a method compares.
func unknownReason(m config.Method) Reason {
	switch m {
	case config.LeastResponseTime:
		return ReasonNoTime
	case config.LeastBandwidth:
		return ReasonNoBandwidth
	case config.LeastPackets:
		return ReasonNoPackets
	case config.CustomLoad:
		return ReasonNoCustom
	}
	return ReasonNoLoad
}
