//go:build integration

package servers

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/internal/testkit/loopback"
	"fairlead/monitors/probe"
	"fairlead/monitors/script"
)

// TestMonitoringPlugins runs plugins of the Monitoring Plugins project as the document would.
func TestMonitoringPlugins(t *testing.T) {
	plugins := filepath.Dir(need(t, "check_tcp", "check_http", "check_dummy")[0])
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/broken" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = w.Write([]byte("all systems go"))
	}))
	defer web.Close()
	up := netip.MustParseAddrPort(web.Listener.Addr().String())
	down := onLoopback(loopback.Port(t))
	p := probe.New(probe.Options{Scripts: script.New(script.Options{Directories: []string{plugins}})})
	plugin := func(name string) string { return filepath.Join(plugins, name) }
	tests := []struct {
		name    string
		command []string
		to      netip.AddrPort
		warning config.WarningOutcome
		ok      bool
		drain   bool
		reason  string
		values  []string
	}{
		{"tcp up", []string{plugin("check_tcp"), "-H", "{address}", "-p", "{port}", "-t", "1"}, up, config.WarningUp, true, false, "TCP OK", []string{"time"}},
		{"tcp down", []string{plugin("check_tcp"), "-H", "{address}", "-p", "{port}", "-t", "1"}, down, config.WarningUp, false, false, "refused", nil},
		{"http up", []string{plugin("check_http"), "-I", "{address}", "-p", "{port}", "-s", "all systems go"}, up, config.WarningUp, true, false, "HTTP OK: HTTP/1.0 200 OK", []string{"time", "size"}},
		{"http broken", []string{plugin("check_http"), "-I", "{address}", "-p", "{port}", "-u", "/broken"}, up, config.WarningUp, false, false, "HTTP CRITICAL: HTTP/1.0 503", []string{"time", "size"}},
		{"http slow drains", []string{plugin("check_http"), "-I", "{address}", "-p", "{port}", "-e", "200", "-w", "0.0000001"}, up, config.WarningDrain, true, true, "HTTP WARNING", []string{"time", "size"}},
		{"by another name", []string{plugin("check_ftp"), "-H", "{address}", "-p", "{port}", "-t", "1"}, down, config.WarningUp, false, false, "refused", nil},
		{"a warning is down", []string{plugin("check_dummy"), "1", "slow"}, up, config.WarningDown, false, false, "WARNING: slow", nil},
		{"unknown", []string{plugin("check_dummy"), "3", "what"}, up, config.WarningUp, false, false, "exit code 3: UNKNOWN: what", nil},
		{"used wrongly", []string{plugin("check_tcp"), "--no-such-option"}, up, config.WarningUp, false, false, "exit code 3: ", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := &config.Monitor{Name: "plugin", Type: config.MonitorScript, Interval: config.Duration(time.Minute), Timeout: config.Duration(10 * time.Second),
				Script: &config.ScriptProbe{Command: test.command, Warning: test.warning}}
			got := p.Probe(context.Background(), probe.Target{Service: "web", Monitor: m, Address: test.to})
			t.Logf("ok %v, drain %v, %v: %s; values %v", got.OK, got.Drain, got.Latency.Round(time.Microsecond), got.Reason, got.Values)
			if got.OK != test.ok || got.Drain != test.drain || !strings.Contains(got.Reason, test.reason) {
				t.Errorf("got %v, drain %v, %q, want %v, %v, %q", got.OK, got.Drain, got.Reason, test.ok, test.drain, test.reason)
			}
			var names []string
			for _, v := range got.Values {
				names = append(names, v.Name)
			}
			if !slices.Equal(names, test.values) {
				t.Errorf("values %v, want %v", got.Values, test.values)
			}
		})
	}
}

// A plugin that hangs costs its time-out, and is gone then.
func TestAPluginThatHangs(t *testing.T) {
	plugins := filepath.Dir(need(t, "check_tcp")[0])
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silent.Close()
	r := script.New(script.Options{Directories: []string{plugins}})
	m := &config.Monitor{Name: "plugin", Type: config.MonitorScript, Interval: config.Duration(time.Minute), Timeout: config.Duration(500 * time.Millisecond),
		Script: &config.ScriptProbe{Command: []string{filepath.Join(plugins, "check_tcp"), "-H", "{address}", "-p", "{port}", "-e", "220", "-t", "60"}}}
	started := time.Now()
	got := probe.New(probe.Options{Scripts: r}).Probe(context.Background(), probe.Target{Service: "web", Monitor: m, Address: netip.MustParseAddrPort(silent.Listener.Addr().String())})
	if took := time.Since(started); got.OK || got.Reason != "timed out after 500ms while the program ran" || took > 3*time.Second {
		t.Errorf("got %+v after %v", got, took)
	}
}
