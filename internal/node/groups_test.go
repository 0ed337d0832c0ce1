package node_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/miekg/dns"

	"fairlead/internal/node"
)

// groupDocument has a static group and one that follows a name, at a resolver.
func groupDocument(resolver, more string) string {
	return fmt.Sprintf(`
zones:
  - {name: example.test, nameservers: [ns.example.test], records: "ns 60 A 192.0.2.53"}
sites: [{name: here, address: 127.0.0.1}]
service_groups:
  - {name: fixed, site: here, members: [{name: a, addresses: [192.0.2.1]}, {name: b, addresses: [192.0.2.2], state: disabled}]}
  - {name: pods, site: here, autoscale: {name: pods.test, resolver: %q, interval: 1s%s}}
virtual_servers:
  - {name: fixed, domains: [{name: fixed.example.test}], method: round-robin, members: [{group: fixed}]}
  - {name: pods, domains: [{name: pods.example.test}], method: round-robin, max_answers: 4, members: [{group: pods}]}
`, resolver, more)
}

// TestGroupsAreServed from the first answer on; the set follows the name, a drain and a reload included, and a resolver
// that fails changes nothing.
func TestGroupsAreServed(t *testing.T) {
	t.Parallel()
	names := node.NewNameServer(t)
	names.Say(t, "pods.test. 0 A 192.0.2.11")
	p := newPlace(t, true)
	p.write(groupDocument(names.Address, ""))
	n, _ := p.serve(nil)
	if got := answer(t, n, "pods.example.test"); got != "192.0.2.11" {
		t.Errorf("the first answer is %q, want the address that was resolved before", got)
	}
	if got := answer(t, n, "fixed.example.test"); got != "192.0.2.1" {
		t.Errorf("the static group is answered with %q", got)
	}
	shows(t, n, "/v1/status/services", `"name":"fixed:a","group":"fixed"`, `"name":"pods:192.0.2.11","group":"pods"`, `"virtual_servers":["pods"]`)
	shows(t, n, "/v1/status/services/pods:192.0.2.11", `"state":"UP"`)

	names.Say(t, "pods.test. 0 A 192.0.2.12")
	eventually(t, n, "pods.example.test", "192.0.2.12")
	names.Fail(dns.RcodeServerFailure)
	shows(t, n, "/v1/status/groups?failing=true", `"name":"pods"`, `"resolves":"pods.test"`, `"addresses":["192.0.2.12"]`, "SERVFAIL")
	shows(t, n, "/metrics", `fairlead_group_members{group="fixed"} 2`, `fairlead_group_members{group="pods"} 1`, `fairlead_group_resolve_failures_total{group="pods"} `)
	if got := answer(t, n, "pods.example.test"); got != "192.0.2.12" {
		t.Errorf("while the resolver fails the answer is %q, want the last good one", got)
	}

	names.Fail(0)
	p.write(groupDocument(names.Address, ", delay: 1h"))
	if err := n.Reload(); err != nil {
		t.Fatal(err)
	}
	names.Say(t, "pods.test. 0 A 192.0.2.13")
	eventually(t, n, "pods.example.test", "192.0.2.13")
	shows(t, n, "/v1/status/services/pods:192.0.2.12", `"state":"DRAINING"`)
	shows(t, n, "/v1/status/groups", `"draining":["192.0.2.12"]`)
}

// TestANewGroupIsResolvedBeforeItIsServed: a reload that brings a group waits for its first answer.
func TestANewGroupIsResolvedBeforeItIsServed(t *testing.T) {
	names := node.NewNameServer(t)
	names.Say(t, "pods.test. 0 A 192.0.2.11")
	p := newPlace(t, true)
	p.write(document("192.0.2.1"))
	p.config.Config.Force = true // www has no answer any more
	n, _ := p.serve(nil)
	p.write(groupDocument(names.Address, ""))
	if err := n.Reload(); err != nil {
		t.Fatal(err)
	}
	eventually(t, n, "pods.example.test", "192.0.2.11")
	shows(t, n, "/v1/status/groups?failing=true", `"groups":[]`)
}

// TestAGroupThatWasNeverResolved: its virtual server has no members, and says so; it is served as soon as the name is there.
func TestAGroupThatWasNeverResolved(t *testing.T) {
	t.Parallel()
	names := node.NewNameServer(t)
	names.Fail(dns.RcodeServerFailure)
	p := newPlace(t, true)
	p.write(groupDocument(names.Address, ""))
	n, _ := p.serve(nil)
	if got := answer(t, n, "pods.example.test"); got != "" {
		t.Errorf("answered %q", got)
	}
	shows(t, n, "/v1/status/groups", `"addresses":[]`, `"failure":"`)
	shows(t, n, "/metrics", `fairlead_group_members{group="pods"} 0`)
	names.Say(t, "pods.test. 0 AAAA 2001:db8::1", "pods.test. 0 A 192.0.2.11")
	names.Fail(0)
	eventually(t, n, "pods.example.test", "192.0.2.11")
}

// TestGroupsSurviveARestart while nobody can be asked.
func TestGroupsSurviveARestart(t *testing.T) {
	t.Parallel()
	names := node.NewNameServer(t)
	names.Say(t, "pods.test. 0 A 192.0.2.11")
	p := newPlace(t, true)
	p.write(groupDocument(names.Address, ""))
	n, stop := p.serve(nil)
	names.Say(t, "pods.test. 0 A 192.0.2.12")
	eventually(t, n, "pods.example.test", "192.0.2.12")
	stop()

	names.Fail(dns.RcodeServerFailure)
	again, stop := p.serve(nil)
	if got := answer(t, again, "pods.example.test"); got != "192.0.2.12" {
		t.Errorf("after a restart without DNS the answer is %q, want the last one known", got)
	}
	shows(t, again, "/v1/status/groups?failing=true", `"addresses":["192.0.2.12"]`, `"age_seconds":`)
	names.Fail(0)
	names.Say(t, "pods.test. 0 A 192.0.2.13")
	eventually(t, again, "pods.example.test", "192.0.2.13")
	stop()

	if err := os.WriteFile(filepath.Join(p.config.DataDir, "groups.json"), []byte("[{"), 0o600); err != nil {
		t.Fatal(err)
	}
	names.Fail(dns.RcodeServerFailure)
	last, _ := p.serve(nil)
	if got := answer(t, last, "pods.example.test"); got != "" {
		t.Errorf("with a file that is cut off the answer is %q", got)
	}
}
