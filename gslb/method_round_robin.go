package gslb

// pickRoundRobin takes the next turn of the field's weighted rotation.
func (d *Decider) pickRoundRobin(f *field) (int, Reason) {
	if d.pairKind != 0 {
		if i := d.joinPair(f, nil); i != none {
			return i, ReasonPaired
		}
	}
	turn := d.turn()
	if d.told != nil {
		d.told.rotates(f, turn)
	}
	return int(f.rotation[uint32(turn)%uint32(len(f.rotation))]), ReasonRotation // in 32 bits a division takes half as long
}

// turn takes the next turn of the rotation in use.
func (d *Decider) turn() uint64 {
	return d.counter(d.Query.Family).n.Add(1) - 1
}

// cursor returns the position of the fill in use. Families that are to agree share it, as they fill the same services.
func (d *Decider) cursor() *counter {
	if d.s.Plan.answers.coherent {
		return d.counter(FamilyNone)
	}
	return d.counter(d.Query.Family)
}

// counter returns the position of the rotation, or fill, that is in use for a family.
func (d *Decider) counter(f Family) *counter {
	if d.prefers != nil {
		return &d.learned.preferred(d.prefers, f)[d.way]
	}
	return &d.learned.waysOf(d.Decision.VirtualServer, f)[d.way]
}

// rotate takes turns, by weight, among the contenders that tied reports. It returns none when tied reports nobody.
func (d *Decider) rotate(f *field, tied func(int) bool) (int, Reason) {
	if d.pairKind != 0 {
		if i := d.joinPair(f, tied); i != none {
			return i, ReasonPaired
		}
	}
	return d.takeTurn(f, tied), ReasonTie
}

// takeTurn returns whose turn it is, by weight, among the contenders that tied reports; none when it reports nobody.
func (d *Decider) takeTurn(f *field, tied func(int) bool) int {
	var total uint64
	for i := range f.contenders {
		if tied(i) {
			total += uint64(f.contenders[i].weight)
		}
	}
	if total == 0 {
		return none
	}
	turn := d.turn()
	if d.told != nil {
		d.told.ties(f, turn, total, tied)
	}
	at := turn % total
	for i := range f.contenders {
		if !tied(i) {
			continue
		}
		if w := uint64(f.contenders[i].weight); at >= w {
			at -= w
			continue
		}
		return i
	}
	return none
}
