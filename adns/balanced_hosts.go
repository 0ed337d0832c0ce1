package adns

import (
	"slices"

	"fairlead/config"
	"fairlead/config/zonedata"
	"fairlead/gslb"

	"github.com/miekg/dns"
)

// maxAdditional is the most address records that accompany the hosts of an answer.
const maxAdditional = 2 * gslb.MaxAnswers

// answerHosts answers SRV or MX with the hosts of a decision's services.
func (r *resolution) answerHosts(types *gslb.Types, d *gslb.Decision) {
	plan := r.snapshot.GSLB.Plan
	var targets hostRecords
	for position, i := range d.Services[:d.Count] {
		s := plan.Service(i)
		weight, order := plan.Member(d.VirtualServer, i)
		if r.q.Type == dns.TypeSRV {
			targets.addSRV(r.header(dns.TypeSRV, d.TTL), types.SRV, host{s.Host, int(s.Port), int(weight), order})
			continue
		}
		if d.Reason != gslb.ReasonAllDown {
			order = 1 + position // the chosen one is preferred
		}
		targets.addMX(r.header(dns.TypeMX, d.TTL), types.MX, host{s.Host, int(s.Port), int(weight), order})
	}
	r.ans.Answer = append(r.ans.Answer, targets...)
	r.accompany(targets)
}

// host is a service as SRV and MX know it.
type host struct {
	name   string // fully qualified
	port   int
	weight int
	order  int // from 1
}

// hostRecords is the records of one SRV or MX answer.
type hostRecords []dns.RR

// addSRV adds a record unless there is one for the same host and port, which would only distort their shares.
func (t *hostRecords) addSRV(header dns.RR_Header, a *config.SRVAnswer, h host) {
	rr := &dns.SRV{Hdr: header, Priority: uint16(a.Priority + h.order), Weight: uint16(h.weight), Port: uint16(h.port), Target: h.name}
	if a.Weight != 0 {
		rr.Weight = uint16(a.Weight)
	}
	if a.Port != 0 {
		rr.Port = uint16(a.Port)
	}
	if !slices.ContainsFunc(*t, func(other dns.RR) bool {
		o, ok := other.(*dns.SRV)
		return ok && o.Target == rr.Target && o.Port == rr.Port
	}) {
		*t = append(*t, rr)
	}
}

// addMX adds a record unless there is one for the same host.
func (t *hostRecords) addMX(header dns.RR_Header, a *config.MXAnswer, h host) {
	rr := &dns.MX{Hdr: header, Preference: uint16(a.Preference + h.order - 1), Mx: h.name}
	if !slices.ContainsFunc(*t, func(other dns.RR) bool {
		o, ok := other.(*dns.MX)
		return ok && o.Mx == rr.Mx
	}) {
		*t = append(*t, rr)
	}
}

// accompany adds what the zones hold of the hosts' addresses to the additional section (RFC 2782, RFC 1035 section 3.3.9). It
// is a courtesy: what is balanced itself would take a turn, and is left to the question for it.
func (r *resolution) accompany(targets hostRecords) {
	var l labels
	for _, rr := range targets {
		name := ""
		switch rr := rr.(type) {
		case *dns.SRV:
			name = rr.Target
		case *dns.MX:
			name = rr.Mx
		}
		for _, rrtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
			records := r.staticRecords(&l, name, rrtype)
			if len(r.ans.Additional)+len(records) > maxAdditional {
				return
			}
			r.ans.Additional = append(r.ans.Additional, records...)
			r.ans.courtesy = true
		}
	}
}

// staticRecords returns the records of a name that is not balanced, if a zone here has them and its clients may see them. l is
// overwritten.
func (r *resolution) staticRecords(l *labels, name string, rrtype uint16) []dns.RR {
	zones := r.zones
	k, err := nameKey(name)
	if err != nil || !l.parse([]byte(k)) {
		return nil
	}
	zone, ok := zones.find(l, rrtype)
	if !ok || zones.absent(zone) || !zones.admits(zone, r.q.LDNS) {
		return nil
	}
	m := zones.lookup(zone, l, rrtype)
	if m.kind != kindNode || m.node == 0 || m.extra != nil && m.extra.balanced || zones.zones[zone].Flags(m.node)&zonedata.CNAME != 0 {
		return nil
	}
	return zones.records(zone, m.node, rrtype, name)
}
