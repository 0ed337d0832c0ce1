package gslb

import (
	"fmt"
	"math"
	"net/netip"
	"testing"

	"github.com/cespare/xxhash/v2"

	"fairlead/config"
)

// TestNegLog2 compares the integer logarithm with the floating-point one.
func TestNegLog2(t *testing.T) {
	for _, h := range []uint64{0, 1, 2, 255, 1 << 20, 1<<32 - 1, 1 << 40, 0x123456789abcdef0, 1<<63 - 1, 1 << 63, math.MaxUint64 - 1, math.MaxUint64} {
		got := float64(negLog2(h)) / (1 << 32)
		want := 64 - math.Log2(float64(h)+1)
		if math.Abs(got-want) > 1e-5 {
			t.Errorf("negLog2(%#x) = %g, want %g", h, got, want)
		}
	}
}

// goldenRendezvous holds clients and what they get of svc-0…3 with weights 1, 1, 2, 5, masked to /24 and /56. The vectors
// in this file were made by another program, in another language, from the steps in docs/decision.md, with floating-point logarithms.
var goldenRendezvous = []struct{ client, want string }{
	{"192.0.2.1", "svc-3"},
	{"192.0.2.254", "svc-3"},
	{"192.0.3.1", "svc-3"},
	{"198.51.100.1", "svc-3"},
	{"203.0.113.77", "svc-3"},
	{"10.0.0.1", "svc-3"},
	{"10.0.1.1", "svc-2"},
	{"10.0.2.1", "svc-0"},
	{"10.0.3.1", "svc-2"},
	{"10.0.4.1", "svc-1"},
	{"100.64.7.7", "svc-2"},
	{"172.16.5.4", "svc-3"},
	{"8.8.8.8", "svc-2"},
	{"9.9.9.9", "svc-3"},
	{"1.1.1.1", "svc-3"},
	{"223.5.5.5", "svc-3"},
	{"2001:db8:1::1", "svc-3"},
	{"2001:db8:1:ff::1", "svc-3"},
	{"2001:db8:1:100::1", "svc-0"},
	{"2001:db8:2::53", "svc-2"},
	{"2001:db8:3::53", "svc-2"},
	{"2a00:1450::1", "svc-3"},
	{"fd00::1", "svc-3"},
	{"2600::1", "svc-3"},
}

// TestRendezvousGolden pins the choice itself: every site, processor and release must make it.
func TestRendezvousGolden(t *testing.T) {
	w := newWorld().site("ams", "")
	var ms []config.Member
	for i, weight := range []int{1, 1, 2, 5} {
		name := fmt.Sprintf("svc-%d", i)
		w.service(name, "ams", Up, fmt.Sprintf("192.0.2.%d", i+1), fmt.Sprintf("2001:db8::%d", i+1))
		ms = append(ms, config.Member{Service: name, Weight: weight, Order: 1})
	}
	w.virtualServer(config.VirtualServer{Name: "v", Method: config.SourceIPHashing, ClientSubnet: true, Members: ms, Domains: domains("www.example.com")})
	s, l := w.snapshot(t)
	for _, tt := range goldenRendezvous {
		got, d := ask(s, l, IPv4, tt.client, "")
		if got != tt.want {
			t.Errorf("client %s: got %s, want %s", tt.client, got, tt.want)
		}
		if want := uint8(24); netip.MustParseAddr(tt.client).Is4() && d.Scope != want {
			t.Errorf("client %s: scope %d, want %d", tt.client, d.Scope, want)
		}
	}
}

// TestRendezvousSharesAndMovement checks what the method promises: shares by weight, and that only the clients of a
// member that leaves move.
func TestRendezvousSharesAndMovement(t *testing.T) {
	const clients = 40000
	weights := []int{1, 2, 3, 4}
	build := func(without int) *Snapshot {
		w := newWorld().site("ams", "")
		var ms []config.Member
		for i, weight := range weights {
			state := Up
			if i == without {
				state = Down
			}
			name := fmt.Sprintf("svc-%d", i)
			w.service(name, "ams", state, fmt.Sprintf("192.0.2.%d", i+1))
			ms = append(ms, config.Member{Service: name, Weight: weight, Order: 1})
		}
		w.virtualServer(config.VirtualServer{Name: "v", Method: config.SourceIPHashing, Members: ms, Domains: domains("www.example.com"),
			SourceIPHash: config.SourceIPHash{Prefix4: 32, Prefix6: 128}})
		s, _ := w.snapshot(t)
		return s
	}
	all, fewer := build(-1), build(3)
	l := NewLearned(all.Plan)
	counts := map[ServiceIndex]int{}
	for i := range clients {
		q := Query{Family: IPv4, LDNS: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})}
		before, after := Decide(all, q, l, epoch, nil).Services[0], Decide(fewer, q, l, epoch, nil).Services[0]
		counts[before]++
		if before != 3 && before != after {
			t.Fatalf("client %s moved from %d to %d although its member stayed", q.LDNS, before, after)
		}
		if after == 3 {
			t.Fatalf("client %s was given a member that is down", q.LDNS)
		}
	}
	for i, w := range weights {
		want := float64(w) / 10
		if got := float64(counts[ServiceIndex(i)]) / clients; math.Abs(got-want) > 0.01 {
			t.Errorf("member with weight %d got %.3f of the clients, want %.3f ± 0.01", w, got, want)
		}
	}
}

// TestDrawGolden pins the steps of a draw.
func TestDrawGolden(t *testing.T) {
	for _, tt := range []struct {
		client, member   string
		hash, seed, draw uint64
	}{
		{"192.0.2.1/24", "svc-0", 0xb05b865b1847749, 0x132b21cb0eca2e4e, 0xcb6a434d2d60e567},
		{"2001:db8:1::1/56", "svc-3", 0x5fe067b1c616b074, 0x4ffad0d87dd0b961, 0xd5b96655e82dd7ed},
		{"203.0.113.77/24", "#7", 0xeaf6940006eed27, 0x3b149f3ee8fd19b5, 0x4f61050b56621afc},
	} {
		hash, m := clientHash(netip.MustParsePrefix(tt.client).Masked().Addr()), newDrawer(xxhash.Sum64String(tt.member))
		if got := m.draw(hash); hash != tt.hash || m.seed != tt.seed || got != tt.draw {
			t.Errorf("client %s, member %s: hashes %#x and %#x, draw %#x; want %#x and %#x, %#x", tt.client, tt.member, hash, m.seed, got, tt.hash, tt.seed, tt.draw)
		}
	}
}

// TestRendezvousGoldenMany pins the choice among 300 members, svc0 to svc299 with weights 1, 2, 3, 1, 2, 3, ….
func TestRendezvousGoldenMany(t *testing.T) {
	var members []drawer
	var contenders []contender
	for i := range 300 {
		members = append(members, newDrawer(xxhash.Sum64String(fmt.Sprint("svc", i))))
		contenders = append(contenders, contender{service: ServiceIndex(i), weight: uint32(1 + i%3)})
	}
	w := drawsOf(members, contenders, sieveAllowance)
	for i, want := range []string{
		"svc24", "svc24", "svc287", "svc49", "svc239", "svc100", "svc111", "svc210",
		"svc173", "svc125", "svc178", "svc253", "svc63", "svc110", "svc2", "svc275",
	} {
		client, bits := netip.MustParseAddr(goldenRendezvous[i].client), 24
		masked, _ := client.Prefix(bits)
		if got := fmt.Sprint("svc", w.best(clientHash(masked.Addr()))); got != want {
			t.Errorf("client %s: got %s, want %s", client, got, want)
		}
	}
}
