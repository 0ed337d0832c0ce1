package node

import (
	"net/netip"
	"testing"
	"time"

	"fairlead/adns"
	"fairlead/api"
	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/monitors"
	"fairlead/monitors/probe"
)

// TestMembersAreHeard: a site speaks for its own services only, and what it tells is as old as it says.
func TestMembersAreHeard(t *testing.T) {
	doc := &config.Document{Sites: []config.Site{{Name: "ams"}, {Name: "nyc"}},
		Services: []config.Service{{Name: "web", Site: "nyc", Port: 80, State: config.ServiceEnabled, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}}}
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var heard []monitors.Verdict
	n := &Node{probes: monitors.New(monitors.Options{Verdict: func(v monitors.Verdict) { heard = append(heard, v) }})}
	passive := &config.Monitor{Name: "behind", Type: config.MonitorPassive, Fall: 1, Rise: 1, Passive: &config.PassiveProbe{MinMembers: 1}}
	n.probes.SetTargets([]probe.Target{{Service: "web", Monitor: passive, Address: netip.MustParseAddrPort("192.0.2.1:80")}})
	report := &mep.ServicesReport{Peer: "nyc", ReceivedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Age: time.Second, Records: []mep.ServiceRecord{
		{Name: "gone", Has: mep.HasMembersBehind}, {Name: "web", Has: mep.HasMembersBehind | mep.HasLoadAge, LoadAge: 3 * time.Second}}}
	n.hearMembers(report) // before there is a document
	n.state.Store(&api.State{Document: doc, Snapshot: &adns.Snapshot{GSLB: &gslb.Snapshot{Plan: plan}}})
	for _, by := range []struct{ peer, site string }{{"ams", ""}, {"nyc", "ams"}} {
		of := *report
		of.Peer, of.Site = by.peer, by.site
		n.hearMembers(&of)
	}
	silent := *report
	silent.Records = []mep.ServiceRecord{{Name: "web"}}
	n.hearMembers(&silent)
	if len(heard) != 0 {
		t.Fatalf("others, or nobody, told of web, and it is %+v", heard)
	}
	n.hearMembers(report)
	if at := report.ReceivedAt.Add(-4 * time.Second); len(heard) != 1 || heard[0].State != monitors.Down || !heard[0].At.Equal(at) {
		t.Errorf("got %+v, want DOWN as of %v", heard, at)
	}
	relayed := *report
	relayed.Peer, relayed.Site, relayed.ReceivedAt = "ams", "nyc", report.ReceivedAt.Add(time.Second)
	if n.hearMembers(&relayed); len(heard) != 2 {
		t.Errorf("%d verdicts, want one more of what a parent passes on", len(heard))
	}
}
