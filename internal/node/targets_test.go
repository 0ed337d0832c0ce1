package node

import (
	"net/netip"
	"testing"

	"fairlead/config"
)

func TestProbeTargets(t *testing.T) {
	doc := &config.Document{
		Monitors: []config.Monitor{{Name: "m", Type: config.MonitorTCP}},
		Services: []config.Service{
			{Name: "a", Port: 80, Monitors: []config.MonitorBinding{{Monitor: "m", Weight: 1}}, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}},
			{Name: "off", Port: 80, Monitors: []config.MonitorBinding{{Monitor: "m", Weight: 1}}, State: config.ServiceDisabled, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.2")}},
			{Name: "plain", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.3")}},
		},
	}
	got := probeTargets(doc, "", nil)
	if len(got) != 2 || got[0].Address != netip.MustParseAddrPort("192.0.2.1:80") || got[1].Address != netip.MustParseAddrPort("[2001:db8::1]:80") {
		t.Errorf("got %+v, want both addresses of a, nothing of a disabled or unmonitored service", got)
	}
	if got = probeTargets(doc, "", map[string]bool{"off": true, "plain": true}); len(got) != 3 || got[2].Service != "off" {
		t.Errorf("enabled by override: got %+v, want the disabled service too", got)
	}
}

func TestLoadTargets(t *testing.T) {
	load := func(url string) *config.LoadSource { return &config.LoadSource{Source: config.LoadJSON, URL: url} }
	doc := &config.Document{Services: []config.Service{
		{Name: "a", Site: "here", Load: load("a")}, {Name: "silent", Site: "here"}, {Name: "theirs", Site: "there", Load: load("b")},
	}}
	got := loadTargets(doc, "here")
	if len(got) != 1 || got[0].Service != "a" || got[0].Source.URL != "a" {
		t.Errorf("got %+v, want the one load source of this site", got)
	}
}
