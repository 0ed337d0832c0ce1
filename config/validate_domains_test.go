package config

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestManyDomainsOfManyNames: a virtual server with thousands of domains and of members that are a CNAME is looked at in a moment, and each domain that is
// answered with itself is found.
func TestManyDomainsOfManyNames(t *testing.T) {
	const domains, members, itself = 20_000, MaxMembers, 10
	var b strings.Builder
	b.WriteString("zones: [{name: gslb.example.com, nameservers: [ns.example.net]}]\nsites: [{name: ams, address: 127.0.0.1}]\nservices:\n")
	for i := range members {
		to := fmt.Sprintf("w%d.example.net", i)
		if i < itself {
			to = fmt.Sprintf("W%d.GSLB.example.com.", domains-1-i)
		}
		fmt.Fprintf(&b, "  - {name: s%d, site: ams, cname: %s}\n", i, to)
	}
	b.WriteString("  - {name: last, site: ams, cname: other.example.net}\nvirtual_servers:\n  - {name: behind, members: [{service: last}, {service: s1}]}\n  - name: v\n    backup: behind\n    members:\n")
	for i := range members {
		fmt.Fprintf(&b, "      - {service: s%d}\n", i)
	}
	b.WriteString("    domains:\n")
	for i := range domains {
		fmt.Fprintf(&b, "      - {name: w%d.gslb.example.com}\n", i)
	}
	start := time.Now()
	_, report := Parse(Source{Text: []byte(b.String())})
	took := time.Since(start)
	found := 0
	for _, p := range report.Problems() {
		if p.Code == codeWarnAliasOfItself {
			found++
		} else if p.Severity == SeverityError {
			t.Error(p)
		}
	}
	if found != itself+1 { // s1 is behind, too
		t.Errorf("%d warnings of a service that answers with itself, want %d", found, itself+1)
	}
	if took > 2*time.Second {
		t.Errorf("took %v", took)
	}
}
