package node_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fairlead/api/client"
	"fairlead/api/resource"
	"fairlead/internal/node"
	"fairlead/internal/testkit/loopback"
)

// freePort is a port of 127.0.0.1 that stays free for this test, until it is listened on.
func freePort(t *testing.T) int {
	t.Helper()
	return loopback.Port(t)
}

// serviceAt waits until what a node believes of a service is enough.
func serviceAt(t *testing.T, n *node.Node, service string, enough func(*resource.Service) bool) {
	t.Helper()
	c, err := client.New("http://" + n.APIAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	deadline := time.After(patience)
	for {
		got, err := c.Service(context.Background(), service)
		if err == nil && enough(got) {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("service %s: %v, %+v, load %+v", service, err, got, got.Load)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// tells reports whether a service's metrics are those named, all of one source.
func tells(s *resource.Service, source string, names ...string) bool {
	var got []string
	for _, m := range s.Metrics {
		if m.Source != source {
			return false
		}
		got = append(got, m.Name)
	}
	return slices.Equal(got, names)
}

// TestLoadsAreExchanged: what one site's load sources tell, by whichever kind, the other site has too.
func TestLoadsAreExchanged(t *testing.T) {
	t.Parallel()
	var reads atomic.Int64
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := reads.Add(1)
		if r.URL.Path == "/stats;csv" {
			fmt.Fprintf(w, "# pxname,svname,scur,slim,bin,bout,req_tot,rtime,act,bck,weight,status\n"+
				"web,web1,3,50,1,1,1,20,1,0,10,UP\nweb,BACKEND,3,1000,%d,%d,%d,20,1,0,10,UP\n", n*1000, n*2000, n*5)
			return
		}
		fmt.Fprintf(w, `{"conns": 6, "ms": 125, "packets": %d, "cpu": 40}`, n*100)
	}))
	defer source.Close()
	here, there := freePort(t), freePort(t)
	text := fmt.Sprintf(`zones: [{name: example.test, nameservers: [ns.example.test], records: "ns 60 A 192.0.2.53"}]
sites: [{name: here, address: "127.0.0.1:%d"}, {name: there, address: "127.0.0.1:%d"}]
settings: {mep: {metrics_interval: 100ms}}
services:
  - {name: pushed, site: here, addresses: [192.0.2.7], load: {source: push}}
  - {name: proxied, site: here, addresses: [192.0.2.8], load: {source: haproxy, url: "%[3]s/stats;csv", backend: web, interval: 100ms, timeout: 100ms}}
  - name: read
    site: here
    addresses: [192.0.2.9]
    load:
      {source: json, url: "%[3]s/load", interval: 100ms, timeout: 100ms, fields: {active: conns, response_time_ms: ms, packets_total: packets},
      custom: [{name: cpu, path: cpu, threshold: 80}]}
virtual_servers:
  - {name: www, domains: [{name: www.example.test}], members: [{service: pushed}, {service: proxied}, {service: read}]}
`, here, there, source.URL)
	var nodes []*node.Node
	for i, site := range []string{"here", "there"} {
		p := newPlace(t, true)
		p.write(text)
		p.config.Site = site
		p.config.MEP.Listen, p.config.MEP.Insecure = fmt.Sprintf("127.0.0.1:%d", []int{here, there}[i]), true
		n, _ := p.serve(nil)
		nodes = append(nodes, n)
	}
	push(t, nodes[0], `{"active": 12, "requests_per_second": 5, "response_time_ms": 250, "bits_per_second": 1e6, "packets_per_second": 9,
		"custom": 0.7, "members": 4, "member_weight": 40, "capacity": 500}`)
	for i, source := range []string{"", "mep here"} {
		of := func(own string) string { return map[bool]string{true: own, false: source}[i == 0] }
		serviceAt(t, nodes[i], "pushed", func(s *resource.Service) bool {
			return s.Load != nil && s.Load.Active == 12 && tells(s, of("push"), "requests", "response-time", "bandwidth", "packets", "custom-load", "members", "member-weight", "capacity") &&
				s.Metrics[1].Value == 0.25 && s.Metrics[4].Value == 0.7 && s.Metrics[7].Value == 500
		})
		serviceAt(t, nodes[i], "proxied", func(s *resource.Service) bool {
			return s.Load != nil && s.Load.Active == 3 && tells(s, of("haproxy"), "requests", "response-time", "bandwidth", "members", "member-weight", "capacity") &&
				s.Metrics[2].Value > 0 && s.Metrics[5].Value == 50
		})
		serviceAt(t, nodes[i], "read", func(s *resource.Service) bool {
			return s.Load != nil && s.Load.Active == 6 && tells(s, of("json"), "response-time", "packets", "custom-load") && s.Metrics[2].Value == 0.5
		})
	}
}

// push reports the load of the service "pushed".
func push(t *testing.T, n *node.Node, body string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPut, fmt.Sprintf("http://%s/v1/services/pushed/load", n.APIAddr()), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if answer, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusNoContent {
		t.Fatalf("push: status %d: %s", response.StatusCode, answer)
	}
}
