package adns

import (
	"fmt"

	"fairlead/config/zonedata"

	"github.com/miekg/dns"
)

// unpackSet makes records of a set in the form of zonedata: owned by a name in presentation form.
func unpackSet(owner string, set []byte, count int) ([]dns.RR, error) {
	message := make([]byte, headerOctets+maxNameOctets+1, headerOctets+maxNameOctets+1+len(set))
	end, err := dns.PackDomainName(owner, message, headerOctets, nil, false)
	if err != nil {
		return nil, fmt.Errorf("pack owner %q: %w", owner, err)
	}
	message = append(message[:end], set...)
	records := make([]dns.RR, 0, count)
	for at := end; at < len(message); {
		rr, next, err := dns.UnpackRR(message, at)
		if err != nil {
			return nil, fmt.Errorf("read record of %q: %w", owner, err)
		}
		records = append(records, rr)
		at = next
	}
	return records, nil
}

// records returns a node's records of a type under an owner; nil when there are none.
func (z *Zones) records(zone uint32, node zonedata.Ref, rrtype uint16, owner string) []dns.RR {
	if node == 0 {
		return nil
	}
	set, count := z.zones[zone].Set(node, rrtype)
	if count == 0 {
		return nil
	}
	records, err := unpackSet(owner, set, count)
	if err != nil {
		panic(err) // what a zone holds was on the wire before; the query becomes SERVFAIL
	}
	return records
}

// negative returns the SOA as negative answers carry it, TTL = min(SOA TTL, MINIMUM) (RFC 2308 section 3).
func (z *Zones) negative(zone uint32) []dns.RR {
	data := z.zones[zone]
	records := z.records(zone, data.Apex(), dns.TypeSOA, key(data.Origin()).String())
	soa := records[0].(*dns.SOA)
	soa.Hdr.Ttl = min(soa.Hdr.Ttl, soa.Minttl)
	return records
}

// glue returns the addresses that a zone holds for the name servers of a delegation (RFC 9471: all of those below the cut
// must be sent, or TC).
func (z *Zones) glue(zone uint32, servers []dns.RR) []dns.RR {
	data := z.zones[zone]
	var glue []dns.RR
	var l labels
	for _, rr := range servers {
		name := rr.(*dns.NS).Ns
		k, err := nameKey(name)
		if err != nil || !k.within(key(data.Origin())) || !l.parse([]byte(k)) {
			continue
		}
		if node := data.Find(l.hash, l.before(0, len(data.Origin()))); node != 0 {
			glue = append(glue, z.records(zone, node, dns.TypeA, name)...)
			glue = append(glue, z.records(zone, node, dns.TypeAAAA, name)...)
		}
	}
	return glue
}
