package gslb

import (
	"fmt"
	"testing"
	"time"

	"fairlead/config"
)

// crowds is some virtual servers with the same many members.
func crowds(servers, n int, change func(*config.VirtualServer)) *world {
	w := benchWorld(config.SourceIPHashing, n)
	v := w.doc.VirtualServers[0]
	change(&v)
	w.doc.VirtualServers = w.doc.VirtualServers[:0]
	for i := range servers {
		v.Name, v.Domains = fmt.Sprint("v", i), domains(fmt.Sprintf("www%d.example.com", i))
		w.virtualServer(v)
	}
	return w
}

// TestRankingsShareAnAllowance: rankings are bounded together, too, and given back with each snapshot; who gets none chooses the same
// without allocating.
func TestRankingsShareAnAllowance(t *testing.T) {
	w := crowds(3, 70, func(v *config.VirtualServer) { v.Method, v.Score = config.Scored, config.Score{Load: 1, RTT: 1} })
	s, l := w.snapshot(t)
	benchTables(t, s, l)
	const allowed = 200 << 10
	s.allowances.ranked.left.Store(allowed)
	for round := range 3 {
		for n := range 900 {
			q := benchResolvers(64)[n%64]
			q.Domain = DomainIndex(n % 3)
			want := Decide(s, q, l.Copy(), epoch, nil)
			if got := Decide(s, q, l, epoch, nil); got != want {
				t.Fatalf("round %d, query %d: got %+v, want %+v", round, n, got, want)
			}
		}
		taken := int64(0)
		for i := range s.standings {
			m := s.standings[i].fields[IPv4].scoring.many
			here := int64(0)
			for _, r := range rankingsIn(m) {
				here += r.octets
			}
			if got := m.claim.taken.Load() - 8<<10; got != here {
				t.Errorf("round %d: virtual server %d has taken %d octets for rankings of %d", round, i, got, here)
			}
			taken += m.claim.taken.Load()
		}
		if left := s.allowances.ranked.left.Load(); left < 0 || left+taken != allowed || taken < allowed/2 {
			t.Errorf("round %d: %d octets taken and %d left of %d", round, taken, left, allowed)
		}
		s = benchReported(s, l)
		ahead := int64(0) // made for those that asked before
		for i := range s.standings {
			ahead += s.standings[i].fields[IPv4].scoring.many.claim.taken.Load()
		}
		if left := s.allowances.ranked.left.Load(); left < 0 || left+ahead != allowed {
			t.Errorf("round %d: %d octets left after a report, and %d taken, of %d", round, left, ahead, allowed)
		}
	}
	s = NewSnapshot(s.Generation+1, s.Plan, s.Status, nil)
	s.allowances.ranked.left.Store(0)
	d := &Decider{Query: benchQuery}
	if n := testing.AllocsPerRun(200, func() { d.Decide(s, l, epoch, nil) }); n > 0 {
		t.Errorf("%v allocations without an allowance", n)
	}
}

// TestScoreAmongManyEquals: hundreds of idle members take turns without an allocation, and without all being compared; each
// gets an answer before anyone has a second one.
func TestScoreAmongManyEquals(t *testing.T) {
	for _, n := range []int{40, 70, 300, 512} {
		w := benchWorld(config.Scored, n)
		w.doc.VirtualServers[0].Score = config.Score{Load: 1, RTT: 1}
		for name, st := range w.status {
			st.Load = Load{At: epoch, PerAnswer: 1}
			w.status[name] = st
		}
		s, l := w.snapshot(t)
		l.Resolvers = NewResolvers(ResolverOptions{Prefix4: 32, Prefix6: 128, Max: 1024, Timeout: time.Hour})
		for i := range s.Plan.sites[:16] {
			l.Resolvers.Measured(benchQuery.LDNS, s.Plan.sites[i].hash, 10*time.Millisecond, oracleNow)
		}
		d := &Decider{Query: benchQuery}
		for range 3 * n / 2 {
			want := Decide(s, benchQuery, l.Copy(), epoch, nil)
			if d.Decide(s, l, epoch, nil); d.Decision != want {
				t.Fatalf("%d members: got %+v, want %+v", n, d.Decision, want)
			}
		}
		for i := range n {
			if got := l.Handed(ServiceIndex(i)); got < 1 || got > 2 {
				t.Errorf("%d members: member %d has %d of %d answers", n, i, got, 3*n/2)
			}
		}
		if got := testing.AllocsPerRun(n, func() { d.Decide(s, l, epoch, nil) }); got > 0 {
			t.Errorf("%d members: %v allocations", n, got)
		}
		if got := len(rankingsIn(s.standings[0].fields[IPv4].scoring.many)); got != 1 {
			t.Errorf("%d members: %d rankings for one resolver", n, got)
		}
	}
}

func rankingsIn(m *scoredMany) (out []*ranked) {
	all := m.ranked.Load()
	for i := range all {
		for j := range all[i] {
			if r := all[i][j].Load(); r != nil {
				out = append(out, r)
			}
		}
	}
	return out
}
