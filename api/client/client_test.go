package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fairlead/adns"
	"fairlead/api"
	"fairlead/api/client"
	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/gslb"
	"fairlead/monitors"
	"fairlead/monitors/metric"
)

const document = `
zones:
  - {name: gslb.example.com, nameservers: [ns1.example.net]}
sites:
  - {name: ams, address: 192.0.2.10}
  - {name: nyc, address: 198.51.100.10}
services:
%s
virtual_servers:
  - name: web
    domains: [{name: www.gslb.example.com}]
    method: round-robin
    members: [{service: web-0000}]
`

// node serves the interface of a node with this many services, of which web-0000 takes reports.
func node(t *testing.T, services int, push func(string, metric.Metrics, time.Time) error) *client.Client {
	t.Helper()
	var list strings.Builder
	for i := range services {
		site := []string{"ams", "nyc"}[i%2]
		fmt.Fprintf(&list, "  - {name: web-%04d, site: %s, addresses: [192.0.2.80]}\n", i, site)
	}
	doc, report := config.Parse(config.Source{Name: "test.yaml", Text: fmt.Appendf(nil, document, &list)})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	zones, err := adns.CompileZones(doc, plan)
	if err != nil {
		t.Fatal(err)
	}
	status := &gslb.Status{At: time.Now(), Services: make([]gslb.ServiceStatus, plan.Services())}
	status.Services[0].State = gslb.Up
	st := &api.State{Document: doc, DocumentID: "0123", DocumentSource: "test.yaml",
		Snapshot: &adns.Snapshot{Generation: 1, Zones: zones, GSLB: gslb.NewSnapshot(1, plan, status, nil), Learned: gslb.NewLearned(plan)}}
	h, err := api.New(api.Options{Site: "ams", Version: "1.2.3", State: func() *api.State { return st }, PushLoad: push})
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, h)
}

func serve(t *testing.T, h http.Handler) *client.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := client.New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestNew(t *testing.T) {
	tests := []struct{ address, want, problem string }{
		{"127.0.0.1:8053", "127.0.0.1:8053", ""},
		{"localhost:1", "localhost:1", ""},
		{"[::1]:8053", "[::1]:8053", ""},
		{"http://127.0.0.1:8053", "127.0.0.1:8053", ""},
		{"http://127.0.0.1:8053/", "127.0.0.1:8053", ""},
		{"", "", "host:port"},
		{"127.0.0.1", "", "host:port"},
		{":8053", "", "host:port"},
		{"::1:8053", "", "host:port"},
		{"https://127.0.0.1:8053", "127.0.0.1:8053", ""},
		{"unix:///run/x.sock", "", `scheme is "unix"`},
		{"http://127.0.0.1:8053/v1", "", "besides host and port"},
		{"http://user:pass@127.0.0.1:8053", "", "besides host and port"},
		{"127.0.0.1:80x", "", "host:port"},
	}
	for _, test := range tests {
		c, err := client.New(test.address)
		switch {
		case test.problem == "" && (err != nil || c.Address() != test.want):
			t.Errorf("New(%q): %v", test.address, err)
		case test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)):
			t.Errorf("New(%q) = %v, want an error about %s", test.address, err, test.problem)
		}
	}
}

func TestServices(t *testing.T) {
	const services = 2100 // three pages
	c := node(t, services, nil)
	tests := []struct {
		name   string
		filter client.ServiceFilter
		want   int
	}{
		{"all", client.ServiceFilter{}, services},
		{"of a site", client.ServiceFilter{Site: "nyc"}, services / 2},
		{"in states", client.ServiceFilter{States: []string{"UP", "DOWN"}}, 1},
		{"none", client.ServiceFilter{Site: "nyc", States: []string{"UP"}}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := c.Services(t.Context(), test.filter)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Services) != test.want || got.NextCursor != "" {
				t.Fatalf("%d services, cursor %q; want %d", len(got.Services), got.NextCursor, test.want)
			}
			for i := 1; i < len(got.Services); i++ {
				if got.Services[i-1].Name >= got.Services[i].Name {
					t.Fatalf("%s comes before %s", got.Services[i-1].Name, got.Services[i].Name)
				}
			}
		})
	}
}

func TestResources(t *testing.T) {
	c := node(t, 1, nil)
	ctx := t.Context()
	if s, err := c.Service(ctx, "web-0000"); err != nil || s.State != "UP" || !s.Local {
		t.Errorf("Service: %+v, %v", s, err)
	}
	if l, err := c.Sites(ctx); err != nil || len(l.Sites) != 2 || l.Sites[0].Services.Up != 1 {
		t.Errorf("Sites: %+v, %v", l, err)
	}
	if s, err := c.Site(ctx, "nyc"); err != nil || s.Peer != "none" {
		t.Errorf("Site: %+v, %v", s, err)
	}
	if d, err := c.Document(ctx); err != nil || d.ID != "0123" {
		t.Errorf("Document: %+v, %v", d, err)
	}
	if v, err := c.Version(ctx); err != nil || v.Version != "1.2.3" || v.Site != "ams" {
		t.Errorf("Version: %+v, %v", v, err)
	}
	e, err := c.Explain(ctx, client.Question{Name: "www.gslb.example.com", Client: "203.0.113.9", Subnet: "203.0.113.0/24"})
	if err != nil || len(e.Answer) != 1 || e.Question.Client.String() != "203.0.113.9" || e.Question.Subnet.String() != "203.0.113.0/24" || len(e.Trace.Entries) < 4 {
		t.Errorf("Explain: %+v, %v", e, err)
	}
}

func TestPushLoad(t *testing.T) {
	type report struct {
		service string
		active  uint64
		at      time.Time
	}
	var got []report
	c := node(t, 1, func(service string, told metric.Metrics, at time.Time) error {
		v, _ := told.Get(metric.Active)
		active := uint64(v)
		if custom, _ := told.Get(metric.CustomLoad); custom == 0.7 && service == "web-0000" {
			return nil
		}
		if active == 1 {
			return monitors.ErrOutdated
		}
		got = append(got, report{service, active, at})
		return nil
	})
	at := time.Now().Add(-time.Minute)
	if err := c.PushLoad(t.Context(), "web-0000", 0, at); err != nil {
		t.Fatal(err)
	}
	if err := c.PushLoad(t.Context(), "web/0000", 42, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || !got[0].at.Equal(at) || got[0].active != 0 || got[1].service != "web/0000" || time.Since(got[1].at) > time.Minute {
		t.Errorf("reports are %+v", got)
	}
	custom := 0.7
	if err := c.PushReport(t.Context(), "web-0000", resource.LoadReport{Custom: &custom}); err != nil {
		t.Errorf("custom load: %v", err)
	}
	var p *client.Problem
	if err := c.PushLoad(t.Context(), "web-0000", 1, at); !errors.As(err, &p) || p.Status != http.StatusConflict || p.Errors[0].Code != "outdated" {
		t.Errorf("outdated report: %v", err)
	}
}

func TestNotFound(t *testing.T) {
	c := node(t, 1, nil)
	ctx := t.Context()
	calls := map[string]func() error{
		"service":       func() error { _, err := c.Service(ctx, "web-par"); return err },
		"dots":          func() error { _, err := c.Service(ctx, ".."); return err },
		"dot":           func() error { _, err := c.Service(ctx, "."); return err },
		"slash":         func() error { _, err := c.Service(ctx, "../sites"); return err },
		"question mark": func() error { _, err := c.Service(ctx, "web-0000?"); return err },
		"site":          func() error { _, err := c.Site(ctx, "par"); return err },
		"push":          func() error { return c.PushLoad(ctx, "web-0000", 1, time.Time{}) },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			err := call()
			var missing *client.NotFound
			var problem *client.Problem
			if !errors.As(err, &missing) || !errors.As(err, &problem) || problem.Status != http.StatusNotFound || err.Error() == "" {
				t.Errorf("error is %T %v, want NotFound", err, err)
			}
		})
	}
}

func TestProblemListsAll(t *testing.T) {
	_, err := node(t, 1, nil).Explain(t.Context(), client.Question{Type: "zz", Client: "here"})
	var p *client.Problem
	if !errors.As(err, &p) || p.Status != http.StatusUnprocessableEntity || len(p.Errors) != 3 {
		t.Fatalf("error is %v", err)
	}
	for _, want := range []string{"\n  query/name: ", "\n  query/type: ", "\n  query/client: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(address)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Version(t.Context())
	var unreachable *client.Unreachable
	if !errors.As(err, &unreachable) || unreachable.Address != address || !strings.Contains(err.Error(), "refused") || strings.Contains(err.Error(), "Get ") {
		t.Errorf("error is %T %v", err, err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := node(t, 1, nil).Version(ctx)
	var unreachable *client.Unreachable
	if !errors.Is(err, context.Canceled) || errors.As(err, &unreachable) {
		t.Errorf("error is %T %v, want context.Canceled alone", err, err)
	}
}

// TestStrangers asks programs that are not a node.
func TestStrangers(t *testing.T) {
	answer := func(status int, media, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			w.Header().Set("Location", "http://192.0.2.1:1/")
			w.WriteHeader(status)
			for len(body) > 0 {
				n, err := w.Write([]byte(body[:min(len(body), 1<<20)]))
				if err != nil {
					return
				}
				body = body[n:]
			}
		}
	}
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"page", answer(200, "text/html", "<html>router login"), `"<html>router login"; is another program`},
		{"redirect", answer(302, "text/html", ""), "status 302"},
		{"not found", answer(404, "text/plain", "404 page not found"), "status 404"},
		{"no content", answer(204, "", ""), "status 204"},
		{"broken JSON", answer(200, "application/json", `{"version":`), "read response"},
		{"broken problem", answer(500, "application/problem+json", `[]`), "read problem"},
		{"empty problem", answer(503, "application/problem+json", `{}`), "503 Service Unavailable"},
		{"endless", answer(200, "application/json", strings.Repeat(" ", client.MaxResponseBytes+1)), "larger than the limit"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := serve(t, test.handler).Version(t.Context())
			var missing *client.NotFound
			if err == nil || !strings.Contains(err.Error(), test.want) || errors.As(err, &missing) {
				t.Errorf("error is %v, want one with %q", err, test.want)
			}
		})
	}
}

// TestEndlessList follows cursors only so far.
func TestEndlessList(t *testing.T) {
	asked := 0
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"services":[],"next_cursor":"x"}`))
	}))
	if _, err := c.Services(t.Context(), client.ServiceFilter{}); err == nil || !strings.Contains(err.Error(), "pages") {
		t.Errorf("error is %v after %d pages", err, asked)
	}
}
