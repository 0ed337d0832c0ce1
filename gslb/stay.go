package gslb

import "slices"

// Clients that stay where they were sent: persistence, and spillover with persistence.

// session returns the key of the client's session. ok is false when it has no address.
func (d *Decider) session(p *persistence) (key SessionKey, ok bool) {
	mask := p.prefix6
	if d.client.Is4() {
		mask = p.prefix4
	}
	masked, err := d.client.Prefix(mask)
	if err != nil {
		return SessionKey{}, false
	}
	d.needScope(mask, scopeSession)
	return SessionKey{ID: p.id, Client: masked.Addr()}, true
}

// keep notes that the client has a session with a service from now on.
func (d *Decider) keep(p *persistence, service uint64) {
	if d.learned.Sessions == nil {
		return
	}
	if d.sawFor == p && !d.learned.frozen {
		d.keepSeen(p, &d.saw, service)
		return
	}
	key, ok := d.session(p)
	switch {
	case !ok:
	case !d.learned.frozen:
		seen := d.learned.Sessions.see(key)
		d.keepSeen(p, &seen, service)
	case d.trace != nil && len(d.supposed) < maxSupposed:
		d.supposed = append(d.supposed, supposed{key, service})
	}
}

// keepSeen keeps and counts a session that was looked up.
func (d *Decider) keepSeen(p *persistence, seen *seenSession, service uint64) {
	d.learned.countKept(p, seen, service, d.Query.At)
	d.learned.Sessions.keepSeen(seen, service, d.Query.At, d.Query.At+p.timeout)
}

// supposed is a session that an explanation would have kept. The next decision of the same Decider, for the target of an alias,
// finds it as it would on the serving path.
type supposed struct {
	key     SessionKey
	service uint64
}

// supposePair reports whether what the client was given is not to be kept. An explanation supposes that it was, as a session
// without a key, whose service is the slot: its next decisions, for targets of the same alias, are of the same family, and
// find nothing there.
func (d *Decider) supposePair() bool {
	if d.learned.frozen && d.trace != nil && len(d.supposed) < maxSupposed {
		d.supposed = append(d.supposed, supposed{service: d.pairKey % pairSlots})
	}
	return d.learned.frozen
}

// supposedPair reports whether the slot of the client's pair would have been taken by now.
func (d *Decider) supposedPair() bool {
	return len(d.supposed) > 0 && slices.Contains(d.supposed, supposed{service: d.pairKey % pairSlots})
}

// maxSupposed is more than one answer follows aliases.
const maxSupposed = 32

// found looks the client's session up.
func (d *Decider) found(p *persistence) (service uint64, ok bool) {
	key, ok := d.session(p)
	if !ok || d.learned.Sessions == nil {
		return 0, false
	}
	for i := len(d.supposed) - 1; i >= 0; i-- {
		if d.supposed[i].key == key {
			return d.supposed[i].service, true
		}
	}
	d.saw, d.sawFor = d.learned.Sessions.see(key), p
	return d.saw.service, d.saw.until > d.Query.At && d.saw.service != dropped
}

// answerSession answers from the client's session. It reports whether there is one that may be used; keeps says whether an
// answer by other means begins one.
func (d *Decider) answerSession(v *virtualServer, st *standing, f *field) (answered, keeps bool) {
	m, reason := d.sessionMember(v, st, f)
	if d.trace != nil {
		d.traceSession(v, f, m, reason)
	}
	if reason != ReasonSession {
		return false, !d.sessionElsewhere(m, f)
	}
	svc := &d.s.Plan.services[m.service]
	d.Decision.Outcome, d.Decision.Reason = OutcomeServices, ReasonSession
	d.Decision.Services[0], d.Decision.Count = m.service, 1
	if svc.counted {
		d.learned.handed[m.service].n.Add(1)
	}
	if svc.CNAME == "" && v.maxAnswers > 1 {
		d.append(v, f, 0)
	}
	d.keep(&v.persistence, svc.Hash)
	if d.trace != nil {
		d.traceAnswer(v, f)
		d.traceLearned(v, nil, svc.counted, true)
	}
	return true, true
}

// sessionMember returns the member that the client has a session with, and whether it may be used. A draining service keeps
// its sessions, and so does one that is at a limit: they are part of its load.
func (d *Decider) sessionMember(v *virtualServer, st *standing, f *field) (*member, Reason) {
	hash, ok := d.found(&v.persistence)
	if !ok {
		return nil, ReasonSessionNew
	}
	i, ok := d.s.Plan.ServiceByHash(hash)
	if !ok {
		return nil, ReasonSessionLost
	}
	m := v.memberOf(i)
	if m == nil {
		return nil, ReasonSessionLost
	}
	if !d.s.keepsSessions(m, f.effective) || d.s.familyReason(m, d.Query.Family) != ReasonUp {
		return m, ReasonSessionLost
	}
	if v.persistence.yields {
		if st.preferred != nil { // the order in use is the one that the client's policy prefers
			if found, reason := d.policy(v, st); reason == ReasonPolicy {
				f = &st.preferred[found][d.Query.Family]
			}
		}
		if m.order != f.order && v.before(f.order, m.order) {
			return m, ReasonSessionYields
		}
	}
	return m, ReasonSession
}

// keepsSessions reports whether clients may stay with a member as far as its state goes.
func (s *Snapshot) keepsSessions(m *member, effective bool) bool {
	switch s.Status.Services[m.service].State {
	case Up, Draining:
		return true
	}
	return effective && s.memberReason(m, true) == ReasonEffective
}

// sessionElsewhere reports whether a session that cannot be used is with a member that has no address of the family asked for,
// and nothing else against it: the client stays with it for another family, and the session is not given up.
func (d *Decider) sessionElsewhere(m *member, f *field) bool {
	return m != nil && d.s.keepsSessions(m, f.effective) && !d.s.Plan.services[m.service].answers(d.Query.Family)
}

// before reports whether an order is used before another one.
func (v *virtualServer) before(a, b int) bool {
	for i := range v.members {
		switch v.members[i].order {
		case a:
			return a != b
		case b:
			return false
		}
	}
	return false
}

// spill says whether spillover sends the client on. One who has a session stays where that is.
func (d *Decider) spill(v *virtualServer, st *standing) Reason {
	stay := &v.spillover.stay
	if stay.on {
		if _, ok := d.found(stay); ok {
			return ReasonSpillStay
		}
	}
	if !st.spilled {
		return ReasonUsable
	}
	if v.persistence.on {
		if _, reason := d.sessionMember(v, st, st.field(d.Query.Family)); reason == ReasonSession {
			return ReasonUsable
		}
	}
	return ReasonSpilled
}
