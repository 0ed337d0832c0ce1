package gslb

import (
	"net/netip"
	"time"

	"fairlead/config"
)

// Decide says what a client gets for a balanced name. It is pure: everything that can change the answer is an argument,
// and all it writes is learned. now only dates the evidence in a trace; ages that matter were taken when s was made.
// trace is nil on the serving path. Safe for concurrent use.
func Decide(s *Snapshot, q Query, learned *Learned, now time.Time, trace *Trace) Decision {
	domain := &s.Plan.domains[q.Domain]
	own := &s.Plan.virtualServers[domain.virtualServer]
	d := decider{s: s, q: q, learned: learned, now: now, trace: trace}
	d.out.TTL = domain.TTL
	d.chooseClient(own)

	vs := int(domain.virtualServer)
	for depth := 0; vs != none && depth <= MaxBackupDepth; depth++ {
		v, f := &s.Plan.virtualServers[vs], &s.standings[vs].fields[q.Family]
		if trace != nil {
			d.traceVirtualServer(v, f)
		}
		if f.settled {
			d.out.VirtualServer = VirtualServerIndex(vs)
			d.answer(v, f)
			return d.out
		}
		vs = v.backup
	}
	d.out.VirtualServer = domain.virtualServer
	if s.standings[domain.virtualServer].usable {
		d.nobody(own) // not down: members are picked for the other family
		return d.out
	}
	d.lastResort(domain, own, &s.standings[domain.virtualServer])
	return d.out
}

// decider is one decision under way.
type decider struct {
	s       *Snapshot
	q       Query
	learned *Learned
	now     time.Time
	trace   *Trace
	client  netip.Addr
	out     Decision
}

// chooseClient settles whose address the methods look at.
func (d *decider) chooseClient(v *virtualServer) {
	d.client = d.q.LDNS.Unmap()
	reason := ReasonLDNS
	if d.q.Subnet.IsValid() {
		reason = subnetReason(v, d.q.Subnet)
		if reason == ReasonSubnet {
			d.client, d.out.SubnetUsed = d.q.Subnet.Addr(), true
		}
	}
	if d.trace != nil {
		d.trace.Add(Entry{Step: StepClient, Reason: reason, Detail: d.clientText()})
	}
}

func subnetReason(v *virtualServer, p netip.Prefix) Reason {
	a := p.Addr()
	switch {
	case !v.clientSubnet:
		return ReasonSubnetOff
	case p.Bits() == 0:
		return ReasonSubnetEmpty
	case a.IsUnspecified(), a.IsLoopback(), a.IsMulticast(), a.IsLinkLocalUnicast():
		return ReasonSubnetUnusable
	}
	return ReasonSubnet
}

// answer picks among the usable members of v.
func (d *decider) answer(v *virtualServer, f *field) {
	if len(f.contenders) == 0 {
		d.nobody(v)
		return
	}
	first := d.pick(v, f)
	d.learned.handed[f.contenders[first].service].n.Add(1)
	d.fill(v, f, first)
	if d.trace != nil {
		d.traceAnswer(v, f)
	}
}

// nobody answers that there is no address of the family.
func (d *decider) nobody(v *virtualServer) {
	d.out.Outcome, d.out.Reason = OutcomeEmpty, ReasonNobody
	if d.trace != nil {
		d.trace.Add(Entry{Step: StepAnswer, VirtualServer: v.name, Reason: ReasonNobody})
	}
}

// fill puts the chosen contender first and appends others as far as max_answers allows. A name cannot be answered beside
// addresses, so a chosen CNAME stands alone and no other is appended.
func (d *decider) fill(v *virtualServer, f *field, first int) {
	d.out.Services[0], d.out.Count = f.contenders[first].service, 1
	if d.s.Plan.services[d.out.Services[0]].CNAME != "" {
		return
	}
	want := min(v.maxAnswers, len(f.contenders))
	for i := 1; i < len(f.contenders) && int(d.out.Count) < want; i++ {
		c := &f.contenders[(first+i)%len(f.contenders)]
		if d.s.Plan.services[c.service].CNAME == "" {
			d.out.Services[d.out.Count] = c.service
			d.out.Count++
		}
	}
}

// lastResort is the answer when neither the domain's virtual server nor a backup of it has a usable member.
func (d *decider) lastResort(domain *Domain, v *virtualServer, st *standing) {
	switch v.whenAllDown {
	case config.AnswerServFail:
		d.out.Outcome, d.out.Reason = OutcomeServFail, ReasonAllServFail
	case config.AnswerEmpty:
		d.out.Outcome, d.out.Reason = OutcomeEmpty, ReasonAllEmpty
	case config.AnswerBackupAddress:
		d.out.Outcome, d.out.Reason = OutcomeBackupAddresses, ReasonAllBackup
	default:
		d.everybody(st)
	}
	if d.trace != nil {
		d.traceLastResort(domain, v)
	}
}

// everybody names all members that an operator did not disable, rotated so that clients spread over them. Of more than
// MaxAnswers each answer names as many as it can, beginning with the next one.
func (d *decider) everybody(st *standing) {
	all := st.resort[d.q.Family]
	if len(all) == 0 {
		d.out.Outcome, d.out.Reason = OutcomeEmpty, ReasonAllEmpty
		return
	}
	d.out.Outcome, d.out.Reason = OutcomeServices, ReasonAllDown
	start := int(d.learned.turn(d.out.VirtualServer, d.q.Family) % uint64(len(all)))
	for i := 0; i < len(all) && d.out.Count < MaxAnswers; i++ {
		m := all[(start+i)%len(all)]
		if d.s.Plan.services[m].CNAME != "" {
			if d.out.Count > 0 {
				continue
			}
			d.out.Services[0], d.out.Count = m, 1
			return
		}
		d.out.Services[d.out.Count] = m
		d.out.Count++
	}
}
