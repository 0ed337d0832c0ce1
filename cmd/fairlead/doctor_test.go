package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairlead/internal/doctor"
)

const doctorPage = "../../docs/doctor.md"

// TestDoctorPage makes the site of the page and compares what is shown there: each line of it is said, in that order; "…" stands for lines between.
func TestDoctorPage(t *testing.T) {
	dir := t.TempDir()
	fairlead := func(want int, args ...string) string {
		var out output
		if got := run(t.Context(), args, &out, &out); got != want {
			t.Errorf("fairlead %s: exit code %d, want %d; it said:\n%s", strings.Join(args, " "), got, want, out.String())
		}
		return out.String()
	}
	fairlead(exitDone, "pki", "init", "--dir", filepath.Join(dir, "pki"))
	fairlead(exitDone, "pki", "issue", "ams", "--dir", filepath.Join(dir, "pki"))
	if err := os.Chmod(filepath.Join(dir, "pki", "ams.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "gslb.yaml"), `zones: [{name: gslb.test, nameservers: [ns1.example.net]}]
sites: [{name: ams, address: 127.0.0.1}, {name: nyc, address: "127.0.0.2:1"}]
services: [{name: web, site: ams, addresses: [192.0.2.80]}]
virtual_servers: [{name: www, domains: [{name: www.gslb.test}], method: round-robin, members: [{service: web}]}]
`)
	node := filepath.Join(dir, "node.yaml")
	write(t, node, fmt.Sprintf("site: ams\ndata_dir: data\nconfig: {seed: gslb.yaml}\ndns: {listen: [\"127.0.0.1:%d\"]}\n"+
		"mep: {listen: \"127.0.0.1:%d\", tls: {cert: pki/ams.crt, key: pki/ams.key, ca: pki/ca.crt}}\napi: {listen: \"127.0.0.1:%d\"}\n", freePort(t), freePort(t), freePort(t)))
	t.Setenv("FAIRLEAD_API", "")
	said := strings.ReplaceAll(fairlead(exitFailed, "doctor", "--config", node), dir, "/etc/fairlead")
	page, err := os.ReadFile(doctorPage)
	if err != nil {
		t.Fatal(err)
	}
	_, shown, found := strings.Cut(string(page), "```\n$ fairlead doctor --config /etc/fairlead/node.yaml\n")
	shown, _, closed := strings.Cut(shown, "```\n")
	if !found || !closed {
		t.Fatal("the page shows no run")
	}
	rest := said
	for line := range strings.Lines(shown) {
		if line == "…\n" {
			continue
		}
		_, after, is := strings.Cut(rest, line)
		if !is {
			t.Fatalf("the page shows %q; the command says\n%s", line, said)
		}
		rest = after
	}
	var report doctor.Report
	if err := json.Unmarshal([]byte(fairlead(exitFailed, "doctor", "--config", node, "-o", "json")), &report); err != nil || report.Site != "ams" || report.Counts[doctor.Failed] != 1 || len(report.Checks) == 0 {
		t.Errorf("JSON: %v, %+v", err, report)
	}
}

// TestDoctorOfRunningNode looks at a node that runs, by its node file and by its API alone.
func TestDoctorOfRunningNode(t *testing.T) {
	dir, fairlead := writable(t)
	for _, args := range [][]string{{"doctor", "--config", filepath.Join(dir, "node.yaml")}, {"doctor"}} {
		out, _ := fairlead(exitDone, append(args, "-o", "json")...)
		var report doctor.Report
		if err := json.Unmarshal([]byte(out), &report); err != nil {
			t.Fatal(err)
		}
		levels := map[string]doctor.Level{}
		for _, c := range report.Checks {
			levels[c.Check] = c.Level
		}
		want := map[string]doctor.Level{"node": doctor.OK, "ready": doctor.OK, "document-sync": doctor.OK, "alarms": doctor.OK, "delegation": doctor.Skipped}
		if len(args) > 1 {
			want["sockets"], want["data-dir"] = doctor.OK, doctor.OK
		}
		for check, level := range want {
			if levels[check] != level {
				t.Errorf("%v: %s is %q, want %q:\n%s", args, check, levels[check], level, out)
			}
		}
	}
	fairlead(exitFailed, "doctor", "--api", "127.0.0.1:1")
	fairlead(exitUsage, "doctor", "--timeout", "0s")
	fairlead(exitUsage, "doctor", "--resolver", "nobody")
	fairlead(exitUsage, "doctor", "-o", "xml")
	fairlead(exitFailed, "doctor", "--config", "/no/such/file")
}
