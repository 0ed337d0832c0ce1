package main

import (
	"strings"
	"testing"
	"time"

	"fairlead/api/resource"
)

func TestOrderCommands(t *testing.T) {
	const until = `"set": "2026-11-22T06:00:00Z", "until": "2026-11-22T08:00:00Z"`
	api := fakeAPI(t, map[string]string{
		"/v1/services/web-ams/disable":    `{"kind": "service", "name": "web-ams", "action": "disable", ` + until + `}`,
		"/v1/sites/ams/drain":             `{"kind": "site", "name": "ams", "action": "drain", ` + until + `}`,
		"/v1/services/web-ams/clear":      `{"kind": "service", "name": "web-ams", "action": "clear", ` + until + `}`,
		"/v1/virtual-servers/www/release": `{"kind": "virtual-server", "name": "www", "action": "release"}`,
	})
	tests := []struct {
		args []string
		code int
		want string
	}{
		{[]string{"disable", "web-ams", "--reason", "kernel", "--for", "2h"}, exitDone, "service web-ams: disable until 2026-11-22T08:00:00Z, then as the document says\n"},
		{[]string{"drain", "ams", "--site", "--reason", "power"}, exitDone, "site ams: drain until 2026-11-22T08:00:00Z, then as the document says\n"},
		{[]string{"clear", "web-ams"}, exitDone, "service web-ams: clear\n"},
		{[]string{"release", "www"}, exitDone, "virtual-server www: release\n"},
		{[]string{"disable", "nobody", "--reason", "kernel"}, exitNotFound, ""},
		{[]string{"disable", "web-ams"}, exitUsage, ""},
		{[]string{"disable", "--reason", "kernel"}, exitUsage, ""},
		{[]string{"drain", "ams", "--site", "--wait", "--reason", "power"}, exitUsage, ""},
	}
	for _, tt := range tests {
		var out, problems output
		code := run(t.Context(), append(tt.args, "--api", api), &out, &problems)
		if code != tt.code || out.String() != tt.want {
			t.Errorf("%v: exit %d, %q (%s); want %d, %q", tt.args, code, out.String(), problems.String(), tt.code, tt.want)
		}
	}
}

func TestDrainLine(t *testing.T) {
	now := time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
	count := func(n uint64) *uint64 { return &n }
	sessions, estimate := 7, 90.0
	tests := []struct {
		name    string
		service resource.Service
		want    string
		done    bool
	}{
		{"not yet", resource.Service{Name: "web", State: "UP"}, "web is UP: the order is on its way", false},
		{"not any more", resource.Service{Name: "web", State: "DOWN", Reason: "refused"}, "web is DOWN: nothing to wait for (refused)", true},
		{"begun", resource.Service{Drain: &resource.Drain{Connections: count(40), Sessions: &sessions, EstimateSeconds: &estimate, ResolversUntil: now.Add(20 * time.Second)}},
			"40 connections, 7 sessions, resolvers may hold answers for 20s; about 1m30s left", false},
		{"resolvers have forgotten", resource.Service{Drain: &resource.Drain{Connections: count(2), ResolversUntil: now}},
			"2 connections, no resolver holds an answer any more", false},
		{"sessions", resource.Service{Drain: &resource.Drain{Connections: count(0), Sessions: &sessions, ResolversUntil: now}},
			"0 connections, 7 sessions, whose clients are still sent to it", false},
		{"done", resource.Service{Drain: &resource.Drain{Connections: count(0), ResolversUntil: now}}, "0 connections, no resolver holds an answer any more", true},
		{"without a load source", resource.Service{Drain: &resource.Drain{ResolversUntil: now}}, "connections are not reported, no resolver holds an answer any more", true},
	}
	for _, tt := range tests {
		if line, done := drainLine(&tt.service, now); line != tt.want || done != tt.done {
			t.Errorf("%s: got %q, %v; want %q, %v", tt.name, line, done, tt.want, tt.done)
		}
	}
}

// TestOrdersByKind: NAME is a service, KIND/NAME what it says.
func TestOrdersByKind(t *testing.T) {
	answer := `{"kind": "k", "name": "web", "action": "disable", "until": "2026-11-22T08:00:00Z"}`
	api := fakeAPI(t, map[string]string{
		"/v1/services/web/disable": answer, "/v1/sites/web/disable": answer, "/v1/service-groups/web/disable": answer, "/v1/virtual-servers/web/disable": answer,
		"/v1/virtual-servers/web/clear": answer,
	})
	tests := []struct {
		args string
		code int
		want string // in what is complained about
	}{
		{"disable web", exitDone, ""},
		{"disable service/web", exitDone, ""},
		{"disable --site web", exitDone, ""},
		{"disable site/web", exitDone, ""},
		{"disable service-group/web", exitDone, ""},
		{"disable virtual-server/web", exitDone, ""},
		{"clear virtual-server/web", exitDone, ""},
		{"disable monitor/web", exitUsage, "service-group/NAME"},
		{"disable service-group/", exitUsage, "service-group/NAME"},
		{"disable --site service-group/web", exitUsage, "leave one of the two away"},
		{"drain --wait virtual-server/web", exitUsage, "--wait waits for one service"},
		{"clear nothing/web", exitUsage, "virtual-server/NAME"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			var out, problems output
			code := run(t.Context(), append(strings.Fields(tt.args), "--reason", "disk", "--api", api), &out, &problems)
			if code != tt.code || !strings.Contains(problems.String(), tt.want) {
				t.Errorf("exit %d, %q; want %d with %q", code, problems.String(), tt.code, tt.want)
			}
		})
	}
}

// TestWaitingForADrainThatIsOver ends, and not well: the service was UP again before it was empty.
func TestWaitingForADrainThatIsOver(t *testing.T) {
	api := fakeAPI(t, map[string]string{
		"/v1/services/web/drain":  `{"kind": "service", "name": "web", "action": "drain", "until": "2026-11-22T08:00:00Z"}`,
		"/v1/status/services/web": `{"name": "web", "state": "UP", "override": {"kind": "site", "name": "ams", "action": "enable"}}`,
	})
	var out, problems output
	if code := run(t.Context(), []string{"drain", "web", "--reason", "disk", "--wait", "--api", api}, &out, &problems); code != exitFailed ||
		!strings.Contains(problems.String(), "has ended") {
		t.Errorf("exit %d, %q; want %d, and why", code, problems.String(), exitFailed)
	}
}

func TestStatusOfBelief(t *testing.T) {
	const at = `"at": "2026-11-22T06:00:00Z"`
	api := fakeAPI(t, map[string]string{
		"/v1/status/sites":               `{"sites": [], "alarm": "it suspects itself", ` + at + `}`,
		"/v1/status/services?limit=1000": `{"services": [{"name": "web", "site": "ams", "state": "UP", "doubt": "failing", "reason": "r", "source": "s", "since": "2026-11-22T05:59:00Z"}], ` + at + `}`,
		"/v1/status/document":            `{"id": "0123456789", "source": "x.yaml", "since": "2026-11-22T05:00:00Z"}`,
		"/v1/overrides":                  `{"overrides": [{"kind": "virtual-server", "name": "www", "action": "hold", "owner": "fairlead", "reason": "none\nusable", "site": "ams"}], ` + at + `}`,
	})
	var out, problems output
	if code := run(t.Context(), []string{"status", "--api", api}, &out, &problems); code != exitDone {
		t.Fatalf("exit %d: %s", code, problems.String())
	}
	for _, want := range []string{"ALARM: it suspects itself\n", "UP (failing)", "hold      virtual-server  www", "released", `none\nusable`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in\n%s", want, out.String())
		}
	}
}
