//go:build unix

package probe

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/monitors/script"
)

func TestProbeScript(t *testing.T) {
	directory := t.TempDir()
	path := func(name, text string) string {
		file := filepath.Join(directory, name)
		if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return file
	}
	says, slow := path("says", `echo "$2"; exit $1`), path("slow", "sleep 1000")
	facts := path("facts", `echo "$* $FAIRLEAD_ADDRESS $FAIRLEAD_PORT $FAIRLEAD_FAMILY $FAIRLEAD_SERVICE $FAIRLEAD_MONITOR"`)
	p := New(Options{Scripts: script.New(script.Options{Directories: []string{directory}}), Allowed: func(_ string, to netip.AddrPort) error {
		if to.Addr().IsLinkLocalUnicast() {
			return errors.New("not there")
		}
		return nil
	}})
	draining := func(m *config.Monitor) { m.DrainOn = &config.DrainOn{Text: "maintenance"} }
	reversed := func(m *config.Monitor) { m.Reverse = true }
	warning := func(w config.WarningOutcome) func(*config.Monitor) {
		return func(m *config.Monitor) { m.Script.Warning = w }
	}
	tests := []struct {
		name      string
		command   []string
		address   string
		with      func(*config.Monitor)
		ok, drain bool
		want      string
	}{
		{"ok", []string{says, "0", "OK - fine | time=0.5s"}, "", nil, true, false, "OK - fine"},
		{"ok without a word", []string{says, "0", ""}, "", nil, true, false, "exit code 0"},
		{"warning is up", []string{says, "1", "slow"}, "", nil, true, false, "slow"},
		{"warning is down", []string{says, "1", "slow"}, "", warning(config.WarningDown), false, false, "slow"},
		{"warning drains", []string{says, "1", "slow"}, "", warning(config.WarningDrain), true, true, "slow"},
		{"critical", []string{says, "2", "CRITICAL - gone"}, "", nil, false, false, "CRITICAL - gone"},
		{"critical without a word", []string{says, "2", ""}, "", nil, false, false, "exit code 2"},
		{"unknown", []string{says, "3", "no route"}, "", nil, false, false, "exit code 3: no route"},
		{"another code", []string{says, "66", ""}, "", nil, false, false, "exit code 66"},
		{"drained by its words", []string{says, "0", "in maintenance"}, "", draining, true, true, `answer has "maintenance", which drains`},
		{"reversed ok", []string{says, "0", "OK"}, "", reversed, false, false, "OK, which fails: reverse"},
		{"reversed critical", []string{says, "2", "gone"}, "", reversed, true, false, "gone, which passes: reverse"},
		{"reversed unknown fails", []string{says, "3", "what"}, "", reversed, false, false, "exit code 3: what"},
		{"control characters", []string{says, "0", "a\x1b[31mb"}, "", nil, true, false, "a?[31mb"},
		{"facts", []string{facts, "-H{address}", "{port}/{family}", "{service}.{monitor}", "{unknown}"}, "", nil, true, false,
			"-H192.0.2.1 443/4 web.check {unknown} 192.0.2.1 443 4 web check"},
		{"facts of IPv6", []string{facts, "[{address}]:{port}", "{family}"}, "[2001:db8::1]:443", nil, true, false,
			"[2001:db8::1]:443 6 2001:db8::1 443 6 web check"},
		{"its own target", []string{facts, "{address} {port}"}, "", func(m *config.Monitor) { m.Target = &config.ProbeTarget{Port: 8443} }, true, false,
			"192.0.2.1 8443 192.0.2.1 8443 4 web check"},
		{"time-out", []string{slow}, "", nil, false, false, "timed out after 300ms while the program ran"},
		{"outside", []string{"/bin/sh", "-c", "exit 0"}, "", nil, false, false, "run /bin/sh: outside of the directories whose programs may be run (node file: probes.scripts.directories)"},
		{"an address that is not reached", []string{says, "0", "OK"}, "169.254.1.1:80", nil, false, false, "not there"},
		{"no program", nil, "", nil, false, false, "no program to run: set script.command of the monitor"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := config.Monitor{Name: "check", Type: config.MonitorScript, Interval: config.Duration(time.Minute), Timeout: config.Duration(20 * time.Second),
				Script: &config.ScriptProbe{Command: tt.command, Warning: config.WarningUp}}
			if tt.name == "time-out" {
				m.Timeout = config.Duration(300 * time.Millisecond)
			}
			if tt.with != nil {
				tt.with(&m)
			}
			if tt.address == "" {
				tt.address = "192.0.2.1:443"
			}
			got := p.Probe(t.Context(), target("web", tt.address, m))
			if got.OK != tt.ok || got.Drain != tt.drain || got.Reason != tt.want {
				t.Errorf("got %v, drain %v, %q, want %v, %v, %q", got.OK, got.Drain, got.Reason, tt.ok, tt.drain, tt.want)
			}
			if got.OK && got.Latency <= 0 {
				t.Errorf("latency %v", got.Latency)
			}
			if want := []Value{{"time", 0.5, "s"}}; tt.name == "ok" && !slices.Equal(got.Values, want) {
				t.Errorf("values %v, want %v", got.Values, want)
			}
		})
	}
	m := config.Monitor{Type: config.MonitorScript, Script: &config.ScriptProbe{Command: []string{says}}}
	if got := New(Options{}).Probe(t.Context(), target("web", "192.0.2.1:80", m)); got.OK || got.Reason != "this node runs no scripts" {
		t.Errorf("without a runner: got %+v", got)
	}
}
