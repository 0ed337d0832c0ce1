package main

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
)

// rateLimit is above what one CPU answers: every response is counted against it, and none is limited.
const rateLimit = 1_000_000

// fairleadNode is the node file: one worker, cookies and response rate limiting on.
func fairleadNode(s *site) string {
	return fmt.Sprintf(`site: s0
data_dir: data
config: {follow: gslb.yaml}
dns:
  listen: ["127.0.0.1:%d"]
  workers: 1
  cookies: true
  rate_limit: {responses_per_second: %d}
api: {listen: "127.0.0.1:%d"}
log: {level: warn, format: json}
`, s.port, rateLimit, s.api)
}

// fairleadSites are as many sites as there are places. Only the first one runs; it probes the services of all.
func fairleadSites() string {
	var b strings.Builder
	b.WriteString("sites:\n")
	for i, p := range places() {
		fmt.Fprintf(&b, "  - {name: s%d, address: \"127.0.2.%d\", location: {place: %s, latitude: %.2f, longitude: %.2f}}\n",
			i, i+1, p.name, p.latitude, p.longitude)
	}
	return b.String()
}

func fairleadStatic(s *site) (launch, error) {
	document := fmt.Sprintf("zones:\n  - {name: %s, file: %s}\n", zoneName, zoneFile) + fairleadSites()
	if err := s.write(zoneFile, zoneText(s.names, addressRecord)); err != nil {
		return launch{}, err
	}
	return fairleadWith(s, document)
}

// fairleadRoundRobin has all services at the node's own site.
func fairleadRoundRobin(s *site) (launch, error) {
	return fairleadWith(s, balanced(s, "round-robin", func(int) int { return 0 })+fairleadSites())
}

// fairleadProximity has one service at each place, and the map of clients.
func fairleadProximity(s *site) (launch, error) {
	var b strings.Builder
	b.WriteString(balanced(s, "static-proximity", func(i int) int { return i }))
	b.WriteString(fairleadSites())
	b.WriteString("locations:\n")
	geoMap(func(p netip.Prefix, at int) {
		to := places()[at]
		fmt.Fprintf(&b, "  - {prefix: %s, place: %s, latitude: %.2f, longitude: %.2f}\n", p, to.name, to.latitude, to.longitude)
	})
	return fairleadWith(s, b.String())
}

// balanced is a zone whose names are all answered by one virtual server over four services, each probed at its port.
func balanced(s *site, method string, siteOf func(int) int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "zones:\n  - name: %s\n    nameservers: [ns1.%[1]s]\n    ttl: %ds\n    records: |\n      ns1 3600 A 127.0.0.1\n", zoneName, recordTTL)
	b.WriteString("monitors:\n  - {name: port, type: tcp, interval: 5s, timeout: 2s}\nservices:\n")
	for i := range members {
		fmt.Fprintf(&b, "  - {name: m%d, site: s%d, addresses: [%s], port: %d, monitors: [port]}\n", i, siteOf(i), memberAddress(i), s.probed)
	}
	fmt.Fprintf(&b, "virtual_servers:\n  - name: pool\n    method: %s\n    members:\n", method)
	for i := range members {
		fmt.Fprintf(&b, "      - {service: m%d, weight: %d}\n", i, memberWeight(i))
	}
	b.WriteString("    domains:\n")
	for i := range s.names {
		fmt.Fprintf(&b, "      - {name: "+namePattern+".%s}\n", i, zoneName)
	}
	return b.String()
}

func fairleadWith(s *site, document string) (launch, error) {
	return launch{args: []string{"serve", "-f", filepath.Join(s.dir, "node.yaml")}},
		s.writeAll(map[string]string{"node.yaml": fairleadNode(s), "gslb.yaml": document})
}
