package adns

import (
	"net/netip"
	"strings"
	"testing"

	"fairlead/config"
	"fairlead/config/zonedata"
	"fairlead/gslb"

	"github.com/miekg/dns"
)

// noDomains is a plan without balanced names; someDomains is one with a few.
type noDomains struct{}

func (noDomains) Domains() int                         { return 0 }
func (noDomains) Domain(gslb.DomainIndex) *gslb.Domain { return nil }

type someDomains []gslb.Domain

func (noDomains) Services() int                           { return 0 }
func (noDomains) Service(gslb.ServiceIndex) *gslb.Service { return nil }

func (noDomains) Views() int                                                   { return 0 }
func (noDomains) Seen(gslb.ViewIndex, gslb.ServiceIndex) (a, b netip.Addr)     { return }
func (s someDomains) Views() int                                               { return 0 }
func (s someDomains) Seen(gslb.ViewIndex, gslb.ServiceIndex) (a, b netip.Addr) { return }
func (noDomains) NeedsListener() bool                                          { return false }
func (s someDomains) NeedsListener() bool                                      { return false }
func (s someDomains) Services() int                                            { return 0 }
func (s someDomains) Service(gslb.ServiceIndex) *gslb.Service                  { return nil }
func (s someDomains) Domains() int                                             { return len(s) }
func (s someDomains) Domain(i gslb.DomainIndex) *gslb.Domain                   { return &s[i] }

const apex = "@ 60 SOA ns1 h 1 1 1 1 60\n@ 60 NS ns1\n"

func TestCompileProblems(t *testing.T) {
	tests := []struct {
		name, zone string
		domains    someDomains
		want       []string // parts of the error; none: it compiles
	}{
		{"sound", apex + "a A 192.0.2.1\n", someDomains{{Name: "www.x.test."}, {Name: "*.x.test."}, {Name: "x.test."}}, nil},
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
			zones, err := compile([]*zonedata.Zone{zoneOf(t, "x.test", tt.zone)}, tt.domains)
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
	data := []*zonedata.Zone{zoneOf(t, "x.test", apex), zoneOf(t, "X.test.", apex)}
	if _, err := compile(data, noDomains{}); err == nil || !strings.Contains(err.Error(), "another zone") {
		t.Errorf("got %v", err)
	}
}

// A zone may be the root: nothing is outside it.
func TestCompileRoot(t *testing.T) {
	zones, err := compile([]*zonedata.Zone{zoneOf(t, ".", apex+"com NS ns.com.\nns.com A 192.0.2.1\n")}, noDomains{})
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
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
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
