package gslb

import "fairlead/config"

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
	for _, m := range [...]config.Method{v.method, v.backupMethod} {
		i, reason := d.pickBy(m, v, f)
		if d.trace != nil {
			d.traceMethod(v, f, m, i, reason)
		}
		if i != none {
			d.Decision.Reason = reason
			return i
		}
	}
	i, reason := d.pickBy(config.RoundRobin, v, f)
	if d.trace != nil {
		d.traceMethod(v, f, config.RoundRobin, i, reason)
	}
	d.Decision.Reason = reason
	return i
}

// pickBy applies one method. It returns none, with the reason, when the method's data is missing.
func (d *Decider) pickBy(m config.Method, v *virtualServer, f *field) (int, Reason) {
	switch m {
	case config.LeastConnection:
		return d.pickLeastConnection(f)
	case config.SourceIPHashing:
		return d.pickSourceIPHash(v, f)
	case config.StaticProximity:
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
