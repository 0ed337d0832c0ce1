package node_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"fairlead/api/client"
	"fairlead/api/resource"
	"fairlead/internal/node"
)

// TestSitesExplainForEachOther: a node says what another one would answer, and measurements that were pushed to that one count there alone.
func TestSitesExplainForEachOther(t *testing.T) {
	t.Parallel()
	here, there := freePort(t), freePort(t)
	text := fmt.Sprintf(`zones: [{name: example.test, nameservers: [ns.example.test], records: "ns 60 A 192.0.2.53"}]
sites: [{name: here, address: "127.0.0.1:%d"}, {name: there, address: "127.0.0.1:%d"}]
settings: {mep: {metrics_interval: 100ms}}
services:
  - {name: one, site: here, addresses: [192.0.2.7]}
  - {name: two, site: there, addresses: [192.0.2.8]}
virtual_servers:
  - {name: www, domains: [{name: www.example.test}], method: api, backup_method: source-ip-hash, members: [{service: one}, {service: two}]}
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
	for i, service := range []string{"two", "one"} {
		serviceAt(t, nodes[i], service, func(s *resource.Service) bool { return s.State == "UP" })
	}
	first, second := clientOf(t, nodes[0]), clientOf(t, nodes[1])
	question := client.Question{Name: "www.example.test", Client: "203.0.113.9", AtSite: "there"}
	for _, service := range []string{"one", "two"} {
		report := resource.MeasurementReport{Values: []resource.ReportedValue{{Service: service, Value: 1}}}
		if _, err := second.Measure(context.Background(), netip.MustParsePrefix("203.0.113.0/24"), report); err != nil {
			t.Fatal(err)
		}
		e := explained(t, first, question)
		address := map[string]string{"one": "192.0.2.7", "two": "192.0.2.8"}[service]
		if e.Site != "there" || len(e.Answer) != 1 || !strings.HasSuffix(e.Answer[0], address) {
			t.Errorf("%s is measured there: site %q says %q", service, e.Site, e.Answer)
		}
	}
	if e := explained(t, first, client.Question{Name: "www.example.test", Client: "203.0.113.9"}); e.Site != "here" || e.Trace.Entries[len(e.Trace.Entries)-2].Reason != "source-ip-hash" {
		t.Errorf("nothing was pushed here, but %+v", e.Trace.Entries)
	}
	if list, err := first.Measurements(context.Background(), client.MeasurementFilter{}); err != nil || list.Prefixes != 0 {
		t.Errorf("measurements here: %+v, %v", list, err)
	}
}

// explained asks until the other site can be asked.
func explained(t *testing.T, c *client.Client, q client.Question) *resource.Explanation {
	t.Helper()
	deadline := time.After(patience)
	for {
		e, err := c.Explain(context.Background(), q)
		if err == nil {
			return e
		}
		var problem *client.Problem
		if !errors.As(err, &problem) || problem.Status != 503 {
			t.Fatal(err)
		}
		select {
		case <-deadline:
			t.Fatal(err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
