package api

import (
	"math"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fairlead/adns/sketch"
	"fairlead/api/resource"
	"fairlead/gslb"
)

// testSketch has 30 queries a second for www and 10 for near from one network, and 20 for near of which nothing else is known.
func testSketch(since time.Time) sketch.View {
	return sketch.View{At: since.Add(time.Hour), Since: since, PerSecond: 0.1, Total: 600, LeftOut: 4, Changes: 2,
		Entries: []sketch.Entry{
			{Name: "www.gslb.example.com.", Family: gslb.IPv4, LDNS: netip.MustParsePrefix("203.0.113.0/24"), Count: 300, Error: 10},
			{Name: "near.gslb.example.com.", Family: gslb.IPv4, LDNS: netip.MustParsePrefix("203.0.113.0/24"),
				Subnet: netip.MustParsePrefix("198.51.100.0/24"), Listener: netip.MustParseAddr("192.0.2.53"), Count: 100},
		},
		Remainders: []sketch.Remainder{{Name: "near.gslb.example.com.", Family: gslb.IPv4, Count: 200}}}
}

func TestSketch(t *testing.T) {
	f := newFixture(t, nil)
	got := get[resource.Sketch](t, f, "/v1/sketch?limit=1")
	want := resource.Sketch{At: f.state.Since.Add(time.Hour).UTC(), Since: f.state.Since.UTC(), HalfLifeSeconds: 900, PerSecond: 60, Kinds: 2,
		MaxKinds: sketch.MaxEntries, LeftOut: 4,
		Entries: []resource.SketchEntry{{Name: "www.gslb.example.com.", Family: "A", LDNS: netip.MustParsePrefix("203.0.113.0/24"),
			PerSecond: 30, ErrorPerSecond: 1, Share: 0.5}},
		Remainders: []resource.SketchRemainder{{Name: "near.gslb.example.com.", Family: "A", PerSecond: 20}},
		Peak:       &resource.ConnectionHistory{Connections: 24, Now: 12, At: f.state.Since.UTC()},
	}
	if d := cmp.Diff(want, got, sameAddress()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := get[resource.Sketch](t, f, "/v1/sketch"); len(got.Entries) != 2 || got.Entries[1].Listener != netip.MustParseAddr("192.0.2.53") {
		t.Errorf("got %+v", got.Entries)
	}
}

func TestWhatIf(t *testing.T) {
	f := newFixture(t, nil)
	got := get[resource.WhatIf](t, f, "/v1/whatif?lose=ams&lose=old-nyc&load=2x")
	if d := cmp.Diff([]string{"ams", "old-nyc"}, got.Lost); d != "" || got.Load != 2 || math.Abs(got.PerSecond-60) > 1e-9 || got.Covered != 1 || !got.Settled {
		t.Errorf("got %+v %s", got, d)
	}
	state := got.Rounds[0].State
	if len(state.Sites) != 3 || state.Sites[0].Name != "ams" || state.Sites[0].Share != 0 || math.Abs(state.Sites[1].Share-1) > 1e-9 {
		t.Errorf("sites: got %+v, want all queries at nyc", state.Sites)
	}
	if got := get[resource.WhatIf](t, f, "/v1/whatif?load=peak").Load; got != 2 {
		t.Errorf("peak: got a load of %v, want 24 of 12", got)
	}
	if got := get[resource.WhatIf](t, f, "/v1/whatif").Load; got != 1 {
		t.Errorf("got a load of %v, want 1", got)
	}
}

func TestWhatIfRefuses(t *testing.T) {
	f := newFixture(t, nil)
	for _, c := range []struct{ target, place, says string }{
		{"/v1/whatif?lose=amz", "/query/lose no-such-service", "\"amz\" is neither a site nor a service"},
		{"/v1/whatif?load=lots", "/query/load invalid", "\"lots\" is neither peak nor a factor"},
		{"/v1/whatif?load=0x", "/query/load invalid", "above 0"},
		{"/v1/whatif?load=NaN", "/query/load invalid", "above 0"},
		{"/v1/whatif?loss=ams", "/query/loss unknown", "loss"},
		{"/v1/sketch?limit=0", "/query/limit", ""},
	} {
		w := f.request(http.MethodGet, c.target, "")
		p := refusal(t, w)
		if w.Code != http.StatusUnprocessableEntity || len(p.Errors) != 1 || !strings.HasPrefix(places(p)[0], c.place) || !strings.Contains(p.Errors[0].Detail, c.says) {
			t.Errorf("%s: got %d %+v, want %s", c.target, w.Code, p, c.place)
		}
	}
}

func TestHeadroomOfASite(t *testing.T) {
	f := newFixture(t, nil)
	if h := get[resource.Site](t, f, "/v1/status/sites/nyc").Headroom; h == nil || *h.Ratio != 0.25 || h.Worst != "web-ams" {
		t.Errorf("got %+v", h)
	}
	if h := get[resource.Site](t, f, "/v1/status/sites/tyo").Headroom; h != nil {
		t.Errorf("got %+v, want none", h)
	}
}
