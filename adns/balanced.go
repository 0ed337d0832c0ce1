package adns

import (
	"net/netip"

	"fairlead/gslb"

	"github.com/miekg/dns"
)

// family returns the address family that a type asks for.
func family(qtype uint16) gslb.Family {
	switch qtype {
	case dns.TypeA:
		return gslb.IPv4
	case dns.TypeAAAA:
		return gslb.IPv6
	}
	return gslb.FamilyNone
}

// asked returns what a question of a type wants of a balanced name's services.
func asked(d *gslb.Domain, qtype uint16) gslb.Family {
	if f := family(qtype); f != gslb.FamilyNone || d.Types == nil {
		return f
	}
	switch {
	case qtype == dns.TypeHTTPS && d.Types.HTTPS != nil:
		return gslb.AnyFamily
	case qtype == dns.TypeSRV && d.Types.SRV != nil, qtype == dns.TypeMX && d.Types.MX != nil:
		return gslb.ByHost
	case qtype == dns.TypeNAPTR && d.Types.NAPTR != nil:
		return gslb.ByNAPTR
	}
	return gslb.FamilyNone
}

// decides reports whether the question at a balanced name is gslb's to answer. Addresses always are, and the types that the
// document says; others only if the answer may be a CNAME, which stands for all types.
func (r *resolution) decides(domain gslb.DomainIndex) bool {
	d := r.snapshot.GSLB.Plan.Domain(domain)
	return d.HasCNAME || asked(d, r.q.Type) != gslb.FamilyNone
}

// decide answers from gslb's decision. It returns the target of a CNAME that is to be followed, or "".
func (r *resolution) decide(m match) (target string) {
	plan := r.snapshot.GSLB.Plan
	domain := plan.Domain(m.extra.domain)
	f := asked(domain, r.q.Type)
	d := r.ask(gslb.Query{Domain: m.extra.domain, Family: f, LDNS: r.q.LDNS, Subnet: r.q.Subnet, Listener: r.q.Listener, At: r.now.Unix()})
	if d.SubnetUsed {
		// In a chain of several decisions the answer depends on the most specific one.
		r.ans.Scope = max(r.ans.Scope, d.Scope)
	}
	before := len(r.ans.Answer)
	switch d.Outcome {
	case gslb.OutcomeServFail:
		r.ans = Answer{Rcode: dns.RcodeServerFailure, EDE: allDown()}
		return ""
	case gslb.OutcomeServices:
		chosen := d.Services[:d.Count]
		if len(chosen) > 0 {
			if first := plan.Service(chosen[0]); first.CNAME != "" {
				r.countAs(m, dns.TypeCNAME)
				return r.answerName(first.CNAME, d.TTL)
			}
		}
		switch f {
		case gslb.AnyFamily:
			v4, v6 := r.hints(&d)
			r.answerHTTPS(domain.Types.HTTPS, v4, v6, d.TTL)
		case gslb.ByHost:
			r.answerHosts(domain.Types, &d)
		case gslb.ByNAPTR:
			r.answerNAPTR(domain.Types.NAPTR, &d)
		default:
			for _, i := range chosen {
				addr4, addr6 := plan.Seen(r.view, i)
				r.answerAddress(before, addr4, addr6, d.TTL)
			}
		}
	case gslb.OutcomeBackupAddresses:
		if f == gslb.AnyFamily {
			r.answerHTTPS(domain.Types.HTTPS, domain.Backup4, domain.Backup6, d.TTL)
			break
		}
		for _, a := range domain.Backup4 {
			r.answerAddress(before, a, netip.Addr{}, d.TTL)
		}
		for _, a := range domain.Backup6 {
			r.answerAddress(before, netip.Addr{}, a, d.TTL)
		}
	}
	switch {
	case len(r.ans.Answer) > before:
	case r.q.Type == dns.TypeANY:
		r.minimalAny()
	default:
		// Nothing of this family is not "no such name": resolvers would drop the other family with it (RFC 4074).
		r.noData(m)
	}
	return ""
}

// ask decides. The decisions of one explanation know of each other, as on the serving path those of one answer do.
func (r *resolution) ask(q gslb.Query) gslb.Decision {
	s := r.snapshot
	if r.trace == nil {
		return gslb.Decide(s.GSLB, q, s.Learned, r.now, nil)
	}
	if r.explained == nil {
		r.explained = new(gslb.Decider)
	}
	r.explained.Query = q
	r.explained.Decide(s.GSLB, s.Learned, r.now, r.trace)
	return r.explained.Decision
}

// answerName answers with a single CNAME and returns its target if that is to be followed.
func (r *resolution) answerName(target string, ttl uint32) string {
	r.ans.Answer = append(r.ans.Answer, &dns.CNAME{Hdr: r.header(dns.TypeCNAME, ttl), Target: target})
	if r.q.Type == dns.TypeCNAME || r.q.Type == dns.TypeANY {
		return ""
	}
	return target
}

// answerAddress adds the address of the family that was asked for, if there is one and it is not there yet. The set
// starts at index start of the answer.
func (r *resolution) answerAddress(start int, a4, a6 netip.Addr, ttl uint32) {
	switch {
	case r.q.Type == dns.TypeA && a4.IsValid():
		for _, rr := range r.ans.Answer[start:] {
			if have, ok := netip.AddrFromSlice(rr.(*dns.A).A); ok && have == a4 {
				return
			}
		}
		r.ans.Answer = append(r.ans.Answer, &dns.A{Hdr: r.header(dns.TypeA, ttl), A: a4.AsSlice()})
	case r.q.Type == dns.TypeAAAA && a6.IsValid():
		for _, rr := range r.ans.Answer[start:] {
			if have, ok := netip.AddrFromSlice(rr.(*dns.AAAA).AAAA); ok && have == a6 {
				return
			}
		}
		r.ans.Answer = append(r.ans.Answer, &dns.AAAA{Hdr: r.header(dns.TypeAAAA, ttl), AAAA: a6.AsSlice()})
	}
}
