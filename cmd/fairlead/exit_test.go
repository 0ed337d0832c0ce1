package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestExitCodes gives every kind of wrong input to commands that ask a node.
func TestExitCodes(t *testing.T) {
	api := serving(t)
	tests := []struct {
		args string
		want int
	}{
		{"nonsense", exitUsage},
		{"pki nonsense", exitUsage},
		{"bench nonsense", exitUsage},
		{"measure nonsense", exitUsage},
		{"pki init --validity -1h", exitUsage},
		{"pki issue a/b", exitUsage},
		{"pki issue ams --dir /no/such/directory", exitUsage},
		{"serve -f /no/such/file", exitUsage},
		{"query www.example.test @127.0.0.1:1 --subnet fe80::1%eth0", exitUsage},

		{"explain www.example.test", exitDone},
		{"explain a..b", exitUsage},
		{"explain www.example.test --type NONSENSE", exitUsage},
		{"explain www.example.test --client fe80::1%eth0", exitUsage},
		{"explain www.example.test --at-site nowhere", exitNotFound},
		{"explain www.example.test --at-site there", exitUnreachable},
		{"locate fe80::1%eth0", exitUsage},
		{"whatif --lose nothing", exitNotFound},
		{"whatif --load lots", exitUsage},
		{"whatif --load lots --lose nothing", exitUsage},
		{"status --site nowhere", exitNotFound},
		{"status services --site nowhere", exitNotFound},
		{"status services --site here", exitDone},
		{"status sites --state up", exitUsage},

		{"disable nothing --reason test", exitNotFound},
		{"disable web --reason test --for 1ms", exitUsage},
		{"disable nowhere --site --reason test", exitNotFound},
		{"clear web", exitNotFound},
		{"clear nothing", exitNotFound},
		{"release www", exitNotFound},
		{"release nothing", exitNotFound},
		{"sessions --virtual-server nothing", exitNotFound},
		{"sessions --limit -1", exitUsage},
		{"sessions --client fe80::1%eth0", exitUsage},
		{"ldns 192.0.2.53", exitNotFound},
		{"ldns --limit -1", exitUsage},
		{"ldns set 192.0.2.53 --site nowhere --rtt 1ms", exitNotFound},
		{"ldns set 192.0.2.53 --site here --rtt -1ms", exitUsage},
		{"measure set 203.0.113.0/24 nothing=1", exitNotFound},
		{"measure set 203.0.113.0/24 web=1 --for ever", exitUsage},
		{"measure set 203.0.113.0/24 web=1 web=2", exitUsage},
		{"measure list --limit -1", exitUsage},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			t.Setenv("FAIRLEAD_API", api)
			var out output
			if got := run(t.Context(), strings.Fields(tt.args), &out, &out); got != tt.want {
				t.Errorf("exit code %d, want %d; it said:\n%s", got, tt.want, out.String())
			}
		})
	}
}

// TestReplayLooksAtFilesFirst: what is wrong here is told, whether or not a node answers.
func TestReplayLooksAtFilesFirst(t *testing.T) {
	document := filepath.Join(t.TempDir(), "gslb.yaml")
	write(t, document, "zones: [{name: example.test, nameservers: [ns.example.net]}]\nsites: [{name: here, address: 127.0.0.1}]\n")
	for _, args := range []string{
		"--log /no/such/log --candidate " + document,
		"--log /no/such/log --candidate /no/such/candidate",
		"--log " + document + " --candidate /no/such/candidate",
		"--log - --candidate " + document + " --node /no/such/node",
		"--log /no/such/log --candidate " + document + " --status 127.0.0.1:1",
		"--log - --candidate " + document + " --status /no/such/status",
	} {
		var out output
		got := run(t.Context(), append([]string{"replay", "--api", "127.0.0.1:1"}, strings.Fields(args)...), &out, &out)
		if got != exitUsage || strings.Contains(out.String(), "answers at") {
			t.Errorf("replay %s: exit code %d, want %d; it said:\n%s", args, got, exitUsage, out.String())
		}
		for _, word := range strings.Fields(args) {
			if strings.HasPrefix(word, "/no/such/") && !strings.Contains(out.String(), word) {
				t.Errorf("replay %s does not name %s:\n%s", args, word, out.String())
			}
		}
	}
	var out output
	if got := run(t.Context(), []string{"replay", "--api", "127.0.0.1:1", "--log", "-", "--candidate", document}, &out, &out); got != exitUnreachable {
		t.Errorf("with files that are there and no node: exit code %d, want %d; it said:\n%s", got, exitUnreachable, out.String())
	}
}

// serving runs a node for the length of a test and returns the address of its interface.
func serving(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	dns, api := fmt.Sprintf("127.0.0.1:%d", freePort(t)), fmt.Sprintf("127.0.0.1:%d", freePort(t))
	node := filepath.Join(dir, "node.yaml")
	write(t, node, fmt.Sprintf("site: here\ndata_dir: data\nconfig: {follow: gslb.yaml}\ndns: {listen: [%q]}\napi: {listen: %q}\n", dns, api))
	write(t, filepath.Join(dir, "gslb.yaml"), `zones: [{name: example.test, nameservers: [ns.example.net]}]
sites: [{name: here, address: 127.0.0.1}, {name: there, address: 127.0.0.2}]
services: [{name: web, site: here, addresses: [192.0.2.1]}]
virtual_servers: [{name: www, domains: [{name: www.example.test}], method: round-robin, members: [{service: web}]}]
`)
	ctx, cancel := context.WithCancel(context.Background())
	var log output
	code := make(chan int, 1)
	go func() { code <- run(ctx, []string{"serve", "-f", node, "--drain", "1ms"}, &log, &log) }()
	t.Cleanup(func() {
		cancel()
		if got := <-code; got != exitDone || t.Failed() {
			t.Errorf("serve ended with %d:\n%s", got, log.String())
		}
	})
	for deadline := time.After(patience); ; {
		var out output
		if run(ctx, []string{"status", "--api", api}, &out, &out) == exitDone {
			return api
		}
		select {
		case <-deadline:
			t.Fatalf("the node does not answer:\n%s", out.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
}
