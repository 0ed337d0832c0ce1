package api

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fairlead/adns/transfer"
	"fairlead/api/resource"
)

func zoneNames(list resource.SecondaryList) []string {
	var out []string
	for _, s := range list.Secondaries {
		out = append(out, s.Zone)
	}
	return out
}

func TestSecondaries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		got := get[resource.SecondaryList](t, f, "/v1/status/secondaries")
		now := time.Now().UTC()
		ago := func(d time.Duration) *time.Time { at := now.Add(-d); return &at }
		serial := func(n uint32) *uint32 { return &n }
		want := resource.SecondaryList{At: now, Counts: resource.SecondaryCounts{Served: 2, Unserved: 2, Failing: 3}, Secondaries: []resource.Secondary{
			{Zone: "a.example.", Serial: serial(1<<32 - 1), Confirmed: ago(time.Minute), Served: true},
			{Zone: "b.example.", Failure: "192.0.2.1:53: connection refused"},
			{Zone: "c.example.", Serial: serial(0), Confirmed: ago(time.Hour), Served: true, Failure: "192.0.2.1:53: rcode REFUSED"},
			{Zone: "d.example.", Serial: serial(7), Confirmed: ago(1000 * time.Hour), Failure: "192.0.2.2:53: timeout"},
		}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("list (-want +got):\n%s", diff)
		}
	})
}

func TestSecondariesWithoutAny(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Secondaries = nil })
	got := get[resource.SecondaryList](t, f, "/v1/status/secondaries")
	if got.Secondaries == nil || len(got.Secondaries) > 0 || got.Counts != (resource.SecondaryCounts{}) || got.NextCursor != "" {
		t.Errorf("list is %+v", got)
	}
}

func TestSecondariesPages(t *testing.T) {
	f := newFixture(t, nil)
	tests := []struct {
		filter string
		want   []string
	}{
		{"", []string{"a.example.", "b.example.", "c.example.", "d.example."}},
		{"&failing=false", []string{"a.example.", "b.example.", "c.example.", "d.example."}},
		{"&failing=true", []string{"b.example.", "c.example.", "d.example."}},
	}
	for _, test := range tests {
		for _, limit := range []string{"1", "2", "3", "4", "1000"} {
			t.Run(limit+test.filter, func(t *testing.T) {
				var got []string
				for next := "/v1/status/secondaries?limit=" + limit + test.filter; next != "" && len(got) <= len(test.want); {
					w := f.request(http.MethodGet, next, "")
					var page resource.SecondaryList
					decode(t, w.Body, &page)
					got = append(got, zoneNames(page)...)
					next = nextOf(t, w.Header().Get("Link"), page.NextCursor)
					if page.Counts != (resource.SecondaryCounts{Served: 2, Unserved: 2, Failing: 3}) {
						t.Errorf("a page counts %+v, want all zones", page.Counts)
					}
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("all pages (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestSecondariesPagesMove lists while the zone that a page ended with goes: the others are seen exactly once.
func TestSecondariesPagesMove(t *testing.T) {
	zones := testSecondaries()
	f := newFixture(t, func(o *Options) { o.Secondaries = func() []transfer.SecondaryStatus { return zones } })
	first := get[resource.SecondaryList](t, f, "/v1/status/secondaries?limit=2")
	zones = append(zones[:1:1], zones[2:]...)
	second := get[resource.SecondaryList](t, f, "/v1/status/secondaries?limit=2&cursor="+first.NextCursor)
	if diff := cmp.Diff([]string{"c.example.", "d.example."}, zoneNames(second)); diff != "" {
		t.Errorf("second page (-want +got):\n%s", diff)
	}
}

// TestSecondariesOfHostileLengths has the longest name there is, fully escaped, and a failure without end.
func TestSecondariesOfHostileLengths(t *testing.T) {
	label := strings.Repeat(`\255`, 63) + "."
	name := label + label + label + strings.Repeat(`\255`, 61) + "."
	f := newFixture(t, func(o *Options) {
		o.Secondaries = func() []transfer.SecondaryStatus {
			return []transfer.SecondaryStatus{{Zone: name, Failure: strings.Repeat("é", 10_000)}, {Zone: "z."}}
		}
	})
	first := get[resource.SecondaryList](t, f, "/v1/status/secondaries?limit=1")
	if got := first.Secondaries[0].Failure; len(got) > maxFailure+len("...") || !strings.HasSuffix(got, "é...") {
		t.Errorf("a failure of %d octets, ending in %q", len(got), got[len(got)-10:])
	}
	second := get[resource.SecondaryList](t, f, "/v1/status/secondaries?limit=1&cursor="+first.NextCursor)
	if diff := cmp.Diff([]string{"z."}, zoneNames(second)); diff != "" {
		t.Errorf("second page (-want +got):\n%s", diff)
	}
}

func TestSecondariesRefusals(t *testing.T) {
	tests := []struct {
		query string
		want  []string
	}{
		{"?limit=0", []string{"/query/limit invalid"}},
		{"?limit=1001", []string{"/query/limit invalid"}},
		{"?cursor=!", []string{"/query/cursor invalid"}},
		{"?failing=perhaps", []string{"/query/failing invalid"}},
		{"?failed=true", []string{"/query/failed unknown"}},
	}
	f := newFixture(t, nil)
	for _, test := range tests {
		t.Run(test.query, func(t *testing.T) {
			w := f.request(http.MethodGet, "/v1/status/secondaries"+test.query, "")
			if p := refusal(t, w); p.Status != http.StatusUnprocessableEntity {
				t.Errorf("status %d, want 422", p.Status)
			} else if diff := cmp.Diff(test.want, places(p)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}
