package whatif

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"

	"fairlead/gslb"
)

// large has virtual servers with the same number of members each, half of them at each site: first those of ams.
func large(virtualServers, members int, service string) string {
	var b strings.Builder
	b.WriteString("zones: [{name: example.test, nameservers: [ns.example.test], ttl: 30s}]\n" +
		"sites:\n  - {name: ams, address: 192.0.2.1}\n  - {name: nyc, address: 198.51.100.1}\nservices:\n")
	for i := range virtualServers * members {
		site := "ams"
		if i%members >= members/2 {
			site = "nyc"
		}
		fmt.Fprintf(&b, "  - {name: s%d, site: %s, addresses: [10.0.%d.%d], %s}\n", i, site, i/200, i%200+1, service)
	}
	b.WriteString("virtual_servers:\n")
	for v := range virtualServers {
		fmt.Fprintf(&b, "  - name: v%d\n    domains: [{name: n%d.example.test}]\n    method: round-robin\n    members:\n", v, v)
		for i := range members {
			fmt.Fprintf(&b, "      - {service: s%d}\n", v*members+i)
		}
	}
	return b.String()
}

// carryEach says how many connections every service has.
func (w *world) carryEach(n func(i int) uint64) *world {
	for i := range w.status.Services {
		w.status.Services[i].Load = gslb.Load{Active: n(i), At: epoch, PerAnswer: 1, Source: "test"}
	}
	return w
}

// TestManyMembersHaveTheirTurn: a name with more members than queries are drawn for it. Without ams each of nyc has what two
// had, none is forgotten.
func TestManyMembersHaveTheirTurn(t *testing.T) {
	for _, members := range []int{2, 20, 100, 500} {
		w := newWorld(t, large(1, members, "capacity: 400")).carryEach(func(int) uint64 { return 100 })
		for _, draws := range []int{1, 0} {
			in := w.input(asked("n0.example.test.", 1))
			in.Draws = draws
			if got := NewLosses(in).Of("ams"); got.Ratio == nil || math.Abs(*got.Ratio-0.5) > 1e-6 {
				t.Errorf("%d members, %d draws: got %+v, want half of the capacity left", members, draws, got)
			}
		}
	}
}

// TestLimitsHoldManyServices: hundreds of services reach their max_connections at different moments. They are full, and none
// fails for it: there is no second round.
func TestLimitsHoldManyServices(t *testing.T) {
	w := newWorld(t, large(20, 20, "max_connections: 1500")).carryEach(func(i int) uint64 { return 500 + uint64(i*37%401) })
	var queries []Query
	for v := range 20 {
		queries = append(queries, asked(fmt.Sprintf("n%d.example.test.", v), 1)...)
	}
	in := w.input(queries, "ams")
	in.Load = 1.1
	out, err := Ask(t.Context(), in)
	if err != nil || len(out.Rounds) != 1 || !out.Settled {
		t.Fatalf("got %d rounds, settled %v, %v; want one", len(out.Rounds), out.Settled, err)
	}
	full, total := 0, out.Rounds[0].State.Stranded
	for _, s := range out.Rounds[0].State.Services {
		total += *s.Connections
		if s.AtLimit {
			full++
		}
		if s.Overloaded || *s.Connections > 1500*(1+1e-6) {
			t.Errorf("%s has %v connections, overloaded %v; it takes 1500", s.Name, *s.Connections, s.Overloaded)
		}
	}
	before := 0.0
	for _, s := range out.Before.Services {
		before += *s.Connections
	}
	if full < 100 || math.Abs(total-before) > 1e-3 {
		t.Errorf("%d services are full, %v connections of %v are left", full, total, before)
	}
}

// TestADeadServiceCarriesNothing: the load that a service had told before it died is no load any more.
func TestADeadServiceCarriesNothing(t *testing.T) {
	w := newWorld(t, fmt.Sprintf(twoSites, "capacity: 100", "capacity: 100", "capacity: 400", "capacity: 150", "round-robin"))
	w.carry(t, map[string]uint64{"web-ams": 120, "web-nyc": 180})
	dead, _ := w.plan.ServiceByName("web-ams")
	w.status.Services[dead].State = gslb.Down
	if got := NewLosses(w.input(asked("www.example.test.", 60))).Of("nyc"); got.Ratio != nil || got.Unanswered != 1 {
		t.Errorf("got %+v, want no service left, and nothing answered", got)
	}
	out, err := Ask(t.Context(), w.input(asked("www.example.test.", 60)))
	if err != nil {
		t.Fatal(err)
	}
	const want = "web-nyc UP 100% 180 45%; none 0%, last resort 0%, stranded 0"
	if got := describe(&out.Before); got != want {
		t.Errorf("before: got %s, want %s", got, want)
	}
}

// TestClientsTakeTheOtherFamily: web-ams has both families, web-nyc IPv4 alone. 100 queries for each family: web-ams has 50 +
// 100 answers for its 100 connections. Without it, those of IPv6 clients come to web-nyc by IPv4.
func TestClientsTakeTheOtherFamily(t *testing.T) {
	text := strings.Replace(fmt.Sprintf(twoSites, "capacity: 300", "capacity: 100", "capacity: 150", "capacity: 150", "round-robin"),
		"[192.0.2.80]", `[192.0.2.80, "2001:db8::80"]`, 1)
	w := newWorld(t, text).carry(t, map[string]uint64{"web-ams": 100, "web-nyc": 100})
	queries := []Query{{Name: "www.example.test.", Family: gslb.IPv4, Weight: 100}, {Name: "www.example.test.", Family: gslb.IPv6, Weight: 100}}
	out, err := Ask(t.Context(), w.input(queries, "ams"))
	if err != nil {
		t.Fatal(err)
	}
	const want = "web-ams DOWN 0% 0 0%; web-nyc UP 50% 200 133% over; none 50%, last resort 0%, stranded 0"
	if got := describe(&out.Rounds[0].State); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAQuestionEndsWithItsContext(t *testing.T) {
	w := newWorld(t, large(1, 2, "port: 80"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if out, err := Ask(ctx, w.input([]Query{{Name: "n0.example.test.", Family: gslb.IPv4, Weight: 1, LDNS: netip.MustParseAddr("10.1.1.1")}})); !errors.Is(err, context.Canceled) {
		t.Errorf("got %+v, %v", out, err)
	}
}
