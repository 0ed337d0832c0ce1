package gslb

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"

	"fairlead/config"
)

// hashed is n members of one virtual server with method source-ip-hash.
func hashed(n int, change func(*world)) *world {
	w := newWorld().site("ams", "").site("nyc", "")
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("svc%d", i))
		w.service(names[i], []string{"ams", "nyc"}[i%2], Up, fmt.Sprintf("192.0.2.%d", i+1))
	}
	w.virtualServer(config.VirtualServer{Name: "v", Method: config.SourceIPHashing, Members: members(names...), Domains: domains("www.example.com")})
	if change != nil {
		change(w)
	}
	return w
}

// crowdOf is clients in as many networks.
func crowdOf(n int) []netip.Addr {
	r := rand.New(rand.NewPCG(11, uint64(n)))
	out := make([]netip.Addr, n)
	for i := range out {
		x := r.Uint32()
		out[i] = netip.AddrFrom4([4]byte{byte(x >> 24), byte(x >> 16), byte(x >> 8), 1})
	}
	return out
}

// choices is who each client is sent to.
func choices(t *testing.T, w *world, clients []netip.Addr) []string {
	t.Helper()
	s, l := w.snapshot(t)
	out := make([]string, len(clients))
	for i, c := range clients {
		d := Decide(s, Query{Family: IPv4, LDNS: c}, l, epoch, nil)
		out[i] = s.Plan.Service(d.Services[0]).Name
	}
	return out
}

// TestRendezvousMovesFew: when one of n members leaves, its clients move, which are 1/n of all within 2 %, and no other.
func TestRendezvousMovesFew(t *testing.T) {
	clients := crowdOf(250_000)
	for _, n := range []int{3, 10} {
		before := choices(t, hashed(n, nil), clients)
		for _, gone := range []int{0, n - 1} {
			name, moved := fmt.Sprintf("svc%d", gone), 0
			after := choices(t, hashed(n, func(w *world) { w.state(name, Down) }), clients)
			for i := range clients {
				switch {
				case before[i] == name:
					moved++
				case before[i] != after[i]:
					t.Fatalf("of %d members %s leaves: client %s moves from %s to %s", n, name, clients[i], before[i], after[i])
				}
			}
			if share := float64(moved) / float64(len(clients)) * float64(n); math.Abs(share-1) > 0.02 {
				t.Errorf("of %d members %s leaves: %.4f of 1/%d of the clients move", n, name, share, n)
			}
		}
	}
}

// TestRendezvousIsTheSameEverywhere: what order services, sites and members have in the document, and what other services
// there are, changes nothing.
func TestRendezvousIsTheSameEverywhere(t *testing.T) {
	clients := crowdOf(20_000)
	before := choices(t, hashed(5, nil), clients)
	after := choices(t, hashed(5, func(w *world) {
		slices.Reverse(w.doc.Sites)
		slices.Reverse(w.doc.Services)
		slices.Reverse(w.doc.VirtualServers[0].Members)
		w.service("more", "ams", Up, "192.0.2.200")
	}), clients)
	if !slices.Equal(before, after) {
		t.Error("another site's view of the same document chooses otherwise")
	}
}

// TestRendezvousVectors holds who is chosen, for ever: sites of different releases must agree.
func TestRendezvousVectors(t *testing.T) {
	w := hashed(4, func(w *world) { w.doc.VirtualServers[0].Members[1].Weight = 3 })
	got := choices(t, w, []netip.Addr{
		netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("10.0.0.1"),
		netip.MustParseAddr("172.16.0.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8:1:ff00::1"), netip.MustParseAddr("fd00::1")})
	want := []string{"svc0", "svc2", "svc1", "svc1", "svc0", "svc3", "svc2", "svc3"} // computed apart, from the text in docs/decision.md
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestRendezvousWeights: clients are shared by weight.
func TestRendezvousWeights(t *testing.T) {
	clients, weights, total := crowdOf(250_000), []int{1, 2, 4, 9, 20}, 36
	w := hashed(len(weights), func(w *world) {
		for i := range weights {
			w.doc.VirtualServers[0].Members[i].Weight = weights[i]
		}
	})
	count := map[string]int{}
	for _, c := range choices(t, w, clients) {
		count[c]++
	}
	for i, weight := range weights {
		got, want := float64(count[fmt.Sprintf("svc%d", i)]), float64(len(clients)*weight)/float64(total)
		if math.Abs(got-want) > 5*math.Sqrt(want) {
			t.Errorf("weight %d of %d has %.0f of %d clients, want %.0f", weight, total, got, len(clients), want)
		}
	}
}

// TestHashIDKeepsClients: a service with a new name and its old hash_id keeps its clients; with a new name alone it would
// not.
func TestHashIDKeepsClients(t *testing.T) {
	clients := crowdOf(5_000)
	play := func(id uint32, rename bool) []string {
		out := choices(t, hashed(4, func(w *world) {
			w.doc.Services[2].HashID = id
			if rename {
				w.doc.Services[2].Name, w.doc.VirtualServers[0].Members[2].Service = "new", "new"
				w.status["new"] = w.status["svc2"]
				delete(w.status, "svc2")
			}
		}), clients)
		for i := range out {
			if out[i] == "new" {
				out[i] = "svc2"
			}
		}
		return out
	}
	if !slices.Equal(play(77, false), play(77, true)) {
		t.Error("with hash_id a new name moves clients")
	}
	if slices.Equal(play(0, false), play(0, true)) {
		t.Error("without hash_id a new name moves nobody: this shows nothing")
	}
}

// TestDrawsAreShared: with any number of members each has its share of all clients, and no other than chance explains: the mean square
// of what members are off by is as with draws that are made of true chance.
func TestDrawsAreShared(t *testing.T) {
	for _, n := range []int{2, 3, 5, 10, 16, 17, 30, 100, 512, 1000} {
		for world := range 3 {
			var members []drawer
			weights := make([]uint32, n)
			total := 0.0
			for i := range n {
				members = append(members, newDrawer(xxhash.Sum64String(fmt.Sprintf("world%d-svc%d", world, i))))
				weights[i] = 1 + uint32(world*i)%3
				total += float64(weights[i])
			}
			w, _ := drawsBy(members, weights)
			clients := 200_000
			counts := make([]float64, n)
			r := rand.New(rand.NewPCG(uint64(n), uint64(world)))
			for range clients {
				counts[w.best(r.Uint64())]++
			}
			square := 0.0
			for i, got := range counts {
				want := float64(clients) * float64(weights[i]) / total
				square += (got - want) * (got - want) / want
			}
			freedom := float64(n - 1)
			if most := freedom + 4.5*math.Sqrt(2*freedom) + 8; square > most {
				t.Errorf("%d members, world %d: chi square is %.1f, want %.1f ± %.1f", n, world, square, freedom, math.Sqrt(2*freedom))
			}
		}
	}
}

// TestRendezvousOfManyMovesFew: of a thousand members with weights one leaves, or comes, or one's weight changes: only clients from or to
// that one move.
func TestRendezvousOfManyMovesFew(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, n := range []int{5, 17, 60, 129, 300, 1000} {
		var members []drawer
		var weights []uint32
		for i := range n {
			members, weights = append(members, newDrawer(xxhash.Sum64String(fmt.Sprint("svc", i)))), append(weights, 1+uint32(r.IntN(5)))
		}
		one := r.IntN(n)
		all, _ := drawsBy(members, weights)
		fewer, _ := drawsBy(slices.Delete(slices.Clone(members), one, one+1), slices.Delete(slices.Clone(weights), one, one+1))
		changed := slices.Clone(weights)
		changed[one] = 9
		heavier, _ := drawsBy(members, changed)
		for range 20_000 {
			client := r.Uint64()
			before, without, with := all.best(client), fewer.best(client), heavier.best(client)
			if without >= one {
				without++
			}
			if before != one && without != before {
				t.Fatalf("%d members: without %d, client %#x moves from %d to %d", n, one, client, before, without)
			}
			if with != before && with != one {
				t.Fatalf("%d members: %d has more weight, client %#x moves from %d to %d", n, one, client, before, with)
			}
		}
	}
}
