package gslb

import (
	"fmt"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"fairlead/config"
)

// TestScoreAmongMany: what many contenders share is found without comparing all of them, and the choice is the same.
func TestScoreAmongMany(t *testing.T) {
	build := func(n int) *world {
		w := newWorld()
		var names []string
		for i := range n {
			w.site(fmt.Sprintf("site%d", i), "").service(fmt.Sprintf("svc%d", i), fmt.Sprintf("site%d", i), Up, fmt.Sprintf("10.0.0.%d", i+1))
			names = append(names, fmt.Sprintf("svc%d", i))
			w.doc.Services[i].Cost = 1
		}
		return w.virtualServer(config.VirtualServer{Name: "v", Method: config.Scored, Score: config.Score{RTT: 1, Cost: 1}, Members: members(names...), Domains: domains("www.example.com")})
	}
	for _, n := range []int{fewContenders, fewContenders + 1, 64} {
		w := build(n)
		s, l := w.snapshot(t)
		l.Resolvers = NewResolvers(ResolverOptions{Prefix4: 32, Prefix6: 128, Max: 1024, Timeout: 3 * time.Minute})
		for site, ms := range map[string]int{"site3": 20, "site7": 5, "site9": 30, "elsewhere": 1} {
			l.Resolvers.Measured(epochAddr, xxhash.Sum64String(site), time.Duration(ms)*time.Millisecond, 1_700_000_000)
		}
		ask := func(s *Snapshot) string {
			d := Decide(s, Query{Family: IPv4, LDNS: epochAddr, At: 1_700_000_001}, l, epoch, nil)
			return outcome(s, d)
		}
		if got := ask(s); got != "svc7" {
			t.Errorf("%d contenders: got %s, want svc7, whose site is nearest", n, got)
		}
		w.doc.Services[7].Cost = 100 // and now the others cost next to nothing
		s, _ = w.snapshot(t)
		if got := ask(s); got == "svc7" || got == "svc9" {
			t.Errorf("%d contenders: got %s, which is the dearest or the farthest", n, got)
		}
	}
}

// TestScoreAmongManyTakesTurns: equals share the answers, few or many.
func TestScoreAmongManyTakesTurns(t *testing.T) {
	for _, n := range []int{10, 40, 200} {
		w := newWorld().site("ams", "").site("nyc", "")
		var names []string
		for i := range n {
			name := fmt.Sprintf("svc%d", i)
			w.service(name, []string{"ams", "nyc"}[i%2], Up, fmt.Sprintf("10.0.0.%d", i+1))
			names = append(names, name)
		}
		w.virtualServer(config.VirtualServer{Name: "v", Method: config.Scored, Score: config.Score{RTT: 1}, Members: members(names...), Domains: domains("www.example.com")})
		s, l := w.snapshot(t)
		l.Resolvers = NewResolvers(ResolverOptions{Prefix4: 32, Prefix6: 128, Max: 1024, Timeout: 3 * time.Minute})
		l.Resolvers.Measured(epochAddr, xxhash.Sum64String("ams"), 5*time.Millisecond, 1_700_000_000)
		l.Resolvers.Measured(epochAddr, xxhash.Sum64String("nyc"), 9*time.Millisecond, 1_700_000_000)
		counts := map[string]int{}
		for range n * 5 {
			d := Decide(s, Query{Family: IPv4, LDNS: epochAddr, At: 1_700_000_001}, l, epoch, nil)
			counts[outcome(s, d)]++
		}
		if len(counts) != n/2 || counts["svc0"] != 10 || counts["svc1"] != 0 {
			t.Errorf("%d services: %d of them are answered, svc0 %d times; want the %d nearer ones 10 times each", n, len(counts), counts["svc0"], n/2)
		}
	}
}
