package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairlead/api/resource"
	"fairlead/internal/pki"
)

// guarded is a node that wants TLS and a token, and the files of its operators.
type guarded struct {
	t            *testing.T
	dir, api     string
	stop         func()
	log          output
	whole        output // all that commands said
	issued, node string
}

// serveGuarded runs it for the length of a test. The first token is made before it starts.
func serveGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{t: t, dir: t.TempDir(), api: fmt.Sprintf("127.0.0.1:%d", freePort(t))}
	authority, err := pki.NewAuthority(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	write(t, g.in("ca.crt"), string(authority.Cert()))
	for _, name := range []string{"node", "ops"} {
		pair, err := authority.Issue(name, pki.Options{IPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, DNSNames: []string{name + ".example.test"}})
		if err != nil {
			t.Fatal(err)
		}
		write(t, g.in(name+".crt"), string(pair.Cert))
		write(t, g.in(name+".key"), string(pair.Key))
	}
	g.node = g.in("node.yaml")
	write(t, g.node, fmt.Sprintf(`site: here
data_dir: data
config: {seed: gslb.yaml}
dns: {listen: ["127.0.0.1:%d"]}
api:
  listen: %q
  tls: {cert: node.crt, key: node.key, client_ca: ca.crt}
  tokens_file: tokens.json
  subjects: [{san: ops.example.test, role: operator}]
`, freePort(t), g.api))
	write(t, g.in("gslb.yaml"), `zones: [{name: example.test, nameservers: [ns.example.net]}]
sites: [{name: here, address: 127.0.0.1}]
services:
  - {name: web, site: here, addresses: [192.0.2.1], labels: {team: web}}
  - {name: db, site: here, addresses: [192.0.2.2]}
virtual_servers: [{name: www, domains: [{name: www.example.test}], method: round-robin, members: [{service: web}, {service: db}]}]
`)
	g.token("admin", "token create --tokens-file @tokens.json --name admin --role admin", exitDone)
	ctx, cancel := context.WithCancel(context.Background())
	code := make(chan int, 1)
	go func() { code <- run(ctx, []string{"serve", "-f", g.node, "--drain", "1ms"}, &g.log, &g.log) }()
	ended := false
	g.stop = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if got := <-code; got != exitDone || t.Failed() {
			t.Errorf("serve ended with %d:\n%s", got, g.log.String())
		}
	}
	t.Cleanup(func() { g.stop() })
	for deadline := time.After(patience); ; {
		var out output
		if run(ctx, g.args("status --ca @ca.crt --token-file @admin.token"), &out, &out) == exitDone {
			return g
		}
		select {
		case <-deadline:
			t.Fatalf("the node does not answer:\n%s\n%s", out.String(), g.log.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (g *guarded) in(name string) string { return filepath.Join(g.dir, name) }

// args are those of a command line in which @ stands for the directory.
func (g *guarded) args(line string) []string {
	g.t.Setenv("FAIRLEAD_API", "https://"+g.api)
	return strings.Fields(strings.ReplaceAll(line, "@", g.dir+"/"))
}

// run runs a command line and wants an exit code.
func (g *guarded) run(line string, want int) (out, said string) {
	g.t.Helper()
	var a, b output
	if got := run(g.t.Context(), g.args(line), &a, &b); got != want {
		g.t.Errorf("%s: exit code %d, want %d; it said:\n%s%s", line, got, want, a.String(), b.String())
	}
	if !strings.HasPrefix(line, "token create") {
		fmt.Fprintln(&g.whole, a.String(), b.String())
	}
	return a.String(), b.String()
}

// token keeps the token that a command prints in a file.
func (g *guarded) token(name, line string, want int) {
	g.t.Helper()
	secret, said := g.run(line, want)
	if !strings.HasPrefix(secret, "flt_") || strings.Count(secret, "\n") != 1 || strings.Contains(said, "flt_") {
		g.t.Errorf("%s printed %q, and said %q", line, secret, said)
	}
	g.issued += secret
	write(g.t, g.in(name+".token"), secret)
}

// TestTokenAndAuditCommands makes, uses, limits, lists and revokes tokens as an operator does, and looks at what the audit log says of it.
func TestTokenAndAuditCommands(t *testing.T) {
	t.Setenv("FAIRLEAD_TOKEN", "")
	g := serveGuarded(t)
	const admin, ci, ops = " --ca @ca.crt --token-file @admin.token", " --ca @ca.crt --token-file @ci.token", " --ca @ca.crt --cert @ops.crt --key @ops.key"
	g.token("ci", "token create --name ci --role operator --label team=web --expires 90d"+admin, exitDone)
	_, said := g.run("status --ca @ca.crt", exitNotAllowed)
	says(t, said, "needs the role viewer", "--token-file")
	_, said = g.run("status --token-file @admin.token", exitUnreachable) // the system does not know the authority
	says(t, said, "; --ca names")
	for _, c := range []struct {
		line string
		want int
	}{
		{"status --token-file @none --ca @ca.crt", exitUsage},
		{"status --token flt_wrong --ca @ca.crt", exitNotAllowed},
		{"status --token-file @ci.token --token x", exitUsage},
		{"status" + ci, exitDone},
		{"status" + ops, exitDone},
		{"drain web --reason upgrade" + ci, exitDone},
		{"drain db --reason upgrade" + ci, exitNotAllowed},
		{"drain here --site --reason upgrade" + ci, exitNotAllowed},
		{"clear web" + ops, exitDone},
		{"audit list" + ops, exitNotAllowed},
		{"token list" + ci, exitNotAllowed},
		{"token create --name ci --role viewer" + admin, exitConflict},
		{"token create --name x --role root" + admin, exitUsage},
		{"token create --name x" + admin, exitUsage},
		{"token create --name x --role viewer --label team" + admin, exitUsage},
		{"token create --name x --role viewer --expires yesterday" + admin, exitUsage},
		{"token revoke nobody" + admin, exitNotFound},
		{"token revoke nobody --tokens-file @tokens.json", exitNotFound},
		{"token list --node @gslb.yaml", exitFailed},
		{"token list --node @none", exitUsage},
		{"audit list --limit -1" + admin, exitUsage},
		{"audit list --since yesterday" + admin, exitUsage},
		{"audit verify", exitUsage},
		{"audit verify --file @none", exitUsage},
		{"backup -o @whole.backup" + admin, exitDone},
		{"backup -o @other.backup" + ci, exitNotAllowed},
	} {
		g.run(c.line, c.want)
	}
	list, _ := g.run("token list"+admin, exitDone)
	if offline, _ := g.run("token list --node @node.yaml", exitDone); !strings.Contains(list, "team=web") || !strings.Contains(offline, "team=web") || len(strings.Split(list, "\n")) != 4 {
		t.Errorf("listed are\n%s\nand from the file\n%s", list, offline)
	}
	if _, said := g.run("token revoke ci"+admin, exitDone); !strings.Contains(said, "is revoked") {
		t.Errorf("revoke said %s", said)
	}
	g.run("status"+ci, exitNotAllowed)
	g.checkAudit(admin)
	g.checkSecrets()
}

// checkAudit looks at the log over the interface, and then at its file.
func (g *guarded) checkAudit(admin string) {
	t := g.t
	t.Helper()
	text, _ := g.run("audit list -o json --limit 3 --who ci"+admin, exitDone)
	var page resource.AuditPage
	if err := json.Unmarshal([]byte(text), &page); err != nil {
		t.Fatal(err)
	}
	if len(page.Entries) != 3 || page.Entries[0].Action != "read-backup" || page.Entries[0].Outcome != "refused" {
		t.Errorf("the newest of ci are %+v", page.Entries)
	}
	table, _ := g.run("audit list --object service/web"+admin, exitDone)
	if lines := strings.Split(strings.TrimSpace(table), "\n"); len(lines) != 3 || !strings.Contains(lines[1], "ops.example.test") || !strings.Contains(lines[2], "upgrade") {
		t.Errorf("of service/web:\n%s", table)
	}
	verified, _ := g.run("audit verify --node @node.yaml", exitDone)
	_, head, _ := strings.Cut(strings.TrimSpace(verified), "head ")
	g.run("audit verify --node @node.yaml --head "+head, exitDone)
	g.stop()
	path := g.in("data/audit.jsonl")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(whole), "\n")
	write(t, path, strings.Join(lines[:len(lines)-2], "")) // without its newest line, whole
	g.run("audit verify --node @node.yaml", exitDone)
	if _, said := g.run("audit verify --node @node.yaml --head "+head, exitFailed); !strings.Contains(said, "is not there") {
		t.Errorf("without the newest line: %s", said)
	}
	write(t, path, strings.Replace(string(whole), "upgrade", "downgrade", 1))
	if _, said := g.run("audit verify --node @node.yaml", exitFailed); !strings.Contains(said, "audit.jsonl:") || !strings.Contains(said, "was changed") {
		t.Errorf("with a line that was changed: %s", said)
	}
	write(t, path, string(whole))
}

// checkSecrets looks for tokens and keys in all that is written down and said.
func (g *guarded) checkSecrets() {
	t := g.t
	t.Helper()
	var all strings.Builder
	for _, name := range []string{"data/audit.jsonl", "tokens.json", "tokens.json.used", "whole.backup"} {
		text, err := os.ReadFile(g.in(name))
		if err != nil {
			t.Error(err)
		}
		all.Write(text)
		if info, err := os.Stat(g.in(name)); err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %o", name, info.Mode().Perm())
		}
	}
	all.WriteString(g.log.String() + g.whole.String())
	for _, secret := range strings.Fields(g.issued) {
		if strings.Contains(all.String(), secret[:20]) {
			t.Errorf("the token %s… is written down", secret[:8])
		}
	}
	if !strings.Contains(g.log.String(), "access.tokens_reloaded") {
		t.Errorf("the log does not tell of new tokens:\n%s", g.log.String())
	}
}
