package adns

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/config/zonedata"
	"fairlead/gslb"

	"github.com/miekg/dns"
)

// epoch is an arbitrary fixed instant.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// Zones of the fixture. child.example.com is also served here; sub.example.com is delegated elsewhere.
const (
	exampleZone = `
@        3600 SOA ns1 hostmaster 7 7200 900 1209600 60
@        3600 NS ns1
@        3600 NS ns2.other.test.
@        300  MX 10 mail
@        300  A 192.0.2.1
ns1      3600 A 192.0.2.53
mail     300  A 192.0.2.25
mail     300  AAAA 2001:db8::25
txt      300  TXT "one" "two"
mixed    60   A 192.0.2.61
mixed    300  A 192.0.2.62
mixed    300  A 192.0.2.61
a.b.ent  300  A 192.0.2.2
*.wild   300  A 192.0.2.3
*.wild   300  TXT "wild"
host.wild 300 MX 10 mail
x.ent.wild 300 A 192.0.2.4
*.alias  300  CNAME www
c1       300  CNAME c2
c2       300  CNAME mail
dangling 300  CNAME nowhere
outside  300  CNAME www.other.test.
loop1    300  CNAME loop2
loop2    300  CNAME loop1
self     300  CNAME self
tobal    300  CNAME www
tosub    300  CNAME host.sub
tochild  300  CNAME host.child
l1 300 CNAME l2
l2 300 CNAME l3
l3 300 CNAME l4
l4 300 CNAME l5
l5 300 CNAME l6
l6 300 CNAME l7
l7 300 CNAME l8
l8 300 CNAME l9
l9 300 CNAME l10
l10 300 A 192.0.2.10
sub      3600 NS ns.sub
sub      3600 NS ns1
sub      3600 NS ns.far.test.
sub      300  DS 12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
plain    3600 NS ns.far.test.
ns.sub   3600 A 198.51.100.53
ns.sub   3600 AAAA 2001:db8:53::53
dn       300  DNAME target
host.target 300 A 192.0.2.7
dnlong   300  DNAME ` + longLabel + `.` + longLabel + `.` + longLabel + `.x
www      300  TXT "beside the balanced name"
www      300  A 203.0.113.250
type     300  TYPE65534 \# 3 abcdef
esc\.dot 300  A 192.0.2.8
\195\169 300  A 192.0.2.9
child    3600 NS ns1
`
	childZone = `
@    3600 SOA ns1.example.com. hostmaster.example.com. 7 7200 900 1209600 3600
@    600  NS ns1.example.com.
host 300  A 192.0.2.40
back 300  CNAME www.example.com.
`
	longLabel = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
)

// records parses zone-file text.
func records(t testing.TB, origin, text string) []dns.RR {
	t.Helper()
	p := dns.NewZoneParser(strings.NewReader(text), dns.Fqdn(origin), "test")
	p.SetDefaultTTL(300)
	var rrs []dns.RR
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		rrs = append(rrs, rr)
	}
	if err := p.Err(); err != nil {
		t.Fatalf("parse zone %s: %v", origin, err)
	}
	return rrs
}

// service is shorthand for a service of the fixture.
func service(name, site, cname string, addrs ...string) config.Service {
	s := config.Service{Name: name, Site: site, CNAME: cname}
	for _, a := range addrs {
		s.Addresses = append(s.Addresses, netip.MustParseAddr(a))
	}
	return s
}

// virtualServer is shorthand for a virtual server with the defaults of a document.
func virtualServer(domain string, services ...string) config.VirtualServer {
	v := config.VirtualServer{
		Name: domain, Domains: []config.Domain{{Name: domain}}, Method: config.RoundRobin,
		BackupMethod: config.RoundRobin, ClientSubnet: true, MaxAnswers: 1, WhenAllDown: config.AnswerAll,
		SourceIPHash: config.SourceIPHash{Prefix4: 24, Prefix6: 56},
	}
	for _, s := range services {
		v.Members = append(v.Members, config.Member{Service: s, Weight: 1, Order: 1})
	}
	return v
}

// document is the fixture's intent.
func document() *config.Document {
	both := func(v config.VirtualServer) config.VirtualServer { v.MaxAnswers = 2; return v }
	hashed := func(v config.VirtualServer) config.VirtualServer { v.Method = config.SourceIPHashing; return v }
	down := func(w config.WhenAllDown, v config.VirtualServer, backup ...string) config.VirtualServer {
		v.WhenAllDown = w
		for _, b := range backup {
			v.Domains[0].BackupAddresses = append(v.Domains[0].BackupAddresses, netip.MustParseAddr(b))
		}
		return v
	}
	ttl := config.Duration(30 * time.Second)
	doc := &config.Document{
		Zones: []config.Zone{{Name: "example.com", TTL: ttl}, {Name: "child.example.com", TTL: ttl}},
		Sites: []config.Site{{Name: "ams"}, {Name: "nyc"}},
		Services: []config.Service{
			service("ams", "ams", "", "192.0.2.80", "2001:db8:a::80"),
			service("nyc", "nyc", "", "198.51.100.80"),
			service("twin", "nyc", "", "198.51.100.80"),
			service("cdn", "ams", "www.cdn.test"),
			service("inner", "ams", "c1.example.com"),
			service("lost", "ams", "nowhere.example.com"),
			service("off", "ams", "", "192.0.2.99"),
		},
		VirtualServers: []config.VirtualServer{
			virtualServer("www.example.com", "ams"),
			both(virtualServer("both.example.com", "nyc", "ams")),
			both(virtualServer("twins.example.com", "nyc", "twin")),
			hashed(virtualServer("hash.example.com", "ams", "nyc")),
			virtualServer("*.app.example.com", "ams"),
			virtualServer("deep.below.example.com", "ams"),
			virtualServer("only4.example.com", "nyc"),
			virtualServer("cdn.example.com", "cdn"),
			virtualServer("inner.example.com", "inner"),
			virtualServer("lost.example.com", "lost"),
			virtualServer("bal.child.example.com", "ams"),
			down(config.AnswerAll, virtualServer("all.example.com", "off")),
			down(config.AnswerEmpty, virtualServer("empty.example.com", "off")),
			down(config.AnswerServFail, virtualServer("fail.example.com", "off")),
			down(config.AnswerBackupAddress, virtualServer("spare.example.com", "off"), "203.0.113.9", "2001:db8:9::9"),
		},
	}
	doc.Services[0].Host, doc.Services[0].Port = "mail.example.com", 443
	types := virtualServer("_types._tcp.example.com", "ams")
	types.Domains[0].HTTPS, types.Domains[0].SRV, types.Domains[0].MX = &config.HTTPSAnswer{}, &config.SRVAnswer{}, &config.MXAnswer{}
	doc.VirtualServers = append(doc.VirtualServers, types)
	doc.Settings.MEP.MetricsInterval = config.Duration(time.Second)
	return doc
}

// zoneOf makes a zone of zone-file text.
func zoneOf(t testing.TB, name, text string) *zonedata.Zone {
	t.Helper()
	origin, err := nameKey(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := zonedata.NewBuilder([]byte(origin))
	if err != nil {
		t.Fatal(err)
	}
	for _, rr := range records(t, name, text) {
		wire := make([]byte, dns.MaxMsgSize)
		end, err := dns.PackRR(rr, wire, 0, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		owner, err := nameKey(rr.Header().Name)
		if err != nil {
			t.Fatal(err)
		}
		h := rr.Header()
		b.Add(&zonedata.Record{Owner: []byte(owner), Type: h.Rrtype, TTL: h.Ttl, Data: wire[end-int(h.Rdlength) : end]})
	}
	z, problems, err := b.Build()
	if err != nil || len(problems) > 0 {
		t.Fatalf("make zone %s: %+v, %v", name, problems, err)
	}
	return z
}

// fixture compiles the zones and the document with every service UP but "off".
func fixture(t testing.TB) *Snapshot {
	t.Helper()
	return fixtureOf(t, document())
}

// fixtureOf is fixture of a document with more in it.
func fixtureOf(t testing.TB, doc *config.Document) *Snapshot {
	t.Helper()
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		t.Fatalf("compile plan: %v", err)
	}
	status := &gslb.Status{At: epoch, Services: make([]gslb.ServiceStatus, plan.Services())}
	for i := range status.Services {
		status.Services[i] = gslb.ServiceStatus{State: gslb.Up, Since: epoch}
		if plan.Service(gslb.ServiceIndex(i)).Name == "off" {
			status.Services[i].State = gslb.Down
		}
	}
	zones, err := compile([]*zonedata.Zone{zoneOf(t, "example.com", exampleZone), zoneOf(t, "child.example.com", childZone)}, plan)
	if err != nil {
		t.Fatalf("compile zones: %v", err)
	}
	return &Snapshot{Generation: 1, Zones: zones, GSLB: gslb.NewSnapshot(1, plan, status, nil), Learned: gslb.NewLearned(plan)}
}

// render prints an answer, one line per record: section, owner, TTL, type, data.
func render(a Answer) string {
	var b strings.Builder
	b.WriteString(rcodeName(a.Rcode))
	if a.Authoritative {
		b.WriteString(" aa")
	}
	if a.EDE.Code != 0 {
		fmt.Fprintf(&b, " ede%d", a.EDE.Code)
	}
	b.WriteString("\n")
	for _, section := range []struct {
		name string
		rrs  []dns.RR
	}{{"an", a.Answer}, {"ns", a.Authority}, {"ad", a.Additional}} {
		for _, rr := range section.rrs {
			h := rr.Header()
			data := strings.TrimPrefix(rr.String(), h.String())
			fmt.Fprintf(&b, "%s %s %d %s %s\n", section.name, h.Name, h.Ttl, dns.Type(h.Rrtype), strings.Join(strings.Fields(data), " "))
		}
	}
	return b.String()
}

// newServer returns a server of the fixture that listens on loopback.
func newServer(t testing.TB, change ...func(*Options)) *Server {
	t.Helper()
	snapshot := fixture(t)
	o := Options{
		Listen: []string{"127.0.0.1:0"}, Workers: 2, NSID: "ams-1",
		Snapshot: func() *Snapshot { return snapshot }, Now: func() time.Time { return epoch },
	}
	for _, f := range change {
		f(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return s
}
