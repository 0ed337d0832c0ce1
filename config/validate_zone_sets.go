package config

import (
	"fmt"

	"github.com/miekg/dns"
)

// Bounds of zone data. An RRset within them fits into a message over TCP together with whatever a chain of aliases adds.
const (
	// MaxRRsetOctets is the most octets the records of one name and type can have, owner names compressed.
	MaxRRsetOctets = 16 * 1024
	// MaxTypesPerName is how many types of records one name can have.
	MaxTypesPerName = 100
	// RecordHeaderOctets is what a record takes beside its data when its owner is compressed.
	RecordHeaderOctets = 12
)

// checkRecordSets checks what only all records of a name can show: sizes, and types of which there can be one.
func (c *checker) checkRecordSets(key, file string, facts *zoneFacts) {
	type set struct {
		owner  string
		rrtype uint16
	}
	octets, types := map[set]int{}, map[string]int{}
	dnames := map[string]dns.RR{}
	for _, r := range facts.records {
		h := r.rr.Header()
		if h.Class != dns.ClassINET || !inZone(h.Name, facts.name) {
			continue
		}
		s := set{h.Name, h.Rrtype}
		before := octets[s]
		octets[s] += RecordHeaderOctets + int(h.Rdlength)
		f, bad := finding{}, false
		switch first := dnames[h.Name]; {
		case before <= MaxRRsetOctets && octets[s] > MaxRRsetOctets:
			f, bad = finding{codeRecordSetTooLarge, fmt.Sprintf("the %s records of %s have more than %d octets together",
				dns.Type(h.Rrtype), show(h.Name), MaxRRsetOctets), "spread them over several names"}, true
		case h.Rrtype == dns.TypeDNAME && first != nil && !dns.IsDuplicate(first, r.rr):
			f, bad = finding{codeRecordKind, fmt.Sprintf("%s already has a DNAME, and there can be one", show(h.Name)), "remove one of them"}, true
		}
		if h.Rrtype == dns.TypeDNAME {
			dnames[h.Name] = r.rr
		}
		if before == 0 {
			if types[h.Name]++; types[h.Name] == MaxTypesPerName+1 {
				f, bad = finding{codeRecordSetTooLarge, fmt.Sprintf("%s has records of more than %d types", show(h.Name), MaxTypesPerName), ""}, true
			}
		}
		if bad {
			c.textProblem(key, file, &zoneTextError{line: r.line, token: ownerToken(r.rr, facts.name), finding: f}, codeZoneText)
		}
	}
}

// measure fills in the length of a record's data and reports whether it can be put on the wire at all.
func measure(rr dns.RR) error {
	_, err := dns.PackRR(rr, make([]byte, dns.Len(rr)+1), 0, nil, false)
	return err
}
