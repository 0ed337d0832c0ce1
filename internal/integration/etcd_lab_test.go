//go:build integration && linux

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fairlead/api/resource"
	"fairlead/internal/testkit/faultproxy"
	"fairlead/internal/testkit/loopback"
)

// etcdLab is nodes as processes of their own, all on this machine, with etcd behind fault proxies.
type etcdLab struct {
	t          *testing.T
	dir        string
	binary     string
	members    []*etcdServer
	proxies    []*faultproxy.Proxy
	site       map[string]*etcdSite
	transcript strings.Builder
}

// etcdSite is one node.
type etcdSite struct {
	l             *etcdLab
	name          string
	dns, api      string
	dir, nodeFile string
	cmd           *exec.Cmd
	log           *lockedBuffer
}

// lockedBuffer is what a process has printed.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// newEtcdLab starts sites on an etcd. more goes into config.store.etcd of their node files.
func newEtcdLab(t *testing.T, members []*etcdServer, more string, sites ...string) *etcdLab {
	t.Helper()
	needs(t, "dig", "etcdctl", "curl")
	l := &etcdLab{t: t, dir: t.TempDir(), members: members, site: map[string]*etcdSite{}}
	l.binary = filepath.Join(l.dir, "fairlead")
	putCommand(t, l.binary)
	document, err := os.ReadFile(filepath.Join("testdata", "documents", "gslb.yaml"))
	if err == nil {
		err = os.WriteFile(filepath.Join(l.dir, "gslb.yaml"), document, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait() })
	var urls []string
	for _, m := range members {
		p, err := faultproxy.New(faultproxy.Options{Listen: "127.0.0.1:0", Target: m.client})
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() { _ = p.Run(ctx) })
		l.proxies, urls = append(l.proxies, p), append(urls, fmt.Sprintf("%q", m.scheme+"://"+p.Addr()))
	}
	t.Cleanup(func() {
		for _, s := range l.site {
			s.stop(syscall.SIGTERM)
			if t.Failed() {
				t.Logf("--- %s printed:\n%s", s.name, tail(s.log.String(), 40))
			}
		}
	})
	for _, name := range sites {
		s := &etcdSite{l: l, name: name, dns: loopback.Address(t), api: loopback.Address(t), dir: l.dir, log: new(lockedBuffer)}
		s.nodeFile = filepath.Join(l.dir, "node-"+name+".yaml")
		text := fmt.Sprintf("site: %s\ndata_dir: data-%s\nconfig: {seed: gslb.yaml, store: {etcd: {endpoints: [%s], prefix: /fairlead, timeout: 2s%s}}}\ndns: {listen: [%q]}\napi: {listen: %q}\n",
			name, name, strings.Join(urls, ", "), more, s.dns, s.api)
		if err := os.WriteFile(s.nodeFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l.site[name] = s
		s.start()
	}
	return l
}

// start starts the node and waits until it answers.
func (s *etcdSite) start() {
	s.l.t.Helper()
	s.cmd = exec.Command(s.l.binary, "serve", "-f", s.nodeFile, "--drain", "100ms")
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		s.l.t.Fatal(err)
	}
	eventually(s.l.t, 30*time.Second, s.name+" answers", s.answers)
}

func (s *etcdSite) stop(with os.Signal) {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(with)
	killer := time.AfterFunc(5*time.Second, func() { _ = s.cmd.Process.Kill() })
	_ = s.cmd.Wait()
	killer.Stop()
	s.cmd = nil
}

// answers says whether the node does not answer DNS as it should.
func (s *etcdSite) answers() error {
	host, port, _ := strings.Cut(s.dns, ":")
	out, err := exec.Command("dig", "@"+host, "-p", port, "d.gslb.example.com", "A", "+short", "+tries=1", "+time=1").CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != "198.18.100.4" {
		return fmt.Errorf("%s answers %q (%v)", s.name, got, err)
	}
	return nil
}

// get reads what the node's API says.
func (s *etcdSite) get(path string) (int, string, error) {
	c := http.Client{Timeout: 5 * time.Second}
	r, err := c.Get("http://" + s.api + path)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return r.StatusCode, string(text), err
}

func (s *etcdSite) sync() (*resource.Sync, error) {
	_, text, err := s.get("/v1/sync")
	if err != nil {
		return nil, err
	}
	out := new(resource.Sync)
	return out, json.Unmarshal([]byte(text), out)
}

// etcdReply is what a write was answered.
type etcdReply struct {
	status int
	code   string // of the first fault
	detail string
	took   time.Duration
}

func (r etcdReply) String() string {
	return fmt.Sprintf("%d %s after %.1f s: %s", r.status, r.code, r.took.Seconds(), r.detail)
}

// put writes a service with an idempotency key. Its name is its reason, too.
func (s *etcdSite) put(name, address string) etcdReply {
	start := time.Now()
	body := fmt.Sprintf(`{"site":"elsewhere","addresses":[%q]}`, address)
	req, err := http.NewRequest(http.MethodPut, "http://"+s.api+"/v1/services/"+name, strings.NewReader(body))
	if err != nil {
		s.l.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", name)
	req.Header.Set("Fairlead-Reason", name)
	c := http.Client{Timeout: 40 * time.Second}
	r, err := c.Do(req)
	if err != nil {
		return etcdReply{took: time.Since(start), detail: err.Error()}
	}
	defer r.Body.Close()
	var p resource.Problem
	_ = json.NewDecoder(r.Body).Decode(&p)
	out := etcdReply{status: r.StatusCode, took: time.Since(start)}
	if len(p.Errors) > 0 {
		out.code, out.detail = p.Errors[0].Code, p.Errors[0].Detail
	}
	return out
}

// has says whether the node lacks a service.
func (s *etcdSite) has(name string) error {
	status, _, err := s.get("/v1/services/" + name)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s has no %s: status %d", s.name, name, status)
	}
	return err
}

// available says why nothing can be written at the node, as all of its ways to tell it do.
func (s *etcdSite) available() (bool, error) {
	sync, err := s.sync()
	if err != nil {
		return false, err
	}
	_, metrics, err := s.get("/metrics")
	if err != nil {
		return false, err
	}
	ready, checks, err := s.get("/readyz?verbose")
	if err != nil {
		return false, err
	}
	yes := strings.Contains(metrics, "fairlead_config_store_available 1\n")
	if ready != http.StatusOK || (sync.Unavailable == "") != yes || strings.Contains(checks, "[+] writes: can be stored\n") != yes {
		return false, fmt.Errorf("%s does not know what it says: metric %v, sync %q, readyz %d %s", s.name, yes, sync.Unavailable, ready, checks)
	}
	return yes, nil
}

// is waits until the node says that it can be written, or that it cannot.
func (s *etcdSite) is(available bool, limit time.Duration) {
	s.l.t.Helper()
	eventually(s.l.t, limit, fmt.Sprintf("%s says that it can be written: %v", s.name, available), func() error {
		got, err := s.available()
		if err == nil && got != available {
			err = errors.New("it says the opposite")
		}
		return err
	})
}

// history lists the revisions of the node, newest first.
func (s *etcdSite) history() []resource.Revision {
	s.l.t.Helper()
	var out []resource.Revision
	for next := "/v1/revisions?limit=100"; next != ""; {
		_, text, err := s.get(next)
		var page resource.RevisionList
		if err == nil {
			err = json.Unmarshal([]byte(text), &page)
		}
		if err != nil {
			s.l.t.Fatalf("%v in %s", err, text)
		}
		out = append(out, page.Revisions...)
		next = ""
		if page.NextCursor != "" {
			next = "/v1/revisions?limit=100&cursor=" + page.NextCursor
		}
	}
	return out
}

// faults sets what happens on the way to all members and back.
func (l *etcdLab) faults(to, from faultproxy.Fault) {
	for _, p := range l.proxies {
		p.Set(faultproxy.ToTarget, to)
		p.Set(faultproxy.FromTarget, from)
	}
}

// mend ends all faults and the connections that have seen them.
func (l *etcdLab) mend() {
	l.faults(faultproxy.Fault{}, faultproxy.Fault{})
	for _, p := range l.proxies {
		p.Reset()
	}
}

// shell runs a command as an operator would, and puts it into the transcript. It must exit with a status.
func (l *etcdLab) shell(command string, status int) string {
	l.t.Helper()
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = l.dir
	cmd.Env = append(os.Environ(), "ETCDCTL_API=3", "ETCDCTL_ENDPOINTS="+l.endpoints(), "FAIRLEAD_API="+l.site["ams"].api, "PATH="+l.dir+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if got := exitCode(err); got != status {
		l.t.Errorf("%s: exit status %d, want %d\n%s", command, got, status, out)
	}
	fmt.Fprintf(&l.transcript, "ams$ %s\n", command)
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "warning: ") && line != "\n" {
			l.transcript.WriteString(line)
		}
	}
	return string(out)
}

// endpoints are the members that run, not through proxies.
func (l *etcdLab) endpoints() string {
	var urls []string
	for _, m := range l.members {
		if m.cmd != nil {
			urls = append(urls, m.url())
		}
	}
	return strings.Join(urls, ",")
}
