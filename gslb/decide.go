package gslb

import (
	"net/netip"
	"time"

	"fairlead/config"
)

// Decide says what a client gets for a balanced name. It is pure: everything that can change the answer is an argument,
// and all it writes is learned. now only dates the evidence in a trace; ages that matter were taken when s was made, and
// sessions and measured times count by Query.At. trace is nil on the serving path. Safe for concurrent use.
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
	prefers *policy // in use; nil: none is
	way     int     // of picking, in use
	client  netip.Addr
	blocked bool // the query's Subnet is in a block that no client is in: Decision.Scope is that block's

	located      bool // here and hereBits are known
	here         *region
	hereBits     int
	pairKey      uint64
	pairKind     uint64       // 0: this answer need not agree with others
	pairWith     ServiceIndex // what the client was given for another family
	pairFound    bool
	pairSought   bool // pairKey, pairWith and pairFound are known
	pairJoined   bool
	saw          seenSession
	sawFor       *persistence // whose session saw is, of this decision; nil: none was looked for
	supposed     []supposed   // in explanations, which keep nothing
	told         *told        // nil while serving: an explanation wants to know more, and so do its trials
	resolver     resolver     // what is known of the query's, while it is looked at
	resolverHash uint64       // of its address, when it was asked for
	times        [MaxResolverSites]siteTime
	scores       [fewContenders]float64
	rtts         [fewContenders]float64
	all          []rankedScore // memory to work in
	ties         []uint16
	sums         []uint64
	loads        [fewContenders]float64
}

// Decide makes Decision from Query as the function of the same name does. Services beyond Count then mean nothing.
func (d *Decider) Decide(s *Snapshot, learned *Learned, now time.Time, trace *Trace) {
	d.s, d.learned, d.now, d.trace = s, learned, now, trace
	domain := &s.Plan.domains[d.Query.Domain]
	own := &s.Plan.virtualServers[domain.virtualServer]
	out := &d.Decision
	out.Outcome, out.Count, out.Reason, out.TTL, out.Scope, out.SubnetUsed = 0, 0, "", domain.TTL, 0, false
	d.client, d.blocked, d.located, d.pairKind, d.pairJoined, d.sawFor = netip.Addr{}, false, false, 0, false, nil
	d.prefers, d.way = nil, byMethod
	if trace != nil {
		trace.Queries = append(trace.Queries, d.Query)
		d.told = new(told)
	}
	if trace != nil || own.looksAtClient {
		d.chooseClient(own)
	}
	out.VirtualServer = domain.virtualServer
	if f := s.standings[domain.virtualServer].field(d.Query.Family); f.plain && trace == nil {
		d.answerPlain(own, f)
		return
	}
	if d.walk(domain) {
		return
	}
	out.VirtualServer = domain.virtualServer
	st := &s.standings[domain.virtualServer]
	if st.usable {
		d.nobody(own) // not down: members are picked for the other family
		return
	}
	d.lastResort(domain, own, st)
}

// walk answers from the first virtual server of the domain's chain that may. It reports whether one did.
func (d *Decider) walk(domain *Domain) bool {
	s, spilled, left := d.s, none, none
	vs := int(domain.virtualServer)
	for depth := 0; vs != none && depth <= MaxBackupDepth; depth++ {
		v, st := &s.Plan.virtualServers[vs], &s.standings[vs]
		f := st.field(d.Query.Family)
		goesOn := ReasonUsable
		switch {
		case !f.settled:
			goesOn = d.gone(v, st, f)
		case st.held:
			goesOn = ReasonHeld
		case st.ordered == Draining:
			goesOn = d.drained(v, st, f)
		case st.spilled || v.spillover.stay.on:
			goesOn = d.spill(v, st)
		}
		if d.trace != nil {
			d.traceVirtualServer(v, st, f, goesOn)
		}
		if goesOn == ReasonUsable {
			d.answerAt(vs, f, spilled)
			return true
		}
		if left == none && goesOn != ReasonToBackup {
			left = vs
		}
		if spilled == none && (goesOn == ReasonSpilled || goesOn == ReasonSpillStay) {
			spilled = vs
		}
		vs = v.backup
	}
	return left != none && d.comeBack(left)
}

// gone says whether the client leaves a virtual server that nobody new is sent to: not while it has a session there that
// may be used.
func (d *Decider) gone(v *virtualServer, st *standing, f *field) Reason {
	if v.persistence.on && st.ordered != Disabled {
		if _, reason := d.sessionMember(v, st, f); reason == ReasonSession {
			return ReasonUsable
		}
	}
	return ReasonToBackup
}

// answerAt answers from one virtual server. spilled is the one that sent the client there by spillover, or none.
func (d *Decider) answerAt(vs int, f *field, spilled int) {
	d.Decision.VirtualServer = VirtualServerIndex(vs)
	if spilled != none {
		if from := &d.s.Plan.virtualServers[spilled].spillover.stay; from.on {
			d.keep(from, OnBackup)
		}
	}
	d.answer(&d.s.Plan.virtualServers[vs], f)
}

// comeBack settles what becomes of a client that was sent on from a virtual server with usable members, by spillover, by backup_hold or by
// an operator who drains it, when no backup can take it.
func (d *Decider) comeBack(vs int) bool {
	v, st := &d.s.Plan.virtualServers[vs], &d.s.standings[vs]
	d.Decision.VirtualServer = VirtualServerIndex(vs)
	reason := ReasonNotSpilled
	switch {
	case st.held:
		reason = ReasonNotHeld
	case st.ordered == Draining:
		reason = ReasonNotDrained
	case v.spillover.empty && st.spilled: // if not, the client was only to stay on the backup
		reason = ReasonSpillEmpty
	}
	if d.trace != nil {
		d.traceUnspilled(v, reason)
	}
	if reason == ReasonSpillEmpty {
		d.Decision.Outcome, d.Decision.Reason = OutcomeEmpty, reason
		return true
	}
	d.answer(v, st.field(d.Query.Family))
	return true
}

// answer picks among the usable members of v.
func (d *Decider) answer(v *virtualServer, f *field) {
	st := &d.s.standings[d.Decision.VirtualServer]
	if st.doubt != "" {
		d.lowerTTL()
	}
	keeps := v.persistence.on
	if keeps {
		var answered bool
		if answered, keeps = d.answerSession(v, st, f); answered {
			return
		}
	}
	if st.preferred != nil {
		f = d.preferred(v, st, f)
	}
	if len(f.contenders) == 0 {
		d.nobody(v)
		return
	}
	d.pairSought = false
	if f.paired && d.Query.LDNS.IsValid() {
		d.pairKind = pairKind(d.Query.Family)
	}
	first := d.pick(v, f)
	c := &f.contenders[first]
	if c.counted && !d.pairJoined {
		d.learned.handed[c.service].n.Add(1)
	}
	d.fill(v, f, first)
	if d.pairKind != 0 {
		d.findPair() // for its key, where nobody asked
	}
	if d.pairKind != 0 && !d.supposePair() {
		d.learned.pairs.note(d.pairKey, d.pairKind, c.service, d.Query.At, d.pairJoined)
	}
	if keeps {
		d.keep(&v.persistence, d.s.Plan.services[c.service].Hash)
	}
	if d.trace != nil {
		d.traceAnswer(v, f)
		d.traceLearned(v, f, c.counted && !d.pairJoined, keeps)
	}
}

// answerPlain is answer for a field that is plain.
func (d *Decider) answerPlain(v *virtualServer, f *field) {
	if len(f.contenders) == 0 {
		d.nobody(v)
		return
	}
	first := d.pick(v, f)
	if c := &f.contenders[first]; c.counted {
		d.learned.handed[c.service].n.Add(1)
	}
	d.fill(v, f, first)
}

// lowerTTL lowers the TTL while a state is uncertain: what is cached now may be wrong soon.
func (d *Decider) lowerTTL() {
	if rules := &d.s.Plan.answers; rules.adaptive {
		d.Decision.TTL = min(d.Decision.TTL, rules.leastTTL)
	}
}

// preferred returns the field of the first policy that matches and has somebody to pick, or f.
func (d *Decider) preferred(v *virtualServer, st *standing, f *field) *field {
	found, reason := d.policy(v, st)
	if d.trace != nil {
		d.tracePolicy(v, st, f, found, reason)
	}
	if reason == ReasonPolicy {
		d.prefers = &v.policies[found]
		return &st.preferred[found][d.Query.Family]
	}
	return f
}

// policy finds the first policy that matches and has somebody to pick. The reason says whether there is one.
func (d *Decider) policy(v *virtualServer, st *standing) (found int, reason Reason) {
	found, reason = none, ReasonNoPolicy
	for i := range v.policies {
		p := &v.policies[i]
		if p.matcher != none {
			d.locate()
		}
		if !p.matches(d, d.here) {
			continue
		}
		if reason == ReasonNoPolicy {
			found, reason = i, ReasonPolicyUnused
		}
		if st.preferred[i][d.Query.Family].settled {
			return i, ReasonPolicy
		}
	}
	return found, reason
}

// locate finds the region that the client is in.
func (d *Decider) locate() {
	if d.located {
		return
	}
	d.located = true
	d.here, d.hereBits = d.s.Plan.locations.find(d.client)
	d.needScope(d.hereBits, scopePlace)
}

// findPair finds out whether the client was given something for another family. Equals take turns last, so the scope is known
// by then: the resolver keeps the answer for all its clients in there, and they are one.
func (d *Decider) findPair() bool {
	if d.pairKind == 0 || d.pairSought {
		return d.pairKind != 0 && d.pairFound
	}
	d.pairSought = true
	var all netip.Prefix
	if subnet := d.Query.Subnet; d.Decision.SubnetUsed && d.Decision.Scope > 0 {
		all, _ = subnet.Addr().Prefix(min(subnet.Bits(), int(d.Decision.Scope)))
	}
	d.pairKey = pairKey(d.Query.Domain, d.Query.LDNS, all)
	d.pairWith, d.pairFound = d.learned.pairs.find(d.pairKey, d.pairKind, d.Query.At, d.Decision.TTL)
	d.pairFound = d.pairFound && !d.supposedPair()
	return d.pairFound
}

// joinPair returns the contender that the client was given for another family, else one at the same site: those take turns by
// weight. It returns none when there is none among those that tied (nil: all) reports.
func (d *Decider) joinPair(f *field, tied func(int) bool) int {
	if !d.findPair() {
		return none
	}
	site, near := d.s.Plan.services[d.pairWith].site, false
	if f.sites != nil {
		return d.joinPairAt(f, site, tied)
	}
	for i := range f.contenders {
		c := &f.contenders[i]
		if c.site != site || tied != nil && !tied(i) {
			continue
		}
		if c.service == d.pairWith {
			d.pairJoined = true
			return i
		}
		near = true
	}
	if !near {
		return none
	}
	d.pairJoined = true
	return d.takeTurn(f, func(i int) bool { return f.contenders[i].site == site && (tied == nil || tied(i)) })
}

// joinPairAt is joinPair among many contenders.
func (d *Decider) joinPairAt(f *field, site uint32, tied func(int) bool) int {
	near := false
	for _, i := range f.sites.at(site) {
		if tied != nil && !tied(int(i)) {
			continue
		}
		if near = true; f.contenders[i].service == d.pairWith {
			d.pairJoined = true
			return int(i)
		}
	}
	if !near {
		return none
	}
	d.pairJoined = true
	return d.takeTurn(f, func(i int) bool { return f.contenders[i].site == site && (tied == nil || tied(i)) })
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
	if !chosen.aliased && v.maxAnswers > 1 {
		d.append(v, f, first+1)
	}
}

// append adds contenders from one on that are not in the answer yet.
func (d *Decider) append(v *virtualServer, f *field, from int) {
	for i := 0; i < len(f.contenders) && int(d.Decision.Count) < v.maxAnswers; i++ {
		c := &f.contenders[(from+i)%len(f.contenders)]
		if !c.aliased && c.service != d.Decision.Services[0] {
			d.Decision.Services[d.Decision.Count] = c.service
			d.Decision.Count++
		}
	}
}

// lastResort is the answer when neither the domain's virtual server nor a backup of it has a usable member.
func (d *Decider) lastResort(domain *Domain, v *virtualServer, st *standing) {
	d.lowerTTL()
	switch v.whenAllDown {
	case config.AnswerServFail:
		d.Decision.Outcome, d.Decision.Reason = OutcomeServFail, ReasonAllServFail
	case config.AnswerEmpty:
		d.Decision.Outcome, d.Decision.Reason = OutcomeEmpty, ReasonAllEmpty
	case config.AnswerBackupAddress:
		if d.Query.Family == ByHost || d.Query.Family == ByNAPTR { // an address is no name of a host
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
	start := int(d.turn() % uint64(len(all)))
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
