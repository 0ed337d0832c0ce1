package gslb

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"fairlead/config"
)

// TestFillCountsFromAnyGeneration: the answers of a snapshot are counted whatever its number, also when nobody asked for
// very many snapshots, or a new document came after them.
func TestFillCountsFromAnyGeneration(t *testing.T) {
	const half = (generationMask + 1) / 2
	w := twoSites(config.VirtualServer{Method: config.LeastConnection}).load("a", 100, time.Second).load("b", 0, time.Second)
	s, first := w.snapshot(t)
	for _, generation := range []uint64{1, half - 1, half, half + 5, generationMask - lateSnapshots, generationMask + 2, 3 * half} {
		l := first.Carry(s.Plan, s.Plan)
		now, count := NewSnapshot(generation, s.Plan, s.Status, nil), map[string]int{}
		for range 1000 {
			count[outcome(now, Decide(now, Query{Family: IPv4, LDNS: netip.MustParseAddr(client)}, l, epoch, nil))]++
		}
		if got := count["b"] - count["a"]; got < 90 || got > 110 {
			t.Errorf("snapshot %d: b has %d answers more than a, want 100, by how many connections it had less", generation, got)
		}
	}
}

// TestFillStartsOnce: a query that is overtaken counts no answers, and neither does one with an older snapshot.
func TestFillStartsOnce(t *testing.T) {
	s, l := twoSites(config.VirtualServer{Method: config.LeastConnection}).snapshot(t)
	_ = s
	for range 10 {
		l.cursors[0].pour(7)
	}
	if _, since := l.cursors[0].pour(7); since != 10 {
		t.Errorf("11th answer: %d before it, want 10", since)
	}
	if _, since := l.cursors[0].pour(6); since != 0 {
		t.Errorf("an older snapshot counts %d answers", since)
	}
	if _, since := l.cursors[0].pour(7); since != 12 {
		t.Errorf("13th answer: %d before it, want 12", since)
	}
	l.cursors[FamilyNone].start.Store(8<<startTurnBits | 20) // another query begins snapshot 8 with a later turn
	if _, since := l.cursors[0].pour(8); since != 0 {
		t.Errorf("an overtaken query counts %d answers", since)
	}
}

// TestBackupMethodFillsForItself: answers of the method are none of the backup method's fill, which begins with the member
// that has the least load, and moves no turns of the method.
func TestBackupMethodFillsForItself(t *testing.T) {
	w := twoSites(config.VirtualServer{Method: config.RTT, BackupMethod: config.LeastConnection, Tolerance: config.Duration(time.Second)})
	s, l := w.load("a", 100, time.Second).load("b", 0, time.Second).snapshot(t)
	l.Resolvers = NewResolvers(ResolverOptions{Prefix4: 32, Prefix6: 128, Max: 1024, Timeout: time.Hour})
	known, unknown := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")
	for i := range s.Plan.sites {
		l.Resolvers.Measured(known, s.Plan.sites[i].hash, 9*time.Millisecond, oracleNow)
	}
	ask := func(n int, ldns netip.Addr) map[string]int {
		count := map[string]int{}
		for range n {
			d := Decide(s, Query{Family: IPv4, At: oracleNow, LDNS: ldns}, l, epoch, nil)
			count[fmt.Sprint(d.Reason, " ", outcome(s, d))]++
		}
		return count
	}
	if got := ask(1, unknown); got["least-connection b"] != 1 {
		t.Fatalf("the first: %v, want the one without load", got)
	}
	for i := range 70 {
		if got := ask(10, known); got["rtt a"] != 5 || got["rtt b"] != 5 {
			t.Fatalf("after %d: %v, want turns", i, got)
		}
		if got := ask(1, unknown); got["least-connection b"] != 1 {
			t.Fatalf("after %d: %v, want the one with less load for 75 answers of its own", i, got)
		}
	}
}

// TestMemoOnlyWhereUsed: the choices of methods that need no memory take none.
func TestMemoOnlyWhereUsed(t *testing.T) {
	for method, want := range map[config.Method]bool{config.RoundRobin: false, config.LeastConnection: false, config.RTT: false,
		config.SourceIPHashing: false, config.StaticProximity: true} {
		w, _ := weighted(method, make([]int, 20), nil)
		for i := range w.doc.VirtualServers[0].Members {
			w.doc.VirtualServers[0].Members[i].Weight = 1
		}
		s, _ := w.snapshot(t)
		if got := s.standings[0].fields[IPv4].memo != nil; got != want {
			t.Errorf("%s: remembers choices: %v, want %v", method, got, want)
		}
	}
}

// TestRotationFollowsWeights: a snapshot does not take over the turns of one with other weights.
func TestRotationFollowsWeights(t *testing.T) {
	w := twoSites(config.VirtualServer{Method: config.RoundRobin, DynamicWeight: config.DynamicMembers})
	s, l := w.snapshot(t)
	status := &Status{At: epoch, Services: []ServiceStatus{s.Status.Services[0], s.Status.Services[1]}}
	status.Services[0].Measures = &Measures{Members: Measure{Value: 3, At: epoch}}
	s = NewSnapshot(2, s.Plan, status, s)
	count := map[string]int{}
	for range 400 {
		got, _ := ask(s, l, IPv4, client, "")
		count[got]++
	}
	if count["a"] != 300 {
		t.Errorf("got %v, want 300 of a and 100 of b", count)
	}
}
