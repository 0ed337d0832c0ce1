package adns

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"fairlead/gslb"

	"github.com/miekg/dns"
)

// Random locations lie below these, so that they nest.
var (
	nest4 = netip.MustParseAddr("10.0.0.0")
	nest6 = netip.MustParseAddr("2001:db8::")
)

// nested returns a random address below one of them that has few different bits, so that prefixes meet.
func nested(r *rand.Rand, v6 bool) netip.Addr {
	base, first := nest4.AsSlice(), 1
	if v6 {
		base, first = nest6.AsSlice(), 4
	}
	for i := first; i < len(base); i++ {
		base[i] = []byte{0, 0, 1, 128, 255, byte(r.Uint32())}[r.IntN(6)]
	}
	a, _ := netip.AddrFromSlice(base)
	return a
}

// subnetSnapshot is a random world in which answers depend on where the client is: nested locations, masks, chains of backups,
// aliases from one balanced name to another.
func subnetSnapshot(t *testing.T, r *rand.Rand) *Snapshot {
	t.Helper()
	var b strings.Builder
	b.WriteString("zones:\n  - name: x.test\n    nameservers: [ns.example.net]\n    records: |\n      alias 60 CNAME near\nsites:\n")
	places := []string{"EU.NL", "EU.DE", "NA.US", "AS.JP"}
	for i, p := range places {
		fmt.Fprintf(&b, "  - {name: s%d, address: 192.0.2.%d, location: {place: %s}}\n", i, i+1, p)
	}
	b.WriteString("services:\n")
	for i := range places {
		fmt.Fprintf(&b, "  - {name: s%d, site: s%d, addresses: [192.0.2.%d, \"2001:db8:f::%d\"]}\n", i, i, i+1, i+1)
	}
	b.WriteString("  - {name: inner, site: s0, cname: near.x.test}\n")
	const members = "members: [{service: s0}, {service: s1}, {service: s2}, {service: s3}]"
	mask := fmt.Sprintf("source_ip_hash: {prefix4: %d, prefix6: %d}", 9+r.IntN(24), 33+r.IntN(96))
	fmt.Fprintf(&b, "virtual_servers:\n  - {name: hash, domains: [{name: hash.x.test}], method: source-ip-hash, %s, %s}\n", mask, members)
	fmt.Fprintf(&b, "  - {name: near, domains: [{name: near.x.test}], method: static-proximity, backup_method: source-ip-hash, %s, %s}\n", mask, members)
	fmt.Fprintf(&b, "  - {name: chained, domains: [{name: chained.x.test}], method: source-ip-hash, source_ip_hash: {prefix4: 12, prefix6: 40}, members: [{service: inner}, {service: s1}]}\n")
	b.WriteString("locations:\n")
	taken := map[netip.Prefix]bool{}
	for range 1 + r.IntN(12) {
		v6 := r.IntN(2) == 0
		bits := 8 + r.IntN(25)
		if v6 {
			bits = 32 + r.IntN(97)
		}
		p, err := nested(r, v6).Prefix(bits)
		if err != nil {
			t.Fatal(err)
		}
		if !taken[p] {
			taken[p] = true
			fmt.Fprintf(&b, "  - {prefix: %q, place: %s}\n", p, []string{"EU.NL", "EU.DE", "NA.US", "AS.JP", "AF.KE"}[r.IntN(5)])
		}
	}
	doc, plan := parsed(t, b.String())
	zones, err := CompileZones(doc, plan)
	if err != nil {
		t.Fatal(err)
	}
	status := &gslb.Status{At: epoch, Services: make([]gslb.ServiceStatus, plan.Services())}
	for i := range status.Services {
		status.Services[i].State = gslb.Up
	}
	return &Snapshot{Zones: zones, GSLB: gslb.NewSnapshot(1, plan, status, nil), Learned: gslb.NewLearned(plan)}
}

// subnetOption is the option of a prefix.
func subnetOption(p netip.Prefix) []byte {
	family := byte(1)
	if p.Addr().Is6() {
		family = 2
	}
	return option(dns.EDNS0SUBNET, append([]byte{0, family, byte(p.Bits()), 0}, p.Addr().AsSlice()[:(p.Bits()+7)/8]...)...)
}

// tailored asks for A with a client's whole address, and returns the prefix that the answer is for, and the answer.
func tailored(t *testing.T, s *Server, name string, a netip.Addr, path ...[]byte) (netip.Prefix, string) {
	t.Helper()
	wire := s.Handle(queryFor(name, dns.TypeA, optRecord(1232, 0, append(path, subnetOption(netip.PrefixFrom(a, a.BitLen())))...)), asker, UDP, nil)
	scope, err := a.Prefix(int(rawOption(t, wire, dns.EDNS0SUBNET)[3]))
	if err != nil {
		t.Fatal(err)
	}
	var records []string
	for _, rr := range unpack(t, wire).Answer {
		records = append(records, rr.String())
	}
	return scope, strings.Join(records, "\n")
}

// unroutable reports whether no client can have an address: the resolver is the client then.
func unroutable(a netip.Addr) bool {
	return a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || a.IsLinkLocalUnicast()
}

// near returns an address that agrees with a in a random number of bits at least as many as p has.
func near(r *rand.Rand, a netip.Addr, bits int) netip.Addr {
	octets := a.AsSlice()
	for i := bits; i < a.BitLen(); i++ {
		if r.IntN(2) == 0 {
			octets[i/8] ^= 0x80 >> (i % 8)
		}
	}
	out, _ := netip.AddrFromSlice(octets)
	return out
}

// TestScopesAgree is rule d of the client's subnet: all addresses inside the prefix that an answer is for get that answer, for
// that prefix; so no two prefixes that come back overlap, but
// for blocks that no client is in. It holds for any nesting of locations, any mask, and along aliases.
func TestScopesAgree(t *testing.T) {
	const worlds, pairs = 25, 150
	deeper := 0
	for seed := range uint64(worlds) {
		r := rand.New(rand.NewPCG(seed, 11))
		snapshot := subnetSnapshot(t, r)
		s := newServer(t, func(o *Options) { o.Snapshot = func() *Snapshot { return snapshot } })
		for _, name := range []string{"hash.x.test.", "near.x.test.", "alias.x.test.", "chained.x.test."} {
			for range pairs {
				a := nested(r, r.IntN(2) == 0)
				prefix, answer := tailored(t, s, name, a)
				inside := near(r, a, prefix.Bits())
				for unroutable(inside) {
					inside = near(r, a, prefix.Bits())
				}
				got, same := tailored(t, s, name, inside)
				if got != prefix || same != answer {
					t.Fatalf("seed %d, %s: %s gets\n%s\nfor %s, and %s inside it gets\n%s\nfor %s", seed, name, a, answer, prefix, inside, same, got)
				}
				beside := near(r, a, r.IntN(a.BitLen()+1))
				other, _ := tailored(t, s, name, beside)
				if other != prefix && other.Overlaps(prefix) && !unroutable(beside) {
					t.Fatalf("seed %d, %s: both %s and %s come back", seed, name, prefix, other)
				}
				if slow, text := tailored(t, s, name, a, option(optionZoneVersion, 0)); slow != prefix || text != answer {
					t.Fatalf("seed %d, %s of %s: the slow path says\n%s\nfor %s, the fast one\n%s\nfor %s", seed, name, a, text, slow, answer, prefix)
				}
				if prefix.Bits() > 8 {
					deeper++
				}
			}
		}
	}
	// What is answered for a block that no client is in is for that block alone, not for all.
	snapshot := subnetSnapshot(t, rand.New(rand.NewPCG(1, 2)))
	s := newServer(t, func(o *Options) { o.Snapshot = func() *Snapshot { return snapshot } })
	for _, a := range []string{"127.0.0.1", "0.0.0.0", "224.0.0.1", "169.254.1.1", "::", "::1", "ff02::1", "fe80::1", "::ffff:127.0.0.1"} {
		for _, name := range []string{"hash.x.test.", "near.x.test.", "chained.x.test."} {
			if prefix, _ := tailored(t, s, name, netip.MustParseAddr(a)); prefix.Bits() < 4 {
				t.Errorf("%s: the answer for %s is for %s", name, a, prefix)
			}
		}
	}
	if deeper < worlds*pairs {
		t.Errorf("only %d answers were for less than all", deeper)
	}
}

// TestScopeOfShortSubnets: a resolver that tells few bits of its client gets the answer for the first address with them, and a
// scope that may be longer than what it told (RFC 7871 section 7.2.1).
func TestScopeOfShortSubnets(t *testing.T) {
	doc, plan := parsed(t, `zones: [{name: x.test, nameservers: [ns.example.net]}]
sites: [{name: a, address: 192.0.2.1, location: {place: EU}}, {name: b, address: 192.0.2.2, location: {place: NA}}]
services: [{name: a, site: a, addresses: [192.0.2.1]}, {name: b, site: b, addresses: [192.0.2.2]}]
virtual_servers: [{name: v, domains: [{name: www.x.test}], method: static-proximity, members: [{service: a}, {service: b}]}]
locations: [{prefix: 10.0.0.0/8, place: EU}, {prefix: 10.1.0.0/16, place: NA}]
`)
	zones, err := CompileZones(doc, plan)
	if err != nil {
		t.Fatal(err)
	}
	status := &gslb.Status{At: epoch, Services: make([]gslb.ServiceStatus, plan.Services())}
	for i := range status.Services {
		status.Services[i].State = gslb.Up
	}
	snapshot := &Snapshot{Zones: zones, GSLB: gslb.NewSnapshot(1, plan, status, nil), Learned: gslb.NewLearned(plan)}
	s := newServer(t, func(o *Options) { o.Snapshot = func() *Snapshot { return snapshot } })
	for _, tt := range []struct {
		subnet, answer string
		scope          byte
	}{
		{"10.0.0.0/8", "192.0.2.1", 16}, {"10.1.0.0/16", "192.0.2.2", 16}, {"10.1.2.0/24", "192.0.2.2", 16}, {"10.0.7.0/24", "192.0.2.1", 16},
		{"10.2.0.0/24", "192.0.2.1", 15}, {"10.200.0.0/24", "192.0.2.1", 9}, {"10.64.0.0/10", "192.0.2.1", 10},
	} {
		m, wire := askFrom(t, s, asker, UDP, question("www.x.test.", dns.TypeA, dns.ClassINET), optRecord(1232, 0, subnetOption(netip.MustParsePrefix(tt.subnet))))
		if got := m.Answer[0].(*dns.A).A.String(); got != tt.answer || rawOption(t, wire, dns.EDNS0SUBNET)[3] != tt.scope {
			t.Errorf("%s: got %s with scope %d, want %s with %d", tt.subnet, got, rawOption(t, wire, dns.EDNS0SUBNET)[3], tt.answer, tt.scope)
		}
	}
}

// TestSubnetIsNoIdentity is rule i: who may ask, and how often, is a matter of the sender's address alone.
func TestSubnetIsNoIdentity(t *testing.T) {
	s := newServer(t, withPolicy(func(o *PolicyOptions) {
		o.AllowQuery = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
		o.RateLimit.PerSecond, o.RateLimit.Slip = 5, 0
	}))
	outside := netip.MustParseAddrPort("198.51.100.1:53")
	claim := func(i int) []byte {
		return optRecord(1232, 0, subnetOption(netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 32)))
	}
	if m, _ := askFrom(t, s, outside, TCP, www(), claim(5)); m.Rcode != dns.RcodeRefused {
		t.Errorf("a subnet opened the list: %s", m)
	}
	answered := 0
	for i := range 100 {
		if s.Handle(queryFor("www.example.com.", dns.TypeA, claim(i)), asker, UDP, nil) != nil {
			answered++
		}
	}
	if answered != 5 {
		t.Errorf("%d of 100 with a subnet each were answered, want 5", answered)
	}
}
