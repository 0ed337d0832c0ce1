package config

import (
	"errors"
	"fmt"

	"github.com/miekg/dns"
)

// The SOA and NS records that are made from a zone's keys, in seconds.
const (
	soaRefresh    = 3600
	soaRetry      = 600
	soaExpire     = 604800
	nameserverTTL = 3600
)

// ZoneRecords returns a zone's static records: those of its file, or those of its records text after the SOA and NS made
// from its keys. Owner names are in lower case and fully qualified. The SOA made here has the zone's negative TTL both as
// its own TTL and as its minimum (RFC 2308 section 5). For a zone of a valid Document it returns no error.
func ZoneRecords(z *Zone) ([]dns.RR, error) {
	records, err := zoneRecords(z)
	if err != nil {
		return nil, fmt.Errorf("read records of zone %q: %w", z.Name, err)
	}
	out := make([]dns.RR, len(records))
	for i := range records {
		out[i] = records[i].rr
	}
	return out, nil
}

func zoneRecords(z *Zone) ([]zoneRecord, error) {
	if z.Secondary() {
		return nil, nil // they come from a primary
	}
	origin, err := canonicalHost(z.Name)
	if err != nil {
		return nil, err
	}
	if z.File != "" {
		records, problem := parseZoneText(z.FileText, origin, nil)
		if problem != nil {
			return nil, problem
		}
		return records, nil
	}
	made, err := apexRecords(z, origin)
	if err != nil {
		return nil, err
	}
	ttl := uint32(z.TTL.Std().Seconds())
	records, problem := parseZoneText(z.Records, origin, &ttl)
	if problem != nil {
		return nil, problem
	}
	return append(made, records...), nil
}

// apexRecords makes the SOA and NS records from the zone's keys.
func apexRecords(z *Zone, origin string) ([]zoneRecord, error) {
	if len(z.Nameservers) == 0 {
		return nil, errors.New("no nameservers")
	}
	mailbox, err := z.Mailbox()
	if err != nil {
		return nil, fmt.Errorf("contact: %w", err)
	}
	var names []string
	for _, ns := range z.Nameservers {
		name, err := canonicalHost(ns)
		if err != nil {
			return nil, fmt.Errorf("nameserver: %w", err)
		}
		names = append(names, name)
	}
	negative := uint32(z.NegativeTTL.Std().Seconds())
	out := []zoneRecord{{rr: &dns.SOA{
		Hdr: dns.RR_Header{Name: origin, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: negative},
		Ns:  names[0], Mbox: mailbox, Serial: z.Serial,
		Refresh: soaRefresh, Retry: soaRetry, Expire: soaExpire, Minttl: negative,
	}}}
	for _, name := range names {
		out = append(out, zoneRecord{rr: &dns.NS{
			Hdr: dns.RR_Header{Name: origin, Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: nameserverTTL},
			Ns:  name,
		}})
	}
	return out, nil
}
