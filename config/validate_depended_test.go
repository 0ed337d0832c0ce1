package config

import (
	"strings"
	"testing"
)

// TestDependedOnServices: a service that only a calculated monitor looks at is of use.
func TestDependedOnServices(t *testing.T) {
	_, report := Parse(Source{Name: "a.yaml", Text: []byte(`
zones: [{name: example.test, nameservers: [ns.example.test], records: "ns 60 A 192.0.2.53"}]
sites: [{name: ams, address: 192.0.2.10}]
monitors:
  - {name: port-ok, type: tcp}
  - {name: both, type: calculated, calculated: {monitors: [port-ok, {monitor: port-ok, service: db}]}}
services:
  - {name: web, site: ams, addresses: [192.0.2.80], port: 80, monitors: [both]}
  - {name: db, site: ams, addresses: [192.0.2.90], port: 5432, monitors: [port-ok]}
  - {name: idle, site: ams, addresses: [192.0.2.91]}
virtual_servers: [{name: www, domains: [{name: www.example.test}], method: round-robin, members: [{service: web}]}]
`)})
	var got []string
	for _, p := range report.Problems() {
		got = append(got, p.String())
	}
	if len(got) != 1 || !strings.Contains(got[0], `service "idle" is a member of no virtual server`) {
		t.Errorf("got %q, want a warning of idle alone", got)
	}
}
