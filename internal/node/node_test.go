package node_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/internal/node"
	"fairlead/internal/query"
	"fairlead/sites"
)

// sideBySide is how many of the tests that say t.Parallel run at a time. They wait for intervals and hardly compute, so it is more than
// there are processors.
const sideBySide = "6"

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", sideBySide); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// patience is how long tests wait for what must come. It is much longer than that takes on a busy machine: only a test that fails
// waits so long.
const patience = 30 * time.Second

// document is a GSLB document with one site, whose www is answered with address.
func document(address string) string {
	return fmt.Sprintf(`zones:
  - name: example.test
    nameservers: [ns.example.test]
    ttl: 7s
    records: |
      ns 60 A 192.0.2.53
sites: [{name: here, address: 127.0.0.1}]
services: [{name: web, site: here, addresses: [%q]}]
virtual_servers:
  - {name: www, domains: [{name: www.example.test}], method: round-robin, members: [{service: web}]}
`, address)
}

// place is a directory with a document and the node file's content for it.
type place struct {
	t      *testing.T
	file   string
	config config.Node
}

func newPlace(t *testing.T, follow bool) *place {
	t.Helper()
	dir := t.TempDir()
	p := &place{t: t, file: filepath.Join(dir, "gslb.yaml")}
	p.config = config.Node{Site: "here", DataDir: filepath.Join(dir, "data"), API: config.NodeAPI{Listen: "127.0.0.1:0"},
		DNS: config.NodeDNS{Listen: []string{"127.0.0.1:0"}, Workers: 1}}
	if follow {
		p.config.Config.Follow = p.file
	} else {
		p.config.Config.Seed = p.file
	}
	return p
}

func (p *place) write(text string) {
	p.t.Helper()
	if err := os.WriteFile(p.file, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// serve starts a node; it has ended when the function it returns does.
func (p *place) serve(change func(*node.Options)) (*node.Node, func()) {
	p.t.Helper()
	o := node.Options{Config: &p.config}
	if change != nil {
		change(&o)
	}
	n, err := node.New(o)
	if err != nil {
		p.t.Fatalf("New: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := n.Listen(ctx); err != nil {
		p.t.Fatalf("Listen: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			p.t.Errorf("Run: %v", err)
		}
	}
	p.t.Cleanup(stop)
	return n, stop
}

// answer asks the node over UDP and returns the data of the answer.
func answer(t *testing.T, n *node.Node, name string) string {
	t.Helper()
	r, err := query.Do(context.Background(), query.Request{Name: name, Server: n.DNSAddrs()[0].String(), Timeout: patience})
	if err != nil {
		t.Fatalf("query %s: %v", name, err)
	}
	return strings.Join(r.Short(), " ")
}

// eventually waits until what the node answers is want.
func eventually(t *testing.T, n *node.Node, name, want string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		got := answer(t, n, name)
		if got == want {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%s: got %q, want %q", name, got, want)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestFollowReloads(t *testing.T) {
	t.Parallel()
	p := newPlace(t, true)
	p.write(document("192.0.2.1"))
	n, _ := p.serve(nil)
	eventually(t, n, "www.example.test", "192.0.2.1")

	p.write(document("192.0.2.2"))
	if err := n.Reload(); err != nil {
		t.Fatalf("Reload: %v", err)
	}
	eventually(t, n, "www.example.test", "192.0.2.2")

	p.write(strings.Replace(document("192.0.2.3"), "round-robin", "round-robbin", 1))
	err := n.Reload()
	if err == nil || !strings.Contains(err.Error(), "round-robbin") {
		t.Fatalf("Reload of a wrong file: %v, want an error that names the wrong word", err)
	}
	if got := answer(t, n, "www.example.test"); got != "192.0.2.2" {
		t.Errorf("after a refused file: %q, want the document before", got)
	}
	for _, address := range []string{"192.0.2.2", "192.0.2.4"} { // the same as before, and another one
		stateSays(t, n, "round-robbin")
		p.write(document(address))
		if err := n.Reload(); err != nil {
			t.Fatalf("Reload: %v", err)
		}
		stateSays(t, n, "")
		eventually(t, n, "www.example.test", address)
		p.write("round-robbin")
		if n.Reload() == nil {
			t.Error("Reload of nonsense: no error")
		}
	}
}

// stateSays waits until the last error in the node's status contains text; empty: until there is none.
func stateSays(t *testing.T, n *node.Node, text string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		got := n.State().LastError
		if got == text || text != "" && strings.Contains(got, text) {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("last error %q, want %q", got, text)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// TestReloadsBeforeTheFirstIsServed: the last file counts, also when the publisher has not come to the one before.
func TestReloadsBeforeTheFirstIsServed(t *testing.T) {
	p := newPlace(t, true)
	p.write(document("192.0.2.1"))
	n, err := node.New(node.Options{Config: &p.config})
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"192.0.2.2", "192.0.2.1"} {
		p.write(document(address))
		if err := n.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := n.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	// The documents are served in turn; both have been once the second one counts as the third snapshot or later.
	for deadline := time.After(patience); n.State().Snapshot.Generation < 3; {
		select {
		case <-deadline:
			t.Fatal("the reloaded documents were not served")
		case <-time.After(time.Millisecond):
		}
	}
	if got := answer(t, n, "www.example.test"); got != "192.0.2.1" {
		t.Errorf("got %q, want the answer of the file as it is", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAWrongFileAtStart(t *testing.T) {
	t.Parallel()
	p := newPlace(t, true)
	p.write("sites: [{name: here, address: 127.0.0.1}]\nbad: 1\n")
	if _, err := node.New(node.Options{Config: &p.config}); err == nil || !strings.Contains(err.Error(), `"bad"`) {
		t.Fatalf("first start with a wrong file: %v, want an error that names the key", err)
	}
	p.write(document("192.0.2.1"))
	_, stop := p.serve(nil)
	stop()
	p.write("nonsense")
	n, _ := p.serve(nil)
	if got := answer(t, n, "www.example.test"); got != "192.0.2.1" {
		t.Errorf("start with a file that became wrong: %q, want the last revision's answer", got)
	}
	if st := n.State(); st.LastError == "" {
		t.Error("the status does not tell that the file was refused")
	}
}

func TestSeedIsReadOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t, false)
	p.write(document("192.0.2.1"))
	_, stop := p.serve(nil)
	stop()
	p.write(document("192.0.2.2"))
	n, stop := p.serve(nil)
	if got := answer(t, n, "www.example.test"); got != "192.0.2.1" {
		t.Errorf("second start: %q, want the revision in data_dir", got)
	}
	stop()
	if err := os.Remove(p.file); err != nil {
		t.Fatal(err)
	}
	p.serve(nil)
}

func TestSiteMustBeInTheDocument(t *testing.T) {
	p := newPlace(t, true)
	p.config.Site = "there"
	p.write(document("192.0.2.1"))
	if _, err := node.New(node.Options{Config: &p.config}); err == nil || !strings.Contains(err.Error(), `"there"`) {
		t.Errorf("got %v, want an error that names the site", err)
	}
}

// TestAKeptRevisionIsNamed: what is wrong with the revision in data_dir is not said of the file.
func TestAKeptRevisionIsNamed(t *testing.T) {
	p := newPlace(t, false)
	p.write(document("192.0.2.1"))
	_, stop := p.serve(nil)
	stop()
	p.config.Site = "there"
	p.write(strings.ReplaceAll(document("192.0.2.1"), "here", "there"))
	if _, err := node.New(node.Options{Config: &p.config}); err == nil || !strings.Contains(err.Error(), p.config.DataDir) {
		t.Errorf("got %v, want an error that names data_dir", err)
	}
}

func TestPortInUse(t *testing.T) {
	p := newPlace(t, true)
	p.write(document("192.0.2.1"))
	n, _ := p.serve(nil)
	q := newPlace(t, true)
	q.write(document("192.0.2.1"))
	q.config.DNS.Listen = []string{n.DNSAddrs()[0].String()}
	second, err := node.New(node.Options{Config: &q.config})
	if err != nil {
		t.Fatal(err)
	}
	err = second.Listen(context.Background())
	if err == nil || !strings.Contains(err.Error(), q.config.DNS.Listen[0]) {
		t.Errorf("got %v, want an error that names the address", err)
	}
	if err := second.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// TestOtherPortsInUse takes the addresses of the exchange and the API before the node does.
func TestOtherPortsInUse(t *testing.T) {
	taken := newBackend(t)
	address := fmt.Sprintf("127.0.0.1:%d", taken.port)
	for key, change := range map[string]func(*config.Node){
		"mep.listen": func(c *config.Node) { c.MEP.Listen = address },
		"api.listen": func(c *config.Node) { c.API.Listen, c.MEP.Listen = address, "127.0.0.1:0" },
	} {
		p := newPlace(t, true)
		p.write(document("192.0.2.1"))
		p.config.MEP.Insecure = true
		change(&p.config)
		n, err := node.New(node.Options{Config: &p.config})
		if err != nil {
			t.Fatal(err)
		}
		err = n.Listen(context.Background())
		if err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "another program") {
			t.Errorf("got %v, want an error that names %s and says why", err, key)
		}
		if err := n.Close(); err != nil {
			t.Errorf("Close after %s was taken: %v", key, err)
		}
	}
}

// TestMonitorsDecide lets a monitored port accept, and then refuse.
func TestMonitorsDecide(t *testing.T) {
	t.Parallel()
	p := newPlace(t, true)
	backend := newBackend(t)
	text := strings.Replace(document("127.0.0.1"), "services:", "monitors: [{name: m, type: tcp, interval: 1s, timeout: 1s, fall: 1, rise: 1}]\nservices:", 1)
	text = strings.Replace(text, `addresses: ["127.0.0.1"]}]`, fmt.Sprintf(`addresses: ["127.0.0.1"], port: %d, monitors: [m]}, {name: other, site: here, addresses: [192.0.2.9]}]`, backend.port), 1)
	text = strings.Replace(text, "members: [{service: web}]", "members: [{service: web}, {service: other, order: 2}]", 1)
	p.write(text)
	changes := make(chan sites.Transition, 16)
	n, _ := p.serve(func(o *node.Options) { o.Transition = func(tr sites.Transition) { changes <- tr } })
	eventually(t, n, "www.example.test", "127.0.0.1")
	backend.close()
	eventually(t, n, "www.example.test", "192.0.2.9")
	for tr := range changes {
		if tr.Service == "web" && tr.To == gslb.Down {
			if tr.From != gslb.Up || !strings.Contains(tr.Reason, "refused") {
				t.Errorf("transition %+v, want from UP because the port refuses", tr)
			}
			break
		}
	}
}

func TestStopAnswersWhileDraining(t *testing.T) {
	t.Parallel()
	p := newPlace(t, true)
	p.write(document("192.0.2.1"))
	n, err := node.New(node.Options{Config: &p.config, Drain: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := n.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	eventually(t, n, "www.example.test", "192.0.2.1")
	cancel()
	start, asked := time.Now(), 0
	for time.Since(start) < 200*time.Millisecond {
		if got := answer(t, n, "www.example.test"); got != "192.0.2.1" {
			t.Errorf("while draining: %q", got)
		}
		asked++
	}
	if err := <-done; err != nil || asked == 0 {
		t.Errorf("Run: %v after %d answers while draining", err, asked)
	}
	if took := time.Since(start); took < 300*time.Millisecond {
		t.Errorf("Run ended after %v, want the drain of 300 ms", took)
	}
}
