package gslb

import (
	"math/rand/v2"
	"testing"
	"time"
)

// rankingsOf returns the rankings of a snapshot's only virtual server.
func rankingsOf(s *Snapshot) (out []*ranked) {
	f := s.standings[0].field(IPv4)
	if all := f.scoring.many.ranked.Load(); all != nil {
		for set := range all {
			for way := range all[set] {
				if r := all[set][way].Load(); r != nil {
					out = append(out, r)
				}
			}
		}
	}
	return out
}

// reportedAnew is the snapshot after a report of other loads.
func reportedAnew(r *rand.Rand, s *Snapshot, l *Learned) *Snapshot {
	next := benchReported(s, l)
	status := *next.Status
	for i := range status.Services {
		if st := &status.Services[i]; !st.Load.At.IsZero() {
			st.Load.Active = uint64(r.IntN(60))
		}
	}
	return NewSnapshot(s.Generation+1, s.Plan, &status, s)
}

// TestRankingsAreMadeAhead: what a query needed before a report is there after it, what none needed is not, and answers are those of a
// snapshot that has no memory.
func TestRankingsAreMadeAhead(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 11))
		s, l := scoredCrowd(r, fewContenders+2+r.IntN(100), oneIn(r, 2)).snapshot(t)
		l.Resolvers = crowdTable(r, s)
		ask := func(s *Snapshot, resolver, at int) {
			q := benchQuery
			q.LDNS = crowdLDNS(resolver)
			q.At = oracleNow + int64(at)
			plain := NewSnapshot(s.Generation, s.Plan, s.Status, nil)
			want := Decide(plain, q, l.Copy(), epoch, nil)
			if got := Decide(s, q, l, epoch, nil); got.Services[0] != want.Services[0] || got.Reason != want.Reason {
				t.Fatalf("seed %d, resolver %d at %d: got %d (%s), want %d (%s)", seed, resolver, at, got.Services[0], got.Reason, want.Services[0], want.Reason)
			}
		}
		for round := range 6 {
			asked := 1 + r.IntN(4)
			for i := range 60 {
				ask(s, i%asked, round)
			}
			used := map[[MaxResolverSites]rttCell]bool{}
			for _, k := range rankingsOf(s) {
				if k.used.Load() {
					used[k.cells] = true
				}
			}
			s = reportedAnew(r, s, l)
			ahead := rankingsOf(s)
			for _, k := range ahead {
				if !used[k.cells] || k.used.Load() {
					t.Fatalf("seed %d: a ranking was made that no query needed, or counts as needed", seed)
				}
				delete(used, k.cells)
			}
			if len(used) > 0 && len(ahead) == 0 && s.standings[0].field(IPv4).scoring.weighs {
				t.Fatalf("seed %d: none of %d rankings was made ahead", seed, len(used))
			}
		}
		if s = reportedAnew(r, s, l); len(rankingsOf(s)) != 0 {
			t.Fatalf("seed %d: rankings are made ahead although nobody asks", seed)
		}
	}
}

// TestRankingsAheadAreBounded: a snapshot computes no more scores than it may, whatever was asked before.
func TestRankingsAheadAreBounded(t *testing.T) {
	const resolvers = 400
	s, l := benchWorld("score", 1000).snapshot(t)
	l.Resolvers = NewResolvers(ResolverOptions{Prefix4: 32, Prefix6: 128, Max: 1 << 12, Timeout: time.Hour})
	for i := range resolvers {
		q := benchQuery
		q.LDNS = crowdLDNS(0).Next()
		for range i {
			q.LDNS = q.LDNS.Next()
		}
		for site := range 3 {
			l.Resolvers.Measured(q.LDNS, s.Plan.sites[site].hash, time.Duration(1+(i+7*site)%97)*time.Millisecond, oracleNow)
		}
		Decide(s, q, l, epoch, nil)
	}
	before := len(rankingsOf(s))
	s = benchReported(s, l)
	if n, most := len(rankingsOf(s)), aheadMost/1000; n > most || n < most*9/10 || before <= most {
		t.Errorf("%d of %d rankings were made ahead, want about %d", n, before, most)
	}
}
