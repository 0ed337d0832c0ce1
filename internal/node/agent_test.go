package node_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/internal/node"
	"fairlead/internal/pki"
	"fairlead/sites"
)

const agentDirectory = "../../examples/mep-agent"

// statsSocket is a HAProxy's statistics socket with one proxy, whose status and connections are to be had.
type statsSocket struct {
	path string
	row  atomic.Pointer[string]
}

func newStatsSocket(t *testing.T) *statsSocket {
	t.Helper()
	dir, err := os.MkdirTemp("", "agent") // paths of sockets must be short
	if err != nil {
		t.Fatal(err)
	}
	s := &statsSocket{path: filepath.Join(dir, "s")}
	l, err := net.Listen("unix", s.path)
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 64))
			fmt.Fprintf(c, "# pxname,svname,scur,status,weight,act,\nother,BACKEND,1,UP,1,1,\nweb,BACKEND,%s,1,1,\n\n", *s.row.Load())
			_ = c.Close()
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		done.Wait()
		_ = os.RemoveAll(dir)
	})
	s.tell("7,UP")
	return s
}

func (s *statsSocket) tell(row string) { s.row.Store(&row) }

// agentWorld is two sites of the mesh, and a third one whose place the agent takes.
type agentWorld struct {
	t      *testing.T
	python string
	dir    string
	ini    string // the agent's configuration
	places map[string]*place
	nodes  map[string]*node.Node
	stops  map[string]func()
	agent  *exec.Cmd
	log    *bytes.Buffer
}

func newAgentWorld(t *testing.T, stats string) *agentWorld { return newAgentWorldWith(t, stats, "") }

// newAgentWorldWith has further keys in the agent's site, such as that it dials.
func newAgentWorldWith(t *testing.T, stats, keys string) *agentWorld {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed: examples/mep-agent is not tried")
	}
	w := &agentWorld{t: t, python: python, dir: t.TempDir(), places: map[string]*place{}, nodes: map[string]*node.Node{}, stops: map[string]func(){}}
	if err := pki.Init(w.dir, pki.Options{}); err != nil {
		t.Fatal(err)
	}
	ports := map[string]int{"ams": freePort(t), "nyc": freePort(t), "edge": freePort(t)}
	text := fmt.Sprintf(`zones: [{name: example.test, nameservers: [ns.example.test], records: "ns 60 A 192.0.2.53"}]
sites:
  - {name: ams, address: "127.0.0.1:%d"}
  - {name: nyc, address: "127.0.0.1:%d"}
  - {name: edge, address: "127.0.0.1:%d", parent: ams, backup_parents: [nyc], accept_announced: true%s}
settings: {mep: {metrics_interval: 200ms, keepalive_timeout: 3s, parent_timeout: 1s, parent_return: 1s}}
services:
  - {name: web-edge, site: edge, addresses: [192.0.2.80], load: {source: push}}
service_groups:
  - {name: pods, site: edge, announced: {label: blue}}
virtual_servers:
  - {name: www, domains: [{name: www.example.test}], members: [{service: web-edge}]}
  - {name: pods, domains: [{name: pods.example.test}], members: [{group: pods}]}
`, ports["ams"], ports["nyc"], ports["edge"], keys)
	for _, site := range []string{"ams", "nyc", "edge"} {
		paths, err := pki.Issue(w.dir, site, pki.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if site == "edge" {
			break
		}
		p := newPlace(t, true)
		p.write(text)
		p.config.Site = site
		p.config.MEP.Listen = fmt.Sprintf("127.0.0.1:%d", ports[site])
		p.config.MEP.TLS = config.NodeTLS{Cert: paths.Cert, Key: paths.Key, CA: paths.CA}
		w.places[site] = p
		w.start(site)
	}
	w.ini = fmt.Sprintf(`[site]
name = edge
listen = 127.0.0.1:%[1]d
certificate = %[2]s/edge.crt
key = %[2]s/edge.key
authority = %[2]s/ca.crt
metrics_interval = 0.2
keepalive_timeout = 3
parent_timeout = 1
parent_return = 1
[parent ams]
address = 127.0.0.1:%[3]d
[parent nyc]
address = 127.0.0.1:%[4]d
[service web-edge]
source = haproxy
stats = %[5]s
proxy = web
[service one]
source = tcp
check = 127.0.0.1:%[6]d
label = blue
addresses = 192.0.2.81
port = 8080
`, ports["edge"], w.dir, ports["ams"], ports["nyc"], stats, newBackend(t).port)
	return w
}

func (w *agentWorld) start(site string) { w.nodes[site], w.stops[site] = w.places[site].serve(nil) }

// run starts the agent.
func (w *agentWorld) run() {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, "agent.ini"), []byte(w.ini), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.log = &bytes.Buffer{}
	agent := exec.Command(w.python, "-B", filepath.Join(agentDirectory, "mep_agent.py"), "--verbose", "--config", filepath.Join(w.dir, "agent.ini"))
	agent.Stdout, agent.Stderr = w.log, w.log
	if err := agent.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.agent = agent
	log := w.log
	w.t.Cleanup(func() {
		_ = agent.Process.Kill()
		_ = agent.Wait()
		if w.t.Failed() {
			w.t.Logf("the agent's log:\n%s", log)
		}
	})
}

// end stops the agent by a signal.
func (w *agentWorld) end(by syscall.Signal) {
	w.t.Helper()
	if err := w.agent.Process.Signal(by); err != nil {
		w.t.Fatal(err)
	}
	if err := w.agent.Wait(); by == syscall.SIGTERM && err != nil {
		w.t.Errorf("the agent ended with %v", err)
	}
}

// edge waits until a site hears the agent's site as is wanted.
func (w *agentWorld) edge(at string, reach sites.SiteReach, via string) {
	w.t.Helper()
	var got sites.SiteStatus
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(10 * time.Millisecond) {
		st := w.nodes[at].State()
		index := slices.IndexFunc(st.Document.Sites, func(s config.Site) bool { return s.Name == "edge" })
		if got = st.Sites[index]; got.Reach == reach && (via == "" || got.Via == via) {
			return
		}
	}
	w.t.Fatalf("%s: edge is %+v, want %s by way of %q", at, got, reach, via)
}

func state(want string) func(*resource.Service) bool {
	return func(s *resource.Service) bool { return strings.EqualFold(string(s.State), want) }
}

// TestAgent: a program that was written from docs/mep-protocol.md is a site as any other.
func TestAgent(t *testing.T) {
	t.Parallel()
	stats := newStatsSocket(t)
	w := newAgentWorld(t, "unix:"+stats.path)
	w.run()
	for _, at := range []string{"ams", "nyc"} {
		w.edge(at, sites.ReachHeard, "")
		eventually(t, w.nodes[at], "www.example.test", "192.0.2.80")
		eventually(t, w.nodes[at], "pods.example.test", "192.0.2.81")
		serviceAt(t, w.nodes[at], "web-edge", func(s *resource.Service) bool { return s.Load != nil && s.Load.Active == 7 })
		serviceAt(t, w.nodes[at], "pods:one", state("UP"))
	}
	stats.tell("9,DOWN")
	for _, at := range []string{"ams", "nyc"} {
		serviceAt(t, w.nodes[at], "web-edge", state("DOWN"))
	}
	stats.tell("9,UP")

	w.end(syscall.SIGTERM)
	for _, at := range []string{"ams", "nyc"} {
		w.edge(at, sites.ReachLeft, "")
		eventually(t, w.nodes[at], "pods.example.test", "")
	}
	w.run()
	for _, at := range []string{"ams", "nyc"} {
		eventually(t, w.nodes[at], "pods.example.test", "192.0.2.81")
	}
	w.end(syscall.SIGKILL)
	for _, at := range []string{"ams", "nyc"} {
		w.edge(at, sites.ReachLost, "")
	}
	w.run()
	for _, at := range []string{"ams", "nyc"} {
		w.edge(at, sites.ReachHeard, "")
		eventually(t, w.nodes[at], "www.example.test", "192.0.2.80")
	}
}

// TestAgentChangesParents: to the next one when the one that it reports to stops, and back. It dials them both.
func TestAgentChangesParents(t *testing.T) {
	t.Parallel()
	w := newAgentWorldWith(t, "unix:"+newStatsSocket(t).path, ", dial: always")
	w.ini = strings.Replace(w.ini, "listen = ", "# ", 1)
	w.ini = regexp.MustCompile(`(?m)^address = .*$`).ReplaceAllString(w.ini, "$0\ndial = yes")
	w.run()
	w.edge("nyc", sites.ReachHeard, "ams")
	w.stops["ams"]()
	w.edge("nyc", sites.ReachHeard, "edge")
	serviceAt(t, w.nodes["nyc"], "web-edge", state("UP"))
	w.start("ams")
	w.edge("nyc", sites.ReachHeard, "ams")
	w.edge("ams", sites.ReachHeard, "edge")
	eventually(t, w.nodes["ams"], "pods.example.test", "192.0.2.81")
}
