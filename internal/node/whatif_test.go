package node_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"fairlead/api/client"
	"fairlead/internal/node"
)

// TestWhatIf asks a node that has two sites and is asked for one name, and has two kinds of evidence: loads that are pushed,
// and queries that it sees.
func TestWhatIf(t *testing.T) {
	t.Parallel()
	p := newPlace(t, true)
	p.write(`zones: [{name: example.test, nameservers: [ns.example.test], records: "ns 60 A 192.0.2.53"}]
sites: [{name: here, address: 127.0.0.1}]
services:
  - {name: red, site: here, addresses: [192.0.2.1], capacity: 100, load: {source: push}}
  - {name: blue, site: here, addresses: [192.0.2.2], capacity: 100, load: {source: push}}
virtual_servers:
  - {name: www, domains: [{name: www.example.test}], method: round-robin, members: [{service: red}, {service: blue}]}
`)
	n, _ := p.serve(func(o *node.Options) { o.Config.MEP.Listen = "" })
	c, err := client.New(n.APIAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx := context.Background()
	for name, active := range map[string]string{"red": "30", "blue": "50"} {
		pushActive(t, n, name, active)
	}
	for range 20 {
		answer(t, n, "www.example.test")
	}
	wait(t, "the sketch has seen queries, and headroom was computed", func() bool {
		s, err := c.Sketch(ctx, 10)
		if err != nil || len(s.Entries) != 1 || s.Peak == nil || s.Peak.Connections != 80 {
			return false
		}
		sites, err := c.Sites(ctx)
		return err == nil && sites.Sites[0].Headroom != nil
	})
	s, err := c.Sketch(ctx, 10)
	if err != nil {
		t.Fatal(err)
	}
	if e := s.Entries[0]; e.Name != "www.example.test." || e.Family != "A" || e.LDNS.String() != "127.0.0.0/24" || e.PerSecond <= 0 {
		t.Errorf("sketch: got %+v", e)
	}
	out, err := c.WhatIf(ctx, []string{"blue"}, "1.25x")
	if err != nil {
		t.Fatal(err)
	}
	// 80 × 1.25 connections are 100: all of them at red, which carries just that.
	after := out.Rounds[0].State
	if len(out.Rounds) != 1 || len(after.Services) != 2 || after.Services[1].Name != "red" || math.Abs(*after.Services[1].Connections-100) > 0.5 || after.Services[1].Share != 1 {
		t.Errorf("what-if: got %+v", out)
	}
	sites, err := c.Sites(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if h := sites.Sites[0].Headroom; h.Lost != "here" || h.Unanswered != 1 || h.Ratio != nil {
		t.Errorf("headroom: got %+v, want that nothing is answered", h)
	}
	text := scrape(t, n)
	for _, want := range []string{`fairlead_site_loss_unanswered_ratio{lost="here"} 1`, "fairlead_sketch_entries 1", "fairlead_sketch_left_out_queries_total 0"} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics have no %s", want)
		}
	}
}

func pushActive(t *testing.T, n *node.Node, service, active string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPut, fmt.Sprintf("http://%s/v1/services/%s/load", n.APIAddr(), service), strings.NewReader(`{"active": `+active+`}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Close = true
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		t.Fatalf("push %s: %s", service, response.Status)
	}
}

func scrape(t *testing.T, n *node.Node) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/metrics", n.APIAddr()), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
