package adns

import (
	"fmt"
	"strings"
	"testing"

	"fairlead/config"
	"fairlead/gslb"

	"github.com/miekg/dns"
)

// noDomains is a plan without balanced names; someDomains is one with a few.
type noDomains struct{}

func (noDomains) Domains() int                         { return 0 }
func (noDomains) Domain(gslb.DomainIndex) *gslb.Domain { return nil }

type someDomains []gslb.Domain

func (s someDomains) Domains() int                           { return len(s) }
func (s someDomains) Domain(i gslb.DomainIndex) *gslb.Domain { return &s[i] }

const apex = "@ 60 SOA ns1 h 1 1 1 1 60\n@ 60 NS ns1\n"

func TestCompileProblems(t *testing.T) {
	var many, wide strings.Builder
	for i := range 1500 {
		fmt.Fprintf(&many, "many A 10.0.%d.%d\n", i/256, i%256)
	}
	for i := range 101 {
		fmt.Fprintf(&wide, "wide TYPE%d \\# 0\n", 60000+i)
	}
	tests := []struct {
		name, zone string
		domains    someDomains
		want       []string // parts of the error; none: it compiles
	}{
		{"sound", apex + "a A 192.0.2.1\n", someDomains{{Name: "www.x.test."}, {Name: "*.x.test."}, {Name: "x.test."}}, nil},
		{"no soa, no ns", "a A 192.0.2.1\n", nil, []string{`compile zone "x.test."`, "0 SOA records", "no NS record"}},
		{"two soa", apex + "@ 60 SOA ns2 h 2 1 1 1 60\n", nil, []string{"2 SOA records"}},
		{"soa elsewhere", apex + "a 60 SOA ns2 h 2 1 1 1 60\n", nil, []string{"a.x.test. SOA", "apex"}},
		{"outside", apex + "a.y.test. A 192.0.2.1\n", nil, []string{"a.y.test. A", "outside the zone"}},
		{"class", apex + "a CH TXT x\n", nil, []string{"class CH"}},
		{"cname and other", apex + "a CNAME b\na A 192.0.2.1\n", nil, []string{"a.x.test.", "CNAME cannot stand beside"}},
		{"two cnames", apex + "a CNAME b\na CNAME c\n", nil, []string{"2 CNAME records"}},
		{"wildcard ns", apex + "*.a NS ns1\n", nil, []string{"wildcard cannot delegate"}},
		{"set too large", apex + many.String(), nil, []string{"record set many.x.test. A", "more than 16384"}},
		{"too many types", apex + wide.String(), nil, []string{"wide.x.test.", "more than 100 types"}},
		{"several at once", apex + "a CNAME b\na A 192.0.2.1\nb CNAME c\nb CNAME d\n", nil, []string{"name a.x.test.", "name b.x.test."}},
		{"balanced in no zone", apex, someDomains{{Name: "www.y.test."}}, []string{`place domain "www.y.test."`, "none of the zones"}},
		{"balanced twice", apex, someDomains{{Name: "www.x.test."}, {Name: "www.x.test."}}, []string{"bound twice"}},
		{"balanced over a cname", apex + "www CNAME b\n", someDomains{{Name: "www.x.test."}}, []string{"CNAME record"}},
		{"balanced below a cut", apex + "sub NS ns.y.test.\n", someDomains{{Name: "www.sub.x.test."}}, []string{"delegates"}},
		{"balanced at a cut", apex + "sub NS ns.y.test.\n", someDomains{{Name: "sub.x.test."}}, []string{"delegates"}},
		{"balanced below a dname", apex + "dn DNAME y.test.\n", someDomains{{Name: "www.dn.x.test."}}, []string{"redirects"}},
		{"balanced alias at the apex", apex, someDomains{{Name: "x.test.", HasCNAME: true}}, []string{"apex"}},
		{"balanced alias over records", apex + "www TXT x\n", someDomains{{Name: "www.x.test.", HasCNAME: true}}, nil},
		{"cname and what signs it", apex + "a CNAME b\na NSEC b CNAME\n", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			zones, err := compile([]zoneData{{"x.test", records(t, "x.test", tt.zone)}}, tt.domains)
			if len(tt.want) == 0 {
				if err != nil || zones.Len() != 1 {
					t.Fatalf("got %v, %v", zones, err)
				}
				return
			}
			if err == nil {
				t.Fatal("it compiled")
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("got %q, want %q in it", err, part)
				}
			}
		})
	}
}

func TestCompileSameZoneTwice(t *testing.T) {
	data := []zoneData{{"x.test", records(t, "x.test", apex)}, {"X.test.", records(t, "x.test", apex)}}
	if _, err := compile(data, noDomains{}); err == nil || !strings.Contains(err.Error(), "another zone") {
		t.Errorf("got %v", err)
	}
}

// A zone may be the root: nothing is outside it.
func TestCompileRoot(t *testing.T) {
	zones, err := compile([]zoneData{{".", records(t, ".", apex+"com NS ns.com.\nns.com A 192.0.2.1\n")}}, noDomains{})
	if err != nil {
		t.Fatal(err)
	}
	s := &Snapshot{Zones: zones}
	for name, want := range map[string]string{
		"x.com.": "NOERROR\nns com. 60 NS ns.com.\nad ns.com. 60 A 192.0.2.1\n",
		"org.":   "NXDOMAIN aa\nns . 60 SOA ns1. h. 1 1 1 1 60\n",
		".":      "NOERROR aa\nns . 60 SOA ns1. h. 1 1 1 1 60\n",
	} {
		if got := render(s.Resolve(Question{Name: name, Type: dns.TypeA, Class: dns.ClassINET}, epoch, nil)); got != want {
			t.Errorf("%s: got %swant %s", name, got, want)
		}
	}
}

// CompileZones reads the records of a document's zones.
func TestCompileZones(t *testing.T) {
	doc := document()
	doc.Zones[0].Nameservers = []string{"ns1.example.com"}
	doc.Zones[0].Records = "ns1 300 A 192.0.2.53\n"
	doc.Zones[0].Serial = 3
	doc.Zones[1].Nameservers = []string{"ns1.example.com"}
	plan, err := gslb.Compile(doc)
	if err != nil {
		t.Fatal(err)
	}
	zones, err := CompileZones(doc, plan)
	if err != nil || zones.Len() != 2 {
		t.Fatalf("got %v, %v", zones, err)
	}
	got := render((&Snapshot{Zones: zones}).Resolve(Question{Name: "ns1.example.com.", Type: dns.TypeA, Class: dns.ClassINET}, epoch, nil))
	if want := "NOERROR aa\nan ns1.example.com. 300 A 192.0.2.53\n"; got != want {
		t.Errorf("got %s", got)
	}
	doc.Zones = append(doc.Zones, config.Zone{Name: "broken.test"})
	if _, err := CompileZones(doc, plan); err == nil || !strings.Contains(err.Error(), "broken.test") {
		t.Errorf("a zone without name servers: got %v", err)
	}
}
