package node_test

import (
	"fmt"
	"strings"
	"testing"

	"fairlead/api/resource"
	"fairlead/internal/node"
)

// TestPassiveAndCalculated: how many servers there are behind a service is told at one site, and decides at both: of that service,
// and of one that depends on it.
func TestPassiveAndCalculated(t *testing.T) {
	t.Parallel()
	names, ports := []string{"ams", "nyc"}, []int{freePort(t), freePort(t)}
	text := fmt.Sprintf(`zones: [{name: example.test, nameservers: [ns.example.test], records: "ns 60 A 192.0.2.53"}]
sites:
  - {name: ams, address: "127.0.0.1:%d"}
  - {name: nyc, address: "127.0.0.1:%d"}
settings: {mep: {metrics_interval: 100ms, keepalive_timeout: 5s}, suspicion: {share: 0}, damping: {min_hold: 0s}}
monitors:
  - {name: port, type: tcp, interval: 500ms, timeout: 500ms, rise: 1}
  - {name: behind, type: passive, fall: 1, rise: 1, passive: {min_members: 2}}
  - {name: all, type: calculated, calculated: {monitors: [port, {monitor: behind, service: pushed}]}}
services:
  - {name: pushed, site: ams, addresses: [192.0.2.1], port: 5432, monitors: [behind], load: {source: push}}
  - {name: web, site: nyc, addresses: [192.0.2.2], port: 80, monitors: [all]}
`, ports[0], ports[1])
	var nodes []*node.Node
	for i, site := range names {
		p := newPlace(t, true)
		p.write(text)
		p.config.Site = site
		p.config.MEP.Listen, p.config.MEP.Insecure = fmt.Sprintf("127.0.0.1:%d", ports[i]), true
		n, _ := p.serve(func(o *node.Options) { o.ProbeDial = (&outlook{}).dial })
		nodes = append(nodes, n)
	}
	want := func(service, state, reason string) {
		t.Helper()
		for _, n := range nodes {
			serviceAt(t, n, service, func(s *resource.Service) bool { return s.State == state && strings.Contains(s.Reason, reason) })
		}
	}
	want("pushed", "UP", "no load report yet")
	want("web", "UP", "monitor all at 192.0.2.2:80: 2 of 2 monitors UP, 2 needed")
	tell := func(members int) {
		t.Helper()
		push(t, nodes[0], fmt.Sprintf(`{"members": %d}`, members))
	}
	tell(1)
	want("pushed", "DOWN", "monitor behind at 192.0.2.1:5432: 1 usable server behind it, 2 needed")
	want("web", "DOWN", "1 of 2 monitors UP, 2 needed: behind of pushed at 192.0.2.1:5432: 1 usable server behind it")
	tell(3)
	want("pushed", "UP", "3 usable servers behind it")
	want("web", "UP", "2 of 2 monitors UP")
}
