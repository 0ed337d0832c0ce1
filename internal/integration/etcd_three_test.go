//go:build integration && linux

package integration

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fairlead/internal/testkit/faultproxy"
	"fairlead/internal/testkit/loopback"
)

// TestEtcdThreeNodes: three nodes write side by side while a member of etcd is killed and one of them is cut off from all members; and a fourth starts
// that the document does not know.
func TestEtcdThreeNodes(t *testing.T) {
	t.Parallel()
	l := newEtcdLab(t, newEtcdCluster(t), "", "ams", "nyc")
	sin, ways := l.separate(t, "sin", "sin")
	sin.start()
	w := &etcdWriter{l: l}
	stop, errs := make(chan struct{}), make(chan error, 3)
	for name, s := range l.site {
		go func() { errs <- w.run(s, name, stop) }()
	}
	w.more(t, 6, 15*time.Second)
	l.members[0].kill()
	w.more(t, 9, 20*time.Second)
	for _, p := range ways {
		p.Refuse(true)
		p.Reset()
	}
	sin.is(false, 10*time.Second)
	w.more(t, 6, 20*time.Second) // by the other two
	if err := sin.answers(); err != nil {
		t.Errorf("cut off: %v", err)
	}
	for _, p := range ways {
		p.Refuse(false)
	}
	sin.is(true, 20*time.Second)
	l.members[0].start()
	w.more(t, 9, 20*time.Second)
	close(stop)
	if err := errors.Join(<-errs, <-errs, <-errs); err != nil {
		t.Error(err)
	}
	w.check(t)
	w.checkToo(t, sin)
	l.stranger(t)
}

// checkToo holds a third node against what was acknowledged, and against the first.
func (w *etcdWriter) checkToo(t *testing.T, s *etcdSite) {
	t.Helper()
	eventually(t, 10*time.Second, s.name+" has what the others have", func() error {
		a, err := w.l.site["ams"].sync()
		if err != nil {
			return err
		}
		b, err := s.sync()
		if err == nil && (a.Revision != b.Revision || a.Document != b.Document) {
			err = fmt.Errorf("revision %s and %s", a.Revision, b.Revision)
		}
		return err
	})
	by := map[string]int{}
	for _, name := range w.acked {
		if err := s.has(name); err != nil {
			t.Errorf("%s was acknowledged: %v", name, err)
		}
		site, _, _ := strings.Cut(name, "-")
		by[site]++
	}
	if len(by) != 3 {
		t.Errorf("not all nodes wrote: %v", by)
	}
}

// separate makes a node with ways of its own to the members of etcd. It is not started.
func (l *etcdLab) separate(t *testing.T, name, site string) (*etcdSite, []*faultproxy.Proxy) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() { cancel(); running.Wait() })
	var ways []*faultproxy.Proxy
	var urls []string
	for _, m := range l.members {
		p, err := faultproxy.New(faultproxy.Options{Listen: "127.0.0.1:0", Target: m.client})
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() { _ = p.Run(ctx) })
		ways, urls = append(ways, p), append(urls, fmt.Sprintf("%q", m.scheme+"://"+p.Addr()))
	}
	s := &etcdSite{l: l, name: name, dns: loopback.Address(t), api: loopback.Address(t), dir: l.dir, log: new(lockedBuffer)}
	s.nodeFile = filepath.Join(l.dir, "node-"+name+".yaml")
	text := fmt.Sprintf("site: %s\ndata_dir: data-%s\nconfig: {store: {etcd: {endpoints: [%s], prefix: /fairlead, timeout: 2s}}}\ndns: {listen: [%q]}\napi: {listen: %q}\n",
		site, name, strings.Join(urls, ", "), s.dns, s.api)
	if err := os.WriteFile(s.nodeFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l.site[name] = s
	return s, ways
}

// stranger starts a node without a copy whose site the document does not have: it serves nothing and says so, until the document has it.
func (l *etcdLab) stranger(t *testing.T) {
	s, _ := l.separate(t, "fra", "fra")
	s.cmd = exec.Command(l.binary, "serve", "-f", s.nodeFile, "--drain", "100ms")
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "a node that the document does not know says so", func() error {
		status, text, err := s.get("/readyz")
		if err == nil && (status != http.StatusServiceUnavailable || !strings.Contains(text, "[-] document: ") || !strings.Contains(text, "nothing is served")) {
			err = fmt.Errorf("%d %s", status, text)
		}
		return err
	})
	if sync, err := s.sync(); err != nil || !strings.Contains(sync.NotServed, "fra") {
		t.Errorf("sync: %+v, %v", sync, err)
	}
	if s.answers() == nil {
		t.Error("it answers")
	}
	req, err := http.NewRequest(http.MethodPut, "http://"+l.site["ams"].api+"/v1/sites/fra", strings.NewReader(`{"address":"198.18.9.10"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _ = r.Body.Close(); r.StatusCode != http.StatusCreated {
		t.Fatalf("the site is not written: %s", r.Status)
	}
	eventually(t, 15*time.Second, "it answers when the document has its site", func() error {
		status, text, err := s.get("/readyz")
		if err == nil && status != http.StatusOK {
			err = errors.New(text)
		}
		return errors.Join(err, s.answers())
	})
}
