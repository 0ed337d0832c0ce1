package adns

import (
	"net"
	"net/netip"
	"slices"

	"fairlead/config"
	"fairlead/gslb"

	"github.com/miekg/dns"
)

// hints returns the addresses of a decision's services, each once, in the decision's order: those that A and AAAA would have
// been answered with had they met the same decision. An address that fails its monitors is none of them, but when all is down
// nobody knows which works, and all are given.
func (r *resolution) hints(d *gslb.Decision) (v4, v6 []netip.Addr) {
	snapshot := r.snapshot.GSLB
	for _, i := range d.Services[:d.Count] {
		addr4, addr6 := snapshot.Plan.Seen(r.view, i)
		status := &snapshot.Status.Services[i]
		allDown := d.Reason == gslb.ReasonAllDown
		if addr4.IsValid() && (allDown || !status.Without4) && !slices.Contains(v4, addr4) {
			v4 = append(v4, addr4)
		}
		if addr6.IsValid() && (allDown || !status.Without6) && !slices.Contains(v6, addr6) {
			v6 = append(v6, addr6)
		}
	}
	return v4, v6
}

// answerHTTPS answers with one HTTPS record; with none when there is no address, so that nobody is told of a service that
// nobody reaches.
func (r *resolution) answerHTTPS(h *config.HTTPSAnswer, v4, v6 []netip.Addr, ttl uint32) {
	if rr := httpsRecord(r.header(dns.TypeHTTPS, ttl), h, v4, v6); rr != nil {
		r.ans.Answer = append(r.ans.Answer, rr)
	}
}

// httpsRecord returns an HTTPS record in ServiceMode for its owner itself (RFC 9460 section 2.4.3), with its keys in ascending
// order; nil when there is no address.
func httpsRecord(header dns.RR_Header, h *config.HTTPSAnswer, v4, v6 []netip.Addr) dns.RR {
	if len(v4)+len(v6) == 0 {
		return nil
	}
	const serviceMode = 1 // the only record, so any SvcPriority but 0 would do
	svcb := dns.SVCB{Hdr: header, Priority: serviceMode, Target: "."}
	if len(h.ALPN) > 0 {
		svcb.Value = append(svcb.Value, &dns.SVCBAlpn{Alpn: h.ALPN})
	}
	if h.NoDefaultALPN {
		svcb.Value = append(svcb.Value, &dns.SVCBNoDefaultAlpn{})
	}
	if h.Port != 0 {
		svcb.Value = append(svcb.Value, &dns.SVCBPort{Port: uint16(h.Port)})
	}
	if len(v4) > 0 {
		svcb.Value = append(svcb.Value, &dns.SVCBIPv4Hint{Hint: addresses(v4)})
	}
	if len(v6) > 0 {
		svcb.Value = append(svcb.Value, &dns.SVCBIPv6Hint{Hint: addresses(v6)})
	}
	return &dns.HTTPS{SVCB: svcb}
}

func addresses(in []netip.Addr) []net.IP {
	out := make([]net.IP, len(in))
	for i, a := range in {
		out[i] = a.AsSlice()
	}
	return out
}
