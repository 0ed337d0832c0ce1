//go:build integration

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Limits of a node that nobody asks.
const (
	quietFor      = 5 * time.Second
	quietCPU      = quietFor / 100
	quietResident = 64 << 20 // octets
)

// alone runs a node whose readers block inside the kernel, on wildcard addresses, and leaves it alone. It must answer from
// the address that was asked, rest, take a new document, and end at once.
func (l *lab) alone() {
	n := l.start("alone", "", l.binary, "serve", "-f", "node-alone.yaml", "--drain", "0s")
	text := func(want string) error {
		out, err := l.tryIn("alone", "dig", "@127.0.0.1", "text.example.test", "TXT", "+short", "+tries=1", "+time=1")
		if got := strings.TrimSpace(out); err != nil || got != strconv.Quote(want) {
			return fmt.Errorf("got %q, %v, want %q", got, err, want)
		}
		return nil
	}
	eventually(l.t, 10*time.Second, "it answers", func() error { return text("before") })
	if out := l.in("alone", l.binary, "status"); l.t.Failed() {
		l.t.Log(out)
	}
	if got := l.metric("alone", `fairlead_dns_queries_total{transport="udp"}`); got < 1 {
		l.t.Errorf("the node counts %v queries", got)
	}
	l.askedAddress()

	before := l.processorTime(n.cmd.Process.Pid)
	throughout(l.t, quietFor, "nothing happens", func() error { return nil })
	used := l.processorTime(n.cmd.Process.Pid) - before
	resident := l.resident(n.cmd.Process.Pid)
	l.t.Logf("in %v without queries it used %v of a CPU, and has %d KiB of memory", quietFor, used, resident>>10)
	if used > quietCPU {
		l.t.Errorf("it used %v of a CPU, want at most %v", used, quietCPU)
	}
	if resident > quietResident {
		l.t.Errorf("it has %d KiB of memory, want at most %d", resident>>10, quietResident>>10)
	}

	old, err := os.ReadFile(filepath.Join(l.dir, "gslb-alone.yaml"))
	if err != nil {
		l.t.Fatal(err)
	}
	l.write("gslb-alone.yaml", []byte(strings.Replace(string(old), `"before"`, `"after"`, 1)))
	n.signal(l.t, syscall.SIGHUP)
	eventually(l.t, 3*time.Second, "it serves the new document", func() error { return text("after") })

	// Readers that wait in the kernel must not keep the process.
	throughout(l.t, 2*time.Second, "readers have gone to sleep again", func() error { return nil })
	start := time.Now()
	n.signal(l.t, syscall.SIGTERM)
	if code := n.exited(l.t, 5*time.Second); code != 0 {
		l.t.Errorf("exit code %d, want 0", code)
	}
	took := time.Since(start)
	l.t.Logf("it ended %v after the signal", took)
	if took > time.Second {
		l.t.Errorf("it ended %v after the signal, want at once", took)
	}
	if !strings.Contains(n.log.String(), `"io":"raw"`) {
		l.t.Errorf("it did not serve with raw sockets:\n%s", n.log.String())
	}
}

// askedAddress asks at addresses that only the wildcard covers. A client's socket is connected, so that it hears only the
// address that it asked.
func (l *lab) askedAddress() {
	for _, server := range []string{"127.53.0.77", "127.0.0.1", "::1"} {
		for _, transport := range []string{"+notcp", "+tcp"} {
			out := l.in("alone", "dig", "@"+server, "www.example.test", transport, "+tries=1", "+time=2")
			for _, want := range []string{"192.0.2.80", "SERVER: " + server + "#53"} {
				if !strings.Contains(out, want) || strings.Contains(out, "reply from unexpected source") {
					l.t.Errorf("asked at %s %s: want %q in\n%s", server, transport, want, out)
				}
			}
		}
	}
}

// processorTime is what all threads of a process have used.
func (l *lab) processorTime(pid int) time.Duration {
	l.t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(threads) == 0 {
		l.t.Fatalf("threads of %d: %v, %v", pid, threads, err)
	}
	total := time.Duration(0)
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		ns, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		if err != nil {
			l.t.Fatal(err)
		}
		total += time.Duration(ns)
	}
	return total
}

// resident is the memory of a process, in octets.
func (l *lab) resident(pid int) int {
	l.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		l.t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		l.t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
