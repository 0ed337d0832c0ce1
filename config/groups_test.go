package config

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const grouped = `zones: [{name: example.com, nameservers: [ns1.example.net]}]
sites: [{name: ams, address: 192.0.2.10}, {name: nyc, address: 192.0.2.11}]
monitors: [{name: up, type: tcp}]
services: [{name: single, site: nyc, addresses: [192.0.2.80]}]
service_groups:
  - name: web
    site: ams
    port: 80
    monitors: [up]
    max_connections: 100
    slow_start: 10s
    members:
      - {name: a, addresses: [192.0.2.1, "2001:db8::1"], weight: 30, hash_id: 7}
      - {addresses: [192.0.2.2], port: 8080, order: 9, public_addresses: [198.51.100.2]}
      - {addresses: ["2001:db8::3"], state: disabled}
  - {name: auto, site: nyc, port: 443, state: draining, autoscale: {name: pods.example.net, max: 2}}
  - {name: idle, site: nyc, members: [{name: x, addresses: [192.0.2.9]}], state: draining}
virtual_servers:
  - name: web
    domains: [{name: www.example.com}]
    members: [{group: auto, weight: 2, order: 3}, {service: single}, {group: web, weight: 4, order: 2}]
  - {name: plain, domains: [{name: plain.example.com}], members: [{service: single}]}
  - {name: only, domains: [{name: only.example.com}], members: [{group: auto}]}
  - {name: rest, domains: [{name: rest.example.com}], members: [{group: idle}]}
`

func TestExpanded(t *testing.T) {
	doc, report := parseText(grouped)
	if doc == nil {
		t.Fatal(report.Err())
	}
	a := netip.MustParseAddr
	got := doc.Expanded(map[string][]netip.Addr{
		"auto": {a("2001:db8::9"), a("192.0.2.22"), a("192.0.2.21"), a("192.0.2.21")},
		"gone": {a("192.0.2.66")},
	})
	bound := []MonitorBinding{{Monitor: "up", Weight: 1}}
	web := func(name string, state ServiceState, port int, addresses ...netip.Addr) Service {
		return Service{Name: name, Group: "web", Site: "ams", Addresses: addresses, Port: port, Monitors: bound, MaxConnections: 100,
			State: state, SlowStart: doc.ServiceGroups[0].SlowStart}
	}
	first, second := web("web:a", ServiceEnabled, 80, a("192.0.2.1"), a("2001:db8::1")), web("web:192.0.2.2", ServiceEnabled, 8080, a("192.0.2.2"))
	first.HashID, second.PublicAddresses = 7, []netip.Addr{a("198.51.100.2")}
	auto := func(name, address string) Service {
		return Service{Name: name, Group: "auto", Site: "nyc", Addresses: []netip.Addr{a(address)}, Port: 443, State: ServiceDraining}
	}
	want := []Service{doc.Services[0], first, second, web("web:2001-db8--3", ServiceDisabled, 80, a("2001:db8::3")),
		auto("auto:192.0.2.21", "192.0.2.21"), auto("auto:192.0.2.22", "192.0.2.22"),
		{Name: "idle:x", Group: "idle", Site: "nyc", Addresses: []netip.Addr{a("192.0.2.9")}, State: ServiceDraining}}
	if d := cmp.Diff(want, got.Services, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("services (-want +got):\n%s", d)
	}
	wantMembers := [][]Member{
		{{Service: "auto:192.0.2.21", Weight: 2, Order: 3}, {Service: "auto:192.0.2.22", Weight: 2, Order: 3}, {Service: "single", Weight: 1, Order: 1},
			{Service: "web:a", Weight: 100, Order: 2}, {Service: "web:192.0.2.2", Weight: 4, Order: 9}, {Service: "web:2001-db8--3", Weight: 4, Order: 2}},
		{{Service: "single", Weight: 1, Order: 1}},
		{{Service: "auto:192.0.2.21", Weight: 1, Order: 1}, {Service: "auto:192.0.2.22", Weight: 1, Order: 1}},
		{{Service: "idle:x", Weight: 1, Order: 1}},
	}
	for i := range wantMembers {
		if d := cmp.Diff(wantMembers[i], got.VirtualServers[i].Members); d != "" {
			t.Errorf("members of %s (-want +got):\n%s", got.VirtualServers[i].Name, d)
		}
	}
	checkExpanded(t, doc)
	if again := got.Expanded(nil); again != got {
		t.Error("what is expanded is expanded again")
	}
	if len(doc.ServiceGroups) != 3 || len(doc.Services) != 1 || doc.VirtualServers[0].Members[0].Group != "auto" {
		t.Error("expanding changed the document")
	}
}

func TestExpandedWithoutAddresses(t *testing.T) {
	doc, report := parseText(grouped)
	if doc == nil {
		t.Fatal(report.Err())
	}
	got := doc.Expanded(nil)
	if n := len(got.VirtualServers[2].Members); n != 0 {
		t.Errorf("%d members of a group with nothing resolved", n)
	}
	if slices.ContainsFunc(got.Services, func(s Service) bool { return s.Group == "auto" }) {
		t.Error("a group with nothing resolved has services")
	}
}

func TestWithoutGroupsNothingIsExpanded(t *testing.T) {
	doc, _ := parseText(small)
	if got := doc.Expanded(nil); got != doc {
		t.Error("a document without groups was copied")
	}
}

// TestGroupServicesHaveTheirNames: what the node drains by name is what a document names it.
func TestGroupServicesHaveTheirNames(t *testing.T) {
	doc, _ := parseText(grouped)
	for _, text := range []string{"192.0.2.1", "2001:db8::1"} {
		address := netip.MustParseAddr(text)
		got := doc.Expanded(map[string][]netip.Addr{"auto": {address}})
		name := GroupService("auto", address)
		if !slices.ContainsFunc(got.Services, func(s Service) bool { return s.Name == name }) {
			t.Errorf("no service is named %s: %s", name, fmt.Sprint(got.VirtualServers[2].Members))
		}
	}
}

// checkExpanded checks what holds of every valid document when its groups are expanded: names are unique and short enough,
// members are services and not too many, weights are weights.
func checkExpanded(t *testing.T, doc *Document) {
	t.Helper()
	resolved := map[string][]netip.Addr{}
	for _, g := range doc.ServiceGroups {
		resolved[g.Name] = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8:1111:2222:3333:4444:5555:6666")}
	}
	out := doc.Expanded(resolved)
	names := map[string]bool{}
	for _, s := range out.Services {
		if names[s.Name] || s.Name == "" || len(s.Name) > MaxNameLength {
			t.Errorf("name %q is taken, empty or too long", s.Name)
		}
		names[s.Name] = true
	}
	for _, v := range out.VirtualServers {
		if len(v.Members) > MaxMembers {
			t.Errorf("virtual server %q has %d members", v.Name, len(v.Members))
		}
		seen := map[string]bool{}
		for _, m := range v.Members {
			if !names[m.Service] || seen[m.Service] || m.Weight < 1 || m.Weight > MaxWeight || m.Order < 1 {
				t.Errorf("virtual server %q has member %+v", v.Name, m)
			}
			seen[m.Service] = true
		}
	}
}
