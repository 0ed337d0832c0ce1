package node_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairlead/config"
)

// TestObserversSeeQueries asks before and after a reload, and finds each query in the file of its time.
func TestObserversSeeQueries(t *testing.T) {
	t.Parallel()
	p := newPlace(t, true)
	p.write(document("192.0.2.1"))
	dir := t.TempDir()
	tap, log := filepath.Join(dir, "tap"), filepath.Join(dir, "log")
	p.config.DNS.Dnstap = &config.NodeDnstap{File: tap, Queue: 1024}
	p.config.DNS.QueryLog = config.NodeQueryLog{Sample: 1, File: log, MaxPerSecond: 1000}
	n, stop := p.serve(nil)

	answer(t, n, "www.example.test")
	wait(t, "the first query is in a file", func() bool {
		b, _ := os.ReadFile(tap)
		return bytes.Contains(b, []byte("\x03www\x07example\x04test\x00"))
	})
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	if err := n.Reload(); err != nil {
		t.Fatal(err)
	}
	var older []string
	wait(t, "both files are new", func() bool {
		older, _ = filepath.Glob(tap + ".*")
		_, tapErr := os.Stat(tap)
		_, logErr := os.Stat(log)
		return len(older) == 1 && tapErr == nil && logErr == nil
	})
	answer(t, n, "ns.example.test")
	stop()

	for _, f := range []struct{ file, has, lacks string }{
		{older[0], "\x03www\x07example\x04test\x00", "\x02ns\x07example\x04test\x00"},
		{tap, "\x02ns\x07example\x04test\x00", "\x03www\x07example\x04test\x00"},
		{log + ".1", `"name":"www.example.test."`, `"name":"ns.example.test."`},
		{log, `"name":"ns.example.test."`, `"name":"www.example.test."`},
	} {
		b, err := os.ReadFile(f.file)
		if err != nil {
			t.Error(err)
			continue
		}
		if text := string(b); !strings.Contains(text, f.has) || strings.Contains(text, f.lacks) {
			t.Errorf("%s: got %q, want %q and not %q", filepath.Base(f.file), text, f.has, f.lacks)
		}
	}
	if b, err := os.ReadFile(tap); err != nil || !bytes.Contains(b, []byte("\x0a\x04here")) {
		t.Errorf("the site is not the identity in %q, %v", b, err)
	}
}

// wait returns once something is so.
func wait(t *testing.T, what string, so func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !so() {
		select {
		case <-deadline:
			t.Fatalf("waited 10 s: %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
