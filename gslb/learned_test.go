package gslb

import (
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
		l.pour(0, 7)
	}
	if _, since := l.pour(0, 7); since != 10 {
		t.Errorf("11th answer: %d before it, want 10", since)
	}
	if _, since := l.pour(0, 6); since != 0 {
		t.Errorf("an older snapshot counts %d answers", since)
	}
	if _, since := l.pour(0, 7); since != 12 {
		t.Errorf("13th answer: %d before it, want 12", since)
	}
	l.cursors[FamilyNone].start.Store(8<<startTurnBits | 20) // another query begins snapshot 8 with a later turn
	if _, since := l.pour(0, 8); since != 0 {
		t.Errorf("an overtaken query counts %d answers", since)
	}
}

// TestMemoOnlyWhereUsed: the choices of methods that need no memory take none.
func TestMemoOnlyWhereUsed(t *testing.T) {
	for method, want := range map[config.Method]bool{config.RoundRobin: false, config.LeastConnection: false, config.RTT: false,
		config.SourceIPHashing: true, config.StaticProximity: true} {
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
