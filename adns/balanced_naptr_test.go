package adns

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"fairlead/gslb"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// naptrDocument balances NAPTR.
const naptrDocument = `zones:
  - {name: n.test, nameservers: [ns.example.net], ttl: 30s, transfer: {allow: [0.0.0.0/0]}, records: "all 60 NAPTR 1 1 \"s\" \"hidden\" \"\" x.test.\nall 60 TXT beside"}
sites: [{name: here, address: 192.0.2.1}, {name: there, address: 192.0.2.2}]
services:
  - {name: a, site: here, addresses: [192.0.2.1], naptr: {order: 10, preference: 20, flags: S, services: SIP+D2U, replacement: _Sip._udp.here.test}}
  - {name: b, site: there, naptr: {order: 10, preference: 30, flags: S, services: SIP+D2U, replacement: _sip._udp.there.test}}
  - {name: c, site: there, naptr: {flags: U, services: E2U+sip, regexp: '!^\+31(.*)$!sip:\1@c.test!'}}
  - {name: twin, site: here, addresses: [192.0.2.4], naptr: {order: 10, preference: 20, flags: S, services: SIP+D2U, replacement: _sip._udp.here.test}}
virtual_servers:
  - {name: all, method: round-robin, members: [{service: a}, {service: b}, {service: twin}, {service: c, order: 2}], domains: [{name: all.n.test, naptr: {}}, {name: "*.n.test", naptr: {}}]}
  - {name: one, method: round-robin, max_answers: 2, members: [{service: a}, {service: b}, {service: c}], domains: [{name: one.n.test, naptr: {all: false}}]}
  - {name: spare, method: round-robin, when_all_down: backup-address, members: [{service: b}], domains: [{name: spare.n.test, naptr: {}, backup_addresses: [192.0.2.9]}]}
`

func TestBalancedNAPTR(t *testing.T) {
	const (
		soa = "ns n.test. 30 SOA ns.example.net. hostmaster.n.test. 1 3600 600 604800 30\n"
		a   = `30 NAPTR 10 20 "S" "SIP+D2U" "" _sip._udp.here.test.` + "\n"
		b   = `30 NAPTR 10 30 "S" "SIP+D2U" "" _sip._udp.there.test.` + "\n"
		c   = `30 NAPTR 1 1 "U" "E2U+sip" "!^\\+31(.*)$!sip:\\1@c.test!" .` + "\n"
	)
	down := func(names ...string) map[string]gslb.ServiceStatus {
		out := map[string]gslb.ServiceStatus{}
		for _, n := range names {
			out[n] = gslb.ServiceStatus{State: gslb.Down}
		}
		return out
	}
	uncertain := func(s string) string { return strings.ReplaceAll(s, "30 NAPTR", "5 NAPTR") }
	an := func(name string, records ...string) string {
		out := "NOERROR aa\n"
		for _, rr := range records {
			out += "an " + name + " " + rr
		}
		return out
	}
	for _, tt := range []struct {
		name, qname string
		qtype       uint16
		belief      map[string]gslb.ServiceStatus
		want        string
	}{
		{"all usable, of every order, each once", "all.n.test.", dns.TypeNAPTR, nil, an("all.n.test.", a, b, c)},
		{"but those that are down", "all.n.test.", dns.TypeNAPTR, down("a", "twin"), an("all.n.test.", b, c)},
		{"a wildcard", "Q.n.test.", dns.TypeNAPTR, down("b", "c"), an("Q.n.test.", a)},
		{"those of the decision", "one.n.test.", dns.TypeNAPTR, nil, an("one.n.test.", a, b)},
		{"a passive order", "all.n.test.", dns.TypeNAPTR, down("a", "b", "twin"), an("all.n.test.", c)},
		{"all down", "one.n.test.", dns.TypeNAPTR, down("a", "b", "c"), uncertain(an("one.n.test.", a, b, c))},
		{"all disabled", "spare.n.test.", dns.TypeNAPTR, map[string]gslb.ServiceStatus{"b": {State: gslb.Disabled}}, "NOERROR aa\n" + soa},
		{"no backup address is a record", "spare.n.test.", dns.TypeNAPTR, down("b"), "NOERROR aa\n" + soa},
		{"addresses of services without", "spare.n.test.", dns.TypeA, nil, "NOERROR aa\n" + soa},
		{"static beside", "all.n.test.", dns.TypeTXT, nil, "NOERROR aa\nan all.n.test. 60 TXT \"beside\"\n"},
		{"another type", "all.n.test.", dns.TypeSRV, nil, "NOERROR aa\n" + soa},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := believing(t, naptrDocument, tt.belief)
			q := Question{Name: tt.qname, Type: tt.qtype, Class: dns.ClassINET, LDNS: netip.MustParseAddr("192.0.2.200")}
			about := *s
			about.Learned = s.Learned.Copy()
			var trace gslb.Trace
			got := about.Resolve(q, epoch, &trace)
			if d := cmp.Diff(tt.want, render(got)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			checkTrace(t, s, q, got, &trace)
			server := newServer(t, func(o *Options) { o.Snapshot = func() *Snapshot { return s } })
			wire := server.Handle(wireQuery(q), netip.AddrPortFrom(q.LDNS, 4242), UDP, nil)
			if served := render(answerOf(t, wire)); served != render(got) {
				t.Errorf("served\n%sexplained\n%s", served, render(got))
			}
		})
	}
}

// The strings of a record go out as they are written in the document, and names are not compressed.
func TestNAPTROnTheWire(t *testing.T) {
	s := believing(t, naptrDocument, nil)
	server := newServer(t, func(o *Options) { o.Snapshot = func() *Snapshot { return s } })
	wire := server.Handle(plainQuery(question("all.n.test.", dns.TypeNAPTR, dns.ClassINET)), asker, UDP, nil)
	regexp := `!^\+31(.*)$!sip:\1@c.test!`
	for _, want := range []string{"\x00\x01\x00\x01\x01U\x07E2U+sip" + string(rune(len(regexp))) + regexp + "\x00", "\x04_sip\x04_udp\x04here\x04test\x00"} {
		if !bytes.Contains(wire, []byte(want)) {
			t.Errorf("%q is not in %q", want, wire)
		}
	}
}

// A transferred zone has the records of all members that are enabled.
func TestTransferNAPTR(t *testing.T) {
	doc, plan := parsed(t, strings.Replace(naptrDocument, "{name: b, site: there, ", "{name: b, site: there, state: disabled, ", 1))
	zones, err := CompileZones(doc, plan)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for rr := range TransferSource(zones, doc).Variants(0)[0].Zone.Records() {
		if rr.Header().Rrtype == dns.TypeNAPTR {
			got = append(got, strings.Join(strings.Fields(rr.String()), " "))
		}
	}
	slices.Sort(got)
	var want []string
	for _, name := range []string{"*.n.test.", "all.n.test.", "one.n.test."} {
		want = append(want, fmt.Sprintf(`%s 30 IN NAPTR 1 1 "U" "E2U+sip" "!^\\+31(.*)$!sip:\\1@c.test!" .`, name),
			name+` 30 IN NAPTR 10 20 "S" "SIP+D2U" "" _sip._udp.here.test.`)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
