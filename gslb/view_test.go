package gslb

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"fairlead/config"
)

// compileWith compiles a document that has nothing but views and services.
func compileWith(t testing.TB, views []config.View, services ...config.Service) *Plan {
	t.Helper()
	plan, err := Compile(&config.Document{Sites: []config.Site{{Name: "here"}}, Views: views, Services: services}, CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

func addresses(texts ...string) (out []netip.Addr) {
	for _, text := range texts {
		out = append(out, netip.MustParseAddr(text))
	}
	return out
}

func TestViewOf(t *testing.T) {
	plan := compileWith(t, []config.View{
		{Name: "lab", Clients: prefixes("10.9.0.0/16", "2001:db8:9::/48"), Listeners: addresses("192.0.2.53")},
		{Name: "inside", Clients: prefixes("10.0.0.0/8", "2001:db8::/32")},
		{Name: "guests", Clients: prefixes("10.7.0.0/16")}, // never: inside holds them all
		{Name: "door", Listeners: addresses("192.0.2.54", "2001:db8::54")},
	})
	for _, tt := range []struct{ name, listener, source, want string }{
		{"client and listener", "192.0.2.53", "10.9.1.1", "lab"},
		{"client without its listener", "192.0.2.54", "10.9.1.1", "inside"},
		{"listener without its client", "192.0.2.53", "203.0.113.1", ""},
		{"the first one wins", "192.0.2.53", "10.7.0.1", "inside"},
		{"listener alone", "192.0.2.54", "203.0.113.1", "door"},
		{"listener of IPv6", "2001:db8::54", "2001:db9::1", "door"},
		{"client of IPv6", "2001:db8::54", "2001:db8:9::1", "inside"},
		{"listener is not known", "", "10.9.1.1", "inside"},
		{"neither", "", "203.0.113.1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var listener netip.Addr
			if tt.listener != "" {
				listener = netip.MustParseAddr(tt.listener)
			}
			if got := plan.ViewName(plan.ViewOf(listener, netip.MustParseAddr(tt.source))); got != tt.want {
				t.Errorf("got view %q, want %q", got, tt.want)
			}
		})
	}
}

// ViewOf agrees with reading the document's views one after the other.
func TestViewOfAgreesWithDocument(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	address := func() netip.Addr {
		if r.IntN(4) == 0 {
			return netip.MustParseAddr(fmt.Sprintf("2001:db8::%x:%x", r.IntN(4), r.IntN(4)))
		}
		return netip.AddrFrom4([4]byte{10, byte(r.IntN(3)), byte(r.IntN(3)), byte(r.IntN(4))})
	}
	for range 300 {
		var views []config.View
		for i := range 1 + r.IntN(MaxViews) {
			v := config.View{Name: fmt.Sprint("v", i)}
			for range r.IntN(3) {
				v.Listeners = append(v.Listeners, address())
			}
			for range r.IntN(4) {
				a := address()
				p := netip.PrefixFrom(a, max(0, a.BitLen()-r.IntN(26)))
				v.Clients = append(v.Clients, p.Masked())
			}
			views = append(views, v)
		}
		plan := compileWith(t, views)
		for range 200 {
			listener, source := address(), address()
			want := ViewIndex(1 + slices.IndexFunc(views, func(v config.View) bool {
				return (len(v.Listeners) == 0 || slices.Contains(v.Listeners, listener)) &&
					(len(v.Clients) == 0 || slices.ContainsFunc(v.Clients, func(p netip.Prefix) bool { return p.Contains(source) }))
			}))
			if got := plan.ViewOf(listener, source); got != want {
				t.Fatalf("%s asks %s: got view %d, want %d of %+v", source, listener, got, want, views)
			}
		}
	}
}

func TestSeen(t *testing.T) {
	plan := compileWith(t, []config.View{{Name: "inside"}, {Name: "lab"}},
		config.Service{Name: "plain", Site: "here", Addresses: addresses("192.0.2.1", "2001:db8::1")},
		config.Service{Name: "nat", Site: "here", Addresses: addresses("10.0.0.2", "2001:db8::2"), PublicAddresses: addresses("192.0.2.2"),
			Views: []config.ServiceView{{View: "inside", Addresses: addresses("10.0.0.2")}, {View: "lab", Addresses: addresses("2001:db8:9::2")}}},
		config.Service{Name: "four", Site: "here", Addresses: addresses("10.0.0.3"), PublicAddresses: addresses("2001:db8::3")})
	for _, tt := range []struct {
		service ServiceIndex
		view    ViewIndex
		want    string
	}{
		{0, 0, "192.0.2.1 2001:db8::1"}, {0, 1, "192.0.2.1 2001:db8::1"},
		{1, 0, "192.0.2.2 2001:db8::2"}, {1, 1, "10.0.0.2 2001:db8::2"}, {1, 2, "192.0.2.2 2001:db8:9::2"},
		{2, 0, "10.0.0.3 invalid IP"}, // nobody monitors a family that it does not have
	} {
		addr4, addr6 := plan.Seen(tt.view, tt.service)
		if got := addr4.String() + " " + addr6.String(); got != tt.want {
			t.Errorf("service %d in view %d: got %s, want %s", tt.service, tt.view, got, tt.want)
		}
	}
	if plan.Views() != 2 {
		t.Errorf("%d views", plan.Views())
	}
}

func TestTooManyViews(t *testing.T) {
	doc := &config.Document{Views: make([]config.View, MaxViews+1)}
	if _, err := Compile(doc, CompileOptions{}); err == nil || !strings.Contains(err.Error(), "at most 64") {
		t.Errorf("got %v", err)
	}
}

func BenchmarkViewOf(b *testing.B) {
	source, listener := netip.MustParseAddr("10.7.3.4"), netip.MustParseAddr("192.0.2.53")
	var some []config.View
	for i := range 16 {
		some = append(some, config.View{Name: fmt.Sprint(i), Clients: prefixes(fmt.Sprintf("10.%d.0.0/16", i))})
	}
	for _, bb := range []struct {
		name  string
		views []config.View
	}{{"none", nil}, {"16 by client", some}} {
		b.Run(bb.name, func(b *testing.B) {
			plan := compileWith(b, bb.views)
			b.ReportAllocs()
			for b.Loop() {
				plan.ViewOf(listener, source)
			}
		})
	}
}
