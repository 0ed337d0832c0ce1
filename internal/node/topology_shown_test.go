package node_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"fairlead/api/resource"
	"fairlead/internal/node"
	"fairlead/sites"
)

// topologyText is a document of ams, nyc and the child shop, whose parents are as given.
func topologyText(ports []int, shop string) string {
	return fmt.Sprintf(`zones: [{name: example.test, nameservers: [ns.example.test], records: "ns 60 A 192.0.2.53"}]
sites:
  - {name: ams, address: "127.0.0.1:%d"}
  - {name: nyc, address: "127.0.0.1:%d"}
  - {name: shop, address: "127.0.0.1:%d"%s}
  - {name: cloud, foreign: true}
settings: {mep: {metrics_interval: 100ms, keepalive_timeout: 3s, parent_timeout: 3s, parent_return: 1s}}
services:
  - {name: a, site: ams, addresses: [192.0.2.1]}
  - {name: n, site: nyc, addresses: [192.0.2.2]}
  - {name: s, site: shop, addresses: [192.0.2.3]}
  - {name: c, site: cloud, addresses: [192.0.2.4]}
virtual_servers:
  - {name: www, domains: [{name: www.example.test}], method: round-robin, members: [{service: s}, {service: a, order: 2}, {service: n, order: 2}, {service: c, order: 2}]}
`, ports[0], ports[1], ports[2], shop)
}

// told collects transitions of one service.
type told struct {
	service string
	mu      sync.Mutex
	all     []string
}

func (c *told) take(tr sites.Transition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if tr.Service == c.service {
		c.all = append(c.all, fmt.Sprintf("%v: %s", tr.To, tr.Reason))
	}
}

// siteAt waits until a node shows a site as wanted.
func siteAt(t *testing.T, n *node.Node, name string, want func(*resource.Site) bool) {
	t.Helper()
	c := clientOf(t, n)
	deadline := time.After(patience)
	for {
		s, err := c.Site(context.Background(), name)
		if err == nil && want(s) {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("site %s: %+v, %v", name, s, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// TestAChildAndItsParents: a child answers no DNS, is heard by way of its parent, and changes no state when that is lost.
func TestAChildAndItsParents(t *testing.T) {
	t.Parallel()
	ports := []int{freePort(t), freePort(t), freePort(t)}
	text := topologyText(ports, ", parent: ams, backup_parents: [nyc]")
	seen := &told{service: "s"}
	var nodes []*node.Node
	var stops []func()
	for i, site := range []string{"ams", "nyc", "shop"} {
		p := newPlace(t, true)
		p.write(text)
		p.config.Site = site
		p.config.MEP.Listen, p.config.MEP.Insecure = fmt.Sprintf("127.0.0.1:%d", ports[i]), true
		n, stop := p.serve(func(o *node.Options) {
			if site == "nyc" {
				o.Transition = seen.take
			}
		})
		nodes, stops = append(nodes, n), append(stops, stop)
	}
	siteAt(t, nodes[1], "shop", func(s *resource.Site) bool {
		return s.Reach == resource.ReachHeard && s.Via == "ams" && s.AttachedTo == "ams" && s.Peer == resource.PeerUp && s.Services.Up == 1
	})
	siteAt(t, nodes[2], "shop", func(s *resource.Site) bool { return s.AttachedTo == "ams" && !s.AnswersDNS })
	serviceAt(t, nodes[2], "n", func(s *resource.Service) bool {
		return s.State == "UNKNOWN" && strings.Contains(s.Reason, "not known here")
	})
	serviceAt(t, nodes[0], "c", func(s *resource.Service) bool { return s.State == "UP" && s.Source == "assumed" })
	if addrs := nodes[2].DNSAddrs(); len(addrs) > 0 {
		t.Errorf("a child has DNS sockets: %v", addrs)
	}
	if code, body := ready(t, nodes[2]); code != http.StatusOK || !strings.Contains(body, "does not answer DNS") {
		t.Errorf("a child's readiness is %d: %s", code, body)
	}
	eventually(t, nodes[1], "www.example.test", "192.0.2.3")
	seen.mu.Lock()
	seen.all = nil // of the start
	seen.mu.Unlock()
	stops[0]()
	siteAt(t, nodes[1], "shop", func(s *resource.Site) bool { return s.AttachedTo == "nyc" && s.Reach == resource.ReachHeard })
	siteAt(t, nodes[2], "shop", func(s *resource.Site) bool { return s.AttachedTo == "nyc" })
	eventually(t, nodes[1], "www.example.test", "192.0.2.3")
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if len(seen.all) > 0 {
		t.Errorf("transitions of the child's service at nyc: %q, want none", seen.all)
	}
}

func ready(t *testing.T, n *node.Node) (int, string) {
	t.Helper()
	r, err := http.Get("http://" + n.APIAddr().String() + "/readyz?verbose")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b := make([]byte, 4096)
	k, _ := r.Body.Read(b)
	return r.StatusCode, string(b[:k])
}

// TestARoleChanges: a document that makes a site a child closes its DNS sockets, and one that takes it back opens them, without a
// restart.
func TestARoleChanges(t *testing.T) {
	t.Parallel()
	ports := []int{freePort(t), freePort(t), freePort(t)}
	p := newPlace(t, true)
	p.write(topologyText(ports, ""))
	p.config.Site = "shop"
	n, _ := p.serve(nil)
	eventually(t, n, "www.example.test", "192.0.2.3")
	for range 2 {
		p.write(topologyText(ports, ", parent: nyc"))
		if err := n.Reload(); err != nil {
			t.Fatal(err)
		}
		sockets(t, n, 0)
		if code, body := ready(t, n); code != http.StatusOK {
			t.Errorf("readiness is %d: %s", code, body)
		}
		p.write(topologyText(ports, ", parent: nyc, answers_dns: true"))
		if err := n.Reload(); err != nil {
			t.Fatal(err)
		}
		sockets(t, n, 1)
		eventually(t, n, "www.example.test", "192.0.2.3")
	}
}

// sockets waits until a node has so many DNS addresses.
func sockets(t *testing.T, n *node.Node, want int) {
	t.Helper()
	deadline := time.After(patience)
	for len(n.DNSAddrs()) != want {
		select {
		case <-deadline:
			t.Fatalf("DNS addresses are %v, want %d", n.DNSAddrs(), want)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
