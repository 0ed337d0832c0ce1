package gslb

// Rankings are as old as the last report of loads at most. Those that queries needed since the one before are made while the
// snapshot is, so that no query has to compare all members because loads were reported.

const (
	// aheadMost bounds what that costs a snapshot, in scores that are computed: about 9 ns each.
	aheadMost = 1 << 18
	// aheadField is what looking for the rankings of a field costs, in scores.
	aheadField = rankedSets * rankedWays / 8
)

// ahead makes rankings before they are asked for.
type ahead struct {
	decider Decider
	left    int // scores that may still be computed
}

// rankAhead makes the rankings that queries needed of the snapshot before. Which virtual servers come first changes with each one, as
// what it may cost is bounded.
func (s *Snapshot) rankAhead(old *Snapshot) {
	if len(s.Plan.lively) == 0 {
		return // those that score are among them
	}
	a, n := ahead{left: aheadMost}, uint64(len(s.standings))
	a.decider.s = s
	for k := range n {
		i := (s.Generation%n + k) % n
		v := &s.Plan.virtualServers[i]
		if v.picking != byScore && v.backupPicking != byScore {
			continue
		}
		is, was := &s.standings[i], &old.standings[i]
		for f := range Family(families + otherFamilies) {
			if f >= families && (is.other == nil || was.other == nil) {
				break
			}
			a.field(v, is.field(f), was.field(f))
			for j := range min(len(is.preferred), len(was.preferred)) {
				a.field(v, &is.preferred[j][f], &was.preferred[j][f])
			}
		}
		if a.left <= 0 {
			return
		}
	}
}

// field makes the rankings of a field that queries needed of the same one in the snapshot before.
func (a *ahead) field(v *virtualServer, f, old *field) {
	if f.scoring == nil || f.scoring.many == nil || old.scoring == nil || old.scoring.many == nil || f.spots != old.spots {
		return // of other contenders
	}
	rankings := old.scoring.many.ranked.Load()
	if rankings == nil {
		return
	}
	a.left -= aheadField
	for set := range rankings {
		for way := range rankings[set] {
			r := rankings[set][way].Load()
			if r == nil || !r.used.Load() || f.spot(r.here.number).Load() != r.here {
				continue
			}
			if a.left -= len(f.contenders); a.left < 0 || !f.scoring.many.open() {
				return
			}
			a.rank(v, f, set, way, r)
		}
	}
}

// rank makes a ranking anew.
func (a *ahead) rank(v *virtualServer, f *field, set, way int, old *ranked) {
	d, cells := &a.decider, old.cells[:old.count]
	d.learned = old.learned
	all := d.fixedScores(v, f, old.here, cells)
	d.compareAll(f, all)
	keep, octets := d.rankedSize(f, all, max(len(old.best), rankedFirst))
	if octets == 0 {
		return
	}
	if r := d.rank(f, &f.scoring.many.ranked.Load()[set][way], old.here, cells, all, keep, octets); r != nil {
		r.seen.Store(old.seen.Load()) // it follows from the resolver's times alone
	}
}
