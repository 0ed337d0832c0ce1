package gslb

import (
	"net/netip"
	"testing"

	"fairlead/config"
)

// TestSteadyPatternsTakeTurns: clients of two policies, or of two families that need not agree, who come in turn get all that
// is there for each of them, not one service each.
func TestSteadyPatternsTakeTurns(t *testing.T) {
	clients := [2]netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("203.0.113.7")}
	for _, method := range []config.Method{config.RoundRobin, config.LeastConnection} {
		for _, by := range []string{"policies", "families"} {
			t.Run(string(method)+" "+by, func(t *testing.T) {
				w := twoSites(config.VirtualServer{Method: method, Policies: []config.Policy{
					{Name: "one", Clients: prefixes("192.0.2.0/24"), Orders: []int{1}}, {Name: "two", Clients: prefixes("203.0.113.0/24"), Orders: []int{1}}}})
				if by == "families" {
					w.doc.VirtualServers[0].Policies = nil
				}
				for i := range w.doc.Services {
					w.doc.Services[i].Addresses = append(w.doc.Services[i].Addresses, netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(i + 1)}))
				}
				w.doc.Settings.Answers.Coherent = false
				w.load("a", 50, 0).load("b", 50, 0)
				s, l := w.snapshot(t)
				got := [2]map[string]int{{}, {}}
				for n := range 400 {
					q := Query{Family: IPv4, LDNS: clients[n%2]}
					if by == "families" {
						q = Query{Family: []Family{IPv4, IPv6}[n%2], LDNS: clients[0]}
					}
					d := Decide(s, q, l, epoch, nil)
					got[n%2][s.Plan.Service(d.Services[0]).Name]++
				}
				for i, counts := range got {
					if counts["a"] < 95 || counts["b"] < 95 {
						t.Errorf("kind %d of client: %v, want 100 each", i, counts)
					}
				}
			})
		}
	}
}
