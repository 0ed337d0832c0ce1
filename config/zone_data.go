package config

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/miekg/dns"

	"fairlead/config/zonedata"
)

// ZoneData returns a zone's static records: those of its file, or those of its records text with the SOA and NS made from
// its keys. The SOA made here has the zone's negative TTL both as its own TTL and as its minimum (RFC 2308 section 5). For
// a zone of a valid Document it returns no error.
func ZoneData(z *Zone) (*zonedata.Zone, error) {
	records, err := zoneRecords(z)
	if err != nil {
		return nil, fmt.Errorf("read records of zone %q: %w", z.Name, err)
	}
	origin := make([]byte, zonedata.MaxNameOctets+1)
	n, err := dns.PackDomainName(dns.Fqdn(strings.ToLower(z.Name)), origin, 0, nil, false)
	if err != nil {
		return nil, fmt.Errorf("read records of zone %q: %w", z.Name, err)
	}
	b, err := zonedata.NewBuilder(origin[:n])
	if err != nil {
		return nil, fmt.Errorf("read records of zone %q: %w", z.Name, err)
	}
	for _, r := range records {
		if err := addRecord(b, r.rr); err != nil {
			return nil, fmt.Errorf("read records of zone %q: line %d: %w", z.Name, r.line, err)
		}
	}
	data, problems, err := b.Build()
	switch {
	case err != nil:
		return nil, fmt.Errorf("read records of zone %q: %w", z.Name, err)
	case len(problems) > 0:
		return nil, fmt.Errorf("read records of zone %q: its records contradict each other (problem %d in line %d)", z.Name, problems[0].Kind, problems[0].Line)
	}
	return data, nil
}

// addRecord adds a record to a zone that is being built.
func addRecord(b *zonedata.Builder, rr dns.RR) error {
	buf := make([]byte, dns.Len(rr)+1)
	end, err := dns.PackRR(rr, buf, 0, nil, false)
	if err != nil {
		return err
	}
	owner := 0
	for buf[owner] != 0 {
		owner += 1 + int(buf[owner])
	}
	owner++
	b.Add(&zonedata.Record{Owner: buf[:owner], Type: binary.BigEndian.Uint16(buf[owner:]), TTL: binary.BigEndian.Uint32(buf[owner+4:]), Data: buf[owner+10 : end]})
	return nil
}
