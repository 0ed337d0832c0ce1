package api

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fairlead/api/resource"
	"fairlead/config"
)

func names(list resource.ServiceList) []string {
	var out []string
	for _, s := range list.Services {
		out = append(out, s.Name)
	}
	return out
}

func TestServicesFilters(t *testing.T) {
	f := newFixture(t, nil)
	tests := []struct {
		query string
		want  []string
	}{
		{"", []string{"api-ams", "cdn-tyo", "old-nyc", "web-ams", "web-nyc", "web-tyo"}},
		{"?site=nyc", []string{"old-nyc", "web-nyc"}},
		{"?state=UP", []string{"api-ams", "web-ams", "web-nyc"}},
		{"?state=DOWN,UNKNOWN", []string{"cdn-tyo", "web-tyo"}},
		{"?site=nyc&state=DISABLED", []string{"old-nyc"}},
		{"?site=ams&state=DRAINING", nil},
		{"?site=nowhere", nil},
	}
	for _, test := range tests {
		t.Run(test.query, func(t *testing.T) {
			got := get[resource.ServiceList](t, f, "/v1/status/services"+test.query)
			if diff := cmp.Diff(test.want, names(got)); diff != "" {
				t.Errorf("services (-want +got):\n%s", diff)
			}
			if got.Services == nil || got.Snapshot != 7 || got.NextCursor != "" {
				t.Errorf("list is %+v", got)
			}
		})
	}
}

func TestServicesPages(t *testing.T) {
	f := newFixture(t, nil)
	for _, filter := range []string{"", "&site=ams", "&state=UP,DISABLED", "&site=nowhere"} {
		want := names(get[resource.ServiceList](t, f, "/v1/status/services?limit=1000"+filter))
		for _, limit := range []string{"1", "2", "5", "6", "7"} {
			t.Run(limit+filter, func(t *testing.T) {
				var got []string
				for next := "/v1/status/services?limit=" + limit + filter; next != "" && len(got) <= len(want); {
					w := f.request(http.MethodGet, next, "")
					var page resource.ServiceList
					decode(t, w.Body, &page)
					got = append(got, names(page)...)
					next = nextOf(t, w.Header().Get("Link"), page.NextCursor)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("all pages (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// nextOf takes the target out of a Link header, and checks it against the cursor of the body.
func nextOf(t *testing.T, link, cursor string) string {
	t.Helper()
	if link == "" {
		if cursor != "" {
			t.Errorf("next_cursor is %q without a Link", cursor)
		}
		return ""
	}
	target, ok := strings.CutSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
	u, err := url.Parse(target)
	if !ok || err != nil || u.Query().Get("cursor") != cursor {
		t.Fatalf("Link is %q beside cursor %q", link, cursor)
	}
	return target
}

// TestServicesPagesMove lists while a service goes: those that stay are seen exactly once.
func TestServicesPagesMove(t *testing.T) {
	f := newFixture(t, nil)
	first := get[resource.ServiceList](t, f, "/v1/status/services?limit=3")
	changed, document := *f.state, *f.state.Document
	document.Services = slices.DeleteFunc(slices.Clone(document.Services), func(s config.Service) bool { return s.Name == "api-ams" || s.Name == "old-nyc" })
	changed.Document, f.state = &document, &changed
	second := get[resource.ServiceList](t, f, "/v1/status/services?limit=3&cursor="+first.NextCursor)
	if diff := cmp.Diff([]string{"web-ams", "web-nyc", "web-tyo"}, names(second)); diff != "" {
		t.Errorf("second page (-want +got):\n%s", diff)
	}
}

func TestServicesRefusals(t *testing.T) {
	tests := []struct {
		target string
		status int
		want   []string
	}{
		{"?limit=0", 422, []string{"/query/limit invalid"}},
		{"?limit=1001", 422, []string{"/query/limit invalid"}},
		{"?limit=ten", 422, []string{"/query/limit invalid"}},
		{"?cursor=!", 422, []string{"/query/cursor invalid"}},
		{"?state=up", 422, []string{"/query/state/0 invalid"}},
		{"?sate=UP", 422, []string{"/query/sate unknown"}},
		{"?limit=0&cursor=!&z=1", 422, []string{"/query/limit invalid", "/query/z unknown", "/query/cursor invalid"}},
		{"/web-par", 404, []string{"/path/name no-such-service"}},
		{"/web-ams?x=1", 422, []string{"/query/x unknown"}},
		{"/" + strings.Repeat("x", 128), 422, []string{"/path/name invalid"}},
		{"/web-ams/more", 404, []string{"/path no-such-resource"}},
		{"/", 404, []string{"/path no-such-resource"}},
	}
	f := newFixture(t, nil)
	for _, test := range tests {
		t.Run(test.target, func(t *testing.T) {
			w := f.request(http.MethodGet, "/v1/status/services"+test.target, "")
			if w.Code != test.status {
				t.Fatalf("status %d, want %d: %s", w.Code, test.status, w.Body)
			}
			if diff := cmp.Diff(test.want, places(refusal(t, w))); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		begin := time.Now()
		time.Sleep(time.Second)
		age := 4.0
		tests := []struct {
			name string
			want resource.Service
		}{
			{"web-ams", resource.Service{
				Name: "web-ams", Site: "ams", Local: true, Port: 80, State: "UP", WithoutIPv6: true,
				Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.80"), netip.MustParseAddr("2001:db8:a::80")},
				Reason:    "connected in 2 ms", Source: "monitor web-ok", Since: begin.Add(-time.Minute).UTC(), EvidenceAgeSeconds: &age,
				Load: &resource.Load{Active: 12, AgeSeconds: 4, Source: "push", Expected: 4},
				Metrics: []resource.Metric{{Name: "response-time", Value: 0.25, Unit: "s", AgeSeconds: 3, Source: "push"},
					{Name: "bandwidth", Value: 5e6, Unit: "bit/s", AgeSeconds: 4, Source: "push", Expected: -1e5}},
				VirtualServers: []string{"web", "near", "measured", "api"},
			}},
			{"web-tyo", resource.Service{
				Name: "web-tyo", Site: "tyo", State: "DOWN", Doubt: "peer-lost", Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.80")},
				Reason: "site tyo is not heard, and no monitor is bound", Source: "mep tyo", Since: begin.Add(-time.Minute).UTC(),
				VirtualServers: []string{},
			}},
			{"cdn-tyo", resource.Service{Name: "cdn-tyo", Site: "tyo", State: "UNKNOWN", CNAME: "edge.example.net", VirtualServers: []string{}}},
		}
		for _, test := range tests {
			got := get[resource.Service](t, f, "/v1/status/services/"+test.name)
			if diff := cmp.Diff(test.want, got, sameAddress()); diff != "" {
				t.Errorf("service %s (-want +got):\n%s", test.name, diff)
			}
		}
	})
}
