package gslb

import "math/bits"

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
	total := f.weightOf(tied)
	if total == 0 {
		return none
	}
	turn := d.turn()
	if d.told != nil {
		d.told.ties(f, turn, total, tied)
	}
	return f.turnOf(turn%total, tied)
}

// turnOf returns whose turn it is at a position below the weight of the contenders that tied reports; none when they are less.
func (f *field) turnOf(at uint64, tied func(int) bool) int {
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

// mostTries is how many contenders takeTurnAmong looks at before it lists who has tied.
const mostTries = 64

// takeTurnAmong is takeTurn where so many have tied that it would take long to list them: places of the field's rotation are
// tried, in an order that the turn decides, until somebody there has tied. So each of them has its part by weight. none: nobody
// has tied.
func (d *Decider) takeTurnAmong(f *field, tied func(int) bool) int {
	turn := d.turn()
	if d.told != nil {
		d.told.ties(f, turn, f.weightOf(tied), tied)
		d.told.turns, d.told.chance = 0, true
	}
	at := turn * golden
	for n := range uint64(mostTries) {
		place, _ := bits.Mul64(at, uint64(len(f.rotation)))
		if i := int(f.rotation[place]); tied(i) {
			return i
		}
		at = draw(turn, n)
	}
	total := f.weightOf(tied)
	if total == 0 {
		return none
	}
	return f.turnOf(turn%total, tied)
}

// weightOf is the weight of the contenders that tied reports.
func (f *field) weightOf(tied func(int) bool) (total uint64) {
	for i := range f.contenders {
		if tied(i) {
			total += uint64(f.contenders[i].weight)
		}
	}
	return total
}
