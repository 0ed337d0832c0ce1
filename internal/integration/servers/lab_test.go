//go:build integration

package servers

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/monitors/probe"
	"fairlead/monitors/source"
)

// sbin is where Debian keeps servers.
const sbin = "/usr/sbin:/sbin:/usr/lib/nagios/plugins"

// need returns the paths of programs, and skips the test where one is missing.
func need(t *testing.T, programs ...string) []string {
	t.Helper()
	paths := make([]string, len(programs))
	for i, name := range programs {
		path, err := exec.LookPath(name)
		for dir := range strings.SplitSeq(sbin, ":") {
			if err != nil {
				path, err = exec.LookPath(filepath.Join(dir, name))
			}
		}
		if err != nil {
			t.Skipf("needs %s: %v", name, err)
		}
		paths[i] = path
	}
	return paths
}

// onLoopback is a port of 127.0.0.1.
func onLoopback(port int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(port))
}

// server is a program that runs until it is stopped, or the test ends.
type server struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	done chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

// launch says how a program is started besides its arguments. The zero value starts it as this user, in a directory of its own.
type launch struct {
	dir  string   // working directory
	user string   // who it runs as; skips where there is no such user
	env  []string // besides PATH and LANG
}

// start starts a program. It is ended with all that it started; what it printed is shown if the test fails.
func start(t *testing.T, how launch, path string, args ...string) *server {
	t.Helper()
	s := &server{t: t, name: filepath.Base(path), cmd: exec.Command(path, args...), done: make(chan struct{})}
	s.cmd.Dir = how.dir
	if s.cmd.Dir == "" {
		s.cmd.Dir = t.TempDir()
	}
	s.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH") + ":" + sbin, "LANG=C", "LC_ALL=C"}, how.env...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if how.user != "" {
		s.cmd.SysProcAttr.Credential = credential(t, how.user)
	}
	s.cmd.Stdout, s.cmd.Stderr = s, s
	s.cmd.WaitDelay = time.Second
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", s.name, err)
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.done)
	}()
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("--- %s printed:\n%s", s.name, s.printed())
		}
	})
	return s
}

// Write takes in what the program prints, and keeps its end.
func (s *server) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.log.Len() > 64<<10 {
		s.log.Reset()
	}
	return s.log.Write(p)
}

func (s *server) printed() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// stop ends the program: asked first, and killed with its whole group when it does not.
func (s *server) stop() {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGCONT)
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(3 * time.Second):
	}
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.done
}

// freeze stops the program's whole group in its tracks; stop still ends it. It returns when each of the program's threads stands still, which
// those on other processors do a moment after the signal was sent.
func (s *server) freeze() {
	s.t.Helper()
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGSTOP)
	s.until("stands still", func() error {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.cmd.Process.Pid))
		for _, path := range threads {
			stat, err := os.ReadFile(path)
			if err == nil && !bytes.HasPrefix(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" T")) {
				return fmt.Errorf("a thread runs: %s", stat)
			}
		}
		return nil
	})
}

// listening waits until the server takes connections over TCP.
func (s *server) listening(to netip.AddrPort) {
	s.t.Helper()
	s.until("takes connections at "+to.String(), func() error {
		c, err := net.DialTimeout("tcp", to.String(), time.Second)
		if err == nil {
			c.Close()
		}
		return err
	})
}

// until waits for something to come true, at most 20 s, and fails when the program ends before.
func (s *server) until(what string, check func() error) {
	s.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-s.done:
			s.t.Fatalf("%s ended before it %s: %v\n%s", s.name, what, err, s.printed())
		case <-limit:
			s.t.Fatalf("%s: not within 20 s: %s: %v\n%s", s.name, what, err, s.printed())
		case <-tick.C:
		}
	}
}

// credential is that of a user; the test is skipped where there is none, or this user cannot become it.
func credential(t *testing.T, name string) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skipf("needs root, to run a server as %s", name)
	}
	u, err := user.Lookup(name)
	if err != nil {
		t.Skipf("needs the user %s: %v", name, err)
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// file writes a file into a directory and returns its path.
func file(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// secrets reads secrets of the form file:PATH; nothing is refused.
func secrets(s config.Secret) (string, error) {
	kind, name := s.Source()
	if kind != config.SecretFile {
		return "", fmt.Errorf("%s is not a file", s)
	}
	text, err := os.ReadFile(name)
	return strings.TrimSuffix(string(text), "\n"), err
}

// document loads a document with one monitor or load source, as an operator writes it.
func document(t *testing.T, text string) *config.Document {
	t.Helper()
	doc, report := config.Parse(config.Source{Name: "test.yaml", Text: []byte(text)})
	if doc == nil {
		t.Fatalf("the document is refused: %v\n%s", report.Problems(), text)
	}
	return doc
}

// probing runs a monitor once, written as in a document without its name, such as "{type: tcp}".
func probing(t *testing.T, monitor string, to netip.AddrPort) probe.Result {
	t.Helper()
	doc := document(t, fmt.Sprintf("sites: [{name: ams, address: 192.0.2.10}]\nmonitors:\n  - {name: probed, %s}\n"+
		"services: [{name: web, site: ams, addresses: [\"%s\"], port: %d, monitors: [probed]}]\nvirtual_servers: [{name: web, members: [{service: web}]}]\n",
		strings.TrimSuffix(strings.TrimPrefix(monitor, "{"), "}"), to.Addr(), to.Port()))
	p := probe.New(probe.Options{Secret: secrets})
	r := p.Trace(context.Background(), probe.Target{Service: "web", Monitor: &doc.Monitors[0], Address: to})
	t.Logf("%s\n  ok %v, drain %v, %v: %s; values %v", monitor, r.OK, r.Drain, r.Latency.Round(time.Microsecond), r.Reason, r.Values)
	for _, s := range r.Steps {
		t.Logf("  %8v %s %s", s.At.Round(time.Microsecond), s.Name, s.Note)
	}
	return r
}

// passes runs a monitor that must pass, with a reason that has some text.
func passes(t *testing.T, monitor string, to netip.AddrPort, reason string) {
	t.Helper()
	if r := probing(t, monitor, to); !r.OK || !strings.Contains(r.Reason, reason) {
		t.Errorf("%s: %v %q, want that it passes with %q", monitor, r.OK, r.Reason, reason)
	}
}

// fails runs a monitor that must fail, with a reason that has some text.
func fails(t *testing.T, monitor string, to netip.AddrPort, reason string) {
	t.Helper()
	if r := probing(t, monitor, to); r.OK || !strings.Contains(r.Reason, reason) {
		t.Errorf("%s: %v %q, want that it fails with %q", monitor, r.OK, r.Reason, reason)
	}
}

// reading reads a load source once, written as in a document, such as "{source: json, url: \"…\"}".
func reading(t *testing.T, load string, service netip.AddrPort) (source.Reading, error) {
	t.Helper()
	doc := document(t, fmt.Sprintf("sites: [{name: ams, address: 192.0.2.10}]\nservices:\n  - {name: web, site: ams, addresses: [\"%s\"], port: %d, load: %s}\n"+
		"virtual_servers: [{name: web, members: [{service: web}]}]\n", service.Addr(), service.Port(), load))
	r := source.New(source.Options{Secret: secrets})
	defer r.Close()
	s := &doc.Services[0]
	ctx, cancel := context.WithTimeout(context.Background(), source.Timeout(s.Load))
	defer cancel()
	return r.Read(ctx, &source.Target{Service: s.Name, Source: *s.Load, Addresses: s.Addresses, Port: uint16(s.Port)})
}
