package api

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fairlead/api/resource"
)

func testGroups() []GroupStatus {
	a := netip.MustParseAddr
	return []GroupStatus{
		{Group: "api", Name: "api.pods.test", Addresses: []netip.Addr{a("192.0.2.1"), a("2001:db8::1")}, Draining: []netip.Addr{a("192.0.2.9")},
			LeftOut: 3, Resolved: time.Now().Add(-time.Minute), FailedAt: time.Now().Add(-time.Hour), Failures: 4},
		{Group: "new", Name: "new.pods.test", Failure: "timeout", FailedAt: time.Now().Add(-time.Second), Failures: 1},
		{Group: "web", Name: "web.pods.test", Addresses: []netip.Addr{a("192.0.2.2")}, Resolved: time.Now().Add(-time.Hour), Failure: "SERVFAIL",
			FailedAt: time.Now(), Failures: 7},
	}
}

func TestGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(o *Options) { o.Groups = testGroups })
		seconds := func(n float64) *float64 { return &n }
		a := netip.MustParseAddr
		want := resource.GroupList{At: time.Now().UTC(), Groups: []resource.Group{
			{Name: "api", Resolves: "api.pods.test", Addresses: []netip.Addr{a("192.0.2.1"), a("2001:db8::1")}, Draining: []netip.Addr{a("192.0.2.9")}, LeftOut: 3, AgeSeconds: seconds(60)},
			{Name: "new", Resolves: "new.pods.test", Addresses: []netip.Addr{}, Failure: "timeout", FailureAgeSeconds: seconds(1)},
			{Name: "web", Resolves: "web.pods.test", Addresses: []netip.Addr{a("192.0.2.2")}, AgeSeconds: seconds(3600), Failure: "SERVFAIL", FailureAgeSeconds: seconds(0)},
		}}
		same := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
		if diff := cmp.Diff(want, get[resource.GroupList](t, f, "/v1/status/groups"), same); diff != "" {
			t.Errorf("list (-want +got):\n%s", diff)
		}
		text := scrape(t, f)
		for _, line := range []string{`fairlead_group_members{group="new"} 0`, `fairlead_group_resolve_failures_total{group="web"} 7`} {
			if !strings.Contains(text, "\n"+line+"\n") {
				t.Errorf("no line is %s", line)
			}
		}
	})
}

func TestGroupsPages(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Groups = testGroups })
	tests := []struct {
		filter string
		want   string
	}{{"", "api new web"}, {"&failing=true", "new web"}}
	for _, test := range tests {
		for _, limit := range []string{"1", "2", "3", "1000"} {
			t.Run(limit+test.filter, func(t *testing.T) {
				var got []string
				for next := "/v1/status/groups?limit=" + limit + test.filter; next != "" && len(got) <= 3; {
					w := f.request(http.MethodGet, next, "")
					var page resource.GroupList
					decode(t, w.Body, &page)
					for _, g := range page.Groups {
						got = append(got, g.Name)
					}
					next = nextOf(t, w.Header().Get("Link"), page.NextCursor)
				}
				if strings.Join(got, " ") != test.want {
					t.Errorf("all pages: got %v, want %s", got, test.want)
				}
			})
		}
	}
}

func TestGroupsWithoutAny(t *testing.T) {
	f := newFixture(t, nil)
	if got := get[resource.GroupList](t, f, "/v1/status/groups"); got.Groups == nil || len(got.Groups) > 0 {
		t.Errorf("list is %+v", got)
	}
	if w := f.request(http.MethodGet, "/v1/status/groups?limit=0&failed=x", ""); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("status %d, want 422", w.Code)
	}
}

// TestGroupsThatAreAnnounced: they say who announces them, and what was refused.
func TestGroupsThatAreAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(o *Options) {
			o.Groups = func() []GroupStatus {
				return []GroupStatus{{Group: "pods", Site: "edge", Label: "web", Members: []string{"one"}, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")},
					LeftOut: 1, Refused: 2, Failure: "service \"x\": it has no address", FailedAt: time.Now(), Resolved: time.Now()}}
			}
		})
		g := get[resource.GroupList](t, f, "/v1/status/groups").Groups[0]
		if g.Site != "edge" || g.Label != "web" || len(g.Members) != 1 || g.Refused != 2 || g.Resolves != "" || g.Failure == "" {
			t.Errorf("group is %+v", g)
		}
		if text := scrape(t, f); !strings.Contains(text, "\nfairlead_group_left_out{group=\"pods\"} 3\n") || strings.Contains(text, `resolve_failures_total{group="pods"}`) {
			t.Errorf("metrics of the group are wrong")
		}
	})
}
