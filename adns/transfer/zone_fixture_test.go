package transfer

import (
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"fairlead/config"

	"github.com/miekg/dns"
)

// memoryZone is a Zone in memory.
type memoryZone struct {
	soa     *dns.SOA
	records []dns.RR
}

func (z *memoryZone) Name() string   { return z.soa.Hdr.Name }
func (z *memoryZone) Serial() uint32 { return z.soa.Serial }
func (z *memoryZone) SOA() *dns.SOA  { return z.soa }
func (z *memoryZone) Records() iter.Seq[dns.RR] {
	return slices.Values(z.records)
}

// newZone is example.test with a serial and further records.
func newZone(t testing.TB, serial uint32, lines ...string) *memoryZone {
	t.Helper()
	soa := record(t, fmt.Sprintf("example.test. 60 IN SOA ns.example.test. hostmaster.example.test. %d 100 20 1000 30", serial))
	z := &memoryZone{soa: soa.(*dns.SOA)}
	for _, line := range append([]string{"example.test. 60 IN NS ns.example.test.", "ns.example.test. 60 IN A 192.0.2.53"}, lines...) {
		z.records = append(z.records, record(t, line))
	}
	return z
}

func record(t testing.TB, line string) dns.RR {
	t.Helper()
	rr, err := dns.NewRR(line)
	if err != nil {
		t.Fatal(err)
	}
	return rr
}

// source is a Source of one zone at most.
type source struct{ zone *memoryZone }

func (s source) Variants(index int) []Variant {
	if s.zone == nil || index != 0 {
		return []Variant{{}}
	}
	return []Variant{{Zone: s.zone}}
}

// document is a document with example.test.
func document(t testing.TB, keys string) *config.Document {
	t.Helper()
	z := "zones:\n  - {name: example.test, " + keys + "}\n"
	doc, report := config.Parse(config.Source{Text: []byte(z + "sites: [{name: here, address: 192.0.2.1}]\n")})
	if doc == nil {
		t.Fatal(report.Err())
	}
	return doc
}

// everybody may transfer the zone.
func everybody(t testing.TB) *config.Document {
	return document(t, "nameservers: [ns.example.net], transfer: {allow: [0.0.0.0/0]}")
}

var client = Peer{Addr: netip.MustParseAddr("192.0.2.7")}

// served asks for a transfer and returns its messages.
func served(t testing.TB, tr *Transfers, q *dns.Msg, peer Peer) [][]byte {
	t.Helper()
	packed, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return servedPacked(t, tr, packed, peer)
}

func servedPacked(t testing.TB, tr *Transfers, packed []byte, peer Peer) [][]byte {
	t.Helper()
	q := new(dns.Msg)
	if err := q.Unpack(packed); err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	err := tr.Serve(t.Context(), packed, q, peer, func(b []byte) error {
		out = append(out, slices.Clone(b))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// records is what messages have as answers, one a line and in order; the fields are separated by single spaces.
func records(t testing.TB, messages [][]byte) []string {
	t.Helper()
	var out []string
	for _, b := range messages {
		m := new(dns.Msg)
		if err := m.Unpack(b); err != nil {
			t.Fatal(err)
		}
		if m.Rcode != dns.RcodeSuccess {
			out = append(out, rcodeName(m.Rcode))
		}
		for _, rr := range m.Answer {
			out = append(out, line(rr))
		}
	}
	return out
}

func line(rr dns.RR) string {
	if soa, ok := rr.(*dns.SOA); ok {
		return fmt.Sprintf("SOA %d", soa.Serial)
	}
	return strings.Join(strings.Fields(rr.String()), " ")
}

func axfr() *dns.Msg { return new(dns.Msg).SetAxfr("example.test.") }

func ixfr(serial uint32) *dns.Msg {
	return new(dns.Msg).SetIxfr("example.test.", serial, "ns.example.test.", "hostmaster.example.test.")
}
