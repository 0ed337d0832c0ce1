package sites

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/monitors"
)

// TestIdleStaysIdleInSilence: while the other site is not heard, its idle service goes on getting all answers of a burst, at
// every age that its last report may have, and its busy ones are not taken for emptier than they were told to be.
func TestIdleStaysIdleInSilence(t *testing.T) {
	const burst = 8
	for _, jumps := range []int{0, 3} { // times at which all loads were gone for a while, whatever was answered
		for _, before := range []int{0, 1} { // answers in each tenth of a second of the silence
			for age := time.Duration(0); age <= 9*time.Second; age += 500 * time.Millisecond {
				c := busyCrowd(t, jumps)
				n := &c.nodes[0]
				for silent := time.Duration(0); silent < age; silent += 100 * time.Millisecond {
					c.silentReport(n)
					for range before {
						c.decide(n)
					}
					c.now = c.now.Add(100 * time.Millisecond)
				}
				c.silentReport(n)
				got := map[gslb.ServiceIndex]int{}
				for range burst {
					got[c.decide(n)]++
				}
				if got[5] != burst {
					t.Errorf("%d jumps, %d answers before, last report %v old: got %v, want all for the idle one", jumps, before, age, got)
				}
				for _, i := range []int{1, 3} {
					if l := n.snapshot.Status.Services[i].Load; l.Active != 500 || l.Expected < -100 {
						t.Errorf("%d jumps, last report %v old: of %d connections %.0f are believed to have ended", jumps, age, l.Active, -l.Expected)
					}
				}
			}
		}
	}
}

// busyCrowd is six services, the last of them idle, after half a minute of reports.
func busyCrowd(t *testing.T, jumps int) *crowd {
	c := newCrowd(t, visits{services: 6})
	ttl := config.Duration(5 * time.Second)
	c.doc.VirtualServers[0].Domains[0].TTL = &ttl
	c.recompile(t)
	for tick := range 300 {
		for i := range c.active {
			c.active[i] = 500
			if i == 5 || tick%60 >= 40 && tick < 60*jumps {
				c.active[i] = 0
			}
		}
		c.report(tick)
		c.decide(&c.nodes[0])
		c.decide(&c.nodes[0])
		c.now = c.now.Add(100 * time.Millisecond)
	}
	return c
}

func (c *crowd) decide(n *decidingNode) gslb.ServiceIndex {
	return gslb.Decide(n.snapshot, gslb.Query{Family: gslb.IPv4, LDNS: netip.MustParseAddr("198.51.100.1")}, n.learned, c.now, nil).Services[0]
}

// silentReport lets a site read its own services, while it does not hear the other one.
func (c *crowd) silentReport(n *decidingNode) {
	for s := 0; s < len(c.active); s += 2 {
		n.tr.Load(monitors.Load{Service: fmt.Sprint("s", s), Active: uint64(c.active[s]), At: c.now, Source: "json"}, n.learned.Handed)
	}
	n.snapshot = gslb.NewSnapshot(uint64(c.now.UnixMilli()), c.plan, n.tr.Status(c.now, n.learned.Handed), n.snapshot)
}
