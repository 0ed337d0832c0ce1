package gslb

import "fairlead/config"

// picking is a method in one octet: words are slow to compare.
type picking uint8

const (
	byRotation picking = iota
	byConnections
	byHash
	byProximity
)

// pickingOf returns how a method picks.
func pickingOf(m config.Method) picking {
	switch m {
	case config.LeastConnection:
		return byConnections
	case config.SourceIPHashing:
		return byHash
	case config.StaticProximity:
		return byProximity
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
	i, reason := d.pickBy(v.picking, v, f)
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
	i, reason := d.pickBy(v.backupPicking, v, f)
	if d.trace != nil {
		d.traceMethod(v, f, v.backupMethod, i, reason)
	}
	if i != none {
		return i, reason
	}
	i, reason = d.pickRoundRobin(f)
	if d.trace != nil {
		d.traceMethod(v, f, config.RoundRobin, i, reason)
	}
	return i, reason
}

// pickBy picks in one way. It returns none, with the reason, when the data for it is missing.
func (d *Decider) pickBy(p picking, v *virtualServer, f *field) (int, Reason) {
	switch p {
	case byConnections:
		return d.pickLeastConnection(f)
	case byHash:
		return d.pickSourceIPHash(v, f)
	case byProximity:
		return d.pickStaticProximity(f)
	}
	return d.pickRoundRobin(f)
}

// needScope records that the decision depended on this many bits of the client's address.
func (d *Decider) needScope(bits int) {
	if bits > int(d.Decision.Scope) && !d.blocked {
		d.Decision.Scope = uint8(bits)
	}
}
