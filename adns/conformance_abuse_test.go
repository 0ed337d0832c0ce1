package adns

import (
	"fmt"
	"strings"
	"testing"

	"fairlead/config"

	"github.com/miekg/dns"
)

// errorQueries are requests for each kind of error there is.
func errorQueries() map[string][]byte {
	opt := optRecord(1232, 0)
	return map[string][]byte{
		"FORMERR, header alone":      empty(0),
		"FORMERR, trailing octet":    append(queryFor("www.example.com.", dns.TypeA, opt), 0),
		"FORMERR, NXNAME":            queryFor("www.example.com.", typeNXNAME, opt),
		"FORMERR, cookie":            queryFor("www.example.com.", dns.TypeA, optRecord(1232, 0, option(dns.EDNS0COOKIE, 1))),
		"SERVFAIL, all down":         queryFor("fail.example.com.", dns.TypeA, opt),
		"SERVFAIL, no EDNS":          queryFor("fail.example.com.", dns.TypeA),
		"NOTIMP":                     withOPT(dns.OpcodeStatus, www()),
		"REFUSED, foreign":           queryFor("x.", dns.TypeA, opt),
		"REFUSED, foreign, slow":     queryFor("x.", slowType, opt),
		"REFUSED, class":             plainQuery(question("x.", dns.TypeA, dns.ClassCHAOS), opt),
		"REFUSED, transfer":          queryFor("example.com.", dns.TypeAXFR, opt),
		"REFUSED, UPDATE":            withOPT(dns.OpcodeUpdate, question("example.com.", dns.TypeSOA, dns.ClassINET)),
		"NOTAUTH, NOTIFY":            withOPT(dns.OpcodeNotify, question("example.com.", dns.TypeSOA, dns.ClassINET)),
		"NOTAUTH, BADKEY":            signed("nobody.", epoch.Unix()),
		"NOTAUTH, BADTIME":           signed("fetch.", 1),
		"BADVERS":                    queryFor("www.example.com.", dns.TypeA, optRecord(1232, 1<<16, option(dns.EDNS0NSID))),
		"REFUSED, with many options": queryFor("x.", dns.TypeA, optRecord(1232, 0x8000, option(dns.EDNS0NSID), option(dns.EDNS0COOKIE, make([]byte, 8)...), option(optionZoneVersion), option(dns.EDNS0SUBNET, 0, 1, 0, 0))),
	}
}

// TestAmplification is section 1.8: over UDP an error is at most 40 octets longer than its query, and nothing is longer than
// 1,232 octets, or 512 without EDNS; what there is to be had for a small question is small.
func TestAmplification(t *testing.T) {
	big := bigZone(t)
	var snapshot *Snapshot
	s := newServer(t, withPolicy(cookies), func(o *Options) {
		o.NSID, o.Keys = strings.Repeat("n", maxNSID), transferKeys(t)
		o.Snapshot = func() *Snapshot { return snapshot }
	})
	slow := askSlow(s, UDP)
	for _, snapshot = range []*Snapshot{fixture(t), nil} {
		for name, q := range errorQueries() {
			for path, wire := range map[string][]byte{"": s.Handle(q, asker, UDP, nil), "slow path, ": slow(t, q)} {
				if m := unpack(t, wire); m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError {
					t.Errorf("%s%s: got %s", path, name, rcodeName(m.Rcode))
				}
				if len(wire) > len(q)+maxErrorGrowth {
					t.Errorf("%s%s: %d octets to a query of %d", path, name, len(wire), len(q))
				}
			}
		}
	}
	snapshot = big
	for _, size := range []uint16{512, 1232, 4096, 65535} {
		for _, n := range []int{1, 4, 10, 11, 12, 100} {
			for _, qtype := range []uint16{dns.TypeTXT, dns.TypeANY, dns.TypeRRSIG} {
				q := queryFor(fmt.Sprintf("t%d.big.test.", n), qtype, optRecord(size, 0x8000, option(dns.EDNS0NSID)))
				wire := s.Handle(q, asker, UDP, nil)
				if len(wire) > int(min(size, maxUDPPayload)) {
					t.Errorf("size %d, %d records: %d octets", size, n, len(wire))
				}
				if qtype != dns.TypeTXT && len(wire) > minUDPPayload {
					t.Errorf("%s: %d octets", dns.Type(qtype), len(wire))
				}
				if bare := s.Handle(queryFor(fmt.Sprintf("t%d.big.test.", n), qtype), asker, UDP, nil); len(bare) > minUDPPayload {
					t.Errorf("without EDNS, %d records: %d octets", n, len(bare))
				}
			}
		}
	}
}

// TestLimitsOfData is section 1.8: what would make a large answer or a slow one is refused before it is served.
func TestLimitsOfData(t *testing.T) {
	types := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "      many TYPE%d \\# 1 00\n", 1000+i)
		}
		return b.String()
	}
	set := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "      big A 10.0.%d.%d\n", i>>8, i&0xFF)
		}
		return b.String()
	}
	for _, tt := range []struct{ name, records, want string }{
		{"100 types", types(100), ""},
		{"101 types", types(101), "more than 100 types"},
		{"a set of 1,000 addresses", set(1000), ""},
		{"a set of 1,100 addresses", set(1100), "more than 16384 octets"},
	} {
		doc, report := config.Parse(config.Source{Name: "limits.yaml", Text: []byte("zones:\n  - name: x.test\n    nameservers: [ns.example.net]\n    records: |\n" + tt.records +
			"sites: [{name: a, address: 192.0.2.1}]\n")})
		if (doc != nil) != (tt.want == "") || tt.want != "" && !strings.Contains(report.Err().Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, report.Err(), tt.want)
		}
	}
}
