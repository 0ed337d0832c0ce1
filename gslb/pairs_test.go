package gslb

import (
	"net/netip"
	"testing"
	"time"

	"fairlead/config"
)

// TestPairsCountOnce: an answer for the sake of another family's is the same client: it is not counted again. One for the
// same family, or after the TTL, is.
func TestPairsCountOnce(t *testing.T) {
	w := twoSites(config.VirtualServer{Method: config.LeastConnection}).load("a", 0, time.Second).load("b", 0, time.Second)
	w.doc.Settings.Answers.Coherent = true
	s, l := w.snapshot(t)
	ttl := int64(s.Plan.Domain(0).TTL)
	for i, a := range []struct {
		at     int64
		family Family
		want   uint64
	}{{0, IPv4, 1}, {0, IPv6, 1}, {1, IPv6, 2}, {1 + ttl, IPv4, 2}, {2 + 2*ttl, IPv6, 3}, {3 + 3*ttl, IPv4, 4}} {
		Decide(s, Query{Family: a.family, LDNS: netip.MustParseAddr(client), At: oracleNow + a.at}, l, epoch, nil)
		if got := l.Handed(0) + l.Handed(1); got != a.want {
			t.Errorf("query %d: %d answers counted, want %d", i, got, a.want)
		}
	}
}

// TestPairsOfOthers: a client whose place in the table another one took is decided anew, and does not touch that one's.
func TestPairsOfOthers(t *testing.T) {
	p := new(pairs)
	mine, other := uint64(1)<<50|7, uint64(2)<<50|7
	p.note(mine, 1, 3, oracleNow, false)
	p.note(other, 1, 4, oracleNow, false)
	if _, found := p.find(mine, 2, oracleNow, 30); found {
		t.Error("found what was given to another client")
	}
	p.note(mine, 2, 3, oracleNow, true) // it was found before the other came
	if got, found := p.find(mine, 4, oracleNow, 30); !found || got != 3 {
		t.Errorf("got %d, %v, want 3", got, found)
	}
}
