package config

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"testing"
)

const labelledDocument = `
zones: [{name: gslb.example.com, nameservers: [ns1.example.net], labels: {team: dns}, comment: the zone}]
sites: [{name: ams, address: 192.0.2.10, labels: {env: prod}, comment: the site}]
monitors: [{name: up, type: ping, labels: {team: web}, comment: the monitor}]
views: [{name: inside, clients: [10.0.0.0/8], labels: {team: net}, comment: the view}]
services:
  - name: web
    site: ams
    addresses: [192.0.2.80]
    labels:
      team: web
      env: "prod"
      empty: ""
      2026: a key that looks like a number
    comment: |
      Ask web@example.com
      before 17:00.
service_groups:
  - {name: farm, site: ams, members: [{addresses: [192.0.2.81]}], labels: {team: web, tier: back}, comment: the group}
virtual_servers:
  - {name: www, domains: [{name: www.gslb.example.com}], members: [{service: web}, {group: farm}], labels: {team: web}, comment: the server}
locations: [{prefix: 203.0.113.0/24, place: EU.NL, labels: {from: noc}, comment: the office}]
`

func TestLabels(t *testing.T) {
	doc, report := Parse(Source{Name: "labels.yaml", Text: []byte(labelledDocument)})
	if report.Errors() > 0 {
		t.Fatal(report.Summary())
	}
	for _, o := range []struct {
		name    string
		labels  Labels
		want    Labels
		comment string
	}{
		{"the zone", doc.Zones[0].Labels, Labels{"team": "dns"}, doc.Zones[0].Comment},
		{"the site", doc.Sites[0].Labels, Labels{"env": "prod"}, doc.Sites[0].Comment},
		{"the monitor", doc.Monitors[0].Labels, Labels{"team": "web"}, doc.Monitors[0].Comment},
		{"the view", doc.Views[0].Labels, Labels{"team": "net"}, doc.Views[0].Comment},
		{"Ask web@example.com\nbefore 17:00.\n", doc.Services[0].Labels,
			Labels{"team": "web", "env": "prod", "empty": "", "2026": "a key that looks like a number"}, doc.Services[0].Comment},
		{"the group", doc.ServiceGroups[0].Labels, Labels{"team": "web", "tier": "back"}, doc.ServiceGroups[0].Comment},
		{"the server", doc.VirtualServers[0].Labels, Labels{"team": "web"}, doc.VirtualServers[0].Comment},
		{"the office", doc.Locations[0].Labels, Labels{"from": "noc"}, doc.Locations[0].Comment},
	} {
		if !maps.Equal(o.labels, o.want) {
			t.Errorf("labels of %s: got %v, want %v", o.name, o.labels, o.want)
		}
		if o.comment != o.name {
			t.Errorf("comment: got %q, want %q", o.comment, o.name)
		}
	}
	for _, s := range doc.Expanded(map[string][]netip.Addr{}).Services {
		if s.Group == "farm" && !maps.Equal(s.Labels, Labels{"team": "web", "tier": "back"}) {
			t.Errorf("service %s of the group has labels %v, not the group's", s.Name, s.Labels)
		}
	}
}

func TestLabelLimits(t *testing.T) {
	labels := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "k%d: v, ", i)
		}
		return b.String()
	}
	for _, c := range []struct {
		name, labels, comment, want string
	}{
		{"most", labels(MaxLabels), strings.Repeat("c", MaxComment), ""},
		{"too many", labels(MaxLabels + 1), "", "33 labels"},
		{"long comment", "", strings.Repeat("c", MaxComment+1), "4097 bytes"},
		{"longest value", "a: " + strings.Repeat("ü", MaxLabelValue), "", ""},
		{"value too long", "a: " + strings.Repeat("ü", MaxLabelValue+1), "", "128 characters"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := fmt.Sprintf("sites: [{name: ams, address: 192.0.2.1, labels: {%s}, comment: %q}]\n", c.labels, c.comment)
			_, report := Parse(Source{Name: "limits.yaml", Text: []byte(text)})
			var shown bytes.Buffer
			if err := report.Render(&shown, false); err != nil {
				t.Fatal(err)
			}
			if (report.Errors() > 0) != (c.want != "") || !strings.Contains(shown.String(), c.want) {
				t.Errorf("got %q, want %q", shown.String(), c.want)
			}
		})
	}
}
