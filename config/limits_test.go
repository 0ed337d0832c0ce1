package config

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestLimitsOfThePage holds the table of docs/objects.md to the limits that are checked.
func TestLimitsOfThePage(t *testing.T) {
	page, err := os.ReadFile("../docs/objects.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		most int
	}{
		{"zones", MaxZones},
		{"sites", MaxSites},
		{"monitors", MaxMonitors},
		{"services, those of groups as many again", MaxServices},
		{"services, those of groups as many again", MaxGroupServices},
		{"virtual servers", MaxVirtualServers},
		{"domains of all virtual servers", MaxDomains},
		{"locations", MaxLocations},
		{"views", MaxViews},
		{"members of a virtual server", MaxMembers},
		{"members of all virtual servers, each once more for each policy of its own", MaxMemberships},
		{"policies of a virtual server", MaxPolicies},
		{"monitors of a service", MaxServiceMonitors},
		{"backups one behind the other", MaxBackupDepth},
		{"nameservers of a zone", MaxNameservers},
		{"labels of an object", MaxLabels},
	} {
		if row := fmt.Sprintf("| %s | %s |\n", c.what, thousands(c.most)); !strings.Contains(string(page), row) {
			t.Errorf("docs/objects.md has no row %q", row)
		}
	}
}

// thousands writes a number as pages do: 4,000,000.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
