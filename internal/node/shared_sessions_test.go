package node_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"fairlead/api/client"
	"fairlead/api/resource"
	"fairlead/gslb"
	"fairlead/internal/node"
)

// wires are the connections of a node, which can be cut as a crash cuts them.
type wires struct {
	mu    sync.Mutex
	conns []net.Conn
	cut   bool
}

func (w *wires) add(c net.Conn) net.Conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conns = append(w.conns, c); w.cut {
		_ = c.Close()
	}
	return c
}

// crash closes everything, and keeps it closed.
func (w *wires) crash() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	for _, c := range w.conns {
		_ = c.Close()
	}
}

type wiredListener struct {
	net.Listener
	w *wires
}

func (l wiredListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.w.add(c), nil
}

func (w *wires) options(o *node.Options) {
	o.MEPListen = func(ctx context.Context, network, address string) (net.Listener, error) {
		l, err := new(net.ListenConfig).Listen(ctx, network, address)
		return wiredListener{l, w}, err
	}
	o.MEPDial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return w.add(c), nil
	}
}

// sharedPlaces are two sites whose www has clients that keep their service, of three.
type sharedPlaces struct {
	t      *testing.T
	places [2]*place
	nodes  [2]*node.Node
	wires  [2]*wires
	stops  [2]func()
}

func newSharedPlaces(t *testing.T) *sharedPlaces {
	t.Helper()
	s := &sharedPlaces{t: t}
	ports := [2]int{freePort(t), freePort(t)}
	text := fmt.Sprintf(`zones: [{name: example.test, nameservers: [ns.example.test], records: "ns 60 A 192.0.2.53"}]
sites: [{name: here, address: "127.0.0.1:%d"}, {name: there, address: "127.0.0.1:%d"}]
settings: {mep: {metrics_interval: 100ms, session_interval: 100ms}}
services:
  - {name: a, site: here, addresses: [192.0.2.1]}
  - {name: b, site: here, addresses: [192.0.2.2]}
  - {name: c, site: there, addresses: [192.0.2.3]}
virtual_servers:
  - name: www
    domains: [{name: www.example.test}]
    method: round-robin
    members: [{service: a}, {service: b}, {service: c}]
    persistence: {type: source-ip, timeout: 10m, prefix4: 24, prefix6: 56}
`, ports[0], ports[1])
	for i, site := range []string{"here", "there"} {
		p := newPlace(t, true)
		p.write(text)
		p.config.Site = site
		p.config.MEP.Listen, p.config.MEP.Insecure = fmt.Sprintf("127.0.0.1:%d", ports[i]), true
		s.places[i] = p
		s.start(i)
	}
	s.meet()
	return s
}

func (s *sharedPlaces) start(i int) {
	s.t.Helper()
	s.wires[i] = &wires{}
	s.nodes[i], s.stops[i] = s.places[i].serve(s.wires[i].options)
}

// meet waits until all services are known at both sites.
func (s *sharedPlaces) meet() {
	s.t.Helper()
	for _, n := range s.nodes {
		for _, service := range []string{"a", "b", "c"} {
			serviceAt(s.t, n, service, func(r *resource.Service) bool { return r.State == "UP" })
		}
	}
}

// has waits until a node has so many sessions with a service.
func (s *sharedPlaces) has(i, want int) {
	s.t.Helper()
	deadline := time.After(patience)
	for {
		got := 0
		s.nodes[i].State().Snapshot.Learned.Sessions.Each(func(gslb.SessionKey, uint64, int64) bool { got++; return true })
		if got == want {
			return
		}
		select {
		case <-deadline:
			s.t.Fatalf("node %d has %d sessions, want %d", i, got, want)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// TestSitesShareSessions: a client keeps its service when it comes to another site.
func TestSitesShareSessions(t *testing.T) {
	t.Parallel()
	s := newSharedPlaces(t)
	first := clientsOf(t, s.nodes[0], 0, 20, 1)
	six := answerTo(t, s.nodes[0], "A", "2001:db8:7:100::1")
	second := clientsOf(t, s.nodes[1], 100, 110, 1)
	s.has(0, 31)
	s.has(1, 31)
	same(t, "at the other site", first, clientsOf(t, s.nodes[1], 0, 20, 2))
	same(t, "at the first site", second, clientsOf(t, s.nodes[0], 100, 110, 2))
	if got := answerTo(t, s.nodes[1], "A", "2001:db8:7:1ff::2"); got != six {
		t.Errorf("an IPv6 client got %s, at the other site %s", got, six)
	}
	shows(t, s.nodes[1], "/metrics", `fairlead_sessions_heard_total{peer="here",result="taken"} 21`)
	shows(t, s.nodes[0], "/metrics", `fairlead_sessions_giving_back{peer="there"} 0`)
}

// TestSessionsAreGivenBack: a site that has lost its data directory, after a planned stop or a crash, gets from the other what
// it had.
func TestSessionsAreGivenBack(t *testing.T) {
	t.Parallel()
	for name, crash := range map[string]bool{"planned": false, "crash": true} {
		t.Run(name, func(t *testing.T) {
			s := newSharedPlaces(t)
			before := clientsOf(t, s.nodes[0], 0, 40, 1)
			s.has(1, 40)
			if crash {
				s.wires[0].crash()
			}
			s.stops[0]()
			if err := os.RemoveAll(filepath.Join(s.places[0].config.DataDir)); err != nil {
				t.Fatal(err)
			}
			while := clientsOf(t, s.nodes[1], 200, 210, 1)
			s.start(0)
			s.meet()
			s.has(0, 50)
			answerTo(t, s.nodes[0], "A", "203.0.113.1") // turns begin anew
			same(t, "of before", before, clientsOf(t, s.nodes[0], 0, 40, 2))
			same(t, "begun meanwhile", while, clientsOf(t, s.nodes[0], 200, 210, 2))
		})
	}
}

// TestDroppedSessionsAreDroppedEverywhere: also at a site that was away meanwhile.
func TestDroppedSessionsAreDroppedEverywhere(t *testing.T) {
	t.Parallel()
	s := newSharedPlaces(t)
	clientsOf(t, s.nodes[0], 0, 20, 1)
	s.has(1, 20)
	drop := func(i int, f client.SessionFilter) int {
		t.Helper()
		n, err := clientOf(t, s.nodes[i]).DropSessions(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := drop(1, client.SessionFilter{Client: "198.51.7.200"}); n != 1 {
		t.Errorf("%d sessions were dropped, want 1", n)
	}
	s.has(0, 19)
	s.stops[0]() // with a file of the 19
	if n := drop(1, client.SessionFilter{VirtualServer: "www"}); n != 19 {
		t.Errorf("%d sessions were dropped, want 19", n)
	}
	s.start(0)
	s.meet()
	s.has(0, 0)
	s.has(1, 0)
}
