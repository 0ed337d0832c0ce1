package adns

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"fairlead/adns/rrl"
	"fairlead/config/zonedata"
	"fairlead/gslb"

	"github.com/miekg/dns"
)

// maxChainLinks is the most aliases (CNAME, or DNAME with its CNAME) one answer follows. A chain that is longer, or a
// loop, ends with the answer so far: the resolver goes on by itself.
const maxChainLinks = 8

// Reasons of the steps name and view that only this package gives; the others are gslb's. Like those they are part of the
// interface.
const (
	ReasonRedirected   gslb.Reason = "dname-followed"
	ReasonRefused      gslb.Reason = "question-refused"   // the class or type is not served
	ReasonChainEnded   gslb.Reason = "alias-chain-ended"  // too many links, or a loop
	ReasonAliasOutside gslb.Reason = "alias-outside-zone" // an alias points out of the zones
	ReasonNoData       gslb.Reason = "zone-without-data"  // it comes from a primary, and was never transferred or has expired
	ReasonInView       gslb.Reason = "in-view"            // step view: the client is in it
	ReasonNoView       gslb.Reason = "in-no-view"         // step view: it is in none
	ReasonProhibited   gslb.Reason = "client-not-allowed" // the zone has a list of clients, and this one is not in it
)

// Snapshot is all that an answer depends on. It is immutable but for Learned, which belongs to GSLB's Plan; Zones was
// compiled with the same Plan. Safe for concurrent use.
type Snapshot struct {
	Generation uint64
	Zones      *Zones
	GSLB       *gslb.Snapshot
	Learned    *gslb.Learned
}

// Question is a question and who asks.
type Question struct {
	Name  string // presentation form; its letters' case is kept in the answer
	Type  uint16
	Class uint16
	// LDNS is the address the query came from, without a zone.
	LDNS netip.Addr
	// Listener is the address of this server that was asked, unmapped and without a zone; the zero Addr when it is not known.
	// Views and policies may ask for it.
	Listener netip.Addr
	// Subnet is the EDNS Client Subnet (RFC 7871), masked to its source prefix length; the zero Prefix when the query
	// carried none. Of length 0 the resolver asks for an answer that is not tailored.
	Subnet netip.Prefix
}

// Answer is a response without its EDNS part. Its records may be shared with others: they must not be written.
type Answer struct {
	Rcode         int
	Authoritative bool // the AA bit
	Answer        []dns.RR
	Authority     []dns.RR
	Additional    []dns.RR
	// Scope is the SCOPE PREFIX-LENGTH of RFC 7871: how many bits of the Subnet the answer depends on. 0 when it does
	// not, in negative answers, and in referrals.
	Scope uint8
	// EDE explains a refusal (RFC 8914). The zero value explains nothing.
	EDE ExtendedError

	courtesy bool // Additional is left out where it does not fit

	account account // that the response is counted under
}

// resolution is the state of one Resolve. It lives on the stack.
type resolution struct {
	snapshot  *Snapshot
	zones     *Zones // as the client sees them
	view      gslb.ViewIndex
	q         Question
	now       time.Time
	trace     *gslb.Trace
	explained *gslb.Decider // nil until something is decided for the trace
	owner     string        // name under which records are answered: the question's, then each alias's target
	labels    *labels       // of owner
	zone      uint32        // that owner is in, if located
	located   bool
	from      answerFrom // of the question's name
	ans       Answer
}

// Resolve answers a question. It reads nothing but the snapshot and its arguments and writes nothing but Learned and
// trace, which may be nil; equal arguments and an equal Learned give an equal Answer. Safe for concurrent use.
func (s *Snapshot) Resolve(q Question, now time.Time, trace *gslb.Trace) Answer {
	k, err := nameKey(q.Name)
	var l labels
	if err != nil || !l.parse([]byte(k)) {
		return Answer{Rcode: dns.RcodeFormatError}
	}
	q.Name = dns.Fqdn(q.Name)
	return s.resolve(&l, q, now, trace)
}

// resolve is Resolve for a caller that has the name's labels already. They are used again for aliases.
func (s *Snapshot) resolve(l *labels, q Question, now time.Time, trace *gslb.Trace) Answer {
	if v := judgeQuestion(q.Type, q.Class); !v.accepted() {
		if trace != nil {
			trace.Add(gslb.Entry{Step: gslb.StepName, Reason: ReasonRefused,
				Detail: fmt.Sprintf("%s %s is answered with %s", dns.Class(q.Class), dns.Type(q.Type), rcodeName(v.rcode))})
		}
		return Answer{Rcode: v.rcode, EDE: v.ede, account: account{class: rrl.Error}}
	}
	r := resolution{snapshot: s, q: q, now: now, trace: trace, owner: q.Name, labels: l}
	r.chooseView()
	r.run()
	if len(r.ans.Answer) == 0 {
		r.ans.Scope = 0 // RFC 7871 section 7.4: negative answers and referrals are everybody's
	}
	r.ans.account = accountOf(r.ans.Rcode, len(r.ans.Answer) > 0, r.ans.Authoritative, r.from)
	return r.ans
}

// chooseView settles what the client sees, by who asks and where.
func (r *resolution) chooseView() {
	r.zones, r.view = r.snapshot.seenBy(r.q.Listener, r.q.LDNS)
	if r.trace == nil || r.snapshot.GSLB == nil || r.snapshot.GSLB.Plan.Views() == 0 {
		return
	}
	e := gslb.Entry{Step: gslb.StepView, Reason: ReasonNoView}
	if v := r.snapshot.GSLB.Plan.ViewOf(r.q.Listener, r.q.LDNS); v != 0 {
		e.Reason, e.Detail = ReasonInView, "view "+r.snapshot.GSLB.Plan.ViewName(v)
	}
	r.trace.Add(e)
}

// run follows aliases from the question to the end of the chain.
func (r *resolution) run() {
	var seen [maxChainLinks + 1]key
	for links := 0; ; links++ {
		if r.zone, r.located = r.zones.find(r.labels, r.q.Type); !r.located {
			r.outside(links)
			return
		}
		if r.zones.absent(r.zone) {
			r.withoutData(links)
			return
		}
		if !r.zones.admits(r.zone, r.q.LDNS) {
			r.prohibited(links)
			return
		}
		target := r.step(links)
		if target == "" {
			return
		}
		seen[links] = key(r.labels.suffix(0))
		k, err := nameKey(target)
		if err != nil {
			return // compiled names all have a key; a name from a DNAME was checked when it was made
		}
		ended := links == maxChainLinks
		for _, earlier := range seen[:links+1] {
			ended = ended || earlier == k
		}
		if ended {
			r.note(ReasonChainEnded, target)
			return
		}
		r.note(gslb.ReasonChased, target)
		r.owner = target
		r.labels.parse([]byte(k))
	}
}

// outside ends the chain at a name that is in none of the zones.
func (r *resolution) outside(links int) {
	if links > 0 {
		r.note(ReasonAliasOutside, "")
		return
	}
	r.note(gslb.ReasonNoZone, "")
	r.ans.Rcode = dns.RcodeRefused
	r.ans.EDE = ExtendedError{Code: edeNotAuthoritative}
}

// prohibited ends the chain at a name in a zone that the client is not answered from.
func (r *resolution) prohibited(links int) {
	r.note(ReasonProhibited, "")
	if links > 0 {
		return // the alias is told; its target is not
	}
	r.ans.Rcode = dns.RcodeRefused
	r.ans.EDE = ExtendedError{Code: edeProhibited}
}

// step answers r.owner from its zone. It returns the next name of an alias chain, or "" when the answer is complete.
func (r *resolution) step(links int) (target string) {
	zones := r.zones
	m := zones.lookup(r.zone, r.labels, r.q.Type)
	if links == 0 {
		r.from = answerFrom{zone: r.zone, detail: m.detail(r.zone, r.q.Type)}
	}
	// AA speaks of the first name of the answer (RFC 1035 section 4.1.1), so a referral at the end of a chain keeps it.
	if m.kind != kindReferral {
		r.ans.Authoritative = true
	}
	switch m.kind {
	case kindReferral:
		r.countAs(m, dns.TypeNS)
		r.noteAt(gslb.ReasonDelegated, m)
		r.ans.Authority = zones.records(r.zone, m.node, dns.TypeNS, key(r.labels.suffix(m.suffix)).String())
		r.ans.Additional = zones.glue(r.zone, r.ans.Authority)
		return ""
	case kindRedirect:
		return r.redirect(m)
	case kindNone:
		r.note(gslb.ReasonNoSuchName, "")
		r.ans.Rcode = dns.RcodeNameError
		r.ans.Authority = zones.negative(r.zone)
		return ""
	}
	if m.extra != nil && m.extra.balanced && r.decides(m.extra.domain) {
		r.noteAt(gslb.ReasonBalanced, m)
		return r.decide(m)
	}
	return r.static(m)
}

// static answers from a name's records.
func (r *resolution) static(m match) (target string) {
	zones := r.zones
	var flags zonedata.Flags
	if m.node != 0 {
		flags = zones.zones[r.zone].Flags(m.node)
	}
	switch {
	case flags&zonedata.CNAME != 0 && (r.q.Type == dns.TypeCNAME || !besideCNAME(r.q.Type)):
		r.countAs(m, dns.TypeCNAME)
		r.noteAt(gslb.ReasonStatic, m)
		alias := zones.records(r.zone, m.node, dns.TypeCNAME, r.owner)
		r.ans.Answer = append(r.ans.Answer, alias...)
		if r.q.Type == dns.TypeCNAME || r.q.Type == dns.TypeANY {
			return ""
		}
		return alias[0].(*dns.CNAME).Target
	case m.node == 0 || zones.zones[r.zone].Empty(m.node):
		if r.q.Type == dns.TypeANY && m.extra != nil && m.extra.balanced {
			r.noteAt(gslb.ReasonStatic, m)
			r.minimalAny()
			return ""
		}
		r.noData(m)
	case r.q.Type == dns.TypeANY:
		r.noteAt(gslb.ReasonStatic, m)
		r.minimalAny()
	default:
		records := zones.records(r.zone, m.node, r.q.Type, r.owner)
		if records == nil {
			r.noData(m)
			return ""
		}
		if r.q.Type == dns.TypeRRSIG {
			records = firstSigned(records)
		}
		r.noteAt(gslb.ReasonStatic, m)
		r.ans.Answer = append(r.ans.Answer, records...)
	}
	return ""
}

// firstSigned returns the signatures of one of the types that signatures are of: those of all types are as much as ANY, and
// for nobody but attackers (RFC 8482 section 7).
func firstSigned(signatures []dns.RR) []dns.RR {
	first := signatures[0].(*dns.RRSIG).TypeCovered
	return slices.DeleteFunc(signatures, func(rr dns.RR) bool { return rr.(*dns.RRSIG).TypeCovered != first })
}

// redirect answers from a DNAME above the name: the DNAME and the CNAME made from it (RFC 6672 section 3.1).
func (r *resolution) redirect(m match) (target string) {
	r.countAs(m, dns.TypeDNAME)
	r.noteAt(ReasonRedirected, m)
	at := key(r.labels.suffix(m.suffix))
	records := r.zones.records(r.zone, m.node, dns.TypeDNAME, at.String())
	dname := records[0].(*dns.DNAME)
	to, err := nameKey(dname.Target)
	if err != nil {
		r.ans = Answer{Rcode: dns.RcodeServerFailure}
		return ""
	}
	prefix := key(r.labels.suffix(0)[:r.labels.size-len(at)])
	if !slices.ContainsFunc(r.ans.Answer, func(rr dns.RR) bool { return dns.IsDuplicate(rr, dname) }) { // a chain can come through here twice
		r.ans.Answer = append(r.ans.Answer, records...)
	}
	if len(prefix)+len(to) > maxNameOctets {
		r.ans.Rcode = dns.RcodeYXDomain
		return ""
	}
	target = (prefix + to).String()
	r.ans.Answer = append(r.ans.Answer, &dns.CNAME{Hdr: r.header(dns.TypeCNAME, dname.Hdr.Ttl), Target: target})
	if r.q.Type == dns.TypeCNAME || r.q.Type == dns.TypeANY {
		return ""
	}
	return target
}

// countAs sets the type that an answer is counted under, when that is not the type of the question: an alias or a
// delegation answers all types, and they share one account. Only the question's own name counts.
func (r *resolution) countAs(m match, qtype uint16) {
	if len(r.ans.Answer) == 0 {
		r.from.detail = m.detail(r.zone, qtype)
	}
}

// noData ends the answer at a name that has nothing of the type.
func (r *resolution) noData(m match) {
	r.noteAt(gslb.ReasonNoSuchType, m)
	r.ans.Authority = r.zones.negative(r.zone)
}

// minimalAny answers ANY with one synthesized record (RFC 8482 section 4.2).
func (r *resolution) minimalAny() {
	const ttl = 3600 // nothing depends on it; long, so that whoever asks ANY asks seldom
	r.ans.Answer = append(r.ans.Answer, &dns.HINFO{Hdr: r.header(dns.TypeHINFO, ttl), Cpu: "RFC8482"})
}

// header returns the header of a record made for this answer.
func (r *resolution) header(rrtype uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: r.owner, Rrtype: rrtype, Class: dns.ClassINET, Ttl: ttl}
}

// note traces what was found for r.owner; at is the name that it was found at, if that says more.
func (r *resolution) note(reason gslb.Reason, at string) {
	if r.trace == nil {
		return
	}
	detail := r.owner
	if at != "" && at != r.owner {
		detail += " at " + at
	}
	if r.located {
		detail += " in zone " + key(r.zones.zones[r.zone].Origin()).String()
	}
	r.trace.Add(gslb.Entry{Step: gslb.StepName, Reason: reason, Detail: detail})
}

// noteAt is note for what was found at a match.
func (r *resolution) noteAt(reason gslb.Reason, m match) {
	if r.trace == nil {
		return
	}
	at := key(r.labels.suffix(m.suffix))
	if m.wildcard {
		at = "\x01*" + at
	}
	r.note(reason, at.String())
}

// rcodeName returns an rcode's mnemonic.
func rcodeName(rcode int) string {
	if name, ok := dns.RcodeToString[rcode]; ok {
		return name
	}
	return fmt.Sprintf("RCODE%d", rcode)
}
