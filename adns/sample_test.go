package adns

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/miekg/dns"

	"fairlead/adns/sketch"
	"fairlead/gslb"
)

// TestSketchSeesBalancedNames asks each question first of a server, where it is due.
func TestSketchSeesBalancedNames(t *testing.T) {
	subnet := option(dns.EDNS0SUBNET, 0, 1, 24, 0, 203, 0, 113)
	from := netip.PrefixFrom(asker.Addr(), 24).Masked()
	if !asker.Addr().Is4() {
		t.Fatal("the asker has IPv6")
	}
	plain := func(name string, f gslb.Family) []sketch.Entry {
		return []sketch.Entry{{Name: name, Family: f, LDNS: from, Count: 1}}
	}
	for _, c := range []struct {
		name    string
		request []byte
		want    []sketch.Entry
	}{
		{"A", plainQuery(www()), plain("www.example.com.", gslb.IPv4)},
		{"AAAA, in capitals", plainQuery(question("WWW.example.com.", dns.TypeAAAA, dns.ClassINET)), plain("www.example.com.", gslb.IPv6)},
		{"a client subnet", plainQuery(question("hash.example.com.", dns.TypeA, dns.ClassINET), optRecord(1232, 0, subnet)),
			[]sketch.Entry{{Name: "hash.example.com.", Family: gslb.IPv4, LDNS: from, Subnet: netip.MustParsePrefix("203.0.113.0/24"), Count: 1}}},
		{"an alias of a balanced name", plainQuery(question("tobal.example.com.", dns.TypeA, dns.ClassINET)), plain("www.example.com.", gslb.IPv4)},
		{"another type", plainQuery(question("www.example.com.", dns.TypeTXT, dns.ClassINET)), nil},
		{"a static name", plainQuery(question("mail.example.com.", dns.TypeA, dns.ClassINET)), nil},
		{"an alias of a static name", plainQuery(question("c1.example.com.", dns.TypeA, dns.ClassINET)), nil},
		{"no such name", plainQuery(question("no.example.com.", dns.TypeA, dns.ClassINET)), nil},
		{"no zone", plainQuery(question("www.other.test.", dns.TypeA, dns.ClassINET)), nil},
		{"no question", request{}.bytes(), nil},
		{"silence", make([]byte, 3), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := sketch.New(sketch.Options{})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go s.Run(ctx)
				observed(t, Observers{Sketch: s}).Handle(c.request, asker, UDP, nil)
				synctest.Wait()
				if d := cmp.Diff(c.want, s.View().Entries, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty()); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
			})
		})
	}
}

func TestBalanced(t *testing.T) {
	s := fixture(t)
	for _, c := range []struct {
		name   string
		qtype  uint16
		family gslb.Family
		ok     bool
	}{
		{"www.example.com.", dns.TypeA, gslb.IPv4, true},
		{"WWW.example.com", dns.TypeAAAA, gslb.IPv6, true},
		{"www.example.com.", dns.TypeTXT, gslb.FamilyNone, false},
		{"mail.example.com.", dns.TypeA, 0, false},
		{"no.such.zone.", dns.TypeA, 0, false},
		{"..", dns.TypeA, 0, false},
	} {
		domain, family, ok := s.Balanced(c.name, c.qtype, netip.Addr{}, asker.Addr())
		if ok != c.ok || ok && (family != c.family || s.GSLB.Plan.Domain(domain).Name != "www.example.com.") {
			t.Errorf("%s %s: got domain %d, family %d, %v", c.name, dns.Type(c.qtype), domain, family, ok)
		}
	}
}

// TestSketchAfterAFlood asks a server fast, and then slowly: the queries after the flood are seen, each of them before long.
func TestSketchAfterAFlood(t *testing.T) {
	s, now := sketch.New(sketch.Options{}), epoch
	snapshot := fixture(t)
	server, err := New(Options{Snapshot: func() *Snapshot { return snapshot }, Now: func() time.Time { return now }, Observers: Observers{Sketch: s}})
	if err != nil {
		t.Fatal(err)
	}
	r, c := server.newResponder(), &client{addr: asker.Addr()}
	ask := func(name string, n int, every time.Duration) {
		for range n {
			now = now.Add(every)
			q := plainQuery(question(name, dns.TypeA, dns.ClassINET))
			r.answer(q, len(q), c)
			r.flush()
		}
	}
	for r.due < 1000 {
		ask("www.example.com.", 100, 100*time.Nanosecond)
	}
	ask("hash.example.com.", 60, 100*time.Millisecond)
	if r.due != 1 {
		t.Errorf("6 s later the next sample is still %d queries away", r.due)
	}
}

// FuzzSample reads responses that nobody made.
func FuzzSample(f *testing.F) {
	s := fixture(f)
	for _, name := range []string{"www.example.com.", "tobal.example.com.", "c1.example.com."} {
		response := observed(f, Observers{}).Handle(plainQuery(question(name, dns.TypeA, dns.ClassINET),
			optRecord(1232, 0, option(dns.EDNS0SUBNET, 0, 1, 24, 0, 203, 0, 113))), asker, UDP, nil)
		f.Add(response)
	}
	f.Fuzz(func(t *testing.T, response []byte) {
		if len(response) < headerOctets {
			return
		}
		var out sketch.Sample
		if s.sample(response, &out) && out.Name == "" {
			t.Error("a sample without a name")
		}
	})
}
