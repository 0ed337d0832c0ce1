package adns

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"fairlead/gslb"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// typesDocument balances more types than addresses.
const typesDocument = `zones:
  - name: t.test
    nameservers: [ns.example.net]
    ttl: 30s
    transfer: {allow: [192.0.2.0/24]}
    records: |
      host-a   60 A    192.0.2.1
      host-a   60 AAAA 2001:db8::1
      host-b   60 A    192.0.2.2
      www      60 TXT  "beside"
      www      60 A    192.0.2.99
      www      60 HTTPS 1 . alpn=h2
      mail     60 MX   5 hidden
  - {name: closed.test, nameservers: [ns.example.net], allow_query: [198.51.100.0/24], records: "host 60 A 192.0.2.9"}
sites: [{name: here, address: 192.0.2.1, location: {place: EU.NL}}, {name: there, address: 192.0.2.2, location: {place: NA.US}}]
services:
  - {name: a, site: here, addresses: [192.0.2.1, "2001:db8::1"], host: Host-A.t.test, port: 8443}
  - {name: b, site: there, addresses: [192.0.2.2, "2001:db8::2"], host: host-b.t.test, port: 8444}
  - {name: twin, site: here, addresses: [192.0.2.1, "2001:db8::1"], host: host-a.t.test, port: 8443}
  - {name: bare, site: here, host: far.example.net, port: 389}
  - {name: hidden, site: here, host: host.closed.test, port: 389}
  - {name: itself, site: here, host: www.t.test, port: 389}
  - {name: cdn, site: here, cname: www.cdn.test}
virtual_servers:
  - {name: www, method: round-robin, max_answers: 2, members: [{service: a, weight: 2}, {service: b}, {service: twin, order: 2}],
     domains: [{name: www.t.test, https: {alpn: [h3, h2], port: 8443, no_default_alpn: true}, backup_addresses: []}, {name: "*.app.t.test", https: {}}]}
  - {name: hash, method: source-ip-hash, members: [{service: a}, {service: b}],
     domains: [{name: hash.t.test, https: {}}, {name: _hash._tcp.t.test, srv: {}}]}
  - {name: near, method: static-proximity, members: [{service: a}, {service: b}], domains: [{name: near.t.test, https: {}}]}
  - {name: busy, method: least-connection, members: [{service: a, weight: 3}, {service: b}], domains: [{name: busy.t.test, https: {}}]}
  - {name: srv, method: round-robin, max_answers: 3, members: [{service: a, weight: 7}, {service: b, weight: 7}, {service: twin}],
     domains: [{name: _x._tcp.t.test, srv: {priority: 20}}, {name: _y._tcp.t.test, srv: {weight: 5, port: 99}}]}
  - {name: mail, method: round-robin, max_answers: 3, members: [{service: a}, {service: b, weight: 1}, {service: twin}],
     domains: [{name: mail.t.test, mx: {}}, {name: t.test, mx: {preference: 50}, https: {}}]}
  - {name: ldap, method: round-robin, max_answers: 3, members: [{service: bare}, {service: hidden}, {service: itself}], domains: [{name: _ldap._tcp.t.test, srv: {}, mx: {}}]}
  - {name: cdn, method: round-robin, members: [{service: cdn}], domains: [{name: cdn.t.test, https: {}}]}
  - {name: spare, method: round-robin, when_all_down: backup-address, members: [{service: a}],
     domains: [{name: spare.t.test, https: {alpn: [h2]}, mx: {}, backup_addresses: [203.0.113.9, "2001:db8:9::9"]}]}
  - {name: fail, method: round-robin, when_all_down: servfail, members: [{service: a}], domains: [{name: fail.t.test, https: {}, mx: {}}]}
  - {name: plain, method: round-robin, members: [{service: a}], domains: [{name: plain.t.test}]}
locations:
  - {prefix: 198.51.100.0/24, place: NA.US}
  - {prefix: 203.0.113.0/24, place: EU.NL}
`

// believing compiles a document with every service UP, as change says otherwise.
func believing(t testing.TB, text string, change map[string]gslb.ServiceStatus) *Snapshot {
	t.Helper()
	doc, plan := parsed(t, text)
	zones, err := CompileZones(doc, plan)
	if err != nil {
		t.Fatal(err)
	}
	status := &gslb.Status{At: epoch, Services: make([]gslb.ServiceStatus, plan.Services())}
	for i := range status.Services {
		status.Services[i].State = gslb.Up
		if st, ok := change[plan.Service(gslb.ServiceIndex(i)).Name]; ok {
			status.Services[i] = st
		}
	}
	return &Snapshot{Generation: 1, Zones: zones, GSLB: gslb.NewSnapshot(1, plan, status, nil), Learned: gslb.NewLearned(plan)}
}

func TestBalancedTypes(t *testing.T) {
	const (
		soa      = "ns t.test. 30 SOA ns.example.net. hostmaster.t.test. 1 3600 600 604800 30\n"
		addressA = "ad host-a.t.test. 60 A 192.0.2.1\nad host-a.t.test. 60 AAAA 2001:db8::1\n"
		addressB = "ad host-b.t.test. 60 A 192.0.2.2\n"
		www      = `an www.t.test. 30 HTTPS 1 . alpn="h3,h2" no-default-alpn="" port="8443" `
	)
	down := func(names ...string) map[string]gslb.ServiceStatus {
		out := map[string]gslb.ServiceStatus{}
		for _, n := range names {
			out[n] = gslb.ServiceStatus{State: gslb.Down}
		}
		return out
	}
	without4 := map[string]gslb.ServiceStatus{"a": {State: gslb.Up, Without4: true}}
	tests := []struct {
		name, qname string
		qtype       uint16
		belief      map[string]gslb.ServiceStatus
		want        string
	}{
		{"https", "www.t.test.", dns.TypeHTTPS, nil, "NOERROR aa\n" + www + `ipv4hint="192.0.2.1,192.0.2.2" ipv6hint="2001:db8::1,2001:db8::2"` + "\n"},
		{"https keeps case", "WWW.t.test.", dns.TypeHTTPS, down("b"), "NOERROR aa\n" + strings.Replace(www, "www", "WWW", 1) + `ipv4hint="192.0.2.1" ipv6hint="2001:db8::1"` + "\n"},
		{"https without protocols", "x.app.t.test.", dns.TypeHTTPS, down("b"), "NOERROR aa\nan x.app.t.test. 30 HTTPS 1 . ipv4hint=\"192.0.2.1\" ipv6hint=\"2001:db8::1\"\n"},
		{"https without the failing family", "www.t.test.", dns.TypeHTTPS, without4, "NOERROR aa\n" + www + `ipv4hint="192.0.2.2" ipv6hint="2001:db8::1,2001:db8::2"` + "\n"},
		{"https, all down", "www.t.test.", dns.TypeHTTPS, down("a", "b", "twin"), "NOERROR aa\n" + strings.Replace(www, " 30 ", " 5 ", 1) + `ipv4hint="192.0.2.1,192.0.2.2" ipv6hint="2001:db8::1,2001:db8::2"` + "\n"},
		{"https, all disabled", "hash.t.test.", dns.TypeHTTPS, map[string]gslb.ServiceStatus{"a": {State: gslb.Disabled}, "b": {State: gslb.Disabled}}, "NOERROR aa\n" + soa},
		{"https is not balanced", "plain.t.test.", dns.TypeHTTPS, nil, "NOERROR aa\n" + soa},
		{"https, backup addresses", "spare.t.test.", dns.TypeHTTPS, down("a"), "NOERROR aa\nan spare.t.test. 5 HTTPS 1 . alpn=\"h2\" ipv4hint=\"203.0.113.9\" ipv6hint=\"2001:db8:9::9\"\n"},
		{"https, servfail", "fail.t.test.", dns.TypeHTTPS, down("a"), "SERVFAIL\n"},
		{"https of an alias", "cdn.t.test.", dns.TypeHTTPS, nil, "NOERROR aa\nan cdn.t.test. 30 CNAME www.cdn.test.\n"},
		{"https at the apex", "t.test.", dns.TypeHTTPS, down("b", "twin"), "NOERROR aa\nan t.test. 30 HTTPS 1 . ipv4hint=\"192.0.2.1\" ipv6hint=\"2001:db8::1\"\n"},
		{"addresses beside https", "www.t.test.", dns.TypeAAAA, down("b"), "NOERROR aa\nan www.t.test. 30 AAAA 2001:db8::1\n"},
		{"static beside https", "www.t.test.", dns.TypeTXT, nil, "NOERROR aa\nan www.t.test. 60 TXT \"beside\"\n"},
		{"svcb is not https", "www.t.test.", dns.TypeSVCB, nil, "NOERROR aa\n" + soa},
		{"any", "www.t.test.", dns.TypeANY, nil, "NOERROR aa\nan www.t.test. 3600 HINFO \"RFC8482\" \"\"\n"},

		{"srv", "_x._tcp.t.test.", dns.TypeSRV, nil, "NOERROR aa\nan _x._tcp.t.test. 30 SRV 21 7 8443 host-a.t.test.\nan _x._tcp.t.test. 30 SRV 21 7 8444 host-b.t.test.\n" + addressA + addressB},
		{"srv with weight and port of its own", "_y._tcp.t.test.", dns.TypeSRV, down("a", "twin"), "NOERROR aa\nan _y._tcp.t.test. 30 SRV 11 5 99 host-b.t.test.\n" + addressB},
		{"srv, host twice", "_x._tcp.t.test.", dns.TypeSRV, down("b"), "NOERROR aa\nan _x._tcp.t.test. 30 SRV 21 7 8443 host-a.t.test.\n" + addressA},
		{"srv, hosts elsewhere, prohibited, balanced", "_ldap._tcp.t.test.", dns.TypeSRV, nil, "NOERROR aa\nan _ldap._tcp.t.test. 30 SRV 11 1 389 far.example.net.\nan _ldap._tcp.t.test. 30 SRV 11 1 389 host.closed.test.\nan _ldap._tcp.t.test. 30 SRV 11 1 389 www.t.test.\n"},
		{"srv, addresses of services without", "_ldap._tcp.t.test.", dns.TypeA, nil, "NOERROR aa\n" + soa},
		{"srv, all down", "_hash._tcp.t.test.", dns.TypeSRV, down("a", "b"), "NOERROR aa\nan _hash._tcp.t.test. 5 SRV 11 1 8443 host-a.t.test.\nan _hash._tcp.t.test. 5 SRV 11 1 8444 host-b.t.test.\n" + addressA + addressB},
		{"srv name, mx", "_x._tcp.t.test.", dns.TypeMX, nil, "NOERROR aa\n" + soa},

		{"mx", "mail.t.test.", dns.TypeMX, nil, "NOERROR aa\nan mail.t.test. 30 MX 10 host-a.t.test.\nan mail.t.test. 30 MX 11 host-b.t.test.\n" + addressA + addressB},
		{"mx, all down", "t.test.", dns.TypeMX, down("a", "b", "twin"), "NOERROR aa\nan t.test. 5 MX 50 host-a.t.test.\nan t.test. 5 MX 50 host-b.t.test.\n" + addressA + addressB},
		{"mx, backup addresses", "spare.t.test.", dns.TypeMX, down("a"), "NOERROR aa\n" + soa},
		{"mx, servfail", "fail.t.test.", dns.TypeMX, down("a"), "SERVFAIL\n"},
		{"mx name, https", "mail.t.test.", dns.TypeHTTPS, nil, "NOERROR aa\n" + soa},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := believing(t, typesDocument, tt.belief)
			var trace gslb.Trace
			q := Question{Name: tt.qname, Type: tt.qtype, Class: dns.ClassINET, LDNS: netip.MustParseAddr("192.0.2.200")}
			got := s.Resolve(q, epoch, &trace)
			if d := cmp.Diff(tt.want, render(got)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			checkTrace(t, s, q, got, &trace)
		})
	}
}

// hintsOf returns the hints of an HTTPS answer, by family.
func hintsOf(t *testing.T, a Answer) (v4, v6 []string) {
	t.Helper()
	text := func(ips []net.IP) (out []string) {
		for _, ip := range ips {
			out = append(out, ip.String())
		}
		return out
	}
	if len(a.Answer) != 1 {
		t.Fatalf("not one record: %s", render(a))
	}
	for _, kv := range a.Answer[0].(*dns.HTTPS).Value {
		switch kv := kv.(type) {
		case *dns.SVCBIPv4Hint:
			v4 = text(kv.Hint)
		case *dns.SVCBIPv6Hint:
			v6 = text(kv.Hint)
		}
	}
	return v4, v6
}

// For every method, the hints are the addresses that the client gets with A and AAAA, in their order, with the same scope.
func TestHintsAreTheAddresses(t *testing.T) {
	loads := func(a, b uint64) map[string]gslb.ServiceStatus {
		up := func(active uint64) gslb.ServiceStatus {
			return gslb.ServiceStatus{State: gslb.Up, Load: gslb.Load{Active: active, At: epoch, PerAnswer: 1}}
		}
		return map[string]gslb.ServiceStatus{"a": up(a), "b": up(b)}
	}
	for _, tt := range []struct {
		name   string
		belief map[string]gslb.ServiceStatus
		least  int // of different answers
	}{
		{"www.t.test.", nil, 2},
		{"hash.t.test.", nil, 2},
		{"near.t.test.", nil, 2},
		{"busy.t.test.", loads(10, 50), 1},
		{"busy.t.test.", loads(50, 10), 1},
		{"busy.t.test.", loads(30, 10), 1}, // equal by weight
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := believing(t, typesDocument, tt.belief)
			seen := map[string]bool{}
			for i := range 64 {
				q := Question{Name: tt.name, Class: dns.ClassINET, LDNS: netip.MustParseAddr("192.0.2.200"), Subnet: netip.PrefixFrom([]netip.Addr{
					netip.MustParseAddr("198.51.100.0"), netip.MustParseAddr("203.0.113.0"), netip.AddrFrom4([4]byte{10, byte(i), 0, 0})}[i%3], 24)}
				ask := func(qtype uint16) Answer {
					q.Type = qtype
					return s.Resolve(q, epoch, nil)
				}
				types := []uint16{dns.TypeHTTPS, dns.TypeA, dns.TypeAAAA}
				got := map[uint16]Answer{}
				for j := range types { // whatever is asked first
					qtype := types[(i+j)%len(types)]
					got[qtype] = ask(qtype)
				}
				compareHints(t, got[dns.TypeHTTPS], got[dns.TypeA], got[dns.TypeAAAA])
				v4, _ := hintsOf(t, got[dns.TypeHTTPS])
				seen[strings.Join(v4, " ")] = true
			}
			if len(seen) < tt.least {
				t.Errorf("all clients got %v: nothing was compared", seen)
			}
		})
	}
}

// compareHints compares what a client is told by HTTPS with what it is told by A and AAAA.
func compareHints(t *testing.T, https, a, aaaa Answer) {
	t.Helper()
	var want4, want6 []string
	for _, rr := range a.Answer {
		want4 = append(want4, rr.(*dns.A).A.String())
	}
	for _, rr := range aaaa.Answer {
		want6 = append(want6, rr.(*dns.AAAA).AAAA.String())
	}
	if v4, v6 := hintsOf(t, https); !slices.Equal(v4, want4) || !slices.Equal(v6, want6) {
		t.Fatalf("hints %v %v, addresses %v %v", v4, v6, want4, want6)
	}
	if https.Scope != a.Scope {
		t.Fatalf("scope %d with HTTPS, %d with A", https.Scope, a.Scope)
	}
}

// The wire: SRV's targets are not compressed, keys ascend, and addresses that do not fit are left out without TC.
func TestBalancedTypesOnTheWire(t *testing.T) {
	s := believing(t, typesDocument, nil)
	server := newServer(t, func(o *Options) { o.Snapshot = func() *Snapshot { return s } })
	ask := func(name string, qtype uint16) []byte {
		return server.Handle(plainQuery(question(name, qtype, dns.ClassINET)), asker, UDP, nil)
	}
	srv := ask("_x._tcp.t.test.", dns.TypeSRV)
	for _, target := range []string{"\x06host-a\x01t\x04test\x00", "\x06host-b\x01t\x04test\x00"} {
		if !bytes.Contains(srv, []byte(target)) {
			t.Errorf("target %q is not there in full: %x", target, srv)
		}
	}
	https := ask("www.t.test.", dns.TypeHTTPS)
	value := []byte{0, 1, 0, 0, 1, 0, 6, 2, 'h', '3', 2, 'h', '2', 0, 2, 0, 0, 0, 3, 0, 2, 0x20, 0xFB, 0, 4, 0, 8, 192, 0, 2}
	if !bytes.Contains(https, value) {
		t.Errorf("HTTPS %x has not %x", https, value)
	}
	for _, wire := range [][]byte{srv, https} {
		unpack(t, wire)
	}
	if st := server.Stats(); st.Paths[Fast] != 0 {
		t.Errorf("paths %v: such answers are made by the slow one", st.Paths)
	}
}

// A courtesy is left out where it does not fit; a set of records that does not fit is truncated.
func TestCourtesyIsLeftOut(t *testing.T) {
	var services, members strings.Builder
	const hosts = 10
	records := ""
	for i := range hosts {
		label := strings.Repeat("h", 30) + fmt.Sprint(i)
		records += fmt.Sprintf("      %s 60 A 192.0.2.%d\n", label, i+1)
		fmt.Fprintf(&services, "  - {name: s%d, site: here, host: %s.t.test, port: 25}\n", i, label)
		fmt.Fprintf(&members, "{service: s%d}, ", i)
	}
	text := "zones:\n  - name: t.test\n    nameservers: [ns.example.net]\n    records: |\n" + records +
		"sites: [{name: here, address: 192.0.2.1}]\nservices:\n" + services.String() +
		"virtual_servers:\n  - {name: m, method: round-robin, max_answers: 16, members: [" + members.String() + "], domains: [{name: m.t.test, mx: {}}, {name: _s._tcp.t.test, srv: {}}]}\n"
	s := believing(t, text, nil)
	server := newServer(t, func(o *Options) { o.Snapshot = func() *Snapshot { return s } })
	for _, tt := range []struct {
		name                string
		qname               string
		qtype               uint16
		opt                 bool
		transport           Transport
		answers, additional int
		truncated           bool
	}{
		{"mx without EDNS", "m.t.test.", dns.TypeMX, false, UDP, hosts, 0, false},
		{"mx with EDNS", "m.t.test.", dns.TypeMX, true, UDP, hosts, hosts, false},
		{"srv without EDNS", "_s._tcp.t.test.", dns.TypeSRV, false, UDP, 0, 0, true},
		{"srv over TCP", "_s._tcp.t.test.", dns.TypeSRV, false, TCP, hosts, hosts, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var parts [][]byte
			if tt.opt {
				parts = append(parts, optRecord(1232, 0))
			}
			wire := server.Handle(plainQuery(question(tt.qname, tt.qtype, dns.ClassINET), parts...), asker, tt.transport, nil)
			m := unpack(t, wire)
			additional := len(m.Extra)
			if m.IsEdns0() != nil {
				additional--
			}
			if len(m.Answer) != tt.answers || additional != tt.additional || m.Truncated != tt.truncated {
				t.Errorf("%d octets: %d answers, %d additional, truncated %v; want %d, %d, %v", len(wire), len(m.Answer), additional,
					m.Truncated, tt.answers, tt.additional, tt.truncated)
			}
		})
	}
}

// A transferred zone has every type of a balanced name, with all members, and none of the static records that they hide.
func TestTransferBalancedTypes(t *testing.T) {
	doc, plan := parsed(t, strings.Replace(typesDocument, "{service: twin}],\n     domains: [{name: _x._tcp", "{service: twin, order: 3}],\n     domains: [{name: _x._tcp", 1))
	zones, err := CompileZones(doc, plan)
	if err != nil {
		t.Fatal(err)
	}
	zone := TransferSource(zones, doc).Variants(0)[0].Zone
	var got []string
	for rr := range zone.Records() {
		switch rr.Header().Name {
		case "www.t.test.", "mail.t.test.", "_x._tcp.t.test.", "_ldap._tcp.t.test.", "cdn.t.test.":
			got = append(got, strings.Join(strings.Fields(rr.String()), " "))
		}
	}
	slices.Sort(got)
	want := []string{
		"_ldap._tcp.t.test. 30 IN MX 10 far.example.net.",
		"_ldap._tcp.t.test. 30 IN MX 10 host.closed.test.",
		"_ldap._tcp.t.test. 30 IN MX 10 www.t.test.",
		"_ldap._tcp.t.test. 30 IN SRV 11 1 389 far.example.net.",
		"_ldap._tcp.t.test. 30 IN SRV 11 1 389 host.closed.test.",
		"_ldap._tcp.t.test. 30 IN SRV 11 1 389 www.t.test.",
		"_x._tcp.t.test. 30 IN A 192.0.2.1",
		"_x._tcp.t.test. 30 IN A 192.0.2.2",
		"_x._tcp.t.test. 30 IN AAAA 2001:db8::1",
		"_x._tcp.t.test. 30 IN AAAA 2001:db8::2",
		"_x._tcp.t.test. 30 IN SRV 21 7 8443 host-a.t.test.",
		"_x._tcp.t.test. 30 IN SRV 21 7 8444 host-b.t.test.",
		"cdn.t.test. 30 IN CNAME www.cdn.test.",
		"mail.t.test. 30 IN A 192.0.2.1",
		"mail.t.test. 30 IN A 192.0.2.2",
		"mail.t.test. 30 IN AAAA 2001:db8::1",
		"mail.t.test. 30 IN AAAA 2001:db8::2",
		"mail.t.test. 30 IN MX 10 host-a.t.test.",
		"mail.t.test. 30 IN MX 10 host-b.t.test.",
		"www.t.test. 30 IN A 192.0.2.1",
		"www.t.test. 30 IN A 192.0.2.2",
		"www.t.test. 30 IN AAAA 2001:db8::1",
		"www.t.test. 30 IN AAAA 2001:db8::2",
		`www.t.test. 30 IN HTTPS 1 . alpn="h3,h2" no-default-alpn="" port="8443" ipv4hint="192.0.2.1,192.0.2.2" ipv6hint="2001:db8::1,2001:db8::2"`,
		`www.t.test. 60 IN TXT "beside"`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("records (-want +got):\n%s", d)
	}
}
