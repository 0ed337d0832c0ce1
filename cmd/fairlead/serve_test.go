package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fairlead/internal/query"
	"fairlead/internal/testkit/loopback"
)

// patience is how long tests wait for what must come. It is much longer than that takes on a busy machine: only a test that fails
// waits so long.
const patience = 30 * time.Second

// output is a buffer that a server writes and a test reads.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// freePort is a port of 127.0.0.1 that stays free for this test, until it is listened on.
func freePort(t *testing.T) int {
	t.Helper()
	return loopback.Port(t)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestServeSignals runs the command as a process would: HUP takes a followed document, or keeps the old one when it is
// wrong; the end of the context, which TERM brings, ends it with 0.
func TestServeSignals(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("processes get no HUP here")
	}
	dir := t.TempDir()
	dns, api := fmt.Sprintf("127.0.0.1:%d", freePort(t)), fmt.Sprintf("127.0.0.1:%d", freePort(t))
	node, doc := filepath.Join(dir, "node.yaml"), filepath.Join(dir, "gslb.yaml")
	write(t, node, fmt.Sprintf("site: here\ndata_dir: data\nconfig: {follow: gslb.yaml}\ndns: {listen: [%q]}\napi: {listen: %q}\n", dns, api))
	document := func(address string) string {
		return fmt.Sprintf(`zones: [{name: example.test, nameservers: [ns.example.net]}]
sites: [{name: here, address: 127.0.0.1}]
services: [{name: web, site: here, addresses: [%s]}]
virtual_servers: [{name: www, domains: [{name: www.example.test}], method: round-robin, members: [{service: web}]}]
`, address)
	}
	write(t, doc, document("192.0.2.1"))

	ctx, cancel := context.WithCancel(context.Background())
	var log output
	code := make(chan int, 1)
	go func() { code <- run(ctx, []string{"serve", "-f", node, "--drain", "1ms"}, &log, &log) }()
	t.Cleanup(func() {
		cancel()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	until := func(what string, check func() bool) {
		t.Helper()
		for deadline := time.After(patience); !check(); {
			select {
			case <-deadline:
				t.Fatalf("%s: not within %v", what, patience)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	answers := func(want string) func() bool {
		return func() bool {
			r, err := query.Do(ctx, query.Request{Name: "www.example.test", Server: dns, Timeout: 5 * time.Second})
			return err == nil && strings.Join(r.Short(), " ") == want
		}
	}
	until("the first document answers", answers("192.0.2.1"))
	write(t, doc, document("192.0.2.2"))
	hangup(t)
	until("the second document answers", answers("192.0.2.2"))
	write(t, doc, document("192.0.2.3")+"wrong: true\n")
	hangup(t)
	until("the wrong document is refused", func() bool { return strings.Contains(log.String(), "config.refused") })
	if !answers("192.0.2.2")() {
		t.Error("after a refused document the one before does not answer")
	}
	var status output
	until("the status tells of it", func() bool {
		status = output{}
		return run(ctx, []string{"status", "--api", api}, &status, &status) == exitDone && strings.Contains(status.String(), `unknown key "wrong"`)
	})
	cancel()
	select {
	case got := <-code:
		if got != exitDone {
			t.Errorf("exit code %d, want %d", got, exitDone)
		}
	case <-time.After(patience):
		t.Fatal("serve did not end")
	}
}

// hangup sends this process a HUP.
func hangup(t *testing.T) {
	t.Helper()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// TestServeSaysWhatLooksCloser: a node that cannot start says why, and what says more; one that is not there, where it was looked for.
func TestServeSaysWhatLooksCloser(t *testing.T) {
	node := filepath.Join(t.TempDir(), "node.yaml")
	write(t, node, fmt.Sprintf("site: here\ndata_dir: data\nconfig: {seed: nowhere.yaml}\ndns: {listen: [\"127.0.0.1:%d\"]}\n", freePort(t)))
	var out output
	if code := run(t.Context(), []string{"serve", "-f", node}, &out, &out); code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	says(t, out.String(), "nowhere.yaml: no such file", "fairlead doctor --config "+node)
	out = output{}
	if code := run(t.Context(), []string{"status", "--api", "127.0.0.1:1"}, &out, &out); code != exitUnreachable {
		t.Errorf("exit code %d, want %d", code, exitUnreachable)
	}
	says(t, out.String(), "no node answers at 127.0.0.1:1", "is it running", "--api")
}

// TestServeToldToStopAtOnce: who stops a node before it has begun has stopped it, and nothing went wrong.
func TestServeToldToStopAtOnce(t *testing.T) {
	node := filepath.Join(t.TempDir(), "node.yaml")
	write(t, node, fmt.Sprintf("site: here\ndata_dir: data\nconfig: {seed: gslb.yaml}\ndns: {listen: [\"127.0.0.1:%d\"]}\n", freePort(t)))
	write(t, filepath.Join(filepath.Dir(node), "gslb.yaml"), "sites: [{name: here, address: 127.0.0.1}]\n")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out output
	if code := run(ctx, []string{"serve", "-f", node}, &out, &out); code != exitDone || strings.Contains(out.String(), "fairlead:") {
		t.Errorf("exit code %d, want %d; it said:\n%s", code, exitDone, out.String())
	}
}
