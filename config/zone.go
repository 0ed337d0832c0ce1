package config

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/miekg/dns"

	"fairlead/config/zonedata"
	"fairlead/config/zonetext"
)

// The SOA and NS records that are made from a zone's keys, in seconds.
const (
	soaRefresh    = 3600
	soaRetry      = 600
	soaExpire     = 604800
	nameserverTTL = 3600
)

// ZoneData returns a zone's static records: those of its file, or those of its records text with the SOA and NS made from
// its keys. The SOA made here has the zone's negative TTL both as its own TTL and as its minimum (RFC 2308 section 5). For
// a zone of a valid Document it returns what Parse has made, and no error, unless the zone is a secondary: the records of
// those are not in the document. For a zone with Records that was made in another way it reads them now.
func ZoneData(z *Zone) (*zonedata.Zone, error) {
	switch {
	case z.Data != nil:
		return z.Data, nil
	case z.Secondary():
		return nil, fmt.Errorf("read records of zone %q: they are at its primaries", z.Name)
	case z.File != "":
		return nil, fmt.Errorf("read records of zone %q: its file %q was not read", z.Name, z.File)
	}
	name, err := canonicalHost(z.Name)
	if err != nil {
		return nil, fmt.Errorf("read records of zone %q: %w", z.Name, err)
	}
	var first error
	reading, err := newZoneReading(z, name, new(zonetext.Reader), func(e *zoneTextError) {
		if first == nil {
			first = e
		}
	})
	if err == nil {
		reading.text([]byte(z.Records), nil)
		reading.finish()
		err = errors.Join(reading.apexErr, first)
	}
	if err != nil {
		return nil, fmt.Errorf("read records of zone %q: %w", z.Name, err)
	}
	return z.Data, nil
}

// addApex adds the SOA and NS records made from the zone's keys.
func (g *zoneReading) addApex() error {
	z := g.zone
	if len(z.Nameservers) == 0 {
		return errors.New("no nameservers")
	}
	mailbox, err := z.Mailbox()
	if err != nil {
		return fmt.Errorf("contact: %w", err)
	}
	var contact [zonedata.MaxNameOctets + 1]byte
	length, err := dns.PackDomainName(mailbox, contact[:], 0, nil, false)
	if err != nil {
		return fmt.Errorf("contact %q: %w", mailbox, err)
	}
	names := make([][]byte, len(z.Nameservers))
	for i, ns := range z.Nameservers {
		name, err := canonicalHost(ns)
		if err != nil {
			return fmt.Errorf("nameserver: %w", err)
		}
		names[i] = wireName(name)
	}
	negative := uint32(z.NegativeTTL.Std().Seconds())
	soa := append(append(make([]byte, 0, 2*zonedata.MaxNameOctets), names[0]...), contact[:length]...)
	for _, n := range []uint32{z.Serial, soaRefresh, soaRetry, soaExpire, negative} {
		soa = binary.BigEndian.AppendUint32(soa, n)
	}
	g.builder.Add(&zonedata.Record{Owner: g.origin, Type: dns.TypeSOA, TTL: negative, Data: soa})
	for _, name := range names {
		g.builder.Add(&zonedata.Record{Owner: g.origin, Type: dns.TypeNS, TTL: nameserverTTL, Data: name})
	}
	return nil
}
