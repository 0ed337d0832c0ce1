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
	d := Decider{Query: q}
	d.Decide(s, learned, now, trace)
	return d.Decision
}

// Decider is one decision after the other in the same place: who decides millions of them copies less. It is not safe for
// concurrent use.
type Decider struct {
	Query    Query
	Decision Decision

	s       *Snapshot
	learned *Learned
	now     time.Time
	trace   *Trace
	client  netip.Addr
	blocked bool // the query's Subnet is in a block that no client is in: Decision.Scope is that block's
}

// Decide makes Decision from Query as the function of the same name does. Services beyond Count then mean nothing.
func (d *Decider) Decide(s *Snapshot, learned *Learned, now time.Time, trace *Trace) {
	d.s, d.learned, d.now, d.trace = s, learned, now, trace
	domain := &s.Plan.domains[d.Query.Domain]
	own := &s.Plan.virtualServers[domain.virtualServer]
	out := &d.Decision
	out.Outcome, out.Count, out.Reason, out.TTL, out.Scope, out.SubnetUsed = 0, 0, "", domain.TTL, 0, false
	d.client, d.blocked = netip.Addr{}, false
	if trace != nil || own.looksAtClient {
		d.chooseClient(own)
	}

	vs := int(domain.virtualServer)
	for depth := 0; vs != none && depth <= MaxBackupDepth; depth++ {
		v, f := &s.Plan.virtualServers[vs], s.standings[vs].field(d.Query.Family)
		if trace != nil {
			d.traceVirtualServer(v, f)
		}
		if f.settled {
			out.VirtualServer = VirtualServerIndex(vs)
			d.answer(v, f)
			return
		}
		vs = v.backup
	}
	out.VirtualServer = domain.virtualServer
	if s.standings[domain.virtualServer].usable {
		d.nobody(own) // not down: members are picked for the other family
		return
	}
	d.lastResort(domain, own, &s.standings[domain.virtualServer])
}

// chooseClient settles whose address the methods look at.
func (d *Decider) chooseClient(v *virtualServer) {
	d.client = d.Query.LDNS.Unmap()
	reason := ReasonLDNS
	if d.Query.Subnet.IsValid() {
		reason = subnetReason(v, d.Query.Subnet)
		switch {
		case reason == ReasonSubnet:
			d.client, d.Decision.SubnetUsed = d.Query.Subnet.Addr(), v.looksAtClient
		case reason == ReasonSubnetUnusable && v.looksAtClient:
			// The resolver's answer is for the block alone: with scope 0 it would be kept for all clients.
			d.blocked, d.Decision.SubnetUsed, d.Decision.Scope = true, true, unusableBits(d.Query.Subnet.Addr())
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

// unusableBits returns how long the prefix is of the block that an unspecified, loopback, link-local or multicast address
// is in.
func unusableBits(a netip.Addr) uint8 {
	switch {
	case a.Is4In6():
		return 96 + unusableBits(a.Unmap())
	case a.Is4() && a.IsLoopback(), a.Is6() && a.IsMulticast():
		return 8
	case a.IsMulticast():
		return 4
	case a.Is4() && a.IsLinkLocalUnicast():
		return 16
	case a.IsLinkLocalUnicast():
		return 10
	}
	return uint8(a.BitLen()) // unspecified, and the loopback address of IPv6, stand alone
}

// answer picks among the usable members of v.
func (d *Decider) answer(v *virtualServer, f *field) {
	if len(f.contenders) == 0 {
		d.nobody(v)
		return
	}
	first := d.pick(v, f)
	if c := &f.contenders[first]; c.counted {
		d.learned.handed[c.service].n.Add(1)
	}
	d.fill(v, f, first)
	if d.trace != nil {
		d.traceAnswer(v, f)
	}
}

// nobody answers that there is no address of the family.
func (d *Decider) nobody(v *virtualServer) {
	d.Decision.Outcome, d.Decision.Reason = OutcomeEmpty, ReasonNobody
	if d.trace != nil {
		d.trace.Add(Entry{Step: StepAnswer, VirtualServer: v.name, Reason: ReasonNobody})
	}
}

// fill puts the chosen contender first and appends others as far as max_answers allows. A name cannot be answered beside
// addresses, so a chosen CNAME stands alone and no other is appended.
func (d *Decider) fill(v *virtualServer, f *field, first int) {
	chosen := &f.contenders[first]
	d.Decision.Services[0], d.Decision.Count = chosen.service, 1
	if chosen.aliased || v.maxAnswers == 1 {
		return
	}
	want := min(v.maxAnswers, len(f.contenders))
	for i := 1; i < len(f.contenders) && int(d.Decision.Count) < want; i++ {
		c := &f.contenders[(first+i)%len(f.contenders)]
		if !c.aliased {
			d.Decision.Services[d.Decision.Count] = c.service
			d.Decision.Count++
		}
	}
}

// lastResort is the answer when neither the domain's virtual server nor a backup of it has a usable member.
func (d *Decider) lastResort(domain *Domain, v *virtualServer, st *standing) {
	switch v.whenAllDown {
	case config.AnswerServFail:
		d.Decision.Outcome, d.Decision.Reason = OutcomeServFail, ReasonAllServFail
	case config.AnswerEmpty:
		d.Decision.Outcome, d.Decision.Reason = OutcomeEmpty, ReasonAllEmpty
	case config.AnswerBackupAddress:
		if d.Query.Family == ByHost { // an address is no name of a host
			d.Decision.Outcome, d.Decision.Reason = OutcomeEmpty, ReasonAllEmpty
			break
		}
		d.Decision.Outcome, d.Decision.Reason = OutcomeBackupAddresses, ReasonAllBackup
	default:
		d.everybody(st)
	}
	if d.trace != nil {
		d.traceLastResort(domain, v)
	}
}

// everybody names all members that an operator did not disable, rotated so that clients spread over them. Of more than
// MaxAnswers each answer names as many as it can, beginning with the next one.
func (d *Decider) everybody(st *standing) {
	all := st.lastResort(d.Query.Family)
	if len(all) == 0 {
		d.Decision.Outcome, d.Decision.Reason = OutcomeEmpty, ReasonAllEmpty
		return
	}
	d.Decision.Outcome, d.Decision.Reason = OutcomeServices, ReasonAllDown
	start := int(d.learned.turn(d.Decision.VirtualServer, d.Query.Family) % uint64(len(all)))
	for i := 0; i < len(all) && d.Decision.Count < MaxAnswers; i++ {
		m := all[(start+i)%len(all)]
		if d.s.Plan.services[m].CNAME != "" {
			if d.Decision.Count > 0 {
				continue
			}
			d.Decision.Services[0], d.Decision.Count = m, 1
			return
		}
		d.Decision.Services[d.Decision.Count] = m
		d.Decision.Count++
	}
}
