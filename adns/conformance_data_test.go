package adns

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"fairlead/config/zonedata"
	"fairlead/gslb"

	"github.com/miekg/dns"
)

// dataZone has what the fixture's zones have not: types of all kinds, long names, glue that is large.
func dataZone() string {
	var b strings.Builder
	b.WriteString(`
@       3600 SOA ns1 hostmaster 7 7200 900 1209600 60
@       3600 NS ns1
@       3600 HTTPS 0 www.example.com.
ns1     3600 A 192.0.2.53
mx      300 MX 10 mail.data.test.
srv     300 SRV 1 2 443 www.data.test.
svcb    300 SVCB 1 svc.data.test. alpn=h2,h3 port=8443 ipv4hint=192.0.2.1 ipv6hint=2001:db8::1
https   300 HTTPS 1 . alpn=h3 ipv4hint=192.0.2.1,192.0.2.2
naptr   300 NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:info@data.test!" .
caa     300 CAA 0 issue "ca.test"
loc     300 LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
tlsa    300 TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
unknown 300 TYPE65534 \# 5 c00c006162
empty   300 TYPE65280 \# 0
\000    300 A 192.0.2.100
\255\.  300 A 192.0.2.101
\@\\\"  300 A 192.0.2.102
two     300 A 192.0.2.110
two     300 A 192.0.2.111
dn      300 DNAME very.long.target.of.a.redirection.data.test.
*.wide  300 SRV 1 2 443 www.data.test.
`)
	fmt.Fprintf(&b, "%sdata.test. 300 A 192.0.2.120\n", strings.Repeat("a.", 122)) // 124 labels, 255 octets
	for i := range 13 {
		fmt.Fprintf(&b, "glued 3600 NS a-name-server-%02d.glued\na-name-server-%02d.glued 3600 A 198.51.100.%d\na-name-server-%02d.glued 3600 AAAA 2001:db8::%x\n", i, i, i, i, i)
	}
	return b.String()
}

// dataFixture is the fixture with dataZone as a third zone.
func dataFixture(t testing.TB) *Snapshot {
	t.Helper()
	s := fixture(t)
	zones, err := compile([]*zonedata.Zone{zoneOf(t, "example.com", exampleZone), zoneOf(t, "child.example.com", childZone),
		zoneOf(t, "data.test", dataZone())}, s.GSLB.Plan)
	if err != nil {
		t.Fatal(err)
	}
	s.Zones = zones
	return s
}

// data is the answer of one record with this type and data, in hexadecimal.
func data(rrtype uint16, want string) func(*testing.T, *dns.Msg, []byte) {
	return func(t *testing.T, m *dns.Msg, wire []byte) {
		t.Helper()
		raw, err := hex.DecodeString(strings.ReplaceAll(want, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		tail := append([]byte{byte(rrtype >> 8), byte(rrtype), 0, dns.ClassINET, 0, 0, 300 >> 8, 300 & 0xFF, byte(len(raw) >> 8), byte(len(raw))}, raw...)
		if len(m.Answer) != 1 || len(m.Ns) != 0 || !bytes.HasSuffix(wire, tail) {
			t.Errorf("got %x, want it to end in %x", wire, tail)
		}
	}
}

// rendered checks the records of all sections but OPT, as render prints them.
func renderedAs(want string) func(*testing.T, *dns.Msg, []byte) {
	return func(t *testing.T, m *dns.Msg, _ []byte) {
		t.Helper()
		a := Answer{Rcode: m.Rcode, Authoritative: m.Authoritative, Answer: m.Answer, Authority: m.Ns, Additional: m.Extra}
		if got := render(a); got != want {
			t.Errorf("got  %swant %s", got, want)
		}
	}
}

// dataRows are about zones' data and balanced names.
func dataRows() []wireCase {
	const nxDomain = dns.RcodeNameError
	answer := func(name, qname string, qtype uint16, want string) wireCase {
		return wireCase{name: name, request: queryFor(qname, qtype), echo: true, aa: strings.Contains(want, " aa\n"), rcode: dns.StringToRcode[strings.Fields(want)[0]], check: renderedAs(want)}
	}
	of := func(name, qname string, qtype uint16, want string) wireCase {
		return wireCase{name: name, request: queryFor(qname, qtype), echo: true, aa: true, check: data(qtype, want)}
	}
	const label = " 04 64617461 04 74657374 00" // data.test.
	return []wireCase{
		answer("row 33 all down, the last resort", "all.example.com.", dns.TypeA, "NOERROR aa\nan all.example.com. 30 A 192.0.2.99\n"),
		answer("row 33 all down, a backup address", "spare.example.com.", dns.TypeA, "NOERROR aa\nan spare.example.com. 30 A 203.0.113.9\n"),
		answer("row 33 all down, no data by choice", "empty.example.com.", dns.TypeA, "NOERROR aa\n"+soa),
		answer("row 34 the other family", "only4.example.com.", dns.TypeAAAA, "NOERROR aa\n"+soa),
		answer("row 34 another type", "www.example.com.", dns.TypeMX, "NOERROR aa\n"+soa),
		answer("row 35 parent of a balanced name", "below.example.com.", dns.TypeA, "NOERROR aa\n"+soa),
		answer("row 35 parent of a balanced wildcard", "app.example.com.", dns.TypeA, "NOERROR aa\n"+soa),
		answer("row 35 empty non-terminal", "ent.example.com.", dns.TypeA, "NOERROR aa\n"+soa),
		answer("row 36 balanced alias out of the zones", "cdn.example.com.", dns.TypeA, "NOERROR aa\nan cdn.example.com. 30 CNAME www.cdn.test.\n"),
		answer("row 36 balanced alias for any type", "cdn.example.com.", dns.TypeMX, "NOERROR aa\nan cdn.example.com. 30 CNAME www.cdn.test.\n"),
		answer("row 37 chain", "c1.example.com.", dns.TypeA, "NOERROR aa\nan c1.example.com. 300 CNAME c2.example.com.\nan c2.example.com. 300 CNAME mail.example.com.\nan mail.example.com. 300 A 192.0.2.25\n"),
		answer("row 37 chain to no such name", "dangling.example.com.", dns.TypeA, "NXDOMAIN aa\nan dangling.example.com. 300 CNAME nowhere.example.com.\n"+soa),
		answer("row 37 loop", "loop1.example.com.", dns.TypeA, "NOERROR aa\nan loop1.example.com. 300 CNAME loop2.example.com.\nan loop2.example.com. 300 CNAME loop1.example.com.\n"),
		answer("row 37 eight links", "l2.example.com.", dns.TypeA, "NOERROR aa\n"+chain(2, 9)+"an l10.example.com. 300 A 192.0.2.10\n"),
		answer("row 37 nine links", "l1.example.com.", dns.TypeA, "NOERROR aa\n"+chain(1, 9)),
		answer("row 38 wildcard", "p.q.wild.example.com.", dns.TypeA, "NOERROR aa\nan p.q.wild.example.com. 300 A 192.0.2.3\n"),
		answer("row 38 blocked by a name", "host.wild.example.com.", dns.TypeA, "NOERROR aa\n"+soa),
		answer("row 38 blocked by an empty non-terminal", "y.ent.wild.example.com.", dns.TypeA, "NXDOMAIN aa\n"+soa),
		answer("row 38 literal asterisk", "*.wild.example.com.", dns.TypeA, "NOERROR aa\nan *.wild.example.com. 300 A 192.0.2.3\n"),
		answer("row 38 wildcard alias", "x.alias.example.com.", dns.TypeA, "NOERROR aa\nan x.alias.example.com. 300 CNAME www.example.com.\nan www.example.com. 30 A 192.0.2.80\n"),
		answer("row 38 balanced wildcard", "x.y.app.example.com.", dns.TypeA, "NOERROR aa\nan x.y.app.example.com. 30 A 192.0.2.80\n"),
		answer("row 38 wildcard of another type", "x.wide.data.test.", dns.TypeSRV, "NOERROR aa\nan x.wide.data.test. 300 SRV 1 2 443 www.data.test.\n"),
		answer("row 39 below the cut", "host.sub.example.com.", dns.TypeA, "NOERROR\n"+referral),
		answer("row 39 NS at the cut", "sub.example.com.", dns.TypeNS, "NOERROR\n"+referral),
		answer("row 39 ANY at the cut", "sub.example.com.", dns.TypeANY, "NOERROR\n"+referral),
		answer("row 39 name of glue", "ns.sub.example.com.", dns.TypeA, "NOERROR\n"+referral),
		answer("row 41 DS is there", "sub.example.com.", dns.TypeDS, "NOERROR aa\nan sub.example.com. 300 DS 12345 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF\n"),
		answer("row 41 DS of a zone that is here", "child.example.com.", dns.TypeDS, "NOERROR aa\n"+soa),
		answer("row 42 DNAME", "HOST.dn.example.com.", dns.TypeA, "NOERROR aa\nan dn.example.com. 300 DNAME target.example.com.\nan HOST.dn.example.com. 300 CNAME host.target.example.com.\nan host.target.example.com. 300 A 192.0.2.7\n"),
		answer("row 42 DNAME makes too long a name", longLabel+".dnlong.example.com.", dns.TypeA, "YXDOMAIN aa\nan dnlong.example.com. 300 DNAME "+longLabel+"."+longLabel+"."+longLabel+".x.example.com.\n"),
		of("row 43 HTTPS", "https.data.test.", dns.TypeHTTPS, "0001 00 0001 0003 02 6833 0004 0008 c0000201 c0000202"),
		of("row 43 SVCB", "svcb.data.test.", dns.TypeSVCB, "0001 03 737663"+label+"0001 0006 02 6832 02 6833 0003 0002 20fb 0004 0004 c0000201 0006 0010 20010db8 00000000 00000000 00000001"),
		{name: "row 43 alias mode at the apex", request: queryFor("data.test.", dns.TypeHTTPS), echo: true, aa: true, check: counts(1, 0)},
		of("row 44 unknown type", "unknown.data.test.", 65534, "c00c006162"),
		of("row 44 unknown type without data", "empty.data.test.", 65280, ""),
		of("row 45 SRV is not compressed", "srv.data.test.", dns.TypeSRV, "0001 0002 01bb 03 777777"+label),
		{name: "row 45 MX", request: queryFor("mx.data.test.", dns.TypeMX), echo: true, aa: true, check: counts(1, 0)},
		{name: "row 45 sixteen octets an address", request: queryFor("two.data.test.", dns.TypeA), echo: true, aa: true, check: func(t *testing.T, m *dns.Msg, wire []byte) {
			if want := len(queryFor("two.data.test.", dns.TypeA)) + 2*16; len(m.Answer) != 2 || len(wire) != want {
				t.Errorf("%d octets, want %d", len(wire), want)
			}
		}},
		answer("row 46 nothing beside NS", "example.com.", dns.TypeNS, "NOERROR aa\nan example.com. 3600 NS ns1.example.com.\nan example.com. 3600 NS ns2.other.test.\n"),
		answer("row 46 nothing beside MX", "example.com.", dns.TypeMX, "NOERROR aa\nan example.com. 300 MX 10 mail.example.com.\n"),
		{name: "row 24 label of a NUL", request: queryFor(`\000.data.test.`, dns.TypeA), echo: true, aa: true, check: data(dns.TypeA, "c0000264")},
		{name: "row 24 label of 0xFF and a dot", request: queryFor(`\255\..data.test.`, dns.TypeA), echo: true, aa: true, check: data(dns.TypeA, "c0000265")},
		{name: "row 24 label of signs", request: queryFor(`\@\\\".data.test.`, dns.TypeA), echo: true, aa: true, check: data(dns.TypeA, "c0000266")},
		{name: "row 16 a name of 124 labels and 255 octets", request: queryFor(strings.Repeat("A.", 122)+"data.test.", dns.TypeA), echo: true, aa: true, check: data(dns.TypeA, "c0000278")},
		{name: "row 24 NUL is no end", request: queryFor(`x\000.data.test.`, dns.TypeA), rcode: nxDomain, echo: true, aa: true, check: hasSOA},
	}
}

// TestConformanceOfData sends the questions about data on every way.
func TestConformanceOfData(t *testing.T) {
	snapshot := dataFixture(t)
	s, roots := startSecure(t, func(o *Options) { o.Snapshot = func() *Snapshot { return snapshot } })
	ways := waysTo(t, s, roots)
	for _, tt := range dataRows() {
		t.Run(tt.name, func(t *testing.T) {
			for _, w := range ways {
				t.Run(w.name, func(t *testing.T) { tt.run(t, &w) })
			}
		})
	}
}

// TestGlueIsComplete is row 40: a referral has all addresses that the zone has for the servers, or TC.
func TestGlueIsComplete(t *testing.T) {
	snapshot := dataFixture(t)
	s := newServer(t, func(o *Options) { o.Snapshot = func() *Snapshot { return snapshot } })
	for size := 0; size <= 1300; size += 50 {
		for _, transport := range []Transport{UDP, TCP} {
			m, wire := askFrom(t, s, asker, transport, question("x.glued.data.test.", dns.TypeA, dns.ClassINET), optRecord(uint16(size), 0))
			if err := strictly(wire); err != nil {
				t.Fatal(err)
			}
			whole := len(m.Ns) == 13 && len(m.Extra) == 2*13+1 && !m.Truncated
			cut := len(m.Ns) == 0 && len(m.Extra) == 1 && m.Truncated
			if transport == TCP && !whole || transport == UDP && !whole && !cut {
				t.Errorf("%s, size %d: %d servers, %d records more, TC %v", transport, size, len(m.Ns), len(m.Extra), m.Truncated)
			}
			if size == 1300 && !whole {
				t.Errorf("%s: the referral does not come whole in %d octets", transport, maxUDPPayload)
			}
		}
	}
}

// TestHealthNeverDenies is row 33 and 34: whatever is up, a balanced name exists, with the type or without.
func TestHealthNeverDenies(t *testing.T) {
	s := fixture(t)
	plan := s.GSLB.Plan
	for round := range 1 << 7 {
		status := &gslb.Status{At: epoch, Services: make([]gslb.ServiceStatus, plan.Services())}
		for i := range status.Services {
			status.Services[i] = gslb.ServiceStatus{State: []gslb.State{gslb.Down, gslb.Up}[round>>i&1], Since: epoch}
		}
		snapshot := &Snapshot{Zones: s.Zones, GSLB: gslb.NewSnapshot(1, plan, status, nil), Learned: gslb.NewLearned(plan)}
		for _, v := range document().VirtualServers {
			for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeHTTPS, dns.TypeANY} {
				a := snapshot.Resolve(Question{Name: v.Domains[0].Name + ".", Type: qtype, Class: dns.ClassINET, LDNS: asker.Addr()}, epoch, nil)
				name := v.Domains[0].Name
				if byChoice := name == "fail.example.com" && a.Rcode == dns.RcodeServerFailure; !byChoice && a.Rcode != dns.RcodeSuccess && name != "lost.example.com" {
					t.Errorf("round %b, %s %s: %s", round, name, dns.Type(qtype), render(a))
				}
				if (qtype == dns.TypeA) && len(a.Answer) == 0 && name != "empty.example.com" && name != "fail.example.com" {
					t.Errorf("round %b, %s: no address: %s", round, name, render(a))
				}
			}
		}
	}
}

// TestFamiliesAgree is row 48: by a method that looks at the client, A and AAAA of one client are of one service; by turns
// each family takes its own, and a client's two questions take the same one when nobody comes between.
func TestFamiliesAgree(t *testing.T) {
	doc, plan := parsed(t, `zones: [{name: x.test, nameservers: [ns.example.net]}]
sites: [{name: a, address: 192.0.2.1}, {name: b, address: 192.0.2.2}]
services:
  - {name: s1, site: a, addresses: [192.0.2.1, "2001:db8::1"]}
  - {name: s2, site: b, addresses: [192.0.2.2, "2001:db8::2"]}
  - {name: s3, site: b, addresses: [192.0.2.3, "2001:db8::3"]}
virtual_servers:
  - {name: hash, domains: [{name: hash.x.test}], method: source-ip-hash, members: [{service: s1}, {service: s2}, {service: s3}]}
  - {name: turns, domains: [{name: turns.x.test}], method: round-robin, members: [{service: s1}, {service: s2}, {service: s3}]}
`)
	zones, err := CompileZones(doc, plan)
	if err != nil {
		t.Fatal(err)
	}
	status := &gslb.Status{At: epoch, Services: make([]gslb.ServiceStatus, plan.Services())}
	for i := range status.Services {
		status.Services[i].State = gslb.Up
	}
	s := &Snapshot{Zones: zones, GSLB: gslb.NewSnapshot(1, plan, status, nil), Learned: gslb.NewLearned(plan)}
	service := func(name string, qtype uint16, from netip.Addr, subnet netip.Prefix) byte {
		q := Question{Name: name, Type: qtype, Class: dns.ClassINET, LDNS: from, Subnet: subnet}
		switch rr := s.Resolve(q, epoch, nil).Answer[0].(type) {
		case *dns.A:
			return rr.A[3]
		case *dns.AAAA:
			return rr.AAAA[15]
		}
		return 0
	}
	resolver := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i), 7}) }
	one, other := netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("198.51.100.0/24")
	for _, tt := range []struct {
		name  string
		again netip.Prefix // the client that the second question is for
	}{{"hash.x.test.", one}, {"turns.x.test.", one}, {"turns.x.test.", other}} {
		const resolvers = 50
		var first [resolvers]byte
		for i := range first { // with those of others between the two questions of each
			first[i] = service(tt.name, dns.TypeA, resolver(i), one)
		}
		for i := range first {
			if aaaa := service(tt.name, dns.TypeAAAA, resolver(i), tt.again); first[i] != aaaa {
				t.Errorf("%s, resolver %s: A is of service %d, AAAA of %d", tt.name, resolver(i), first[i], aaaa)
			}
		}
	}
}

// TestTimeAndHealthChangeNoRecord is row 49 and 52: TTLs do not count down, and the serial is that of the data.
func TestTimeAndHealthChangeNoRecord(t *testing.T) {
	s := fixture(t)
	plan := s.GSLB.Plan
	ask := func(state gslb.State, after time.Duration, name string, qtype uint16) string {
		status := &gslb.Status{At: epoch.Add(after), Services: make([]gslb.ServiceStatus, plan.Services())}
		for i := range status.Services {
			status.Services[i] = gslb.ServiceStatus{State: state, Since: epoch}
		}
		snapshot := &Snapshot{Zones: s.Zones, GSLB: gslb.NewSnapshot(1, plan, status, nil), Learned: gslb.NewLearned(plan)}
		return render(snapshot.Resolve(Question{Name: name, Type: qtype, Class: dns.ClassINET, LDNS: asker.Addr()}, epoch.Add(after), nil))
	}
	for name, qtype := range map[string]uint16{"example.com.": dns.TypeSOA, "nope.example.com.": dns.TypeA, "www.example.com.": dns.TypeA, "both.example.com.": dns.TypeA} {
		want := ask(gslb.Up, 0, name, qtype)
		for _, after := range []time.Duration{time.Nanosecond, time.Second, 29 * time.Second, time.Hour, 400 * 24 * time.Hour} {
			if got := ask(gslb.Up, after, name, qtype); got != want {
				t.Errorf("%s after %v: got %swant %s", name, after, got, want)
			}
		}
		if got := ask(gslb.Down, 0, name, qtype); name != "both.example.com." && got != want {
			t.Errorf("%s with all down: got %swant %s", name, got, want)
		}
	}
}
