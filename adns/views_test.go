package adns

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/adns/transfer"
	"fairlead/config"
	"fairlead/gslb"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// viewsDocument has zones and addresses that differ between views.
func viewsDocument() *config.Document {
	zone := func(name string, serial uint32, records string, views ...string) config.Zone {
		return config.Zone{Name: name, Serial: serial, Nameservers: []string{"ns.far.test"}, Records: records, Views: views,
			TTL: config.Duration(30 * time.Second), NegativeTTL: config.Duration(30 * time.Second)}
	}
	web := service("web", "ams", "", "10.0.0.80", "2001:db8:a::80")
	web.PublicAddresses = []netip.Addr{netip.MustParseAddr("192.0.2.80")}
	web.Views = []config.ServiceView{{View: "inside", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.80")}},
		{View: "door", Addresses: []netip.Addr{netip.MustParseAddr("2001:db8:d::80")}}}
	doc := &config.Document{
		Views: []config.View{
			{Name: "inside", Clients: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
			{Name: "door", Listeners: []netip.Addr{netip.MustParseAddr("192.0.2.54")}},
			{Name: "guests", Clients: []netip.Prefix{netip.MustParsePrefix("172.16.0.0/12")}},
		},
		Zones: []config.Zone{
			zone("v.test", 1, "where 60 TXT outside\nboth 60 TXT outside\nalias 60 CNAME where.p.test.\n"),
			zone("v.test", 2, "where 60 TXT inside\n", "inside"),
			zone("p.test", 3, "where 60 TXT private\n", "inside", "door"),
			zone("sub.v.test", 4, "where 60 TXT sub\n", "door"),
		},
		Sites:    []config.Site{{Name: "ams"}},
		Services: []config.Service{web, service("spare", "ams", "", "192.0.2.81")},
	}
	www := virtualServer("www.v.test", "web")
	www.Domains[0].HTTPS = &config.HTTPSAnswer{}
	www.Domains = append(www.Domains, config.Domain{Name: "*.app.p.test"}, config.Domain{Name: "x.sub.v.test"})
	doc.VirtualServers = []config.VirtualServer{www, virtualServer("spare.v.test", "spare")}
	doc.Settings.MEP.MetricsInterval = config.Duration(time.Second)
	return doc
}

// snapshotOf compiles a document with every service UP.
func snapshotOf(t testing.TB, doc *config.Document) *Snapshot {
	t.Helper()
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	zones, err := CompileZones(doc, plan)
	if err != nil {
		t.Fatal(err)
	}
	status := &gslb.Status{At: epoch, Services: make([]gslb.ServiceStatus, plan.Services())}
	for i := range status.Services {
		status.Services[i] = gslb.ServiceStatus{State: gslb.Up, Since: epoch}
	}
	return &Snapshot{Generation: 1, Zones: zones, GSLB: gslb.NewSnapshot(1, plan, status, nil), Learned: gslb.NewLearned(plan)}
}

// askBoth answers a request by the path that serves it and by the slow one, and returns the message when they say the same.
func askBoth(t *testing.T, server *Server, request []byte, c *client) *dns.Msg {
	t.Helper()
	r := server.newResponder()
	buf := append(make([]byte, 0, 4096), request...)
	served := bytes.Clone(r.answer(buf, len(request), c))
	r.flush()
	slow := r.answerSlow(nil, bytes.Clone(request), judgeHeader(request), c)
	if err := same(t, request, served, slow); err != nil {
		t.Fatal(err)
	}
	return unpack(t, served)
}

func TestViews(t *testing.T) {
	s := snapshotOf(t, viewsDocument())
	server := newServer(t, func(o *Options) { o.Snapshot = func() *Snapshot { return s } })
	const (
		soa1 = "ns v.test. 30 SOA ns.far.test. hostmaster.v.test. 1 3600 600 604800 30\n"
		soa2 = "ns v.test. 30 SOA ns.far.test. hostmaster.v.test. 2 3600 600 604800 30\n"
	)
	for _, tt := range []struct {
		name, from, listener, qname string
		qtype                       uint16
		subnet                      string
		want                        string
	}{
		{"zone of all others", "203.0.113.5", "", "where.v.test.", dns.TypeTXT, "", "NOERROR aa\nan where.v.test. 60 TXT \"outside\"\n"},
		{"zone of the view", "10.1.2.3", "", "where.v.test.", dns.TypeTXT, "", "NOERROR aa\nan where.v.test. 60 TXT \"inside\"\n"},
		{"its own names alone", "10.1.2.3", "", "both.v.test.", dns.TypeTXT, "", "NXDOMAIN aa\n" + soa2},
		{"a view without zones", "172.16.0.1", "", "where.v.test.", dns.TypeTXT, "", "NOERROR aa\nan where.v.test. 60 TXT \"outside\"\n"},
		{"a zone that only others see", "203.0.113.5", "", "where.p.test.", dns.TypeTXT, "", "REFUSED ede20\n"},
		{"a zone of two views", "10.1.2.3", "", "where.p.test.", dns.TypeTXT, "", "NOERROR aa\nan where.p.test. 60 TXT \"private\"\n"},
		{"a zone of two views, by listener", "203.0.113.5", "192.0.2.54", "where.p.test.", dns.TypeTXT, "", "NOERROR aa\nan where.p.test. 60 TXT \"private\"\n"},
		{"the first view wins", "10.1.2.3", "192.0.2.54", "where.v.test.", dns.TypeTXT, "", "NOERROR aa\nan where.v.test. 60 TXT \"inside\"\n"},
		{"another listener", "203.0.113.5", "192.0.2.53", "where.p.test.", dns.TypeTXT, "", "REFUSED ede20\n"},
		{"an alias out of what is seen", "203.0.113.5", "", "alias.v.test.", dns.TypeTXT, "", "NOERROR aa\nan alias.v.test. 60 CNAME where.p.test.\n"},
		{"an alias into a zone of the view", "203.0.113.5", "192.0.2.54", "alias.v.test.", dns.TypeTXT, "", "NOERROR aa\nan alias.v.test. 60 CNAME where.p.test.\nan where.p.test. 60 TXT \"private\"\n"},
		{"a name below, without the zone below", "203.0.113.5", "", "where.sub.v.test.", dns.TypeTXT, "", "NXDOMAIN aa\n" + soa1},
		{"a name below, in the zone below", "203.0.113.5", "192.0.2.54", "where.sub.v.test.", dns.TypeTXT, "", "NOERROR aa\nan where.sub.v.test. 60 TXT \"sub\"\n"},

		{"public address", "203.0.113.5", "", "www.v.test.", dns.TypeA, "", "NOERROR aa\nan www.v.test. 30 A 192.0.2.80\n"},
		{"address of the view", "10.1.2.3", "", "www.v.test.", dns.TypeA, "", "NOERROR aa\nan www.v.test. 30 A 10.0.0.80\n"},
		{"a view of the other family", "203.0.113.5", "192.0.2.54", "www.v.test.", dns.TypeA, "", "NOERROR aa\nan www.v.test. 30 A 192.0.2.80\n"},
		{"its own family", "203.0.113.5", "192.0.2.54", "www.v.test.", dns.TypeAAAA, "", "NOERROR aa\nan www.v.test. 30 AAAA 2001:db8:d::80\n"},
		{"the service's own", "203.0.113.5", "", "www.v.test.", dns.TypeAAAA, "", "NOERROR aa\nan www.v.test. 30 AAAA 2001:db8:a::80\n"},
		{"hints", "10.1.2.3", "", "www.v.test.", dns.TypeHTTPS, "", "NOERROR aa\nan www.v.test. 30 HTTPS 1 . ipv4hint=\"10.0.0.80\" ipv6hint=\"2001:db8:a::80\"\n"},
		{"hints outside", "203.0.113.5", "", "www.v.test.", dns.TypeHTTPS, "", "NOERROR aa\nan www.v.test. 30 HTTPS 1 . ipv4hint=\"192.0.2.80\" ipv6hint=\"2001:db8:a::80\"\n"},
		{"balanced in a zone of the view", "10.1.2.3", "", "q.app.p.test.", dns.TypeA, "", "NOERROR aa\nan q.app.p.test. 30 A 10.0.0.80\n"},
		{"balanced in a zone of others", "203.0.113.5", "", "q.app.p.test.", dns.TypeA, "", "REFUSED ede20\n"},
		{"balanced in the zone above", "203.0.113.5", "", "x.sub.v.test.", dns.TypeA, "", "NOERROR aa\nan x.sub.v.test. 30 A 192.0.2.80\n"},
		{"balanced in the zone below", "203.0.113.5", "192.0.2.54", "x.sub.v.test.", dns.TypeAAAA, "", "NOERROR aa\nan x.sub.v.test. 30 AAAA 2001:db8:d::80\n"},

		{"a client subnet chooses no view", "203.0.113.5", "", "www.v.test.", dns.TypeA, "10.1.2.0/24", "NOERROR aa\nan www.v.test. 30 A 192.0.2.80\n"},
		{"nor does it leave one", "10.1.2.3", "", "where.v.test.", dns.TypeTXT, "203.0.113.0/24", "NOERROR aa\nan where.v.test. 60 TXT \"inside\"\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := Question{Name: tt.qname, Type: tt.qtype, Class: dns.ClassINET, LDNS: netip.MustParseAddr(tt.from)}
			c := client{addr: q.LDNS, port: 53}
			if tt.listener != "" {
				q.Listener = netip.MustParseAddr(tt.listener)
				c.local = netip.AddrPortFrom(q.Listener, 53)
			}
			if tt.subnet != "" {
				q.Subnet = netip.MustParsePrefix(tt.subnet)
			}
			var trace gslb.Trace
			if got := render(s.Resolve(q, epoch, &trace)); got != tt.want {
				t.Errorf("resolved: got\n%swant\n%s", got, tt.want)
			}
			if trace.Entries[0].Step != gslb.StepView {
				t.Errorf("the explanation begins with %+v, want the view", trace.Entries[0])
			}
			wire, err := askBoth(t, server, wireQuery(q), &c).Pack()
			if err != nil {
				t.Fatal(err)
			}
			if got := render(answerOf(t, wire)); got != tt.want {
				t.Errorf("served: got\n%swant\n%s", got, tt.want)
			}
		})
	}
	if st := server.Stats(); st.Paths[Fast] == 0 {
		t.Error("the fast path answered nothing")
	}
}

// Views that see the same share what they see; without a difference there are no faces.
func TestFacesAreShared(t *testing.T) {
	s := snapshotOf(t, viewsDocument())
	faces := s.Zones.faces
	if len(faces) != 4 || faces[0] != s.Zones || faces[3] != s.Zones {
		t.Fatalf("faces %p of %p", faces, s.Zones)
	}
	if &faces[1].zones[0] != &s.Zones.zones[0] || &faces[1].services[0] == &s.Zones.services[0] {
		t.Error("faces share zones, and not the addresses that differ")
	}
	doc := viewsDocument()
	doc.Zones = doc.Zones[:1]
	doc.VirtualServers[0].Domains = doc.VirtualServers[0].Domains[:1]
	faces = snapshotOf(t, doc).Zones.faces
	if &faces[1].slots[0] != &faces[0].slots[0] || &faces[1].extra.names[0] != &faces[0].extra.names[0] {
		t.Error("views that see the same zones have directories of their own")
	}
	doc.Services[0].Views = nil
	if got := snapshotOf(t, doc).Zones.faces; got != nil {
		t.Errorf("%d faces that look alike", len(got))
	}
}

func TestViewsProblems(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*config.Document)
		want   string
	}{
		{"two zones of one view", func(d *config.Document) { d.Zones[0].Views = []string{"inside"} }, `zone "v.test.": there is another zone of this name`},
		{"two zones of all others", func(d *config.Document) { d.Zones[1].Views = nil }, `zone "v.test.": there is another zone of this name`},
		{"a view that is not there", func(d *config.Document) { d.Zones[1].Views = []string{"no"} }, `unknown view "no"`},
		{"a name in no zone of any view", func(d *config.Document) { d.VirtualServers[1].Domains[0].Name = "a.b.test" }, `place domain "a.b.test."`},
		{"an alias in a zone of one view", func(d *config.Document) { d.Zones[1].Records += "www 60 CNAME x\n" }, `place domain "www.v.test.": zone "v.test." has a CNAME`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc := viewsDocument()
			plan, err := gslb.Compile(doc, gslb.CompileOptions{})
			if err != nil {
				t.Fatal(err)
			}
			tt.change(doc)
			if tt.name == "a name in no zone of any view" {
				if plan, err = gslb.Compile(doc, gslb.CompileOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			_, err = CompileZones(doc, plan)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Count(err.Error(), tt.want) > 1 {
				t.Errorf("got %v, want %q once", err, tt.want)
			}
		})
	}
}

// A list of clients, and a zone without data, hold in every view that sees the zone.
func TestViewsShareAccess(t *testing.T) {
	doc := viewsDocument()
	doc.Zones[2].AllowQuery = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	doc.Zones[1].Records, doc.Zones[1].Nameservers = "", nil
	doc.Zones[1].Primaries = []config.TransferPeer{{Address: "192.0.2.1"}}
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(zones *Zones, from, listener, name string) string {
		s := &Snapshot{Zones: zones, GSLB: gslb.NewSnapshot(1, plan, &gslb.Status{At: epoch, Services: make([]gslb.ServiceStatus, plan.Services())}, nil), Learned: gslb.NewLearned(plan)}
		server := newServer(t, func(o *Options) { o.Snapshot = func() *Snapshot { return s } })
		c := client{addr: netip.MustParseAddr(from), port: 53}
		if listener != "" {
			c.local = netip.AddrPortFrom(netip.MustParseAddr(listener), 53)
		}
		m := askBoth(t, server, plainQuery(question(name, dns.TypeTXT, dns.ClassINET)), &c)
		return rcodeName(m.Rcode)
	}
	zones, err := CompileZones(doc, plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, from, listener, qname, want string }{
		{"listed", "203.0.113.1", "192.0.2.54", "where.p.test.", "NOERROR"},
		{"not listed", "198.51.100.1", "192.0.2.54", "where.p.test.", "REFUSED"},
		{"not listed, other view", "10.0.0.1", "", "where.p.test.", "REFUSED"},
		{"a zone of the same name with data", "203.0.113.1", "", "where.v.test.", "NOERROR"},
		{"without data", "10.0.0.1", "", "where.v.test.", "SERVFAIL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := ask(zones, tt.from, tt.listener, tt.qname); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// The addresses that were asked are known for datagrams and streams.
func TestListenerIsKnown(t *testing.T) {
	doc := viewsDocument()
	doc.Views[1].Listeners = []netip.Addr{netip.MustParseAddr("127.0.0.2")}
	s := snapshotOf(t, doc)
	server := start(t, func(o *Options) {
		o.Snapshot = func() *Snapshot { return s }
		o.Listen = []string{"0.0.0.0:0"}
	})
	port := server.Addrs()[0].Port()
	for _, network := range []string{"udp", "tcp"} {
		for host, want := range map[string]int{"127.0.0.1": dns.RcodeRefused, "127.0.0.2": dns.RcodeSuccess} {
			got := exchange(t, network, netip.AddrPortFrom(netip.MustParseAddr(host), port), "where.p.test.", dns.TypeTXT)
			if got.Rcode != want {
				t.Errorf("%s to %s: got %s, want %s", network, host, rcodeName(got.Rcode), rcodeName(want))
			}
		}
	}
}

// A transfer is of the zone of the client's view, with the addresses that the view sees; what looks alike is one variant.
func TestTransferOfViews(t *testing.T) {
	doc := viewsDocument()
	for i := range doc.Zones {
		doc.Zones[i].Transfer.Allow = []config.TransferClient{{Prefix: "0.0.0.0/0"}}
	}
	doc.Zones[2].Transfer = config.ZoneTransfer{}
	ttl := config.Duration(7 * time.Second)
	doc.VirtualServers[0].Domains[2].TTL = &ttl
	s := snapshotOf(t, doc)
	source := TransferSource(s.Zones, doc)
	// What inside and the door see of p.test differs, but nobody may transfer that.
	for i, want := range []string{"[] [door]", "[inside]", "[inside door]", "[door]"} {
		var got []string
		for _, v := range source.Variants(i) {
			got = append(got, fmt.Sprint(v.Views))
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("zone %d: variants %s, want %s", i, text, want)
		}
	}
	transfers := transfer.New(transfer.Options{})
	transfers.Published(doc, source)
	server := newServer(t, func(o *Options) {
		o.Snapshot = func() *Snapshot { return s }
		o.Transfers = transfers
	})
	for _, tt := range []struct {
		name, from, listener, zone string
		want                       []string // its balanced names and its text
	}{
		{"of all others", "203.0.113.5", "", "v.test.", []string{
			"alias.v.test. 60 CNAME where.p.test.", "both.v.test. 60 TXT \"outside\"", "spare.v.test. 30 A 192.0.2.81", "where.v.test. 60 TXT \"outside\"",
			"www.v.test. 30 A 192.0.2.80", "www.v.test. 30 AAAA 2001:db8:a::80",
			`www.v.test. 30 HTTPS 1 . ipv4hint="192.0.2.80" ipv6hint="2001:db8:a::80"`, "x.sub.v.test. 7 A 192.0.2.80", "x.sub.v.test. 7 AAAA 2001:db8:a::80"}},
		{"of a view with a zone", "10.0.0.1", "", "v.test.", []string{
			"spare.v.test. 30 A 192.0.2.81", "where.v.test. 60 TXT \"inside\"", "www.v.test. 30 A 10.0.0.80", "www.v.test. 30 AAAA 2001:db8:a::80",
			`www.v.test. 30 HTTPS 1 . ipv4hint="10.0.0.80" ipv6hint="2001:db8:a::80"`, "x.sub.v.test. 7 A 10.0.0.80", "x.sub.v.test. 7 AAAA 2001:db8:a::80"}},
		{"of a view with addresses, less the zone below", "203.0.113.5", "192.0.2.54", "v.test.", []string{
			"alias.v.test. 60 CNAME where.p.test.", "both.v.test. 60 TXT \"outside\"", "spare.v.test. 30 A 192.0.2.81", "where.v.test. 60 TXT \"outside\"",
			"www.v.test. 30 A 192.0.2.80", "www.v.test. 30 AAAA 2001:db8:d::80", `www.v.test. 30 HTTPS 1 . ipv4hint="192.0.2.80" ipv6hint="2001:db8:d::80"`}},
		{"the zone below", "203.0.113.5", "192.0.2.54", "sub.v.test.", []string{
			"where.sub.v.test. 60 TXT \"sub\"", "x.sub.v.test. 7 A 192.0.2.80", "x.sub.v.test. 7 AAAA 2001:db8:d::80"}},
		{"the zone below, of others", "203.0.113.5", "", "sub.v.test.", []string{"REFUSED"}},
		{"not to be transferred", "10.0.0.1", "", "p.test.", []string{"REFUSED"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := client{addr: netip.MustParseAddr(tt.from), transport: TCP}
			if tt.listener != "" {
				c.local = netip.AddrPortFrom(netip.MustParseAddr(tt.listener), 53)
			}
			request, err := new(dns.Msg).SetAxfr(tt.zone).Pack()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			done, err := server.transfer(t.Context(), request, &c, func(b []byte) error {
				m := unpack(t, b)
				if m.Rcode != dns.RcodeSuccess {
					got = append(got, rcodeName(m.Rcode))
				}
				for _, rr := range m.Answer {
					if h := rr.Header(); h.Rrtype != dns.TypeSOA && h.Rrtype != dns.TypeNS {
						got = append(got, fmt.Sprintf("%s %d %s %s", h.Name, h.Ttl, dns.Type(h.Rrtype), strings.Join(strings.Fields(strings.TrimPrefix(rr.String(), h.String())), " ")))
					}
				}
				return nil
			})
			slices.Sort(got)
			if d := cmp.Diff(tt.want, got); !done || err != nil || d != "" {
				t.Errorf("%v, %v (-want +got):\n%s", done, err, d)
			}
		})
	}
}
