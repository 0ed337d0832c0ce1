package node_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"

	"fairlead/api/resource"
	"fairlead/internal/node"
)

// outlook is what the monitors of one site see.
type outlook struct {
	fails  sync.Map      // addresses that refuse
	closed chan struct{} // nil, or web answers only when it is closed
}

func (o *outlook) dial(ctx context.Context, _, address string) (net.Conn, error) {
	if o.closed != nil && address == "192.0.2.1:80" {
		select {
		case <-o.closed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if _, ok := o.fails.Load(address); ok {
		return nil, syscall.ECONNREFUSED
	}
	near, far := net.Pipe()
	_ = far.Close() // a pipe's end has nothing to say
	return near, nil
}

// TestSitesProbeForEachOther: the first site that sees a service fail has the others probe at once, and all agree, an hour before their
// next probes; a site that is alone with what it sees is overruled.
func TestSitesProbeForEachOther(t *testing.T) {
	t.Parallel()
	names := []string{"ams", "nyc", "sin"}
	ports := []int{freePort(t), freePort(t), freePort(t)}
	text := fmt.Sprintf(`zones: [{name: example.test, nameservers: [ns.example.test], records: "ns 60 A 192.0.2.53"}]
sites:
  - {name: ams, address: "127.0.0.1:%d"}
  - {name: nyc, address: "127.0.0.1:%d"}
  - {name: sin, address: "127.0.0.1:%d"}
settings: {mep: {metrics_interval: 100ms, keepalive_timeout: 5s}, suspicion: {share: 0}}
monitors:
  - {name: port, type: tcp, interval: 1h, timeout: 10m, fall: 1, rise: 1, jitter: 0, quorum: {agree: 3}}
services:
  - {name: web, site: ams, addresses: [192.0.2.1], port: 80, monitors: [port]}
  - {name: lone, site: ams, addresses: [192.0.2.2], port: 80, monitors: [port]}
`, ports[0], ports[1], ports[2])
	released := make(chan struct{})
	outlooks := []*outlook{{}, {closed: released}, {}}
	outlooks[1].fails.Store("192.0.2.2:80", true)
	var nodes []*node.Node
	for i, site := range names {
		p := newPlace(t, true)
		p.write(text)
		p.config.Site = site
		p.config.MEP.Listen, p.config.MEP.Insecure = fmt.Sprintf("127.0.0.1:%d", ports[i]), true
		n, _ := p.serve(func(o *node.Options) { o.ProbeDial = outlooks[i].dial })
		nodes = append(nodes, n)
	}
	for i, n := range nodes {
		for _, other := range names {
			siteAt(t, n, other, func(s *resource.Site) bool { return s.Local || s.Peer == resource.PeerUp })
		}
		serviceAt(t, n, "lone", func(s *resource.Service) bool {
			return s.State == "UP" && strings.HasPrefix(s.Reason, "1 of 3 sites sees it DOWN (nyc); 3 must")
		})
		serviceAt(t, n, "web", func(s *resource.Service) bool { // what was seen a moment ago is not looked at again
			return i == 1 || s.State == "UP" && *s.Monitors[0].AgeSeconds > 1
		})
	}
	for _, o := range outlooks {
		o.fails.Store("192.0.2.1:80", true)
	}
	close(released) // at nyc
	for _, n := range nodes {
		serviceAt(t, n, "web", func(s *resource.Service) bool {
			return s.State == "DOWN" && strings.HasPrefix(s.Reason, "3 of 3 sites see it DOWN (ams, nyc, sin); 3 must")
		})
	}
}
