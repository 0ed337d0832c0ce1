//go:build integration

package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// lab is a small internet: a bridge in one network namespace, and a namespace for each site on it. All of it goes with
// the test.
type lab struct {
	t      *testing.T
	dir    string // a copy of the directory that the lab is made of
	binary string // fairlead, built from this tree
	ns     map[string]string
}

// A namespace of a lab and its addresses. Every address is on the link, so there is nothing to route.
type place struct {
	name      string
	addresses []string
}

// wan is the place with the bridge; every lab has it, and has it first.
const wan = "wan"

// newLab builds the namespaces and the command, or skips the test and says what is missing.
func newLab(t *testing.T, source string, places []place, commands ...string) *lab {
	t.Helper()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("needs root on Linux to make network namespaces")
	}
	needs(t, append(commands, "ip")...)
	l := &lab{t: t, dir: t.TempDir(), ns: map[string]string{}}
	if err := os.CopyFS(l.dir, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	l.binary = filepath.Join(l.dir, "fairlead")
	putCommand(t, l.binary)
	l.build(places)
	return l
}

// needs skips the test when a program is not installed.
func needs(t *testing.T, commands ...string) {
	t.Helper()
	for _, command := range commands {
		if _, err := exec.LookPath(command); err != nil {
			t.Skipf("needs %s: %v", command, err)
		}
	}
}

// labs counts the labs of this process: tests that wait run side by side.
var labs atomic.Int64

func (l *lab) build(places []place) {
	number := labs.Add(1)
	for _, p := range places {
		l.ns[p.name] = fmt.Sprintf("fairlead-%s-%d-%d", p.name, os.Getpid(), number)
		l.run("ip", "netns", "add", l.ns[p.name])
		l.t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", l.ns[p.name]).Run() })
		l.in(p.name, "ip", "link", "set", "lo", "up")
	}
	l.in(wan, "ip", "link", "add", "eth0", "type", "bridge")
	l.in(wan, "ip", "link", "set", "eth0", "up")
	for _, p := range places {
		if len(p.addresses) == 0 {
			continue // a place by itself
		}
		if p.name != wan {
			l.in(wan, "ip", "link", "add", p.name, "type", "veth", "peer", "name", "eth0", "netns", l.ns[p.name])
			l.in(wan, "ip", "link", "set", p.name, "master", "eth0", "up")
			l.in(p.name, "ip", "link", "set", "eth0", "up")
		}
		for _, a := range p.addresses {
			if strings.Contains(a, ":") {
				l.in(p.name, "ip", "-6", "addr", "add", a, "dev", "eth0", "nodad")
			} else {
				l.in(p.name, "ip", "addr", "add", a, "dev", "eth0")
			}
		}
		l.in(p.name, "ip", "route", "add", "default", "dev", "eth0")
		l.in(p.name, "ip", "-6", "route", "add", "default", "dev", "eth0")
	}
}

// run runs a command to its end and returns its output; it must succeed.
func (l *lab) run(name string, args ...string) string {
	l.t.Helper()
	out, err := l.try(name, args...)
	if err != nil {
		l.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func (l *lab) try(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	if name != "go" {
		cmd.Dir = l.dir
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// in runs a command in a namespace; it must succeed.
func (l *lab) in(ns, name string, args ...string) string {
	l.t.Helper()
	return l.run("ip", append([]string{"netns", "exec", l.ns[ns], name}, args...)...)
}

// tryIn runs a command in a namespace.
func (l *lab) tryIn(ns, name string, args ...string) (string, error) {
	return l.try("ip", append([]string{"netns", "exec", l.ns[ns], name}, args...)...)
}

// process is a program that runs until it is told to stop.
type process struct {
	name string
	cmd  *exec.Cmd
	log  *bytes.Buffer
	done chan struct{}
	err  error // after done
}

// start starts a program in a namespace, with its own directory inside the lab's when dir says so. What it printed is
// shown if the test fails.
func (l *lab) start(ns, dir, name string, args ...string) *process {
	l.t.Helper()
	return l.startWatched(ns, dir, io.Discard, name, args...)
}

// startWatched is start with a reader of all that the program prints.
func (l *lab) startWatched(ns, dir string, watch io.Writer, name string, args ...string) *process {
	l.t.Helper()
	p := &process{name: name + " at " + ns, log: new(bytes.Buffer), done: make(chan struct{})}
	p.cmd = exec.Command("ip", append([]string{"netns", "exec", l.ns[ns], name}, args...)...)
	p.cmd.Dir = filepath.Join(l.dir, dir)
	if err := os.MkdirAll(p.cmd.Dir, 0o755); err != nil {
		l.t.Fatal(err)
	}
	printed := io.MultiWriter(p.log, watch)
	p.cmd.Stdout, p.cmd.Stderr = printed, printed
	p.cmd.WaitDelay = time.Second // a killed program's children may keep its output open
	if err := p.cmd.Start(); err != nil {
		l.t.Fatalf("start %s: %v", p.name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	l.t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // nginx takes its workers along
		select {
		case <-p.done:
		case <-time.After(3 * time.Second):
			_ = p.cmd.Process.Kill()
			<-p.done
		}
		if l.t.Failed() {
			l.t.Logf("--- %s printed:\n%s", p.name, tail(p.log.String(), 60))
		}
	})
	return p
}

// signal sends a signal to the program. "ip netns exec" has become the program, so the process is its own.
func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("signal %s: %v", p.name, err)
	}
}

// exited waits for the program to end and returns its exit code.
func (p *process) exited(t *testing.T, limit time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		t.Fatalf("%s still runs after %v", p.name, limit)
	}
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

func tail(text string, lines int) string {
	all := strings.Split(text, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// eventually asks until there is no error any more, for as long as limit, and returns how long it took.
func eventually(t *testing.T, limit time.Duration, what string, check func() error) time.Duration {
	t.Helper()
	start := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		took := time.Since(start)
		if err == nil {
			t.Logf("%s: after %.1f s", what, took.Seconds())
			return took
		}
		if took > limit {
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
		<-tick.C
	}
}

// throughout checks again and again for as long as d; no check may fail. It returns how many there were.
func throughout(t *testing.T, d time.Duration, what string, check func() error) int {
	t.Helper()
	start := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	n := 0
	for ; time.Since(start) < d; n++ {
		if err := check(); err != nil {
			t.Fatalf("%s: after %.1f s: %v", what, time.Since(start).Seconds(), err)
		}
		<-tick.C
	}
	t.Logf("%s: %d checks in %v", what, n, d)
	return n
}
