package adns

import (
	"net/netip"
	"slices"

	"fairlead/config"

	"github.com/miekg/dns"
)

// balancedRecords returns a balanced name as it is transferred: all members that are enabled, whatever their state, in all
// types that are balanced. The addresses are sorted and each given once. A name with aliases alone is the first one's CNAME.
// header is of the name, with its TTL; the addresses are those that the clients of a view see.
func balancedRecords(header dns.RR_Header, v *config.VirtualServer, d *config.Domain, services map[string]*config.Service, view string) []dns.RR {
	of := func(rrtype uint16) dns.RR_Header { h := header; h.Rrtype = rrtype; return h }
	var v4, v6 []netip.Addr
	var srv, mx hostRecords
	var naptr []dns.RR
	cname := ""
	for _, m := range v.Members {
		s := services[m.Service]
		if s == nil || s.State == config.ServiceDisabled {
			continue
		}
		addr4, addr6 := s.AnswerAddresses(view)
		if addr4.IsValid() {
			v4 = append(v4, addr4)
		}
		if addr6.IsValid() {
			v6 = append(v6, addr6)
		}
		if cname == "" {
			cname = s.CNAME
		}
		if d.NAPTR != nil && s.NAPTR != nil && len(naptr) < maxNAPTR {
			naptr = addNAPTR(naptr, of(dns.TypeNAPTR), s.NAPTR)
		}
		name, err := config.CanonicalName(s.Host)
		if err != nil {
			continue // it has none
		}
		h := host{name, s.Port, m.Weight, m.Order}
		if d.SRV != nil {
			srv.addSRV(of(dns.TypeSRV), d.SRV, h)
		}
		if d.MX != nil {
			mx.addMX(of(dns.TypeMX), d.MX, h)
		}
	}
	v4, v6 = sortedSet(v4), sortedSet(v6)
	if len(v4)+len(v6) == 0 && cname != "" {
		return []dns.RR{&dns.CNAME{Hdr: of(dns.TypeCNAME), Target: dns.Fqdn(cname)}}
	}
	var out []dns.RR
	for _, a := range v4 {
		out = append(out, &dns.A{Hdr: of(dns.TypeA), A: a.AsSlice()})
	}
	for _, a := range v6 {
		out = append(out, &dns.AAAA{Hdr: of(dns.TypeAAAA), AAAA: a.AsSlice()})
	}
	if d.HTTPS != nil {
		if rr := httpsRecord(of(dns.TypeHTTPS), d.HTTPS, v4, v6); rr != nil {
			out = append(out, rr)
		}
	}
	return slices.Concat(out, srv, mx, naptr)
}

func sortedSet(addresses []netip.Addr) []netip.Addr {
	slices.SortFunc(addresses, netip.Addr.Compare)
	return slices.Compact(addresses)
}
