package config

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFieldsOfGroups: members are told apart by what is selected on one page.
func TestFieldsOfGroups(t *testing.T) {
	doc, report := parseText(`zones: [{name: example.com, nameservers: [ns1.example.net]}]
sites: [{name: ams, address: 192.0.2.10}]
service_groups:
  - name: web
    site: ams
    load:
      source: openmetrics
      url: "http://192.0.2.9/metrics"
      fields: {active: 'connections{pod="{member}"}', capacity: 'limit{address=~"{address}"}'}
      custom: [{name: queue, path: 'waiting{pod="{member}"}'}]
    members: [{name: a, addresses: [192.0.2.1]}, {name: b, addresses: [192.0.2.2]}]
virtual_servers:
  - {name: web, domains: [{name: www.example.com}], method: round-robin, members: [{group: web}]}
`)
	if doc == nil {
		t.Fatal(report.Err())
	}
	var got []string
	for _, s := range doc.Expanded(nil).Services {
		got = append(got, s.Name, s.Load.Fields.Active, s.Load.Fields.Capacity, s.Load.Custom[0].Path)
	}
	want := []string{
		"web:a", `connections{pod="a"}`, `limit{address=~"192.0.2.1"}`, `waiting{pod="a"}`,
		"web:b", `connections{pod="b"}`, `limit{address=~"192.0.2.2"}`, `waiting{pod="b"}`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("fields (-want +got):\n%s", d)
	}
	if l := doc.ServiceGroups[0].Load; l.Custom[0].Path != `waiting{pod="{member}"}` {
		t.Errorf("expanding changed the document: %s", l.Custom[0].Path)
	}
}

func TestLoadOfGroups(t *testing.T) {
	doc, report := parseText(`zones: [{name: example.com, nameservers: [ns1.example.net]}]
sites: [{name: ams, address: 192.0.2.10}]
service_groups:
  - name: web
    site: ams
    port: 80
    load: {source: haproxy, url: "http://{address}:{port}/{member};csv", backend: "{member}_{port}_{address}", interval: 5s}
    members:
      - {name: a, addresses: [192.0.2.1, "2001:db8::1"]}
      - {addresses: ["2001:db8::2"], port: 8080}
      - {name: own, addresses: [192.0.2.3], load: {source: json, url: "http://{address}/load"}}
      - {name: told, addresses: [192.0.2.4], load: {source: push}}
  - {name: auto, site: ams, load: {source: json, url: "http://{address}/{member}"}, autoscale: {name: pods.example.net}}
  - {name: plain, site: ams, members: [{name: x, addresses: [192.0.2.9]}]}
virtual_servers:
  - {name: web, domains: [{name: www.example.com}], method: round-robin, members: [{group: web}, {group: auto}, {group: plain}]}
`)
	if doc == nil {
		t.Fatal(report.Err())
	}
	got := map[string]string{}
	for _, s := range doc.Expanded(map[string][]netip.Addr{"auto": {netip.MustParseAddr("192.0.2.21"), netip.MustParseAddr("2001:db8::21")}}).Services {
		if s.Load != nil {
			got[s.Name] = string(s.Load.Source) + " " + s.Load.URL + " " + s.Load.Backend + " " + s.Load.Interval.String()
		}
	}
	want := map[string]string{
		"web:a":             "haproxy http://192.0.2.1:80/a;csv a_80_192.0.2.1 5s",
		"web:2001-db8--2":   "haproxy http://[2001:db8::2]:8080/2001-db8--2;csv 2001-db8--2_8080_2001:db8::2 5s",
		"web:own":           "json http://192.0.2.3/load  1s",
		"web:told":          "push   1s",
		"auto:192.0.2.21":   "json http://192.0.2.21/192.0.2.21  1s",
		"auto:2001-db8--21": "json http://[2001:db8::21]/2001-db8--21  1s",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("load sources (-want +got):\n%s", d)
	}
	if l := doc.ServiceGroups[0].Load; l.URL != "http://{address}:{port}/{member};csv" {
		t.Errorf("expanding changed the document: %s", l.URL)
	}
}
