package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairlead/api/resource"
)

const writableDocument = `zones: [{name: example.test, nameservers: [ns.example.net]}]
sites: [{name: here, address: 127.0.0.1}]
services:
  - {name: web, site: here, addresses: [192.0.2.1], labels: {team: web}}
  - {name: shop, site: here, addresses: [192.0.2.2]}
virtual_servers:
  - {name: www, domains: [{name: www.example.test}], method: round-robin, members: [{service: web}]}
`

// writable runs a node that takes writes, for the length of a test, and returns a function that runs a command and returns what it said.
func writable(t *testing.T) (dir string, fairlead func(want int, args ...string) (stdout, stderr string)) {
	t.Helper()
	dir = t.TempDir()
	api := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	node := filepath.Join(dir, "node.yaml")
	write(t, node, fmt.Sprintf("site: here\ndata_dir: data\nconfig: {seed: gslb.yaml}\ndns: {listen: [\"127.0.0.1:%d\"]}\napi: {listen: %q}\n", freePort(t), api))
	write(t, filepath.Join(dir, "gslb.yaml"), writableDocument)
	t.Setenv("FAIRLEAD_API", api)
	ctx, cancel := context.WithCancel(context.Background())
	var log output
	code := make(chan int, 1)
	go func() { code <- run(ctx, []string{"serve", "-f", node, "--drain", "1ms"}, &log, &log) }()
	t.Cleanup(func() {
		cancel()
		if got := <-code; got != exitDone {
			t.Errorf("serve ended with %d:\n%s", got, log.String())
		}
	})
	for deadline := time.After(patience); ; {
		var out output
		if run(ctx, []string{"sync", "status"}, &out, &out) == exitDone {
			break
		}
		select {
		case <-deadline:
			t.Fatalf("the node does not answer:\n%s", out.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return dir, func(want int, args ...string) (string, string) {
		t.Helper()
		var out, problems output
		if got := run(t.Context(), args, &out, &problems); got != want {
			t.Errorf("fairlead %s: exit code %d, want %d; it said:\n%s%s", strings.Join(args, " "), got, want, out.String(), problems.String())
		}
		return out.String(), problems.String()
	}
}

// says fails the test unless a text has all of some others.
func says(t *testing.T, text string, all ...string) {
	t.Helper()
	for _, want := range all {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %q in\n%s", want, text)
		}
	}
}

func TestGet(t *testing.T) {
	_, fairlead := writable(t)
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"counts", []string{"get"}, exitDone, "KIND            OBJECTS  NAMES\nzone            1        example.test\nsite            1        here\nservice         2        shop, web\nvirtual-server  1        www\n"},
		{"a kind", []string{"get", "services"}, exitDone, "NAME  SITE  ADDRESSES  PORT  MONITORS  STATE\nshop  here  192.0.2.2  -     -         -\nweb   here  192.0.2.1  -     -         -\n"},
		{"by label", []string{"get", "service", "-l", "team=web"}, exitDone, "NAME  SITE  ADDRESSES  PORT  MONITORS  STATE\nweb   here  192.0.2.1  -     -         -\n"},
		{"none", []string{"get", "monitors"}, exitDone, "NAME  TYPE  INTERVAL  TIMEOUT\n"},
		{"by names", []string{"get", "service/web", "service/shop"}, exitDone, "NAME  SITE  ADDRESSES  PORT  MONITORS  STATE\nweb   here  192.0.2.1  -     -         -\nshop  here  192.0.2.2  -     -         -\n"},
		{"yaml of one", []string{"get", "service", "web", "-o", "yaml"}, exitDone, "name: web\nsite: here\naddresses: [192.0.2.1]\nlabels: {team: web}\n"},
		{"yaml of a list", []string{"get", "services", "-l", "team", "-o", "yaml"}, exitDone, "services:\n  - name: web\n    site: here\n    addresses: [192.0.2.1]\n    labels: {team: web}\n"},
		{"not there", []string{"get", "service", "nobody"}, exitNotFound, ""},
		{"no kind", []string{"get", "sevices"}, exitUsage, ""},
		{"two kinds", []string{"get", "service/web", "site/here"}, exitUsage, ""},
		{"no output", []string{"get", "-o", "xml"}, exitUsage, ""},
		{"watch what", []string{"get", "-w"}, exitUsage, ""},
		{"unreachable", []string{"get", "services", "--api", "127.0.0.1:1"}, exitUnreachable, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if out, _ := fairlead(tt.code, tt.args...); out != tt.want {
				t.Errorf("got\n%s\nwant\n%s", out, tt.want)
			}
		})
	}
	out, _ := fairlead(exitDone, "get", "service", "-o", "json")
	var list resource.ObjectList
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Objects) != 2 || list.Objects[0].ETag == "" {
		t.Errorf("JSON of a list: %v\n%s", err, out)
	}
}

// TestWholeDocument goes from a look at a change to its end: diff, dry run, apply to be confirmed, history, rollback.
func TestWholeDocument(t *testing.T) {
	dir, fairlead := writable(t)
	file := filepath.Join(dir, "new.yaml")
	whole, _ := fairlead(exitDone, "get", "config")
	write(t, file, whole)
	fairlead(exitDone, "diff", "-f", file)
	write(t, file, strings.Replace(whole, "192.0.2.2", "192.0.2.3", 1)+"locations:\n  - {prefix: 203.0.113.0/24, place: EU.NL}\n")

	out, _ := fairlead(exitFailed, "diff", "-f", file)
	says(t, out, "~ service/shop", "-addresses: [192.0.2.2]", "+addresses: [192.0.2.3]", "+ location/203.0.113.0/24", "1 added, 1 changed, 0 removed", "effect:")
	out, _ = fairlead(exitDone, "apply", "-f", file, "--dry-run")
	says(t, out, "dry run: nothing was written")
	out, _ = fairlead(exitDone, "apply", "-f", file, "--reason", "a new shop", "--confirm", "5m")
	says(t, out, "unless you say: fairlead confirm")
	fairlead(exitDone, "confirm", "current")
	_, problems := fairlead(exitConflict, "confirm", "current")
	says(t, problems, "does not wait")
	out, _ = fairlead(exitDone, "apply", "-f", file)
	says(t, out, "nothing changes")

	out, _ = fairlead(exitDone, "history")
	says(t, out, "a new shop", "cli", "@", "service/shop", "seed")
	var list resource.RevisionList
	out, _ = fairlead(exitDone, "history", "-o", "json")
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Revisions) != 2 {
		t.Fatalf("the history has %d revisions (%v), want 2:\n%s", len(list.Revisions), err, out)
	}
	seed := list.Revisions[1].ID
	out, _ = fairlead(exitDone, "show", "current")
	says(t, out, "reason    a new shop", "+addresses: [192.0.2.3]")
	out, _ = fairlead(exitFailed, "diff", seed[:8])
	says(t, out, "+addresses: [192.0.2.3]")
	out, _ = fairlead(exitDone, "get", "config", "--at", seed)
	if out != whole {
		t.Errorf("the document of the seed is\n%s\nwant\n%s", out, whole)
	}
	out, _ = fairlead(exitDone, "restore", "--object", "service/shop", "--from", seed[:8], "--reason", "the old shop")
	says(t, out, "+addresses: [192.0.2.2]", "0 added, 1 changed")
	out, _ = fairlead(exitDone, "rollback", seed[:8])
	says(t, out, "- location/203.0.113.0/24", "0 added, 0 changed, 1 removed")
	out, _ = fairlead(exitDone, "history", "location/203.0.113.0/24", "--limit", "1")
	says(t, out, "back to "+seed)
	fairlead(exitNotFound, "show", "ffffffff")
	fairlead(exitUsage, "restore", "--object", "service/shop")
	fairlead(exitUsage, "restore", "a.backup", "--object", "service/shop", "--from", seed)
}

func TestWritesOfObjects(t *testing.T) {
	dir, fairlead := writable(t)
	file := filepath.Join(dir, "object.yaml")
	write(t, file, "site: here\naddresses: [192.0.2.9]\nport: 80\n")
	out, _ := fairlead(exitDone, "apply", "service/new", "-f", file, "--reason", "more")
	says(t, out, "+ service/new", "+name: new", "revision ")
	out, _ = fairlead(exitDone, "patch", "service/new", "-p", `{"port": 8080}`)
	says(t, out, "-port: 80", "+port: 8080")
	fairlead(exitDone, "delete", "service/new", "--dry-run")
	fairlead(exitDone, "delete", "service/new")
	_, problems := fairlead(exitNotFound, "delete", "service/new")
	says(t, problems, `no service "new"`)

	write(t, file, "site: here\naddresses: [192.0.2.300]\nprt: 80\n")
	_, problems = fairlead(exitFailed, "apply", "service/new", "-f", file)
	says(t, problems, file+":3:6: error: unknown key \"prt\"", "prt: 80")
	write(t, file, "site: here\naddresses: [192.0.2.300]\n")
	_, problems = fairlead(exitFailed, "apply", "service/new", "-f", file)
	says(t, problems, file+":2:13: error:", "192.0.2.300", "1 error")
	_, problems = fairlead(exitFailed, "delete", "service/web")
	says(t, problems, "virtual-server/www: error: members.0.service")
	_, problems = fairlead(exitConflict, "delete", "virtual-server/www")
	says(t, problems, "www.example.test. LOSES its answer", "--force")
	fairlead(exitDone, "delete", "virtual-server/www", "--force", "--reason", "the end")

	write(t, file, strings.Replace(writableDocument, "round-robin", "leastconn", 1))
	_, problems = fairlead(exitFailed, "apply", "-f", file)
	says(t, problems, file+":7:", `unknown method "leastconn"`, "least-connection")
	fairlead(exitUsage, "apply", "-f", filepath.Join(dir, "nothing"))
	fairlead(exitUsage, "apply", "web", "-f", file)
	fairlead(exitUsage, "apply")
	fairlead(exitUsage, "apply", "-f", file, "--confirm", "1s")
}

// TestDocumentWithZoneFiles sends files with the document that names them.
func TestDocumentWithZoneFiles(t *testing.T) {
	dir, fairlead := writable(t)
	file := filepath.Join(dir, "new.yaml")
	if err := os.Mkdir(filepath.Join(dir, "zones"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "zones", "static.zone"), "@ 3600 SOA ns.example.net. h.example.net. 1 3600 600 86400 60\n@ 3600 NS ns.example.net.\nwww 60 A 192.0.2.7\n")
	write(t, file, strings.Replace(writableDocument, "zones: [", "zones: [{name: static.test, file: zones/static.zone}, ", 1))
	out, _ := fairlead(exitDone, "apply", "-f", file)
	says(t, out, "+ file/zones/static.zone", "+ zone/static.test")
	out, _ = fairlead(exitDone, "get", "file", "zones/static.zone", "-o", "yaml")
	says(t, out, "www 60 A 192.0.2.7")
	out, _ = fairlead(exitDone, "get", "files")
	says(t, out, "zones/static.zone  1")
	broken := filepath.Join(dir, "zones", "static.zone")
	write(t, broken, "@ 3600 SOA ns.example.net. h.example.net. 1 3600 600 86400 60\n@ 3600 NS ns.example.net.\nwww 60 A 192.0.2.256\n")
	const marked = ":3:10: error: malformed data of type A: \"192.0.2.256\" [FL1509]\n    3 | www 60 A 192.0.2.256\n      |          ^^^^^^^^^^^\n"
	_, said := fairlead(exitFailed, "apply", "-f", file)
	says(t, said, broken+marked)
	_, said = fairlead(exitFailed, "apply", "file/zones/static.zone", "-f", broken)
	says(t, said, broken+marked)
	checked, _ := fairlead(exitFailed, "check", file)
	says(t, checked, broken+marked)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, strings.Replace(string(text), "round-robin", "leastconn", 1))
	_, said = fairlead(exitFailed, "apply", "-f", file)
	says(t, said, broken+marked, "unknown method", "2 errors")
	write(t, file, writableDocument)
	out, _ = fairlead(exitDone, "apply", "-f", file)
	says(t, out, "- file/zones/static.zone")
}

// TestReplayAsksTheNode: without --document, what the node serves is compared, with its zone files, wherever it came from.
func TestReplayAsksTheNode(t *testing.T) {
	dir, fairlead := writable(t)
	in := func(name, text string) string {
		path := filepath.Join(dir, name)
		write(t, path, text)
		return path
	}
	if err := os.Mkdir(filepath.Join(dir, "zones"), 0o700); err != nil {
		t.Fatal(err)
	}
	in("zones/static.zone", "@ 3600 SOA ns.example.net. h.example.net. 1 3600 600 86400 60\n@ 3600 NS ns.example.net.\nwww 60 A 192.0.2.7\n")
	same := in("same.yaml", strings.Replace(writableDocument, "zones: [", "zones: [{name: static.test, file: zones/static.zone}, ", 1))
	moved := in("moved.yaml", strings.Replace(strings.Replace(writableDocument, "zones: [", "zones: [{name: static.test, file: zones/static.zone}, ", 1),
		"members: [{service: web}]", "members: [{service: shop}]", 1))
	fairlead(exitDone, "apply", "-f", same)
	log := in("queries.json", `{"client":"192.0.2.0/24","name":"www.example.test.","type":"A"}`+"\n"+`{"client":"192.0.2.0/24","name":"www.static.test.","type":"A"}`+"\n")
	out, _ := fairlead(exitDone, "replay", "--log", log, "--candidate", same)
	says(t, out, "2 queries of 2 kinds: 0 % of the answers change")
	out, _ = fairlead(exitFailed, "replay", "--log", log, "--candidate", moved)
	says(t, out, "2 queries of 2 kinds: 50 % of the answers change", "www.example.test.")
}
