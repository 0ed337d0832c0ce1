package gslb

// NewSnapshot compiles belief, as of status.At, into standings. prev, which may be nil, is the snapshot before: what did
// not change is reused, also when its plan is the one that plan was made from (Plan.Since). generation grows with every snapshot that the same Learned
// serves: answers are counted from there.
func NewSnapshot(generation uint64, plan *Plan, status *Status, prev *Snapshot) *Snapshot {
	s := &Snapshot{Generation: generation, Plan: plan, Status: status, standings: make([]standing, len(plan.virtualServers))}
	stirred, known := s.stirred(prev)
	if !known {
		s.allowances = newAllowances()
		for i := range s.standings {
			s.standings[i] = s.stand(i, nil)
		}
		return s
	}
	if s.allowances = prev.allowances; s.allowances == nil {
		s.allowances = newAllowances()
	}
	s.restand(prev, stirred)
	for i, how := range stirred {
		if how != calm {
			s.standings[i].replaces(&prev.standings[i])
		}
	}
	s.rankAhead(prev)
	return s
}

// How a virtual server differs from what it was in the snapshot before.
type difference uint8

const (
	calm difference = iota // not at all
	stir                   // in what is believed
	anew                   // in what the document says of it or of its members
)

// stirred says how each virtual server differs. known is false when nothing is known of that, as the plans have nothing to do with each other.
func (s *Snapshot) stirred(prev *Snapshot) (out []difference, known bool) {
	if prev == nil {
		return nil, false
	}
	p, was := s.Plan, prev.Plan
	services, virtualServers, known := p.Since(was)
	if !known {
		return nil, false
	}
	out = make([]difference, len(p.virtualServers))
	for i := range s.Status.Services {
		if !sameStanding(&s.Status.Services[i], &prev.Status.Services[i]) {
			for _, v := range p.members.of(ServiceIndex(i)) {
				out[v] = stir
			}
		}
	}
	for i := range out[:max(min(len(out), len(s.Status.Held)), min(len(out), len(prev.Status.Held)), min(len(out), len(s.Status.Ordered)), min(len(out), len(prev.Status.Ordered)))] {
		if s.Status.held(i) != prev.Status.held(i) || s.Status.order(i).State != prev.Status.order(i).State {
			out[i] = stir
		}
	}
	around, placed := p.asideSince(was)
	for _, list := range [][]VirtualServerIndex{p.lively, around} {
		for _, v := range list {
			out[v] = stir
		}
	}
	for _, i := range services {
		for _, v := range p.members.of(i) {
			out[v] = anew
		}
	}
	for _, list := range [][]VirtualServerIndex{virtualServers, placed} {
		for _, v := range list {
			out[v] = anew
		}
	}
	return out, true
}

// sameStanding reports whether all virtual servers that are not lively make the same of two beliefs about a member.
func sameStanding(a, b *ServiceStatus) bool {
	return a.State == b.State && a.Without4 == b.Without4 && a.Without6 == b.Without6 && a.Share == b.Share && a.Doubt == b.Doubt
}

// restand takes over what is as it was.
func (s *Snapshot) restand(prev *Snapshot, stirred []difference) {
	copy(s.standings, prev.standings)
	s.sieves = prev.sieves
	for i, how := range stirred {
		if how != calm {
			s.sieves -= prev.standings[i].sieves()
		}
		switch how {
		case stir:
			s.standings[i] = s.stand(i, &prev.standings[i])
		case anew:
			s.standings[i] = s.stand(i, nil)
		}
	}
}
