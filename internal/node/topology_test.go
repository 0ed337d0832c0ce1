package node

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/mep"
)

// testTopology has two sites in the mesh, a child with a child, one that also answers, and a foreign site.
func testTopology() *config.Document {
	yes := true
	doc := &config.Document{Monitors: []config.Monitor{{Name: "m", Type: config.MonitorTCP}}, Sites: []config.Site{
		{Name: "ams", Address: "192.0.2.1"},
		{Name: "nyc", Address: "192.0.2.2", Dial: config.DialNever},
		{Name: "edge", Address: "192.0.2.3", Parent: "ams", BackupParents: []string{"nyc"}, Dial: config.DialAlways},
		{Name: "shop", Address: "192.0.2.4", Parent: "edge", AnswersDNS: &yes},
		{Name: "cloud", Foreign: true},
	}}
	for i := range doc.Sites {
		doc.Services = append(doc.Services, config.Service{Name: doc.Sites[i].Name, Site: doc.Sites[i].Name, Port: 80, Load: &config.LoadSource{Source: config.LoadPush},
			Monitors: []config.MonitorBinding{{Monitor: "m", Weight: 1}}, Addresses: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(100 + i)})}})
	}
	doc.Settings.MEP.ParentTimeout = config.Duration(3 * time.Second)
	return doc
}

func TestTopologyOf(t *testing.T) {
	for site, want := range map[string]string{
		"ams":     "nyc mesh 0 dial 2, edge child 0 dial 1",
		"nyc":     "ams mesh 0 dial 0, edge child 1 dial 1",
		"edge":    "ams parent 0 dial 0, nyc parent 1 dial 2, shop child 0 dial 0",
		"shop":    "edge parent 0 dial 1",
		"nowhere": "",
	} {
		got := mep.TopologyOf(testTopology(), site)
		var peers []string
		for _, p := range got.Peers {
			peers = append(peers, fmt.Sprintf("%s %s %d dial %d", p.Site, p.Relation, p.Rank, p.Dial))
		}
		if text := strings.Join(peers, ", "); text != want {
			t.Errorf("peers of %s are %q, want %q", site, text, want)
		}
		if got.Self.Site != site || got.ParentTimeout != 3*time.Second || !slices.Equal(got.Relays["shop"], []string{"ams", "edge", "nyc"}) {
			t.Errorf("topology of %s: %+v", site, got)
		}
	}
	if self := mep.TopologyOf(testTopology(), "nyc").Self; self != (mep.Peer{Site: "nyc", Address: "192.0.2.2:3009", Dial: mep.DialNever}) {
		t.Errorf("self is %+v", self)
	}
	if p, talks := mep.PeerOf(&config.Site{Name: "ams"}, &config.Site{Name: "nyc", Dial: config.DialBoth}); !talks || p.Dial != mep.DialBoth {
		t.Errorf("both is %v", p.Dial)
	}
}

// TestTargetsByRole: who answers DNS watches everything, and reads what nobody tells; others watch their own.
func TestTargetsByRole(t *testing.T) {
	for site, want := range map[string]string{
		"ams": "probes ams nyc edge shop cloud; reads ams cloud", "edge": "probes edge; reads edge",
		"shop": "probes ams nyc edge shop cloud; reads shop cloud",
	} {
		doc := testTopology()
		got := "probes"
		for _, p := range probeTargets(doc, site, nil) {
			got += " " + p.Service
		}
		got += "; reads"
		for _, l := range loadTargets(doc, site) {
			got += " " + l.Service
		}
		if got != want {
			t.Errorf("%s: %s, want %s", site, got, want)
		}
	}
}

// TestUrgency: states are published sooner than loads, and neither takes most of the time when a snapshot is dear.
func TestUrgency(t *testing.T) {
	for _, tt := range []struct {
		what urgency
		cost time.Duration
		want time.Duration
	}{
		{soon, 0, tick}, {states, time.Millisecond, coalesce}, {numbers, time.Millisecond, coalesce},
		{states, 60 * time.Millisecond, 240 * time.Millisecond}, {numbers, 30 * time.Millisecond, 600 * time.Millisecond}, {numbers, time.Second, tick},
	} {
		if got := tt.what.within(tt.cost); got != tt.want {
			t.Errorf("urgency %d when a snapshot takes %v: within %v, want %v", tt.what, tt.cost, got, tt.want)
		}
	}
}

// TestWhoLatches: a site that is not told of all services says for nobody that a virtual server lost its last member.
func TestWhoLatches(t *testing.T) {
	for site, want := range map[string]bool{"ams": true, "nyc": true, "edge": false, "shop": false} {
		in := &intent{document: testTopology()}
		if got := in.knowsAll(site); got != want {
			t.Errorf("%s knows all: %v, want %v", site, got, want)
		}
	}
}
