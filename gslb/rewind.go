package gslb

// Anew is Copy, but what it decides is what comes next with a snapshot that has just come, for everybody who asks: it counts no answers of the snapshot
// in use, and knows of none that a question of another family has to agree with.
func (l *Learned) Anew() *Learned {
	out := l.Copy()
	out.pairs = new(pairs)
	for _, all := range [...][]counter{out.cursors, out.other, out.prefers} {
		for i := range all {
			all[i].start.Store(0)
		}
	}
	return out
}

// Rewind forgets the turns that queries of a name and a family took: they are again what they are in from, of which this is a copy. Answers that named
// services are forgotten by RewindService. It must not be called while others decide with this one.
func (l *Learned) Rewind(from *Learned, p *Plan, domain DomainIndex, asked Family) {
	vs := int(p.domains[domain].virtualServer)
	for depth := 0; vs != none && depth <= MaxBackupDepth; depth++ {
		for _, f := range [...]Family{FamilyNone, asked} {
			copyTurns(l.waysOf(VirtualServerIndex(vs), f), from.waysOf(VirtualServerIndex(vs), f))
			for i := range p.virtualServers[vs].policies {
				one := &p.virtualServers[vs].policies[i]
				copyTurns(l.preferred(one, f), from.preferred(one, f))
			}
		}
		vs = p.virtualServers[vs].backup
	}
}

// RewindService forgets how many answers named a service first, as Rewind does.
func (l *Learned) RewindService(from *Learned, s ServiceIndex) {
	l.handed[s].n.Store(from.handed[s].n.Load())
}

// copyTurns is carryTurns with what was counted since the snapshot came.
func copyTurns(to, from []counter) {
	for i := range min(len(to), len(from)) {
		to[i].n.Store(from[i].n.Load())
		to[i].start.Store(from[i].start.Load())
	}
}
