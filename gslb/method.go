package gslb

import "fairlead/config"

// picking is a method in one octet: words are slow to compare.
type picking uint8

const (
	byRotation picking = iota
	byFill             // least-connection, -response-time, -bandwidth, -packets, custom-load
	byHash
	byProximity
	byRTT
	byPushed
	byScore
)

// pickingOf returns how a method picks.
func pickingOf(m config.Method) picking {
	switch m {
	case config.LeastConnection, config.LeastResponseTime, config.LeastBandwidth, config.LeastPackets, config.CustomLoad:
		return byFill
	case config.SourceIPHashing:
		return byHash
	case config.StaticProximity:
		return byProximity
	case config.RTT:
		return byRTT
	case config.Measured:
		return byPushed
	case config.Scored:
		return byScore
	}
	return byRotation
}

// pick chooses one of f's contenders, of which there is at least one, by the virtual server's method; by its backup
// method when the data for the first is missing; by rotation when it is missing for both.
func (d *Decider) pick(v *virtualServer, f *field) int {
	if len(f.contenders) == 1 {
		d.Decision.Reason = ReasonOnlyOne
		if d.trace != nil {
			d.traceMethod(v, f, v.method, 0, ReasonOnlyOne)
		}
		return 0
	}
	i, reason := d.pickBy(v.picking, byMethod, v, f)
	if d.trace != nil {
		d.traceMethod(v, f, v.method, i, reason)
	}
	if i == none {
		i, reason = d.pickInstead(v, f)
	}
	d.Decision.Reason = reason
	return i
}

// pickInstead is pick when the data for the method is missing.
func (d *Decider) pickInstead(v *virtualServer, f *field) (int, Reason) {
	d.way = byBackup
	i, reason := d.pickBy(v.backupPicking, byBackup, v, f)
	if d.trace != nil {
		d.traceMethod(v, f, v.backupMethod, i, reason)
	}
	if i != none {
		return i, reason
	}
	d.way = byDefault
	i, reason = d.pickRoundRobin(f)
	if d.trace != nil {
		d.traceMethod(v, f, config.RoundRobin, i, reason)
	}
	return i, reason
}

// pickBy picks in one way: as the method or the backup method (which). It returns none, with the reason, when the data for
// it is missing.
func (d *Decider) pickBy(p picking, which int, v *virtualServer, f *field) (int, Reason) {
	switch p {
	case byFill:
		return d.pickFill(v, f, which)
	case byHash:
		return d.pickSourceIPHash(v, f)
	case byProximity:
		return d.pickStaticProximity(f)
	case byRTT:
		return d.pickRTT(v, f)
	case byPushed:
		return d.pickPushed(f)
	case byScore:
		return d.pickScore(v, f)
	}
	return d.pickRoundRobin(f)
}

// methodOf returns the method or the backup method.
func (v *virtualServer) methodOf(which int) config.Method {
	if which == 0 {
		return v.method
	}
	return v.backupMethod
}
