package node_test

import (
	"fmt"
	"testing"
	"time"

	"fairlead/internal/node"
)

// TestSitesAgree: two nodes with the same document find that they answer alike, and say so.
func TestSitesAgree(t *testing.T) {
	t.Parallel()
	here, there := freePort(t), freePort(t)
	text := fmt.Sprintf(`zones: [{name: example.test, nameservers: [ns.example.test], records: "ns 60 A 192.0.2.53"}]
sites: [{name: here, address: "127.0.0.1:%d"}, {name: there, address: "127.0.0.1:%d"}]
settings: {mep: {metrics_interval: 100ms}}
services:
  - {name: one, site: here, addresses: [192.0.2.7]}
  - {name: two, site: there, addresses: [192.0.2.8]}
virtual_servers:
  - {name: www, domains: [{name: www.example.test}], method: source-ip-hash, members: [{service: one}, {service: two}]}
`, here, there)
	var nodes []*node.Node
	for i, site := range []string{"here", "there"} {
		p := newPlace(t, true)
		p.write(text)
		p.config.Site = site
		p.config.MEP.Listen, p.config.MEP.Insecure = fmt.Sprintf("127.0.0.1:%d", []int{here, there}[i]), true
		n, _ := p.serve(nil)
		nodes = append(nodes, n)
	}
	for i, other := range []string{"there", "here"} {
		agreesWith(t, nodes[i], other)
		shows(t, nodes[i], "/v1/status/sites/"+other, `"agreement":{"state":"agrees","since":"`)
		shows(t, nodes[i], "/metrics", `fairlead_mep_agreement{peer="`+other+`"} 1`)
	}
}

// agreesWith waits until a node says so of a site: it takes some seconds.
func agreesWith(t *testing.T, n *node.Node, site string) {
	t.Helper()
	c := clientOf(t, n)
	deadline := time.After(patience)
	for {
		s, err := c.Site(t.Context(), site)
		if err != nil {
			t.Fatal(err)
		}
		if s.Agreement != nil && s.Agreement.State == "agrees" {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%s: %+v, want that it agrees", site, s.Agreement)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
