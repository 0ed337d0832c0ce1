package node_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fairlead/api/resource"
	"fairlead/internal/node"
)

// target is a service that monitors connect to, or do not.
type target struct {
	mu     sync.Mutex
	broken bool
	failed time.Time // first
}

func (g *target) dial(context.Context, string, string) (net.Conn, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.broken {
		if g.failed.IsZero() {
			g.failed = time.Now()
		}
		return nil, syscall.ECONNREFUSED
	}
	near, far := net.Pipe()
	_ = far.Close() // a pipe's end has nothing to say
	return near, nil
}

func (g *target) set(broken bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.broken, g.failed = broken, time.Time{}
}

func (g *target) since() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Since(g.failed)
}

// TestSitesProbeForEachOther: the first site that sees a service fail has the others probe at once, and all agree long before their
// intervals are over; a site that is alone with what it sees is overruled.
func TestSitesProbeForEachOther(t *testing.T) {
	names := []string{"ams", "nyc", "sin"}
	ports := []int{freePort(t), freePort(t), freePort(t)}
	text := fmt.Sprintf(`zones: [{name: example.test, nameservers: [ns.example.test], records: "ns 60 A 192.0.2.53"}]
sites:
  - {name: ams, address: "127.0.0.1:%d"}
  - {name: nyc, address: "127.0.0.1:%d"}
  - {name: sin, address: "127.0.0.1:%d"}
settings: {mep: {metrics_interval: 100ms, keepalive_timeout: 5s}, suspicion: {share: 0}}
monitors:
  - {name: port, type: tcp, interval: 4s, fall: 1, rise: 1, jitter: 0, quorum: {agree: 3}}
services:
  - {name: web, site: ams, addresses: [192.0.2.1], port: 80, monitors: [port]}
`, ports[0], ports[1], ports[2])
	var nodes []*node.Node
	var targets []*target
	for i, site := range names {
		p := newPlace(t, true)
		p.write(text)
		p.config.Site = site
		p.config.MEP.Listen, p.config.MEP.Insecure = fmt.Sprintf("127.0.0.1:%d", ports[i]), true
		g := &target{}
		n, _ := p.serve(func(o *node.Options) { o.ProbeDial = g.dial })
		nodes, targets = append(nodes, n), append(targets, g)
	}
	for _, n := range nodes {
		serviceAt(t, n, "web", func(s *resource.Service) bool { return s.State == "UP" && s.Source == "monitor port" })
		for _, other := range names {
			siteAt(t, n, other, func(s *resource.Site) bool { return s.Local || s.Peer == resource.PeerUp })
		}
	}
	targets[1].set(true)
	serviceAt(t, nodes[1], "web", func(s *resource.Service) bool {
		return s.State == "UP" && strings.HasPrefix(s.Reason, "1 of 3 sites sees it DOWN (nyc); 3 must; here: monitor port at 192.0.2.1:80:")
	})
	for _, g := range targets {
		g.set(true)
	}
	var first *target
	for _, n := range nodes {
		serviceAt(t, n, "web", func(s *resource.Service) bool {
			return s.State == "DOWN" && strings.HasPrefix(s.Reason, "3 of 3 sites see it DOWN (ams, nyc, sin); 3 must")
		})
	}
	for _, g := range []*target{targets[0], targets[2]} {
		if first == nil || g.since() > first.since() {
			first = g
		}
	}
	if took := first.since(); took > 1500*time.Millisecond {
		t.Errorf("all agree %v after the second site saw it fail, want less than their intervals", took)
	}
}
