package node_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"fairlead/api/resource"
	"fairlead/internal/node"
	"fairlead/internal/query"
)

// slowResolver answers queries over UDP after a time, at a port of 127.0.0.1.
func slowResolver(t *testing.T, after time.Duration) (port uint16) {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			b := make([]byte, 512)
			n, from, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			b[2] |= 0x80
			group.Add(1)
			time.AfterFunc(after, func() {
				defer group.Done()
				_, _ = conn.WriteToUDPAddrPort(b[:n], from)
			})
		}
	})
	t.Cleanup(func() {
		conn.Close()
		group.Wait()
	})
	return uint16(conn.LocalAddr().(*net.UDPAddr).Port)
}

// rttSites runs two sites with a name whose method is rtt. The resolver at 127.0.0.1 is so far from each of them.
func rttSites(t *testing.T, ldns string, far ...time.Duration) (nodes []*node.Node) {
	t.Helper()
	ports := []int{freePort(t), freePort(t)}
	text := fmt.Sprintf(`zones: [{name: example.test, nameservers: [ns.example.test], records: "ns 60 A 192.0.2.53"}]
sites: [{name: here, address: "127.0.0.1:%d"}, {name: there, address: "127.0.0.1:%d"}]
settings:
  mep: {metrics_interval: 100ms, network_interval: 100ms}
  ldns: {%s}
services:
  - {name: one, site: here, addresses: [192.0.2.7]}
  - {name: two, site: there, addresses: [192.0.2.8]}
virtual_servers:
  - {name: www, domains: [{name: www.example.test}], method: rtt, members: [{service: one}, {service: two}]}
`, ports[0], ports[1], ldns)
	for i, site := range []string{"here", "there"} {
		p := newPlace(t, true)
		p.write(text)
		p.config.Site = site
		p.config.MEP.Listen, p.config.MEP.Insecure = fmt.Sprintf("127.0.0.1:%d", ports[i]), true
		port := slowResolver(t, far[i])
		n, _ := p.serve(func(o *node.Options) { o.LDNSPort = port })
		nodes = append(nodes, n)
	}
	for i, service := range []string{"two", "one"} {
		serviceAt(t, nodes[i], service, func(s *resource.Service) bool { return s.State == "UP" })
	}
	return nodes
}

// measuredAt waits until a node knows how far the resolver is from a site, and returns how that was measured.
func measuredAt(t *testing.T, n *node.Node, site string, good func(resource.SiteRTT) bool) {
	t.Helper()
	deadline := time.After(patience)
	var last any
	for {
		r, err := clientOf(t, n).Resolver(context.Background(), "127.0.0.1")
		if last = err; err == nil {
			for _, m := range r.RTTs {
				if m.Site == site && m.Counts && good(m) {
					return
				}
			}
			last = r.RTTs
		}
		select {
		case <-deadline:
			t.Fatalf("from site %s: %+v", site, last)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// TestNearerSiteIsFound: queries come to one site only. Both sites measure their resolver, both learn what the other found, and
// both answer with the nearer one.
func TestNearerSiteIsFound(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		far  []time.Duration
		want string
	}{
		{"here", []time.Duration{5 * time.Millisecond, 400 * time.Millisecond}, "192.0.2.7"},
		{"there", []time.Duration{400 * time.Millisecond, 5 * time.Millisecond}, "192.0.2.8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			nodes := rttSites(t, "probe_order: [dns], probe_allow: [127.0.0.0/8]", tt.far...)
			answer(t, nodes[0], "www.example.test")
			for _, n := range nodes {
				for i, site := range []string{"here", "there"} {
					measuredAt(t, n, site, func(m resource.SiteRTT) bool {
						return m.By == "dns" && m.RTTMs >= float64(tt.far[i].Milliseconds()) && m.RTTMs < float64(tt.far[i].Milliseconds())+200
					})
				}
				for range 4 {
					if got := answer(t, n, "www.example.test"); got != tt.want {
						t.Errorf("answer %q, want %q", got, tt.want)
					}
				}
			}
		})
	}
}

// TestOwnAddressesAreLeftAlone: 127.0.0.1 is not probed unless the document allows it; what its own connections tell costs
// nothing, and counts.
func TestOwnAddressesAreLeftAlone(t *testing.T) {
	t.Parallel()
	nodes := rttSites(t, "tolerance: 5ms", time.Millisecond, time.Millisecond)
	answer(t, nodes[0], "www.example.test")
	text := func() string { return scrape(t, nodes[0]) }
	until(t, "a refusal", func() bool { return strings.Contains(text(), `fairlead_ldns_refused_total{reason="own"} 1`) })
	if !strings.Contains(text(), `fairlead_ldns_probe_packets_total{kind="ping"} 0`) {
		t.Error("a packet was sent to 127.0.0.1")
	}
	if _, err := query.Do(context.Background(), query.Request{Name: "www.example.test", Server: nodes[0].DNSAddrs()[0].String(), TCP: true}); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		measuredAt(t, n, "here", func(m resource.SiteRTT) bool { return m.By == "passive" && m.RTTMs < 20 })
		if got := answer(t, n, "www.example.test"); got != "192.0.2.7" {
			t.Errorf("answer %q, want that of the site that is measured", got)
		}
	}
}

// TestNewPeerIsToldWhatIsKnown: measurements from before a site's start arrive there, also those that a probe of somebody else
// reported.
func TestNewPeerIsToldWhatIsKnown(t *testing.T) {
	t.Parallel()
	ports := []int{freePort(t), freePort(t)}
	text := strings.Replace(document("192.0.2.1"), "{name: here, address: 127.0.0.1}",
		fmt.Sprintf(`{name: here, address: "127.0.0.1:%d"}, {name: there, address: "127.0.0.1:%d"}`, ports[0], ports[1]), 1) +
		"settings: {mep: {metrics_interval: 100ms, network_interval: 100ms}}\n"
	start := func(i int, site string) *node.Node {
		p := newPlace(t, true)
		p.write(text)
		p.config.Site = site
		p.config.MEP.Listen, p.config.MEP.Insecure = fmt.Sprintf("127.0.0.1:%d", ports[i]), true
		n, _ := p.serve(nil)
		return n
	}
	first := start(0, "here")
	c := clientOf(t, first)
	for _, report := range []resource.RTTReport{{Site: "here", RTTMs: 12.5}, {Site: "there", RTTMs: 99}} {
		if err := c.PutRTT(context.Background(), "127.0.0.1", report); err != nil {
			t.Fatal(err)
		}
	}
	second := start(1, "there")
	measuredAt(t, second, "here", func(m resource.SiteRTT) bool { return m.RTTMs == 12.5 && m.By == "pushed" })
	// What was told here of the other site is not told to it.
	if r, err := clientOf(t, second).Resolver(context.Background(), "127.0.0.1"); err != nil || len(r.RTTs) != 1 {
		t.Errorf("got %+v, %v, want one time", r, err)
	}
}
