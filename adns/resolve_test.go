package adns

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"fairlead/config/zonedata"
	"fairlead/gslb"

	"github.com/miekg/dns"
)

const (
	soa      = "ns example.com. 60 SOA ns1.example.com. hostmaster.example.com. 7 7200 900 1209600 60\n"
	childSOA = "ns child.example.com. 3600 SOA ns1.example.com. hostmaster.example.com. 7 7200 900 1209600 3600\n"
	referral = "ns sub.example.com. 3600 NS ns.sub.example.com.\nns sub.example.com. 3600 NS ns1.example.com.\n" +
		"ns sub.example.com. 3600 NS ns.far.test.\n" +
		"ad ns.sub.example.com. 3600 A 198.51.100.53\nad ns.sub.example.com. 3600 AAAA 2001:db8:53::53\nad ns1.example.com. 3600 A 192.0.2.53\n"
)

func TestResolve(t *testing.T) {
	tests := []struct {
		name, qname string
		qtype       uint16
		want        string
	}{
		{"apex soa", "example.com.", dns.TypeSOA, "NOERROR aa\nan example.com. 3600 SOA ns1.example.com. hostmaster.example.com. 7 7200 900 1209600 60\n"},
		{"apex ns without authority or additional", "example.com.", dns.TypeNS, "NOERROR aa\nan example.com. 3600 NS ns1.example.com.\nan example.com. 3600 NS ns2.other.test.\n"},
		{"mx without additional", "example.com.", dns.TypeMX, "NOERROR aa\nan example.com. 300 MX 10 mail.example.com.\n"},
		{"case is kept", "MaIl.ExAmPlE.cOm.", dns.TypeA, "NOERROR aa\nan MaIl.ExAmPlE.cOm. 300 A 192.0.2.25\n"},
		{"final dot may be missing", "mail.example.com", dns.TypeA, "NOERROR aa\nan mail.example.com. 300 A 192.0.2.25\n"},
		{"one TTL, no duplicates", "mixed.example.com.", dns.TypeA, "NOERROR aa\nan mixed.example.com. 60 A 192.0.2.61\nan mixed.example.com. 60 A 192.0.2.62\n"},
		{"no data", "mail.example.com.", dns.TypeMX, "NOERROR aa\n" + soa},
		{"no data of an unknown type", "mail.example.com.", 65280, "NOERROR aa\n" + soa},
		{"no such name", "nope.example.com.", dns.TypeA, "NXDOMAIN aa\n" + soa},
		{"no such name below a name", "x.mail.example.com.", dns.TypeA, "NXDOMAIN aa\n" + soa},
		{"unknown type is data", "type.example.com.", 65534, "NOERROR aa\nan type.example.com. 300 TYPE65534 type.example.com. 300 CLASS1 TYPE65534 \\# 3 abcdef\n"},
		{"any is minimal", "mail.example.com.", dns.TypeANY, "NOERROR aa\nan mail.example.com. 3600 HINFO \"RFC8482\" \"\"\n"},
		{"any at an alias", "c2.example.com.", dns.TypeANY, "NOERROR aa\nan c2.example.com. 300 CNAME mail.example.com.\n"},
		{"any at an empty non-terminal", "ent.example.com.", dns.TypeANY, "NOERROR aa\n" + soa},
		{"escaped dot", `esc\.dot.example.com.`, dns.TypeA, "NOERROR aa\nan esc\\.dot.example.com. 300 A 192.0.2.8\n"},
		{"escaped dot is no label boundary", "esc.dot.example.com.", dns.TypeA, "NXDOMAIN aa\n" + soa},
		{"escaped dot otherwise spelled", `esc\046dot.example.com.`, dns.TypeA, "NOERROR aa\nan esc\\.dot.example.com. 300 A 192.0.2.8\n"},
		{"8-bit label", `\195\169.example.com.`, dns.TypeA, "NOERROR aa\nan \\195\\169.example.com. 300 A 192.0.2.9\n"},
		{"8-bit label has no other case", `\195\137.example.com.`, dns.TypeA, "NXDOMAIN aa\n" + soa},

		{"foreign name", "www.other.test.", dns.TypeA, "REFUSED ede20\n"},
		{"root", ".", dns.TypeNS, "REFUSED ede20\n"},
		{"label boundary", "badexample.com.", dns.TypeA, "REFUSED ede20\n"},
		{"parent of the zone", "com.", dns.TypeSOA, "REFUSED ede20\n"},

		{"empty non-terminal", "b.ent.example.com.", dns.TypeA, "NOERROR aa\n" + soa},
		{"empty non-terminal above it", "ent.example.com.", dns.TypeA, "NOERROR aa\n" + soa},
		{"below an empty non-terminal", "x.ent.example.com.", dns.TypeA, "NXDOMAIN aa\n" + soa},

		{"wildcard", "q.wild.example.com.", dns.TypeA, "NOERROR aa\nan q.wild.example.com. 300 A 192.0.2.3\n"},
		{"wildcard, several labels", "p.q.wild.example.com.", dns.TypeA, "NOERROR aa\nan p.q.wild.example.com. 300 A 192.0.2.3\n"},
		{"wildcard, no data", "q.wild.example.com.", dns.TypeMX, "NOERROR aa\n" + soa},
		{"wildcard as a name", "*.wild.example.com.", dns.TypeA, "NOERROR aa\nan *.wild.example.com. 300 A 192.0.2.3\n"},
		{"wildcard is blocked by a name", "host.wild.example.com.", dns.TypeA, "NOERROR aa\n" + soa},
		{"wildcard is blocked by an empty non-terminal", "ent.wild.example.com.", dns.TypeA, "NOERROR aa\n" + soa},
		{"wildcard is not below a name", "x.host.wild.example.com.", dns.TypeA, "NXDOMAIN aa\n" + soa},
		{"wildcard is not below an empty non-terminal", "y.ent.wild.example.com.", dns.TypeA, "NXDOMAIN aa\n" + soa},
		{"wildcard's parent", "wild.example.com.", dns.TypeA, "NOERROR aa\n" + soa},
		{"below the literal wildcard", "x.*.wild.example.com.", dns.TypeA, "NXDOMAIN aa\n" + soa},
		{"wildcard alias to a balanced name", "x.alias.example.com.", dns.TypeA, "NOERROR aa\nan x.alias.example.com. 300 CNAME www.example.com.\nan www.example.com. 30 A 192.0.2.80\n"},

		{"alias chain", "c1.example.com.", dns.TypeA, "NOERROR aa\nan c1.example.com. 300 CNAME c2.example.com.\nan c2.example.com. 300 CNAME mail.example.com.\nan mail.example.com. 300 A 192.0.2.25\n"},
		{"alias itself", "c1.example.com.", dns.TypeCNAME, "NOERROR aa\nan c1.example.com. 300 CNAME c2.example.com.\n"},
		{"alias chain to no data", "c2.example.com.", dns.TypeTXT, "NOERROR aa\nan c2.example.com. 300 CNAME mail.example.com.\n" + soa},
		{"alias chain to no such name", "dangling.example.com.", dns.TypeA, "NXDOMAIN aa\nan dangling.example.com. 300 CNAME nowhere.example.com.\n" + soa},
		{"alias out of the zones", "outside.example.com.", dns.TypeA, "NOERROR aa\nan outside.example.com. 300 CNAME www.other.test.\n"},
		{"alias loop", "loop1.example.com.", dns.TypeA, "NOERROR aa\nan loop1.example.com. 300 CNAME loop2.example.com.\nan loop2.example.com. 300 CNAME loop1.example.com.\n"},
		{"alias to itself", "self.example.com.", dns.TypeA, "NOERROR aa\nan self.example.com. 300 CNAME self.example.com.\n"},
		{"alias to a balanced name", "ToBal.example.com.", dns.TypeAAAA, "NOERROR aa\nan ToBal.example.com. 300 CNAME www.example.com.\nan www.example.com. 30 AAAA 2001:db8:a::80\n"},
		{"alias into a delegation", "tosub.example.com.", dns.TypeA, "NOERROR aa\nan tosub.example.com. 300 CNAME host.sub.example.com.\n" + referral},
		{"alias into another zone", "tochild.example.com.", dns.TypeA, "NOERROR aa\nan tochild.example.com. 300 CNAME host.child.example.com.\nan host.child.example.com. 300 A 192.0.2.40\n"},
		{"eight aliases", "l2.example.com.", dns.TypeA, "NOERROR aa\n" + chain(2, 9) + "an l10.example.com. 300 A 192.0.2.10\n"},
		{"nine aliases", "l1.example.com.", dns.TypeA, "NOERROR aa\n" + chain(1, 9)},

		{"referral", "host.sub.example.com.", dns.TypeA, "NOERROR\n" + referral},
		{"referral at the cut", "sub.example.com.", dns.TypeNS, "NOERROR\n" + referral},
		{"referral for any at the cut", "sub.example.com.", dns.TypeANY, "NOERROR\n" + referral},
		{"referral for glue", "ns.sub.example.com.", dns.TypeA, "NOERROR\n" + referral},
		{"referral for ds below the cut", "x.sub.example.com.", dns.TypeDS, "NOERROR\n" + referral},
		{"ds at the cut", "sub.example.com.", dns.TypeDS, "NOERROR aa\nan sub.example.com. 300 DS 12345 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF\n"},
		{"no ds at the cut", "plain.example.com.", dns.TypeDS, "NOERROR aa\n" + soa},

		{"child zone", "host.child.example.com.", dns.TypeA, "NOERROR aa\nan host.child.example.com. 300 A 192.0.2.40\n"},
		{"child zone's own soa", "x.child.example.com.", dns.TypeA, "NXDOMAIN aa\n" + childSOA},
		{"child zone's apex", "child.example.com.", dns.TypeNS, "NOERROR aa\nan child.example.com. 600 NS ns1.example.com.\n"},
		{"child zone's ds is the parent's", "child.example.com.", dns.TypeDS, "NOERROR aa\n" + soa},
		{"ds of a zone without its parent", "example.com.", dns.TypeDS, "NOERROR aa\n" + soa},
		{"child zone's balanced name", "bal.child.example.com.", dns.TypeA, "NOERROR aa\nan bal.child.example.com. 30 A 192.0.2.80\n"},
		{"child zone back to the parent", "back.child.example.com.", dns.TypeA, "NOERROR aa\nan back.child.example.com. 300 CNAME www.example.com.\nan www.example.com. 30 A 192.0.2.80\n"},

		{"dname", "HOST.dn.example.com.", dns.TypeA, "NOERROR aa\nan dn.example.com. 300 DNAME target.example.com.\nan HOST.dn.example.com. 300 CNAME host.target.example.com.\nan host.target.example.com. 300 A 192.0.2.7\n"},
		{"dname itself", "dn.example.com.", dns.TypeDNAME, "NOERROR aa\nan dn.example.com. 300 DNAME target.example.com.\n"},
		{"dname, cname asked", "host.dn.example.com.", dns.TypeCNAME, "NOERROR aa\nan dn.example.com. 300 DNAME target.example.com.\nan host.dn.example.com. 300 CNAME host.target.example.com.\n"},
		{"dname to no such name", "x.dn.example.com.", dns.TypeA, "NXDOMAIN aa\nan dn.example.com. 300 DNAME target.example.com.\nan x.dn.example.com. 300 CNAME x.target.example.com.\n" + soa},
		{"dname makes too long a name", longLabel + ".dnlong.example.com.", dns.TypeA, "YXDOMAIN aa\nan dnlong.example.com. 300 DNAME " + longLabel + "." + longLabel + "." + longLabel + ".x.example.com.\n"},

		{"balanced wins over static of its type", "www.example.com.", dns.TypeA, "NOERROR aa\nan www.example.com. 30 A 192.0.2.80\n"},
		{"balanced keeps case", "WWW.example.com.", dns.TypeA, "NOERROR aa\nan WWW.example.com. 30 A 192.0.2.80\n"},
		{"static beside balanced", "www.example.com.", dns.TypeTXT, "NOERROR aa\nan www.example.com. 300 TXT \"beside the balanced name\"\n"},
		{"balanced, no data", "www.example.com.", dns.TypeMX, "NOERROR aa\n" + soa},
		{"balanced, any", "www.example.com.", dns.TypeANY, "NOERROR aa\nan www.example.com. 3600 HINFO \"RFC8482\" \"\"\n"},
		{"balanced without the family", "only4.example.com.", dns.TypeAAAA, "NOERROR aa\n" + soa},
		{"balanced, two answers", "both.example.com.", dns.TypeA, "NOERROR aa\nan both.example.com. 30 A 198.51.100.80\nan both.example.com. 30 A 192.0.2.80\n"},
		{"balanced, same address twice", "twins.example.com.", dns.TypeA, "NOERROR aa\nan twins.example.com. 30 A 198.51.100.80\n"},
		{"balanced wildcard", "x.y.app.example.com.", dns.TypeA, "NOERROR aa\nan x.y.app.example.com. 30 A 192.0.2.80\n"},
		{"balanced wildcard, no data", "x.app.example.com.", dns.TypeTXT, "NOERROR aa\n" + soa},
		{"balanced wildcard's parent", "app.example.com.", dns.TypeA, "NOERROR aa\n" + soa},
		{"balanced name's parent", "below.example.com.", dns.TypeA, "NOERROR aa\n" + soa},
		{"below a balanced name", "x.www.example.com.", dns.TypeA, "NXDOMAIN aa\n" + soa},
		{"balanced alias out of the zones", "cdn.example.com.", dns.TypeA, "NOERROR aa\nan cdn.example.com. 30 CNAME www.cdn.test.\n"},
		{"balanced alias for any type", "cdn.example.com.", dns.TypeMX, "NOERROR aa\nan cdn.example.com. 30 CNAME www.cdn.test.\n"},
		{"balanced alias itself", "inner.example.com.", dns.TypeCNAME, "NOERROR aa\nan inner.example.com. 30 CNAME c1.example.com.\n"},
		{"balanced alias is followed", "inner.example.com.", dns.TypeA, "NOERROR aa\nan inner.example.com. 30 CNAME c1.example.com.\nan c1.example.com. 300 CNAME c2.example.com.\nan c2.example.com. 300 CNAME mail.example.com.\nan mail.example.com. 300 A 192.0.2.25\n"},
		{"balanced alias to no such name", "lost.example.com.", dns.TypeA, "NXDOMAIN aa\nan lost.example.com. 30 CNAME nowhere.example.com.\n" + soa},
		{"all down, all", "all.example.com.", dns.TypeA, "NOERROR aa\nan all.example.com. 30 A 192.0.2.99\n"},
		{"all down, empty", "empty.example.com.", dns.TypeA, "NOERROR aa\n" + soa},
		{"all down, servfail", "fail.example.com.", dns.TypeA, "SERVFAIL\n"},
		{"all down, backup address", "spare.example.com.", dns.TypeA, "NOERROR aa\nan spare.example.com. 30 A 203.0.113.9\n"},
		{"all down, backup address of IPv6", "spare.example.com.", dns.TypeAAAA, "NOERROR aa\nan spare.example.com. 30 AAAA 2001:db8:9::9\n"},

		{"type 0", "www.example.com.", 0, "FORMERR\n"},
		{"opt as a question", "www.example.com.", dns.TypeOPT, "FORMERR\n"},
		{"nxname", "www.example.com.", 128, "FORMERR ede30\n"},
		{"transfer", "example.com.", dns.TypeAXFR, "REFUSED ede21\n"},
		{"incremental transfer", "example.com.", dns.TypeIXFR, "REFUSED ede21\n"},
		{"maila", "example.com.", dns.TypeMAILA, "REFUSED ede21\n"},
		{"type 65535", "example.com.", 65535, "REFUSED ede21\n"},
		{"name is no name", "a..b.", dns.TypeA, "FORMERR\n"},
	}
	snapshot := fixture(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var trace gslb.Trace
			s := *snapshot
			s.Learned = snapshot.Learned.Copy()
			q := Question{Name: tt.qname, Type: tt.qtype, Class: dns.ClassINET, LDNS: netip.MustParseAddr("203.0.113.5")}
			got := s.Resolve(q, epoch, &trace)
			if text := render(got); text != tt.want {
				t.Errorf("%s %s:\ngot  %swant %s", tt.qname, dns.Type(tt.qtype), text, tt.want)
			}
			named := len(trace.Entries) > 0 && trace.Entries[0].Step == gslb.StepName && trace.Entries[0].Reason != ""
			if !named && tt.qname != "a..b." {
				t.Errorf("trace does not begin with the name step: %+v", trace.Entries)
			}
			s.Learned = snapshot.Learned.Copy()
			if again := render(s.Resolve(q, epoch, nil)); again != render(got) {
				t.Errorf("without trace the answer differs: %s", again)
			}
		})
	}
}

// chain renders the aliases l<from> to l<to>.
func chain(from, to int) string {
	var b strings.Builder
	name := []string{"l1", "l2", "l3", "l4", "l5", "l6", "l7", "l8", "l9", "l10"}
	for i := from; i <= to; i++ {
		b.WriteString("an " + name[i-1] + ".example.com. 300 CNAME " + name[i] + ".example.com.\n")
	}
	return b.String()
}

func TestResolveRefusesOtherClasses(t *testing.T) {
	s := fixture(t)
	for _, class := range []uint16{0, dns.ClassCHAOS, dns.ClassHESIOD, dns.ClassNONE, dns.ClassANY, 77} {
		got := s.Resolve(Question{Name: "www.example.com.", Type: dns.TypeA, Class: class}, epoch, nil)
		if got.Rcode != dns.RcodeRefused || got.Authoritative || len(got.Answer) != 0 {
			t.Errorf("class %d: got %s", class, render(got))
		}
	}
}

// An answer's records may be shared, so nobody's question may change what another one gets.
func TestResolveLeavesZonesAlone(t *testing.T) {
	s := fixture(t)
	ask := func(name string) string {
		return render(s.Resolve(Question{Name: name, Type: dns.TypeA, Class: dns.ClassINET}, epoch, nil))
	}
	before := ask("c1.example.com.")
	for _, other := range []string{"C1.Example.COM.", "x.wild.example.com.", "mail.EXAMPLE.com.", "inner.example.com."} {
		ask(other)
	}
	if after := ask("c1.example.com."); after != before {
		t.Errorf("the same question got another answer:\nbefore %safter %s", before, after)
	}
}

func TestResolveScope(t *testing.T) {
	tests := []struct {
		name, qname string
		qtype       uint16
		subnet      string
		want        uint8
	}{
		{"depends on the client", "hash.example.com.", dns.TypeA, "203.0.113.0/24", 24},
		{"depends on the client, IPv6", "hash.example.com.", dns.TypeA, "2001:db8:1::/56", 56},
		{"mask shorter than source", "hash.example.com.", dns.TypeA, "203.0.113.7/32", 24},
		{"rotation", "both.example.com.", dns.TypeA, "203.0.113.0/24", 0},
		{"static", "mail.example.com.", dns.TypeA, "203.0.113.0/24", 0},
		{"no subnet", "hash.example.com.", dns.TypeA, "", 0},
		{"not tailored", "hash.example.com.", dns.TypeA, "0.0.0.0/0", 0},
		{"negative", "hash.example.com.", dns.TypeMX, "203.0.113.0/24", 0},
		{"no such name", "nope.example.com.", dns.TypeA, "203.0.113.0/24", 0},
		{"referral", "x.sub.example.com.", dns.TypeA, "203.0.113.0/24", 0},
	}
	s := fixture(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := Question{Name: tt.qname, Type: tt.qtype, Class: dns.ClassINET, LDNS: netip.MustParseAddr("198.51.100.1")}
			if tt.subnet != "" {
				q.Subnet = netip.MustParsePrefix(tt.subnet)
			}
			if got := s.Resolve(q, epoch, nil).Scope; got != tt.want {
				t.Errorf("scope: got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestResolveTrace(t *testing.T) {
	tests := []struct {
		qname string
		qtype uint16
		want  []gslb.Reason // of the name steps
	}{
		{"www.example.com.", dns.TypeA, []gslb.Reason{gslb.ReasonBalanced}},
		{"www.example.com.", dns.TypeTXT, []gslb.Reason{gslb.ReasonStatic}},
		{"tobal.example.com.", dns.TypeA, []gslb.Reason{gslb.ReasonStatic, gslb.ReasonChased, gslb.ReasonBalanced}},
		{"nope.example.com.", dns.TypeA, []gslb.Reason{gslb.ReasonNoSuchName}},
		{"mail.example.com.", dns.TypeMX, []gslb.Reason{gslb.ReasonNoSuchType}},
		{"x.sub.example.com.", dns.TypeA, []gslb.Reason{gslb.ReasonDelegated}},
		{"x.test.", dns.TypeA, []gslb.Reason{gslb.ReasonNoZone}},
		{"outside.example.com.", dns.TypeA, []gslb.Reason{gslb.ReasonStatic, gslb.ReasonChased, ReasonAliasOutside}},
		{"self.example.com.", dns.TypeA, []gslb.Reason{gslb.ReasonStatic, ReasonChainEnded}},
		{"example.com.", dns.TypeAXFR, []gslb.Reason{ReasonRefused}},
	}
	s := fixture(t)
	for _, tt := range tests {
		t.Run(tt.qname+dns.Type(tt.qtype).String(), func(t *testing.T) {
			var trace gslb.Trace
			s.Resolve(Question{Name: tt.qname, Type: tt.qtype, Class: dns.ClassINET, LDNS: netip.MustParseAddr("198.51.100.1")}, epoch, &trace)
			var got []string
			for _, e := range trace.Entries {
				if e.Step == gslb.StepName {
					got = append(got, string(e.Reason))
				}
			}
			var want []string
			for _, r := range tt.want {
				want = append(want, string(r))
			}
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// What a balanced name that may be answered with a CNAME shares its name with is hidden, for every type; what DNSSEC
// says of a static CNAME is not.
func TestResolveBesideCNAME(t *testing.T) {
	doc := document()
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	zone := exampleZone + "cdn 300 TXT hidden\ncdn 300 A 192.0.2.66\nc1 300 NSEC c2 CNAME NSEC\n"
	zones, err := compile([]*zonedata.Zone{zoneOf(t, "example.com", zone), zoneOf(t, "child.example.com.", childZone)}, plan)
	if err != nil {
		t.Fatal(err)
	}
	s := fixture(t)
	s.Zones = zones
	const cdn = "NOERROR aa\nan cdn.example.com. 30 CNAME www.cdn.test.\n"
	for _, tt := range []struct {
		name  string
		qtype uint16
		want  string
	}{
		{"cdn.example.com.", dns.TypeTXT, cdn},
		{"cdn.example.com.", dns.TypeA, cdn},
		{"cdn.example.com.", dns.TypeANY, cdn},
		{"c1.example.com.", dns.TypeNSEC, "NOERROR aa\nan c1.example.com. 300 NSEC c2.example.com. CNAME NSEC\n"},
		{"c1.example.com.", dns.TypeRRSIG, "NOERROR aa\n" + soa},
		{"c1.example.com.", dns.TypeMX, "NOERROR aa\nan c1.example.com. 300 CNAME c2.example.com.\nan c2.example.com. 300 CNAME mail.example.com.\n" + soa},
	} {
		if got := render(s.Resolve(Question{Name: tt.name, Type: tt.qtype, Class: dns.ClassINET}, epoch, nil)); got != tt.want {
			t.Errorf("%s %s: got %swant %s", tt.name, dns.Type(tt.qtype), got, tt.want)
		}
	}
}

// The top of a zone can have a DNAME, which redirects all below it and nothing else (RFC 6672 section 2.3).
func TestResolveDNAMEAtApex(t *testing.T) {
	zones, err := compile([]*zonedata.Zone{zoneOf(t, "x.test", apex+"@ 60 DNAME y.test.\nwww 60 A 192.0.2.9\n"), zoneOf(t, "y.test", apex+"www 60 A 192.0.2.1\n")}, noDomains{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"www.x.test.": "NOERROR aa\nan x.test. 60 DNAME y.test.\nan www.x.test. 60 CNAME www.y.test.\nan www.y.test. 60 A 192.0.2.1\n",
		"x.test.":     "NOERROR aa\nns x.test. 60 SOA ns1.x.test. h.x.test. 1 1 1 1 60\n",
	} {
		if got := render((&Snapshot{Zones: zones}).Resolve(Question{Name: name, Type: dns.TypeA, Class: dns.ClassINET}, epoch, nil)); got != want {
			t.Errorf("%s: got %swant %s", name, got, want)
		}
	}
}

// A name made by a DNAME has at most 255 octets, and may have as many.
func TestResolveDNAMEOfLongestName(t *testing.T) {
	zones, err := compile([]*zonedata.Zone{zoneOf(t, "x.test", apex+"d 60 DNAME "+strings.Repeat("t", 55)+".y.test.\n")}, noDomains{})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat(strings.Repeat("a", 61)+".", 3) // 186 octets, to which the target adds 64
	for first, want := range map[string]int{"four": dns.RcodeSuccess, "fives": dns.RcodeYXDomain} {
		got := (&Snapshot{Zones: zones}).Resolve(Question{Name: first + "." + long + "d.x.test.", Type: dns.TypeA, Class: dns.ClassINET}, epoch, nil)
		if got.Rcode != want {
			t.Errorf("%s: rcode %s, want %s", first, rcodeName(got.Rcode), rcodeName(want))
		}
	}
}

// The SOA of a negative answer has the lesser of its own TTL and MINIMUM (RFC 2308 section 3), on both paths.
func TestNegativeTTL(t *testing.T) {
	for minimum, want := range map[int]uint32{5: 5, 40: 40, 90: 40} {
		zones, err := compile([]*zonedata.Zone{zoneOf(t, "x.test", fmt.Sprintf("@ 40 SOA ns1 h 1 1 1 1 %d\n@ 60 NS ns1\n", minimum))}, noDomains{})
		if err != nil {
			t.Fatal(err)
		}
		snapshot := &Snapshot{Zones: zones}
		slow := snapshot.Resolve(Question{Name: "a.x.test.", Type: dns.TypeA, Class: dns.ClassINET}, epoch, nil).Authority
		s := newServer(t, func(o *Options) { o.Snapshot = func() *Snapshot { return snapshot } })
		fast := unpack(t, s.Handle(plainQuery(question("a.x.test.", dns.TypeA, dns.ClassINET)), asker, UDP, nil)).Ns
		if slow[0].Header().Ttl != want || fast[0].Header().Ttl != want {
			t.Errorf("minimum %d: %v and %v, want TTL %d", minimum, slow, fast, want)
		}
	}
}

// A chain that comes through one DNAME twice carries it once.
func TestResolveDNAMETwice(t *testing.T) {
	zones, err := compile([]*zonedata.Zone{zoneOf(t, "x.test", apex+"c 60 DNAME b\n*.b 60 CNAME d.c\nd.b 60 A 192.0.2.1\n")}, noDomains{})
	if err != nil {
		t.Fatal(err)
	}
	const want = "NOERROR aa\nan c.x.test. 60 DNAME b.x.test.\nan q.c.x.test. 60 CNAME q.b.x.test.\nan q.b.x.test. 60 CNAME d.c.x.test.\n" +
		"an d.c.x.test. 60 CNAME d.b.x.test.\nan d.b.x.test. 60 A 192.0.2.1\n"
	if got := render((&Snapshot{Zones: zones}).Resolve(Question{Name: "q.c.x.test.", Type: dns.TypeA, Class: dns.ClassINET}, epoch, nil)); got != want {
		t.Errorf("got %swant %s", got, want)
	}
}
