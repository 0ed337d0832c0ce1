package gslb

import (
	"fmt"

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
func (d *Decider) traceVirtualServer(v *virtualServer, f *field) {
	e := Entry{Step: StepVirtualServer, VirtualServer: v.name, Reason: ReasonUsable}
	switch {
	case f.settled:
		e.Detail = fmt.Sprintf("order %d is in use", f.order)
	case v.backup != none:
		e.Reason, e.Detail = ReasonToBackup, fmt.Sprintf("no usable member; backup is %q", d.s.Plan.virtualServers[v.backup].name)
	default:
		e.Reason, e.Detail = ReasonNoBackup, "no usable member, and no backup"
	}
	d.trace.Add(e)

	c := Entry{Step: StepCandidates, VirtualServer: v.name, Reason: e.Reason, Before: len(v.members)}
	if f.settled && len(f.contenders) == 0 {
		c.Reason = ReasonNobody
	}
	for i := range v.members {
		m := &v.members[i]
		candidate := d.stateCandidate(m)
		switch {
		case candidate.Reason != ReasonUp:
		case f.settled && m.order > f.order:
			candidate.Reason, candidate.Detail = ReasonOrder, fmt.Sprintf("order %d", m.order)
		default:
			candidate.Reason = d.s.familyReason(m, d.Query.Family)
			candidate.Kept = candidate.Reason == ReasonUp
		}
		if candidate.Kept {
			c.After++
		}
		c.Candidates = append(c.Candidates, candidate)
	}
	d.trace.Add(c)
}

// stateCandidate describes a member by the belief about its service.
func (d *Decider) stateCandidate(m *member) Candidate {
	status := &d.s.Status.Services[m.service]
	c := d.candidate(m.service)
	c.Reason, c.Source, c.Detail = d.s.memberReason(m), status.Source, status.Reason
	c.AgeSeconds = age(d.now, status.Seen)
	if c.Reason == ReasonMaxConnections {
		c.Metric, c.Value, c.Unit = "active", float64(status.Load.Active), "connections"
		c.AgeSeconds, c.Source = age(d.now, status.Load.At), status.Load.Source
		c.Detail = fmt.Sprintf("limit %d", d.s.Plan.services[m.service].maxConnections)
	}
	return c
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
		d.methodMetric(&c, v, &f.contenders[i], m)
		e.Candidates = append(e.Candidates, c)
	}
	d.trace.Add(e)
}

// methodMetric fills in the number by which a method compares a contender.
func (d *Decider) methodMetric(c *Candidate, v *virtualServer, by *contender, m config.Method) {
	switch m {
	case config.LeastConnection:
		d.loadMetric(c, by)
	case config.SourceIPHashing:
		d.hashMetric(c, v, by)
	case config.StaticProximity:
		d.proximityMetric(c, by)
	default:
		c.Metric, c.Value, c.Unit = "weight", float64(by.weight), "shares"
	}
}

func (d *Decider) loadMetric(c *Candidate, by *contender) {
	load := &d.s.Status.Services[by.service].Load
	c.Metric, c.Unit = "load", "connections/weight"
	c.Value = d.connections(by)
	c.Source, c.AgeSeconds = load.Source, age(d.now, load.At)
	basis := ReasonLoadMeasured
	switch by.load.basis {
	case basisAged:
		basis = ReasonLoadAged
	case basisNone:
		basis = ReasonLoadEstimated
	}
	c.Detail = fmt.Sprintf("%s: %.4g active + %.4g expected, weight %d", basis,
		by.load.active, d.connections(by)*float64(by.weight)-by.load.active, by.weight)
}

func (d *Decider) hashMetric(c *Candidate, v *virtualServer, by *contender) {
	mask := v.hash6
	if d.client.Is4() {
		mask = v.hash4
	}
	masked, err := d.client.Prefix(mask)
	if err != nil {
		return
	}
	cost := negLog2(draw(clientHash(masked.Addr()), by.seed))
	c.Metric, c.Unit = "draw per weight (least wins)", ""
	c.Value = float64(cost) / (1 << 32) / float64(by.weight)
	c.Detail = fmt.Sprintf("client %s, weight %d", masked, by.weight)
}

func (d *Decider) proximityMetric(c *Candidate, by *contender) {
	row, bits := d.s.Plan.locations.lookup(d.client)
	if row == nil {
		return
	}
	depth, km := splitCloseness(row[by.site])
	c.Metric, c.Value, c.Unit = "distance", km, "km"
	if km < 0 {
		c.Metric, c.Value, c.Unit = "place match", float64(depth), "qualifiers"
	}
	c.Source = "locations"
	c.Detail = fmt.Sprintf("%d qualifiers of the place match; region is %d bits of the client", depth, bits)
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

func (d *Decider) answerText() string {
	scope := "it did not depend on the client: scope 0"
	if d.Decision.Scope > 0 {
		scope = fmt.Sprintf("it depended on %d bits of the client's address: scope %d", d.Decision.Scope, d.Decision.Scope)
	}
	return fmt.Sprintf("TTL %d s; %s", d.Decision.TTL, scope)
}
