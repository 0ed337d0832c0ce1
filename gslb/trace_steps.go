package gslb

import (
	"fmt"
	"slices"
	"time"

	"fairlead/config"
)

// This file builds trace entries. None of it runs on the serving path.

func (d *Decider) clientText() string {
	if d.client != d.Query.LDNS.Unmap() {
		return fmt.Sprintf("client is %s (EDNS Client Subnet), resolver %s", d.Query.Subnet, d.Query.LDNS.Unmap())
	}
	return fmt.Sprintf("client is the resolver %s", d.Query.LDNS.Unmap())
}

// traceVirtualServer records the state of one virtual server and what became of each member.
func (d *Decider) traceVirtualServer(v *virtualServer, st *standing, f *field, goesOn Reason) {
	e := Entry{Step: StepVirtualServer, VirtualServer: v.name, Reason: goesOn}
	next := "and there is no backup"
	if v.backup != none {
		next = fmt.Sprintf("its backup is %q", d.s.Plan.virtualServers[v.backup].name)
	}
	switch goesOn {
	case ReasonUsable:
		if e.Detail = fmt.Sprintf("order %d is in use", f.order); !f.settled {
			e.Detail = "nobody new is sent there; the client has a session"
		} else if st.ordered == Draining {
			e.Detail += "; nobody new is sent there, but the client has a session: " + d.orderText(v)
		}
	case ReasonToBackup:
		if e.Detail = "no usable member; " + next; v.backup == none {
			e.Reason = ReasonNoBackup
		}
		if st.ordered == Disabled {
			e.Reason, e.Detail = ReasonOutOfUse, d.orderText(v)+"; "+next
		}
	case ReasonDrained:
		e.Detail = d.orderText(v) + "; " + next
	case ReasonHeld:
		e.Detail = "an operator has to return it; " + next
	case ReasonSpilled:
		e.Detail = d.spillText(v) + "; " + next
	case ReasonSpillStay:
		e.Detail = "the client was sent there before; " + next
	}
	if st.doubt != "" {
		e.Detail += fmt.Sprintf("; a member's state is uncertain: %s", st.doubt)
	}
	d.trace.Add(e)
	if st.ordered != Disabled { // its members were not looked at
		d.traceCandidates(v, f, e.Reason, nil)
	}
}

// orderText says what an operator wants of a virtual server.
func (d *Decider) orderText(v *virtualServer) string {
	i := slices.IndexFunc(d.s.Plan.virtualServers, func(other virtualServer) bool { return other.name == v.name })
	return d.s.Status.order(i).Reason
}

func (d *Decider) spillText(v *virtualServer) string {
	value, threshold, _ := d.s.spillNumbers(v)
	unit := map[config.SpilloverMethod]string{config.SpilloverBandwidth: "bit/s", config.SpilloverHealth: "% of the weights UP"}[v.spillover.method]
	if unit == "" {
		unit = "connections"
	}
	return fmt.Sprintf("spillover %s: %.6g %s, threshold %.6g", v.spillover.method, value, unit, threshold)
}

// traceCandidates records what became of each member. only, which may be nil, says which ones a policy prefers.
func (d *Decider) traceCandidates(v *virtualServer, f *field, reason Reason, only []bool) {
	c := Entry{Step: StepCandidates, VirtualServer: v.name, Reason: reason, Before: len(v.members)}
	if f.settled && len(f.contenders) == 0 {
		c.Reason = ReasonNobody
	}
	for i := range v.members {
		m := &v.members[i]
		candidate := d.stateCandidate(m, f.effective)
		switch {
		case candidate.Reason != ReasonUp && candidate.Reason != ReasonEffective:
		case only != nil && !only[i]:
			candidate.Reason = ReasonNotPreferred
		case f.settled && m.order != f.order && v.before(f.order, m.order):
			candidate.Reason, candidate.Detail = ReasonOrder, fmt.Sprintf("order %d", m.order)
		case f.settled && m.order != f.order && d.s.familyReason(m, d.Query.Family) == ReasonUp:
			candidate.Reason, candidate.Detail = ReasonOrderThreshold, fmt.Sprintf("order %d: fewer than %d %% of its members are usable", m.order, v.orderThreshold)
		default:
			if why := d.s.familyReason(m, d.Query.Family); why != ReasonUp {
				candidate.Reason = why
			}
			candidate.Kept = candidate.Reason == ReasonUp || candidate.Reason == ReasonEffective
		}
		if candidate.Kept {
			c.After++
		}
		c.Candidates = append(c.Candidates, candidate)
	}
	d.trace.Add(c)
}

// traceSession records what became of the client's session.
func (d *Decider) traceSession(v *virtualServer, f *field, m *member, reason Reason) {
	e := Entry{Step: StepPersistence, VirtualServer: v.name, Reason: reason}
	if key, ok := d.session(&v.persistence); ok {
		e.Detail = fmt.Sprintf("sessions of %s with id %d last %d s", key.Client, key.ID, v.persistence.timeout)
		if reason == ReasonSession && d.learned.Sessions != nil && d.learned.Sessions.Heard(key) {
			e.Detail += "; this one was told by another site"
		}
	}
	if m != nil {
		c := d.stateCandidate(m, f.effective)
		c.Kept = reason == ReasonSession
		e.Candidates = []Candidate{c}
	}
	d.trace.Add(e)
}

// tracePolicy records which policy matched, and what became of the members.
func (d *Decider) tracePolicy(v *virtualServer, st *standing, f *field, found int, reason Reason) {
	e := Entry{Step: StepPolicy, VirtualServer: v.name, Reason: reason}
	if found != none {
		e.Detail = fmt.Sprintf("policy %q", v.policies[found].name)
	}
	if reason != ReasonPolicy {
		d.trace.Add(e)
		return
	}
	used := &st.preferred[found][d.Query.Family]
	wanted := &v.policies[found].prefers[used.preference]
	e.Detail += fmt.Sprintf(" prefers %s", wanted.text)
	e.Before, e.After = len(f.contenders), len(used.contenders)
	d.trace.Add(e)
	d.traceCandidates(v, used, reason, wanted.members)
}

// traceUnspilled records that no backup could take a client.
func (d *Decider) traceUnspilled(v *virtualServer, reason Reason) {
	d.trace.Add(Entry{Step: StepVirtualServer, VirtualServer: v.name, Reason: reason, Detail: "no backup has a usable member"})
}

// stateCandidate describes a member by the belief about its service.
func (d *Decider) stateCandidate(m *member, effective bool) Candidate {
	status, svc := &d.s.Status.Services[m.service], &d.s.Plan.services[m.service]
	c := d.candidate(m.service)
	c.Reason, c.Source, c.Detail = d.s.memberReason(m, effective), status.Source, status.Reason
	c.AgeSeconds = age(d.now, status.Seen)
	switch c.Reason {
	case ReasonMaxConnections:
		c.Metric, c.Value, c.Unit = "active", float64(status.Load.Active), "connections"
		c.AgeSeconds, c.Source = age(d.now, status.Load.At), status.Load.Source
		c.Detail = fmt.Sprintf("limit %d", svc.maxConnections)
	case ReasonMaxBandwidth:
		limitCandidate(&c, d.now, &status.Measures.Bandwidth, "bandwidth", "bit/s", float64(svc.maxBandwidth))
	case ReasonLoadThreshold:
		limitCandidate(&c, d.now, &status.Measures.Custom, "custom load", "", svc.loadThreshold)
	}
	return c
}

func limitCandidate(c *Candidate, now time.Time, m *Measure, name, unit string, limit float64) {
	c.Metric, c.Value, c.Unit = name, m.Value, unit
	c.AgeSeconds, c.Source, c.Detail = age(now, m.At), m.Source, fmt.Sprintf("limit %g", limit)
}

func (d *Decider) candidate(i ServiceIndex) Candidate {
	svc := &d.s.Plan.services[i]
	return Candidate{Service: svc.Name, Site: svc.Site, AgeSeconds: -1}
}

// traceMethod records what a method saw. picked is none when its data was missing.
func (d *Decider) traceMethod(v *virtualServer, f *field, m config.Method, picked int, reason Reason) {
	e := Entry{Step: StepMethod, VirtualServer: v.name, Reason: reason, Detail: "method " + string(m), Before: len(f.contenders), After: 1}
	if picked == none {
		e.After, e.Detail = len(f.contenders), e.Detail+" cannot decide"
	}
	for i := range f.contenders {
		c := d.candidate(f.contenders[i].service)
		c.Kept, c.Reason = i == picked, ReasonNotChosen
		if i == picked {
			c.Reason = ReasonChosen
		}
		d.methodMetric(&c, v, f, i, m)
		e.Candidates = append(e.Candidates, c)
	}
	if picked != none {
		e.Detail += d.turnText(f)
	}
	d.trace.Add(e)
}

// traceAnswer records who is answered, and the arithmetic of TTL and scope.
func (d *Decider) traceAnswer(v *virtualServer, f *field) {
	e := Entry{Step: StepAnswer, VirtualServer: v.name, Reason: d.Decision.Reason, Before: len(f.contenders), After: int(d.Decision.Count), Detail: d.answerText()}
	d.addAnswered(&e)
	d.trace.Add(e)
}

func (d *Decider) traceLastResort(domain *Domain, v *virtualServer) {
	e := Entry{Step: StepAnswer, VirtualServer: v.name, Reason: d.Decision.Reason, Before: len(v.members), After: int(d.Decision.Count), Detail: d.answerText()}
	if d.Decision.Outcome == OutcomeBackupAddresses {
		e.Detail += fmt.Sprintf("; backup addresses of %s", domain.Name)
	}
	d.addAnswered(&e)
	d.trace.Add(e)
}

func (d *Decider) addAnswered(e *Entry) {
	for i := range d.Decision.Count {
		c := d.candidate(d.Decision.Services[i])
		c.Kept, c.Reason = true, ReasonAlsoUsable
		if i == 0 {
			c.Reason = ReasonChosen
		}
		e.Candidates = append(e.Candidates, c)
	}
}
