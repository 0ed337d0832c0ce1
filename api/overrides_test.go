package api

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/gslb"
	"fairlead/sites"
)

func withOverrides(o *Options) { o.Overrides = sites.NewOverrides(sites.OverridesOptions{Site: "ams"}) }

func TestOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, withOverrides)
		now := time.Now().UTC()
		order := func(path, body string) (out resource.Override) {
			t.Helper()
			w := f.request(http.MethodPost, path, body)
			if w.Code != http.StatusOK {
				t.Fatalf("POST %s %s = %d %s", path, body, w.Code, w.Body)
			}
			decode(t, w.Body, &out)
			return out
		}
		got := order("/v1/services/web-ams/disable", `{"reason":"kernel","for":"90m","owner":"kim"}`)
		want := resource.Override{Kind: "service", Name: "web-ams", Action: "disable", Owner: "kim", Reason: "kernel", Site: "ams", Set: now, Until: now.Add(90 * time.Minute)}
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if got = order("/v1/sites/nyc/drain", `{"reason":"power"}`); got.Kind != "site" || got.Owner != "api" || !got.Until.Equal(now.Add(4*time.Hour)) {
			t.Errorf("got %+v, want an order of the API for the site, for four hours", got)
		}
		if s := get[resource.Service](t, f, "/v1/status/services/web-ams"); s.Override == nil || *s.Override != want {
			t.Errorf("the service shows %+v, want %+v", s.Override, want)
		}
		if s := get[resource.Service](t, f, "/v1/status/services/web-nyc"); s.Override == nil || s.Override.Kind != "site" {
			t.Errorf("a service of the site shows %+v, want the site's order", s.Override)
		}
		if list := get[resource.OverrideList](t, f, "/v1/overrides"); len(list.Overrides) != 2 || list.Overrides[0] != want {
			t.Errorf("listed are %+v", list.Overrides)
		}
		order("/v1/services/web-ams/clear", `{}`)
		if list := get[resource.OverrideList](t, f, "/v1/overrides"); len(list.Overrides) != 1 {
			t.Errorf("after clear there are %+v", list.Overrides)
		}
		time.Sleep(4 * time.Hour)
		if list := get[resource.OverrideList](t, f, "/v1/overrides"); len(list.Overrides) != 0 {
			t.Errorf("four hours later there are %+v", list.Overrides)
		}
	})
}

func TestRelease(t *testing.T) {
	f := newFixture(t, withOverrides)
	if _, err := f.options.Overrides.Give(sites.Order{Kind: sites.OfVirtualServer, Name: "web", Action: sites.Hold, Owner: "fairlead", Reason: "down"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if list := get[resource.OverrideList](t, f, "/v1/overrides"); len(list.Overrides) != 1 || list.Overrides[0].Action != "hold" || !list.Overrides[0].Until.IsZero() {
		t.Errorf("listed are %+v, want a hold without an end", list.Overrides)
	}
	if w := f.request(http.MethodPost, "/v1/virtual-servers/web/release", `{"reason":"data is in step"}`); w.Code != http.StatusOK || f.options.Overrides.Held("web") {
		t.Errorf("release = %d %s, held %v", w.Code, w.Body, f.options.Overrides.Held("web"))
	}
}

// TestOrdersOfVirtualServers: a hold and an order stand beside each other, and each has an end of its own.
func TestOrdersOfVirtualServers(t *testing.T) {
	f := newFixture(t, withOverrides)
	if _, err := f.options.Overrides.Give(sites.Order{Kind: sites.OfVirtualServer, Name: "web", Action: sites.Hold, Owner: "fairlead", Reason: "down"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		action, body string
		want         []string // what is listed then
	}{
		{"disable", `{"reason":"repair","owner":"kim"}`, []string{"hold", "disable"}},
		{"drain", `{"reason":"repair","for":"30m"}`, []string{"hold", "drain"}},
		{"release", `{}`, []string{"drain"}},
		{"enable", `{"reason":"repaired"}`, []string{"enable"}},
		{"clear", `{}`, nil},
	} {
		if w := f.request(http.MethodPost, "/v1/virtual-servers/web/"+step.action, step.body); w.Code != http.StatusOK {
			t.Fatalf("%s = %d %s", step.action, w.Code, w.Body)
		}
		var got []string
		for _, o := range get[resource.OverrideList](t, f, "/v1/overrides").Overrides {
			if got = append(got, o.Action); o.Kind != "virtual-server" || o.Name != "web" {
				t.Errorf("listed is %+v", o)
			}
		}
		if !slices.Equal(got, step.want) {
			t.Errorf("after %s there are %q, want %q", step.action, got, step.want)
		}
	}
}

// TestOrdersOfGroups: a group is known by the document as it is written, though it has no service yet, and its labels count.
func TestOrdersOfGroups(t *testing.T) {
	f := newFixture(t, withOverrides)
	st := *f.state
	written := *st.Document
	written.ServiceGroups = []config.ServiceGroup{{Name: "pool", Site: "ams", Labels: config.Labels{"team": "web"}}}
	st.Written = &written
	f.state = &st
	w := f.request(http.MethodPost, "/v1/service-groups/pool/disable", `{"reason":"new release","owner":"kim"}`)
	if w.Code != http.StatusOK {
		t.Fatalf("disable = %d %s", w.Code, w.Body)
	}
	if list := get[resource.OverrideList](t, f, "/v1/overrides"); len(list.Overrides) != 1 || list.Overrides[0].Kind != "service-group" || list.Overrides[0].Owner != "kim" {
		t.Errorf("listed are %+v", list.Overrides)
	}
	if got := labelsOf(&st, &sites.Order{Kind: sites.OfServiceGroup, Name: "pool"}); got["team"] != "web" {
		t.Errorf("the labels are %v, want the group's", got)
	}
}

// TestReleaseOfWhatIsGone: a hold outlasts its virtual server's place in the document, and can be ended.
func TestReleaseOfWhatIsGone(t *testing.T) {
	f := newFixture(t, withOverrides)
	if _, err := f.options.Overrides.Give(sites.Order{Kind: sites.OfVirtualServer, Name: "gone", Action: sites.Hold, Owner: "fairlead", Reason: "down"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if w := f.request(http.MethodPost, "/v1/virtual-servers/gone/release", `{}`); w.Code != http.StatusOK || f.options.Overrides.Held("gone") {
		t.Errorf("release = %d %s, held %v", w.Code, w.Body, f.options.Overrides.Held("gone"))
	}
}

func TestOrdersRefused(t *testing.T) {
	tests := []struct {
		name, path, body string
		status           int
		want             string
	}{
		{"no reason", "/v1/services/web-ams/disable", `{}`, 422, "/body/reason required"},
		{"empty reason", "/v1/services/web-ams/disable", `{"reason":""}`, 422, "/body/reason invalid"},
		{"for ever", "/v1/services/web-ams/disable", `{"reason":"x","for":"0s"}`, 422, "/body/for invalid"},
		{"too long", "/v1/services/web-ams/drain", `{"reason":"x","for":"721h"}`, 422, "/body/for invalid"},
		{"no duration", "/v1/services/web-ams/enable", `{"reason":"x","for":"soon"}`, 422, "/body/for invalid"},
		{"control characters", "/v1/services/web-ams/enable", `{"reason":"x\u001b[2J"}`, 422, "/body/reason invalid"},
		{"unknown key", "/v1/services/web-ams/enable", `{"reason":"x","until":"tomorrow"}`, 422, "/body/until unknown"},
		{"for on clear", "/v1/services/web-ams/clear", `{"for":"1h"}`, 422, "/body/for unknown"},
		{"no such service", "/v1/services/nobody/disable", `{"reason":"x"}`, 404, "/path/name no-such-service"},
		{"no such site", "/v1/sites/nowhere/disable", `{"reason":"x"}`, 404, "/path/name no-such-site"},
		{"no such virtual server", "/v1/virtual-servers/nothing/release", `{}`, 404, "/path/name no-such-virtual-server"},
		{"nothing to clear", "/v1/services/web-ams/clear", `{}`, 409, "/path/name nothing-to-end"},
		{"not held", "/v1/virtual-servers/web/release", `{}`, 409, "/path/name nothing-to-end"},
		{"no such virtual server to disable", "/v1/virtual-servers/nothing/disable", `{"reason":"x"}`, 404, "/path/name no-such-virtual-server"},
		{"a virtual server without a reason", "/v1/virtual-servers/web/drain", `{}`, 422, "/body/reason required"},
		{"nothing to clear of a virtual server", "/v1/virtual-servers/web/clear", `{}`, 409, "/path/name nothing-to-end"},
		{"no such group", "/v1/service-groups/nobody/disable", `{"reason":"x"}`, 404, "/path/name no-such-object"},
		{"nothing to clear of a group", "/v1/service-groups/web/clear", `{}`, 409, "/path/name nothing-to-end"},
	}
	f := newFixture(t, withOverrides)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := f.request(http.MethodPost, tt.path, tt.body)
			if p := refusal(t, w); w.Code != tt.status || !slices.Contains(places(p), tt.want) {
				t.Errorf("got %d %v, want %d %q", w.Code, places(p), tt.status, tt.want)
			}
		})
	}
	w := f.request(http.MethodPost, "/v1/services/web-ams/disable", `{"reason":"x"}`, "Origin", "https://attacker.test")
	if w.Code != http.StatusForbidden || len(f.options.Overrides.List(time.Now())) != 0 {
		t.Errorf("another origin's order = %d, there are %+v", w.Code, f.options.Overrides.List(time.Now()))
	}
}

// TestBeliefIsShown: doubt, share, drain and alarm reach the resources and metrics.
func TestBeliefIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, withOverrides)
		now := time.Now()
		g := f.state.Snapshot.GSLB
		i, _ := g.Plan.ServiceByName("web-ams")
		g.Status.Services[i].Doubt, g.Status.Services[i].Share, g.Status.Alarm = gslb.DoubtFlapping, 0.25, "this node suspects itself"
		sessions := 3
		f.state.Drains = map[string]sites.DrainStatus{"web-ams": {Since: now.Add(-time.Minute), Load: gslb.Load{Active: 8, At: now},
			HalfLife: 30 * time.Second, ResolversUntil: now.Add(20 * time.Second), Sessions: &sessions}}
		s := get[resource.Service](t, f, "/v1/status/services/web-ams")
		if s.Doubt != "flapping" || s.Share == nil || *s.Share != 0.25 {
			t.Errorf("doubt %q, share %v", s.Doubt, s.Share)
		}
		if d := s.Drain; d == nil || *d.Connections != 8 || *d.HalfLifeSeconds != 30 || *d.Sessions != 3 || *d.EstimateSeconds != 120 ||
			!d.ResolversUntil.Equal(now.Add(20*time.Second)) {
			t.Errorf("drain %+v, want 8 connections that take four half-lives of 30 s", d)
		}
		if list := get[resource.SiteList](t, f, "/v1/status/sites"); list.Alarm != "this node suspects itself" {
			t.Errorf("alarm %q", list.Alarm)
		}
		text := f.request(http.MethodGet, "/metrics", "").Body.String()
		for _, want := range []string{"fairlead_suspicion 1\n", `fairlead_services_in_doubt{reason="flapping"} 1` + "\n", `fairlead_overrides{kind="service"} 0` + "\n"} {
			if !strings.Contains(text, want) {
				t.Errorf("metrics lack %q", want)
			}
		}
	})
}
