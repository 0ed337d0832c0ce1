package gslb

import (
	"fmt"
	"net/netip"
	"testing"

	"fairlead/config"
)

var benchMethods = []config.Method{config.RoundRobin, config.LeastConnection, config.SourceIPHashing, config.StaticProximity}

func benchWorld(method config.Method, n int) *world {
	w := newWorld()
	var names []string
	for i := range n {
		w.site(fmt.Sprintf("site%d", i), "EU.NL", float64(i%90), float64(i%180))
		name := fmt.Sprintf("svc%d", i)
		names = append(names, name)
		w.service(name, fmt.Sprintf("site%d", i), Up, fmt.Sprintf("10.0.%d.%d", i/250, i%250+1)).load(name, uint64(i), 0)
	}
	w.location("203.0.113.0/24", "EU.NL", 52, 5)
	return w.virtualServer(config.VirtualServer{Name: "v", Method: method, ClientSubnet: true, Members: members(names...), Domains: domains("www.example.com")})
}

var benchQuery = Query{Family: IPv4, LDNS: netip.MustParseAddr("198.51.100.53"), Subnet: netip.MustParsePrefix("203.0.113.0/24")}

func BenchmarkDecide(b *testing.B) {
	for _, m := range benchMethods {
		for _, n := range []int{4, 64} {
			b.Run(fmt.Sprintf("%s/%d", m, n), func(b *testing.B) {
				s, l := benchWorld(m, n).snapshot(b)
				b.ReportAllocs()
				for b.Loop() {
					Decide(s, benchQuery, l, epoch, nil)
				}
			})
		}
	}
}

// TestDecideDoesNotAllocate holds the budget of the query path.
func TestDecideDoesNotAllocate(t *testing.T) {
	for _, m := range benchMethods {
		s, l := benchWorld(m, 4).snapshot(t)
		if got := testing.AllocsPerRun(100, func() { Decide(s, benchQuery, l, epoch, nil) }); got != 0 {
			t.Errorf("%s allocates %v times per decision, want 0", m, got)
		}
	}
}
