package gslb

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sort"
	"testing"

	"fairlead/config"
)

// ranking is how near all sites are to a client, as an order with ties: what a decision by static-proximity depends on,
// whatever is up. A client who is nowhere is told apart from one whom no site is near: their explanations differ.
func (o *oracle) ranking(client netip.Addr) string {
	if o.location(client) == nil {
		return "nowhere"
	}
	var all []config.Member
	for _, s := range o.w.doc.Services {
		all = append(all, config.Member{Service: s.Name})
	}
	far := o.farness(all, client)
	if far == nil {
		return "far from all"
	}
	order := make([]int, len(far))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return far[order[a]] < far[order[b]] })
	out := ""
	for n, i := range order {
		if n > 0 && !near(far[i], far[order[n-1]]) {
			out += "<"
		}
		out += fmt.Sprint(" ", i)
		if far[i] == notNear {
			out += " and the rest are not near at all: they are never chosen"
			break
		}
	}
	return out
}

// boundaries lists where the place of clients may change: the first address of each location, and the one after its last.
func (o *oracle) boundaries() []netip.Addr {
	out := []netip.Addr{netip.MustParseAddr("0.0.0.0")}
	for _, l := range o.w.doc.Locations {
		last := l.Prefix.Masked().Addr().As4()
		for i := l.Prefix.Bits(); i < 32; i++ {
			last[i/8] |= 0x80 >> (i % 8)
		}
		out = append(out, l.Prefix.Masked().Addr(), netip.AddrFrom4(last).Next())
	}
	return out
}

// same reports whether all clients of a prefix rank the sites alike.
func (o *oracle) same(p netip.Prefix) bool {
	first := o.ranking(p.Masked().Addr())
	return !slices.ContainsFunc(o.boundaries(), func(a netip.Addr) bool { return p.Contains(a) && o.ranking(a) != first })
}

// TestScopeIsAsWideAsItMayBe: the scope of static-proximity is the widest prefix around the client whose clients rank all
// sites alike: all of these do, and of the next wider one some do not.
func TestScopeIsAsWideAsItMayBe(t *testing.T) {
	checked := 0
	for seed := range uint64(800) {
		r := rand.New(rand.NewPCG(seed, 13))
		w := &randomPlan{world: newWorld()}
		for i := range 3 {
			w.site(fmt.Sprintf("site%d", i), oraclePlaces[r.IntN(len(oraclePlaces))], float64(r.IntN(160)-80), float64(r.IntN(340)-170))
			w.service(fmt.Sprintf("svc%d", i), fmt.Sprintf("site%d", i), Up, fmt.Sprintf("192.0.2.%d", i+1))
		}
		w.virtualServer(config.VirtualServer{Name: "v", Method: config.StaticProximity, ClientSubnet: true, Members: members("svc0", "svc1", "svc2"),
			Domains: domains("www.example.com")})
		w.randomLocations(r)
		s, l := w.snapshot(t)
		o := newOracle(w, s)
		for range 10 {
			subnet, _ := netip.AddrFrom4([4]byte{203, 0, byte(r.IntN(6)), byte(r.IntN(256))}).Prefix(32)
			d := Decide(s, Query{Family: IPv4, LDNS: netip.MustParseAddr("198.51.100.1"), Subnet: subnet}, l, epoch, nil)
			got, _ := subnet.Addr().Prefix(int(d.Scope))
			if !o.same(got) {
				t.Fatalf("seed %d: client %s has scope %d, but not all clients in it rank sites alike: %+v", seed, subnet, d.Scope, w.doc.Locations)
			}
			if d.Scope == 0 {
				continue
			}
			checked++
			if wider, _ := subnet.Addr().Prefix(int(d.Scope) - 1); o.same(wider) {
				t.Fatalf("seed %d: client %s has scope %d, but all clients of %s rank sites alike: %+v", seed, subnet, d.Scope, wider, w.doc.Locations)
			}
		}
	}
	if checked < 2500 {
		t.Errorf("only %d scopes were not 0", checked)
	}
}
