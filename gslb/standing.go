package gslb

import (
	"slices"

	"fairlead/config"
)

// standing is what belief makes of one virtual server: who may be picked now. It is computed when a snapshot is made, so
// that a query does the same little work however many members are down.
type standing struct {
	usable  bool                     // somebody may be picked, for some family
	held    bool                     // it stays on its backup until an operator returns it
	spilled bool                     // spillover sends new clients to the backup
	ordered State                    // Disabled or Draining: an operator wants the virtual server so; else Unknown
	doubt   Reason                   // of a member; empty: all states are certain
	fields  [families]field          // who may be picked, by the family asked for
	resort  [families][]ServiceIndex // who is named when nobody may be picked
	other   *others                  // nil when the virtual server is not asked for the other families
	// preferred is the field of each policy by family; nil without policies. A field that is not settled: nothing that the
	// policy prefers is usable.
	preferred [][families + otherFamilies]field
}

// others is standing's fields and last resort for the other families.
type others struct {
	fields [otherFamilies]field
	resort [otherFamilies][]ServiceIndex
}

// field returns who may be picked for a family: nobody for one that the virtual server is not asked for.
func (st *standing) field(f Family) *field {
	switch {
	case f < families:
		return &st.fields[f]
	case st.other == nil:
		return new(field)
	}
	return &st.other.fields[f-families]
}

// lastResort returns who is named for a family when nobody may be picked.
func (st *standing) lastResort(f Family) []ServiceIndex {
	switch {
	case f < families:
		return st.resort[f]
	case st.other == nil:
		return nil
	}
	return st.other.resort[f-families]
}

// Snapshot is everything a decision reads: compiled intent, belief, and what follows from both alone. Immutable.
type Snapshot struct {
	Generation uint64
	Plan       *Plan
	Status     *Status
	standings  []standing
	allowances *allowances // nil: nothing is remembered for clients
	sieves     int64       // octets that the sieves of all standings take
}

// Usable reports whether a virtual server has a member that may be picked.
func (s *Snapshot) Usable(v VirtualServerIndex) bool { return s.standings[v].usable }

// Spilled reports whether spillover sends new clients of a virtual server to its backup.
func (s *Snapshot) Spilled(v VirtualServerIndex) bool { return s.standings[v].spilled }

func (s *Snapshot) stand(vs int, old *standing) standing {
	v := &s.Plan.virtualServers[vs]
	st := standing{held: s.Status.held(vs) && v.hold && v.backup != none, doubt: s.doubtOf(v)}
	last := Family(families)
	if s.Plan.others != nil && s.Plan.others[vs] != none {
		st.other, last = new(others), families+otherFamilies
	}
	for f := range last {
		to := st.field(f)
		*to = s.field(v, f, nil)
		st.usable = st.usable || len(to.contenders) > 0
		if f < families {
			st.resort[f] = s.lastResort(v, f)
		} else {
			st.other.resort[f-families] = s.lastResort(v, f)
		}
	}
	if len(v.policies) > 0 {
		st.preferred = make([][families + otherFamilies]field, len(v.policies))
		for i := range v.policies {
			for f := range last {
				st.preferred[i][f] = s.preferredField(v, &v.policies[i], f)
			}
		}
	}
	st.spilled = st.usable && s.spills(v)
	s.obey(vs, &st, last)
	others := s.sieves
	s.finish(v, &st, old, last)
	s.sieves = others + st.sieves() // those that were kept, too
	plain := !st.held && !st.spilled && st.ordered == Unknown && st.doubt == "" && st.preferred == nil && !v.spillover.stay.on && !v.persistence.on
	for f := range last {
		to := st.field(f)
		to.plain = plain && to.settled && !to.paired
	}
	return st
}

// finish fills in what depends on whole fields.
func (s *Snapshot) finish(v *virtualServer, st, old *standing, last Family) {
	for f := range last {
		var before *field
		if old != nil && (f < families || old.other != nil) {
			before = old.field(f)
		}
		s.finishField(v, st.field(f), before, func(i int) *field {
			if Family(i) < last {
				return st.field(Family(i))
			}
			return nil
		})
		for i := range st.preferred {
			before = nil
			if old != nil && i < len(old.preferred) {
				before = &old.preferred[i][f]
			}
			s.finishField(v, &st.preferred[i][f], before, func(j int) *field {
				switch {
				case Family(j) < last:
					return &st.preferred[i][j]
				case Family(j) < 2*last:
					return st.field(Family(j) - last)
				}
				return nil
			})
		}
	}
	if !s.Plan.answers.coherent || v.picking == byHash {
		return
	}
	s.pair(&st.fields, st.other)
	for i := range st.preferred {
		p := &st.preferred[i]
		pairFields(&p[IPv4], &p[IPv6], &p[AnyFamily])
	}
}

// pair marks fields whose answers should agree with those for other families.
func (s *Snapshot) pair(fields *[families]field, other *others) {
	if other == nil {
		pairFields(&fields[IPv4], &fields[IPv6], new(field))
		return
	}
	pairFields(&fields[IPv4], &fields[IPv6], &other.fields[0])
}

// pairFields marks fields of which at least two have someone to pick, and one a choice.
func pairFields(all ...*field) {
	someone, choice := 0, false
	for _, f := range all {
		if len(f.contenders) > 0 {
			someone++
		}
		choice = choice || len(f.contenders) > 1
	}
	for _, f := range all {
		f.paired = someone > 1 && choice && len(f.contenders) > 0
	}
}

// doubtOf returns why the state of a member is uncertain that an operator left in.
func (s *Snapshot) doubtOf(v *virtualServer) Reason {
	for i := range v.members {
		if st := &s.Status.Services[v.members[i].service]; st.Doubt != "" && st.State != Disabled && st.State != Draining {
			return st.Doubt
		}
	}
	return ""
}

// lastResort is every member that an operator did not take out, whatever its health: the best order first. All of them,
// also when one answer cannot name so many: the only one that lives may be the last.
func (s *Snapshot) lastResort(v *virtualServer, f Family) []ServiceIndex {
	var out []ServiceIndex
	for i := range v.members {
		m := v.members[i].service
		if s.Status.Services[m].State == Disabled || !s.Plan.services[m].answers(f) {
			continue
		}
		out = append(out, m)
	}
	return out
}

// spills reports whether spillover sends new clients to the backup.
func (s *Snapshot) spills(v *virtualServer) bool {
	value, threshold, ok := s.spillNumbers(v)
	switch {
	case !ok:
		return false
	case v.spillover.method == config.SpilloverHealth:
		return value < threshold
	}
	return value >= threshold
}

// spillNumbers returns what spillover compares; ok is false when there is no spillover, or nothing to compare.
func (s *Snapshot) spillNumbers(v *virtualServer) (value, threshold float64, ok bool) {
	var active, limits, rate, up, all float64
	known := false
	for i := range v.members {
		m := &v.members[i]
		st, svc := &s.Status.Services[m.service], &s.Plan.services[m.service]
		if st.State == Disabled {
			continue
		}
		all += float64(m.weight)
		if st.State != Up {
			continue
		}
		up += float64(m.weight)
		limits += float64(svc.maxConnections)
		limit := forgotten * svc.loadFresh // a load source that has died does not send clients away for good
		if st.Load.Fresh(s.Status.At, limit) {
			active += float64(st.Load.Active) + st.Load.Expected
			known = true
		}
		if st.Measures != nil && st.Measures.Bandwidth.Fresh(s.Status.At, limit) {
			rate += st.Measures.Bandwidth.Value + st.Measures.Bandwidth.Expected
		}
	}
	threshold = float64(v.spillover.threshold)
	switch v.spillover.method {
	case config.SpilloverConnections:
		return active, threshold, known
	case config.SpilloverDynamicConnections:
		return active, limits, known && limits > 0
	case config.SpilloverBandwidth:
		return rate, threshold, rate > 0
	case config.SpilloverHealth:
		if all == 0 {
			return 0, 0, false
		}
		return up / all * 100, threshold, true
	}
	return 0, 0, false
}

// sameContenders reports whether two fields have the same contenders with the same weights.
func sameContenders(a, b *field) bool {
	return slices.EqualFunc(a.contenders, b.contenders, func(a, b contender) bool {
		return a.service == b.service && a.weight == b.weight
	})
}
