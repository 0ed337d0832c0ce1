package config

import (
	"strings"
	"testing"
)

// TestDomainsInViews: a balanced name is checked against every zone that it belongs to for some client, and no other.
func TestDomainsInViews(t *testing.T) {
	const head = `sites: [{name: ams, address: 192.0.2.10}]
services: [{name: web, site: ams, addresses: [192.0.2.80]}]
virtual_servers: [{name: web, domains: [{name: www.corp.example.com}], members: [{service: web}]}]
views: [{name: in, clients: [10.0.0.0/8]}, {name: far, clients: [192.0.2.0/24]}]
zones:
`
	zone := func(name, views, records string) string {
		return "  - {name: " + name + ", nameservers: [ns1.example.net], views: " + views + ", records: \"" + records + "\"}\n"
	}
	everybody := func(name, records string) string {
		return strings.Replace(zone(name, "X", records), " views: X,", "", 1)
	}
	tests := []struct {
		name, zones string
		want        Code // empty: no problem, not even a warning
	}{
		{"one zone", everybody("example.com", ""), ""},
		{"only for a view", zone("example.com", "[in]", "") + everybody("other.com", "") + zone("other.com", "[far]", ""), ""},
		{"a CNAME where only a view sees it", zone("example.com", "[in]", "www.corp 60 CNAME a") + everybody("example.com", ""), codeBalancedCNAME},
		{"a delegation where others see it", zone("corp.example.com", "[in]", "") + everybody("example.com", "corp 60 NS ns.example.net."), codeBelowDelegation},
		{"a delegation that nobody sees", everybody("corp.example.com", "") + everybody("example.com", "corp 60 NS ns.example.net."), ""},
		{"a CNAME in a zone that nobody sees the name in", zone("corp.example.com", "[in]", "") + zone("example.com", "[in]", "www.corp 60 CNAME a\\ncorp 60 NS ns.example.net."), ""},
		{"zones inside each other for different views", zone("corp.example.com", "[in]", "") + zone("example.com", "[far]", ""), ""},
		{"zones inside each other for all", everybody("corp.example.com", "") + everybody("example.com", ""), codeWarnNestedZone},
		{"no zone", everybody("example.org", ""), codeOutsideZones},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, report := parseText(head + strings.ReplaceAll(tt.zones, "\\n", `\n`))
			for _, p := range report.Problems() {
				if p.Code != tt.want && p.Code != codeWarnNoEffect {
					t.Errorf("got %s", p)
				}
			}
			if tt.want != "" {
				wantCode(t, report, tt.want)
			}
		})
	}
}
