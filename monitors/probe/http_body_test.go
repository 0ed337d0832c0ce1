package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"fairlead/config"
)

func TestProbeHTTPBody(t *testing.T) {
	server := clearHTTP2(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("down") {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		io.WriteString(w, "workers=12\nstate: maintenance\n")
	}))
	tests := []struct {
		name   string
		probe  config.HTTPProbe
		change func(*config.Monitor)
		ok     bool
		want   string
	}{
		{"expression", config.HTTPProbe{ExpectBodyRegexp: `(?m)^workers=[1-9]\d*$`}, nil, true, "status 200"},
		{"expression is held against all of it", config.HTTPProbe{ExpectBodyRegexp: `^workers=12$`}, nil, false, `body of 30 bytes does not match "^workers=12$"`},
		{"expression that backtracks elsewhere", config.HTTPProbe{ExpectBodyRegexp: `(a+)+$`}, nil, false, `body of 30 bytes does not match "(a+)+$"`},
		{"both", config.HTTPProbe{ExpectBody: "state", ExpectBodyRegexp: `maintenance`}, nil, true, "status 200"},
		{"text is missing", config.HTTPProbe{ExpectBody: "stale", ExpectBodyRegexp: `maintenance`}, nil, false, `body of 30 bytes lacks "stale"`},
		{"reverse, found", config.HTTPProbe{ExpectBody: "maintenance"}, func(m *config.Monitor) { m.Reverse = true }, false, "status 200, which fails: reverse"},
		{"reverse, status", config.HTTPProbe{Path: "/?down"}, func(m *config.Monitor) { m.Reverse = true }, true, "status 503, want 200-299, which passes: reverse"},
		{"text drains", config.HTTPProbe{ExpectBody: "workers"}, func(m *config.Monitor) { m.DrainOn = &config.DrainOn{Text: "maintenance"} }, true, `answer has "maintenance", which drains`},
		{"text drains whatever the status", config.HTTPProbe{Path: "/?down"}, func(m *config.Monitor) { m.DrainOn = &config.DrainOn{Text: "maintenance"} }, true, `answer has "maintenance", which drains`},
		{"another text does not drain", config.HTTPProbe{ExpectBody: "workers"}, func(m *config.Monitor) { m.DrainOn = &config.DrainOn{Text: "leaving"} }, true, "status 200"},
		{"status fails without its text", config.HTTPProbe{Path: "/?down"}, func(m *config.Monitor) { m.DrainOn = &config.DrainOn{Text: "leaving"} }, false, "status 503, want 200-299"},
		{"status drains", config.HTTPProbe{Path: "/?down"}, func(m *config.Monitor) { m.DrainOn = &config.DrainOn{Status: []string{"503"}} }, true, "status 503 drains"},
	}
	for _, tt := range tests {
		for _, version := range []config.HTTPVersion{config.HTTP11, config.HTTP2} {
			t.Run(tt.name+" over "+string(version), func(t *testing.T) {
				m := httpMonitor(tt.probe)
				m.HTTP.Version = version
				if tt.change != nil {
					tt.change(&m)
				}
				got := New(Options{}).Probe(context.Background(), serverTarget(t, server, m))
				if got.OK != tt.ok || got.Reason != tt.want || got.Drain != strings.HasSuffix(tt.want, "drains") {
					t.Errorf("got %v %q, drain %v; want %v %q", got.OK, got.Reason, got.Drain, tt.ok, tt.want)
				}
			})
		}
	}
}

func TestProbeHTTPSecrets(t *testing.T) {
	server := clearHTTP2(t, http.HandlerFunc(echo))
	tests := []struct {
		name   string
		secret string
		err    error
		want   string
	}{
		{"line end", "a\r\nX-Admin: 1", nil, "http.headers X-A: the value has control characters"},
		{"unreadable", "", errors.New("no such credential"), "http.headers X-A: no such credential"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := httpMonitor(config.HTTPProbe{Headers: []config.ProbeHeader{{Name: "X-A", Secret: "credential:token"}}})
			p := New(Options{Secret: func(config.Secret) (string, error) { return tt.secret, tt.err }})
			if got := p.Probe(context.Background(), serverTarget(t, server, m)); got.OK || got.Reason != tt.want {
				t.Errorf("got %v %q, want %q", got.OK, got.Reason, tt.want)
			}
		})
	}
}

// TestProbeHTTPSecretsAreNotRepeated: a server may say what it was sent where a reason quotes it.
func TestProbeHTTPSecretsAreNotRepeated(t *testing.T) {
	for name, tt := range map[string]struct {
		say     string
		version config.HTTPVersion
	}{
		"status":                   {"HTTP/1.1 to\\ken OK\r\n\r\n", config.HTTP11},
		"status, basic":            {"HTTP/1.1 cHJvYmU6dG9ca2Vu OK\r\n\r\n", config.HTTP11},
		"first line":               {"to\\ken\r\n\r\n", config.HTTP11},
		"name of a header, HTTP/2": {frames2(func(f *http2.Framer) { f.WriteSettings() }) + headers2(true, ":status", "200", "X-to\\ken", "b"), config.HTTP2},
	} {
		t.Run(name, func(t *testing.T) {
			m := httpMonitor(config.HTTPProbe{Version: tt.version, Headers: []config.ProbeHeader{{Name: "X-A", Secret: "credential:token"}}})
			m.Login = somebody
			p := New(Options{Secret: func(config.Secret) (string, error) { return "to\\ken", nil }})
			got := p.Trace(context.Background(), target("web", raw2Server(t, send(tt.say)), m))
			if text := fmt.Sprint(got.Reason, got.Steps); got.OK || !strings.Contains(text, "***") || strings.Contains(text, "ken") || strings.Contains(text, "cHJv") {
				t.Errorf("got %v %s", got.OK, text)
			}
		})
	}
}
