package api

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/google/go-cmp/cmp"

	"fairlead/adns"
	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/gslb"
)

// keepingDocument has virtual servers that keep sessions: two that share them, one by its name, one by spillover.
var keepingDocument = strings.NewReplacer(
	"  - name: near\n", "  - name: near\n    persistence: {type: source-ip, id: 7, prefix4: 24}\n",
	"  - name: api\n", "  - name: api\n    persistence: {type: source-ip}\n    spillover: {method: connections, threshold: 5, persistence: true}\n    backup: spare\n",
	"  - name: spare\n", "  - name: spare\n    persistence: {type: source-ip, id: 7, prefix4: 24}\n",
).Replace(testDocument)

// newKeeping returns a fixture of keepingDocument.
func newKeeping(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t, nil)
	f.keepSessions(t)
	return f
}

// keepSessions gives the fixture keepingDocument.
func (f *fixture) keepSessions(t *testing.T) {
	t.Helper()
	doc, report := config.Parse(config.Source{Name: "test.yaml", Text: []byte(keepingDocument)})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	state := *f.state
	snapshot := *f.state.Snapshot
	snapshot.GSLB = gslb.NewSnapshot(8, plan, testStatus(plan, time.Now()), nil)
	state.Document, state.Snapshot = doc, &snapshot
	f.state = &state
}

// keep begins a session of a virtual server.
func (f *fixture) keep(t *testing.T, virtualServer string, spillover bool, client, service string, timeout time.Duration) {
	t.Helper()
	for _, u := range f.state.Snapshot.GSLB.Plan.SessionUses() {
		if u.VirtualServer == virtualServer && u.Spillover == spillover {
			now := time.Now()
			f.state.Snapshot.Learned.Sessions.Keep(u.Key(netip.MustParseAddr(client)), xxhash.Sum64String(service), now.Unix(), now.Add(timeout).Unix())
			return
		}
	}
	t.Fatalf("%s keeps no sessions", virtualServer)
}

// sessionTexts prints sessions in an order.
func sessionTexts(all []resource.Session) (out []string) {
	for _, s := range all {
		out = append(out, fmt.Sprintf("%s %s %s %s %.0f", s.Client, s.Kind, s.Service, strings.Join(s.VirtualServers, "+"), s.EndsInSeconds))
	}
	slices.Sort(out)
	return out
}

func TestSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newKeeping(t)
		f.keep(t, "near", false, "203.0.113.7", "web-ams", time.Minute)
		f.keep(t, "near", false, "203.0.114.7", "gone", time.Minute)
		f.keep(t, "near", false, "198.51.100.1", "web-ams", time.Second)
		f.keep(t, "api", false, "203.0.113.7", "api-ams", time.Minute)
		f.keep(t, "api", true, "2001:db8:1:2::1", "", time.Minute)
		f.state.Snapshot.Learned.Sessions.Keep(gslb.SessionKey{ID: 99, Client: netip.MustParseAddr("192.0.2.0")}, 1, 1, time.Now().Unix()+60)
		time.Sleep(10 * time.Second)
		shared := "203.0.113.0/24 persistence web-ams spare+near 50"
		lost := "203.0.114.0/24 persistence  spare+near 50"
		own := "203.0.113.7/32 persistence api-ams api 50"
		spilled := "2001:db8:1::/56 spillover  api 50"
		for _, tt := range []struct {
			query string
			want  []string
		}{
			{"", []string{"192.0.2.0/32    50", spilled, shared, own, lost}},
			{"?virtual_server=near", []string{shared, lost}},
			{"?virtual_server=api", []string{spilled, own}},
			{"?virtual_server=web", nil},
			{"?client=203.0.113.7", []string{shared, own}},
			{"?client=203.0.113.99", []string{shared}},
			{"?client=203.0.113.7&virtual_server=api", []string{own}},
			{"?client=2001:db8:1:2:ffff::", []string{spilled}},
			{"?client=198.51.100.1", nil},
		} {
			got := sessionTexts(get[resource.SessionList](t, f, "/v1/sessions"+tt.query).Sessions)
			slices.Sort(tt.want)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.query, diff)
			}
		}
		for _, tt := range []struct {
			query string
			want  int
		}{
			{"?client=203.0.113.99&virtual_server=api", 0},
			{"?client=203.0.113.7&virtual_server=api", 1},
			{"?client=203.0.113.99", 1},
			{"?virtual_server=near", 2},
			{"?all=true", 2},
			{"?all=true", 0},
		} {
			w := f.request(http.MethodDelete, "/v1/sessions"+tt.query, "")
			if want := fmt.Sprintf("{\"dropped\":%d}\n", tt.want); w.Code != http.StatusOK || w.Body.String() != want {
				t.Errorf("DELETE %s: %d %s, want %s", tt.query, w.Code, w.Body, want)
			}
		}
	})
}

// TestSessionUses: by virtual server and kind, in metrics and with the first page.
func TestSessionUses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newKeeping(t)
		table, now := f.state.Snapshot.Learned.Sessions, time.Now()
		uses := f.state.Snapshot.GSLB.Plan.SessionUses()
		f.state.Snapshot.Learned = gslb.NewLearned(f.state.Snapshot.GSLB.Plan)
		f.state.Snapshot.Learned.Sessions = table
		table.CountEnds(uses)
		f.keep(t, "near", false, "203.0.113.7", "web-ams", time.Minute)
		f.keep(t, "api", true, "203.0.113.7", "", time.Second)
		for _, u := range uses {
			if u.VirtualServer == "spare" {
				table.Hear(&gslb.Hearing{SessionKey: u.Key(netip.MustParseAddr("198.51.100.7")), Service: xxhash.Sum64String("web-ams"),
					At: now.Unix(), Until: now.Unix() + 60, Timeout: 60, Slack: 7})
			}
		}
		plan, domain := f.state.Snapshot.GSLB.Plan, gslb.DomainIndex(0)
		for !strings.HasPrefix(plan.Domain(domain).Name, "api.") {
			domain++
		}
		d := gslb.Decide(f.state.Snapshot.GSLB, gslb.Query{Domain: domain, Family: gslb.IPv4, LDNS: netip.MustParseAddr("192.0.2.1"), At: now.Unix()}, f.state.Snapshot.Learned, now, nil)
		if d.Outcome != gslb.OutcomeServices {
			t.Fatalf("got %+v", d)
		}
		time.Sleep(2 * time.Second)
		table.Expire(time.Now().Unix(), 1)
		want := []resource.SessionUse{{VirtualServer: "near", Kind: "persistence", Now: 2, FromPeers: 1}, {VirtualServer: "api", Kind: "persistence", Now: 1, Created: 1},
			{VirtualServer: "api", Kind: "spillover", Expired: 1}, {VirtualServer: "spare", Kind: "persistence", Now: 2, FromPeers: 1}}
		byName := func(a, b resource.SessionUse) int {
			return strings.Compare(a.VirtualServer+a.Kind, b.VirtualServer+b.Kind)
		}
		list := get[resource.SessionList](t, f, "/v1/sessions")
		for i := range list.Uses {
			list.Uses[i].ID = 0
		}
		slices.SortFunc(want, byName)
		slices.SortFunc(list.Uses, byName)
		if diff := cmp.Diff(want, list.Uses); diff != "" {
			t.Errorf("uses (-want +got):\n%s", diff)
		}
		if got := get[resource.SessionList](t, f, "/v1/sessions?virtual_server=near").Uses; len(got) != 1 {
			t.Errorf("of one virtual server: %+v", got)
		}
		if got := get[resource.SessionList](t, f, "/v1/sessions?client=203.0.113.7").Uses; got != nil {
			t.Errorf("of one client: %+v", got)
		}
		text := scrape(t, f)
		for _, line := range []string{`fairlead_virtual_server_sessions{kind="persistence",origin="peer",virtual_server="near"} 1`, `fairlead_virtual_server_sessions{kind="persistence",origin="here",virtual_server="near"} 1`,
			`fairlead_virtual_server_sessions_created_total{kind="persistence",virtual_server="api"} 1`, `fairlead_virtual_server_sessions_honoured_total{kind="persistence",virtual_server="api"} 0`,
			`fairlead_virtual_server_sessions_expired_total{kind="spillover",virtual_server="api"} 1`} {
			if !strings.Contains(text, line+"\n") {
				t.Errorf("metrics lack %s", line)
			}
		}
	})
}

func TestSessionPages(t *testing.T) {
	f := newKeeping(t)
	for n := range 25 {
		f.keep(t, "near", false, fmt.Sprintf("10.0.%d.0", n), "web-ams", time.Minute)
		f.keep(t, "api", false, fmt.Sprintf("10.0.%d.0", n), "web-ams", time.Minute)
	}
	seen := map[netip.Prefix]int{}
	pages := 0
	for next := "/v1/sessions?limit=10&virtual_server=near"; next != ""; pages++ {
		page := get[resource.SessionList](t, f, next)
		if len(page.Sessions) > 10 || page.Counts.Entries != 50 || page.Counts.Max != 1000 {
			t.Fatalf("%d sessions on a page, counts %+v", len(page.Sessions), page.Counts)
		}
		for _, s := range page.Sessions {
			seen[s.Client]++
		}
		next = ""
		if page.NextCursor != "" {
			next = "/v1/sessions?limit=10&virtual_server=near&cursor=" + page.NextCursor
		}
	}
	if len(seen) != 25 || pages != 3 {
		t.Errorf("%d sessions on %d pages, want 25 on 3", len(seen), pages)
	}
}

func TestLearnedRefusals(t *testing.T) {
	f := newFixture(t, nil)
	for _, tt := range []struct {
		method, target, body string
		code                 int
		want                 []string
	}{
		{"GET", "/v1/sessions?client=x&limit=0&server=1&cursor=!", "", 422, []string{"/query/client invalid", "/query/cursor invalid", "/query/limit invalid", "/query/server unknown"}},
		{"GET", "/v1/sessions?cursor=YQ", "", 422, []string{"/query/cursor invalid"}},
		{"GET", "/v1/sessions?virtual_server=none", "", 404, []string{"/query/virtual_server no-such-virtual-server"}},
		{"DELETE", "/v1/sessions", "", 422, []string{"/query/all invalid"}},
		{"DELETE", "/v1/sessions?all=true&client=192.0.2.1", "", 422, []string{"/query/all invalid"}},
		{"GET", "/v1/ldns?cursor=YQ", "", 422, []string{"/query/cursor invalid"}},
		{"GET", "/v1/ldns/192.0.2.1", "", 404, []string{"/path/address no-such-resolver"}},
		{"GET", "/v1/ldns/x", "", 422, []string{"/path/address invalid"}},
		{"PUT", "/v1/ldns/0.0.0.0", `{"site": "ams", "rtt_ms": 1}`, 422, []string{"/path/address invalid"}},
		{"PUT", "/v1/ldns/192.0.2.1", `{"site": "lax", "rtt_ms": 1}`, 422, []string{"/body/site no-such-site"}},
		{"PUT", "/v1/ldns/192.0.2.1", `{"site": "ams", "rtt_ms": -1}`, 422, []string{"/body/rtt_ms invalid"}},
		{"PUT", "/v1/ldns/192.0.2.1", `{"rtt_ms": 1}`, 422, []string{"/body/site required"}},
		{"POST", "/v1/ldns/wanted?limit=0", "", 422, []string{"/query/limit invalid"}},
	} {
		w := f.request(tt.method, tt.target, tt.body)
		got := places(refusal(t, w))
		slices.Sort(got)
		if diff := cmp.Diff(tt.want, got); diff != "" || w.Code != tt.code {
			t.Errorf("%s %s: status %d, want %d; faults (-want +got):\n%s", tt.method, tt.target, w.Code, tt.code, diff)
		}
	}
}

func TestResolvers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		put := func(address, body string, want int) {
			t.Helper()
			if w := f.request(http.MethodPut, "/v1/ldns/"+address, body); w.Code != want {
				t.Errorf("PUT %s %s: %d, want %d: %s", address, body, w.Code, want, w.Body)
			}
		}
		put("192.0.2.53", `{"site": "nyc", "rtt_ms": 83, "age_seconds": 100}`, http.StatusNoContent)
		put("192.0.2.99", `{"site": "ams", "rtt_ms": 12.5}`, http.StatusNoContent)
		put("192.0.2.99", `{"site": "ams", "rtt_ms": 1, "age_seconds": 5}`, http.StatusConflict)
		put("2001:db8::53", `{"site": "ams", "rtt_ms": 0.25}`, http.StatusNoContent)
		time.Sleep(90 * time.Second)
		got := get[resource.Resolver](t, f, "/v1/ldns/192.0.2.1")
		want := resource.Resolver{Resolver: netip.MustParsePrefix("192.0.2.0/24"), RTTs: []resource.SiteRTT{
			{Site: "ams", RTTMs: 12.5, AgeSeconds: 90, Counts: true, By: "pushed"}, {Site: "nyc", RTTMs: 83, AgeSeconds: 190, By: "pushed"}}}
		if diff := cmp.Diff(want, got, sameAddress()); diff != "" {
			t.Errorf("resolver (-want +got):\n%s", diff)
		}
		page := get[resource.ResolverList](t, f, "/v1/ldns?limit=1")
		rest := get[resource.ResolverList](t, f, "/v1/ldns?cursor="+page.NextCursor)
		if len(page.Resolvers) != 1 || len(rest.Resolvers) != 1 || rest.NextCursor != "" || page.Counts != (resource.ResolverCounts{Entries: 2, Max: 500, Waiting: 1}) {
			t.Errorf("pages of %d and %d; counts %+v", len(page.Resolvers), len(rest.Resolvers), page.Counts)
		}
		table := f.state.Snapshot.Learned.Resolvers
		table.Wanted(netip.MustParseAddr("198.51.100.1"), time.Now().Unix())
		table.Wanted(netip.MustParseAddr("198.51.101.1"), time.Now().Unix())
		for _, want := range []string{"198.51.100.1", "198.51.101.1", ""} {
			w := f.request(http.MethodPost, "/v1/ldns/wanted?limit=1", "")
			if w.Code != http.StatusOK || want != "" && !strings.Contains(w.Body.String(), want) || want == "" && !strings.Contains(w.Body.String(), "[]") {
				t.Errorf("wanted: %d %s, want %q", w.Code, w.Body, want)
			}
		}
	})
}

// TestLearnedTablesMissing: a snapshot without tables has nothing to show and fails nowhere.
func TestLearnedTablesMissing(t *testing.T) {
	f := newFixture(t, nil)
	snapshot := *f.state.Snapshot
	snapshot.Learned = gslb.NewLearned(snapshot.GSLB.Plan)
	state := *f.state
	state.Snapshot = &adns.Snapshot{Generation: 1, Zones: snapshot.Zones, GSLB: snapshot.GSLB, Learned: snapshot.Learned}
	f.state = &state
	if got := get[resource.SessionList](t, f, "/v1/sessions"); len(got.Sessions) != 0 {
		t.Errorf("sessions %v", got.Sessions)
	}
	if got := get[resource.ResolverList](t, f, "/v1/ldns"); len(got.Resolvers) != 0 {
		t.Errorf("resolvers %v", got.Resolvers)
	}
	if w := f.request(http.MethodDelete, "/v1/sessions?all=true", ""); w.Code != http.StatusOK {
		t.Errorf("DELETE: %d %s", w.Code, w.Body)
	}
	if strings.Contains(scrape(t, f), "fairlead_sessions") {
		t.Error("metrics of no table")
	}
}
