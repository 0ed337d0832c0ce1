package gslb

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"fairlead/config"
)

// sievesIn is what the sieves of all standings take.
func sievesIn(s *Snapshot) (out int64) {
	for i := range s.standings {
		out += s.standings[i].sieves()
	}
	return out
}

// withState is a status in which one service is in another state.
func withState(of *Status, i int, state State) *Status {
	out := *of
	out.Services = append([]ServiceStatus(nil), of.Services...)
	out.Services[i].State = state
	return &out
}

// TestSievesAreCounted: whatever members come and go, what all sieves take is known; families and policies with the same members have the same.
func TestSievesAreCounted(t *testing.T) {
	w := crowds(3, 150, func(v *config.VirtualServer) {
		v.Policies = []config.Policy{{Name: "all", Clients: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}, Prefer: []string{"EU"}}}
	})
	s, _ := w.snapshot(t)
	if got, want := s.standings[0].sieves(), s.standings[0].fields[IPv4].draws.octets(); got != want || want == 0 {
		t.Errorf("the sieves of one virtual server take %d octets, want one of %d", got, want)
	}
	r, states := rand.New(rand.NewPCG(1, 7)), []State{Up, Down, Draining, Disabled}
	for n := range 60 {
		status := s.Status
		for range 1 + r.IntN(40) {
			status = withState(status, r.IntN(150), states[r.IntN(len(states))])
		}
		s = NewSnapshot(uint64(n+2), s.Plan, status, s)
		if got, want := s.sieves, sievesIn(s); got != want {
			t.Fatalf("after %d changes %d octets are counted, want %d", n+1, got, want)
		}
	}
}

// TestSievesAreBounded: where no room is left all members are compared, with the same result and without allocating; once there is room, there are sieves
// again.
func TestSievesAreBounded(t *testing.T) {
	w := crowds(4, 300, func(*config.VirtualServer) {})
	s, l := w.snapshot(t)
	one, before := s.standings[0].sieves(), s.sieves
	s.sieves = sieveAllowance + one + one/2 // as if there were many other virtual servers
	down := withState(s.Status, 7, Down)
	full, free := NewSnapshot(2, s.Plan, down, s), NewSnapshot(2, s.Plan, down, nil)
	with := 0
	for i := range full.standings {
		if full.standings[i].fields[IPv4].draws.sieve != nil {
			with++
		}
	}
	if with == 0 || with == len(full.standings) {
		t.Fatalf("%d of %d virtual servers have a sieve, want some", with, len(full.standings))
	}
	if full.sieves > sieveAllowance {
		t.Errorf("sieves take %d octets, want %d at most", full.sieves, sieveAllowance)
	}
	for n := range 2000 {
		subnet, _ := netip.AddrFrom4([4]byte{20, byte(n >> 8), byte(n), 0}).Prefix(24)
		for domain := range DomainIndex(4) {
			q := Query{Domain: domain, Family: IPv4, LDNS: benchQuery.LDNS, Subnet: subnet}
			if got, want := Decide(full, q, l, epoch, nil), Decide(free, q, l, epoch, nil); got.Services != want.Services {
				t.Fatalf("client %d, virtual server %d: got %v without room, want %v", n, domain, got.Services, want.Services)
			}
		}
	}
	q := benchQuery
	q.Domain = 3
	d := &Decider{Query: q}
	if allocs := testing.AllocsPerRun(100, func() { d.Decide(full, l, epoch, nil) }); allocs > 0 {
		t.Errorf("without a sieve a decision allocates %.0f times", allocs)
	}
	full.sieves -= sieveAllowance - before // the others are gone
	again := NewSnapshot(3, s.Plan, withState(down, 8, Down), full)
	for i := range again.standings {
		if again.standings[i].fields[IPv4].draws.sieve == nil {
			t.Errorf("virtual server %d has no sieve, although there is room", i)
		}
	}
}
