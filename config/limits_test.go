package config

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// many repeats a line with a number in it.
func many(count int, format string) string {
	var b strings.Builder
	for i := range count {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// memberships is so many more virtual servers with as many members and policies as there can be.
func memberships(servers int) string {
	policies := many(MaxPolicies, "{name: p%d, clients: [192.0.2.0/24], orders: [1]}, ")
	return many(servers, "  - {name: v%d, members: [{group: g}], policies: ["+policies+"]}\n") +
		fmt.Sprintf("service_groups: [{name: g, site: ams, autoscale: {name: pods.example.net, max: %d}}]\n", MaxMembers)
}

// TestMembershipsBelowTheLimit: one virtual server less is allowed.
func TestMembershipsBelowTheLimit(t *testing.T) {
	_, report := parseText(small + memberships(MaxMemberships/(MaxMembers*(1+MaxPolicies))-1))
	for _, p := range report.Problems() {
		if p.Code == codeTooMany {
			t.Errorf("below the limit: %s", p.Message)
		}
	}
}

func TestLimits(t *testing.T) {
	tests := []struct {
		name, text, path string
	}{
		{"views", small + "views:\n" + many(MaxViews+1, "  - {name: v%d, clients: [192.0.2.0/24]}\n"), "/views"},
		{"policies", small + "    policies:\n" + many(MaxPolicies+1, "      - {name: p%d, clients: [192.0.2.0/24], orders: [1]}\n"), "/virtual_servers/0/policies"},
		{"preferences", small + "    policies: [{name: p, prefer: [" + many(MaxPreferences+1, "EU.P%d, ") + "]}]\n", "/virtual_servers/0/policies/0/prefer"},
		{"members of a group", small + "service_groups:\n  - name: g\n    site: ams\n    members:\n" + many(MaxMembers+1, "      - {name: m%d, addresses: [192.0.2.1]}\n"), "/service_groups/0/members"},
		{"members of all virtual servers", small + memberships(MaxMemberships/(MaxMembers*(1+MaxPolicies))+1), "/virtual_servers"},
		{"services of groups", small + "service_groups:\n" + many(MaxGroupServices/512+1, "  - {name: g%d, site: ams, autoscale: {name: pods.example.net, max: 512}}\n"), "/service_groups"},
		{"backup services", strings.Replace(small, "addresses: [192.0.2.80]", "addresses: [192.0.2.80], backup_services: ["+many(MaxBackupServices+1, "b%d, ")+"]", 1), "/services/0/backup_services"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, report := parseText(tt.text)
			for _, p := range report.Problems() {
				if p.Code == codeTooMany && p.Path == tt.path {
					return
				}
			}
			t.Errorf("no limit at %s:\n%.2000s", tt.path, rendered(t, report))
		})
	}
}

// TestLongChainsOfBackupServices: what follows what is found in time in proportion to the document, however it is chained.
func TestLongChainsOfBackupServices(t *testing.T) {
	const count = 4000
	chain := func(next func(i int) string) string {
		var b strings.Builder
		b.WriteString("sites: [{name: ams, address: 192.0.2.10}]\nservices:\n")
		for i := range count {
			fmt.Fprintf(&b, "  - {name: s%d, site: ams, addresses: [192.0.2.1], backup_services: [%s]}\n", i, next(i))
		}
		return b.String()
	}
	tests := []struct {
		name, text string
		want       Code
	}{
		{"a chain", chain(func(i int) string { return fmt.Sprintf("s%d", min(i+1, count-1)) }), codeBackupServices}, // the last is its own
		{"a circle", chain(func(i int) string { return fmt.Sprintf("s%d", (i+1)%count) }), codeBackupServices},
		{"a ladder", chain(func(i int) string { return fmt.Sprintf("s%d, s%d", min(i+1, count-1), min(i+2, count-1)) }), codeBackupServices},
	}
	for _, tt := range tests {
		began := time.Now()
		_, report := parseText(tt.text)
		wantCode(t, report, tt.want)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s took %v", tt.name, took)
		}
	}
	eleven := strings.Replace(small, "services: [{name: web, site: ams, addresses: [192.0.2.80]}]", "services:\n"+
		"  - {name: web, site: ams, addresses: [192.0.2.80], backup_services: [b0]}\n"+
		many(MaxBackupDepth, "  - {name: b%[1]d, site: ams, addresses: [192.0.2.1], backup_services: [b%[1]d-next]}\n"), 1)
	for i := range MaxBackupDepth {
		eleven = strings.ReplaceAll(eleven, fmt.Sprintf("b%d-next", i), fmt.Sprintf("b%d", i+1))
	}
	last := fmt.Sprintf("  - {name: b%d, site: ams, addresses: [192.0.2.1]}\nvirtual_servers:", MaxBackupDepth)
	_, report := parseText(strings.Replace(eleven, "virtual_servers:", last, 1))
	wantCode(t, report, codeBackupDepth)
}
