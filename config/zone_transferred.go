package config

import (
	"encoding/binary"
	"fmt"

	"fairlead/config/zonedata"

	"github.com/miekg/dns"
)

// TransferredZoneData makes the data of a zone from what a primary sent, the SOA among it. Without records it makes a
// place holder with a SOA and an NS record, so that balanced names have a zone; nothing should be answered from that.
func TransferredZoneData(z *Zone, records []dns.RR) (*zonedata.Zone, error) {
	fail := func(err error) (*zonedata.Zone, error) {
		return nil, fmt.Errorf("read transferred records of zone %q: %w", z.Name, err)
	}
	name, err := canonicalHost(z.Name)
	if err != nil {
		return fail(err)
	}
	origin := make([]byte, zonedata.MaxNameOctets+1)
	n, err := dns.PackDomainName(name, origin, 0, nil, false)
	if err != nil {
		return fail(err)
	}
	b, err := zonedata.NewBuilder(origin[:n])
	if err != nil {
		return fail(err)
	}
	if len(records) == 0 {
		header := dns.RR_Header{Name: name, Class: dns.ClassINET}
		soa, ns := &dns.SOA{Hdr: header, Ns: name, Mbox: name}, &dns.NS{Hdr: header, Ns: name}
		soa.Hdr.Rrtype, ns.Hdr.Rrtype = dns.TypeSOA, dns.TypeNS
		records = []dns.RR{soa, ns}
	}
	for _, rr := range records {
		if err := addTransferred(b, rr); err != nil {
			return fail(err)
		}
	}
	data, problems, err := b.Build()
	switch {
	case err != nil:
		return fail(err)
	case len(problems) > 0:
		return fail(transferredProblem(&problems[0]))
	}
	return data, nil
}

// addTransferred adds a record in wire form.
func addTransferred(b *zonedata.Builder, rr dns.RR) error {
	const fixed = 10 // type, class, TTL, length
	wire := make([]byte, dns.Len(rr)+zonedata.MaxNameOctets)
	end, err := dns.PackRR(rr, wire, 0, nil, false)
	if err != nil {
		return fmt.Errorf("record %s %s: %w", rr.Header().Name, dns.Type(rr.Header().Rrtype), err)
	}
	owner := 0
	for wire[owner] != 0 {
		owner += 1 + int(wire[owner])
	}
	owner++
	b.Add(&zonedata.Record{Owner: wire[:owner], Type: rr.Header().Rrtype, TTL: binary.BigEndian.Uint32(wire[owner+4:]), Data: wire[owner+fixed : end]})
	return nil
}

// transferredProblem says what is wrong with a zone that has no lines to point at.
func transferredProblem(p *zonedata.Problem) error {
	owner := "the zone"
	if p.Owner != nil {
		if name, _, err := dns.UnpackDomainName(p.Owner, 0); err == nil {
			owner = name
		}
	}
	what := map[zonedata.ProblemKind]string{
		zonedata.OutOfZone: "is outside the zone", zonedata.MisplacedSOA: "has a SOA, and is not the top of the zone",
		zonedata.ApexAlias: "is the top of the zone, which cannot be a CNAME", zonedata.WildcardCut: "is a wildcard that delegates or redirects (RFC 4592 section 4)",
		zonedata.CNAMEAndOther: "has a CNAME beside other records", zonedata.SeveralAliases: "has several CNAME or DNAME records",
		zonedata.SetTooLarge: "has too many records of one type", zonedata.TooManyTypes: "has too many types",
		zonedata.TooManyRecords: "has too many records", zonedata.WrongSOACount: "does not have one SOA", zonedata.NoNameservers: "has no NS record at its top",
	}[p.Kind]
	return fmt.Errorf("%s %s", owner, what)
}
