package gslb

// AppendUsable appends the members of a virtual server that may be picked for a family, of all orders, the best first, and
// returns the extended slice.
func (s *Snapshot) AppendUsable(to []ServiceIndex, vs VirtualServerIndex, f Family) []ServiceIndex {
	if s.standings[vs].ordered == Disabled {
		return to
	}
	v := &s.Plan.virtualServers[vs]
	effective := s.standings[vs].field(f).effective
	for i := range v.members {
		m := &v.members[i]
		if r := s.memberReason(m, effective); (r == ReasonUp || r == ReasonEffective) && s.familyReason(m, f) == ReasonUp {
			to = append(to, m.service)
		}
	}
	return to
}
