package gslb

import (
	"net/netip"
	"testing"
	"time"

	"fairlead/config"
)

// TestSessionsAreCounted: by what became of them, over changes of the document, and explanations are none.
func TestSessionsAreCounted(t *testing.T) {
	w := sticky(nil)
	l := play(t, w, nil)
	s, _ := w.snapshot(t)
	use := s.Plan.SessionUses()[0]
	l.Sessions.CountEnds(s.Plan.SessionUses())
	l.Sessions.Share(true)
	want := func(what string, created, honoured uint64, at int64, census SessionCensus) {
		t.Helper()
		if c, h := l.SessionCounts(&use); c != created || h != honoured {
			t.Errorf("%s: %d created and %d honoured, want %d and %d", what, c, h, created, honoured)
		}
		if got := l.Sessions.Census(1_700_000_000 + at)[use.ID]; got != census {
			t.Errorf("%s: got %+v, want %+v", what, got, census)
		}
	}
	play(t, w, l, asked{0, IPv4, "192.0.2.7", "", "a", ""}, asked{1, IPv4, "192.0.2.8", "", "a", ReasonSession}, asked{1, IPv4, "198.51.100.1", "", "b", ""})
	want("two clients", 2, 1, 2, SessionCensus{Live: 2})
	Decide(s, Query{Family: IPv4, LDNS: netip.MustParseAddr("192.0.2.7"), At: 1_700_000_002}, l.Copy(), epoch, new(Trace))
	want("an explanation", 2, 1, 2, SessionCensus{Live: 2})

	hash := s.Plan.Service(0).Hash
	l.Sessions.Hear(&Hearing{SessionKey: use.Key(netip.MustParseAddr("203.0.113.1")), Service: hash, At: 1_700_000_002, Until: 1_700_000_100, Timeout: 120, Slack: 15})
	want("another site told of one", 2, 1, 2, SessionCensus{Live: 3, Heard: 1})
	play(t, w, l, asked{3, IPv4, "203.0.113.1", "", "a", ReasonSession})
	want("its client came here", 2, 2, 3, SessionCensus{Live: 3})

	play(t, w.state("a", Down), l, asked{4, IPv4, "192.0.2.7", "", "b", ReasonOnlyOne})
	want("another service", 3, 2, 4, SessionCensus{Live: 3})
	l.Sessions.Forget(use.Key(netip.MustParseAddr("203.0.113.1")), 1_700_000_004, 1_700_000_124)
	want("one was dropped", 3, 2, 4, SessionCensus{Live: 2})

	play(t, w, l, asked{200, IPv4, "192.0.2.7", "", "b", ""})
	want("one came back after its end", 4, 2, 200, SessionCensus{Live: 1, Expired: 1})
	l.Sessions.Expire(1_700_000_200, 1)
	want("the table was swept", 4, 2, 200, SessionCensus{Live: 1, Expired: 2})

	next := l.Carry(s.Plan, s.Plan)
	next.Sessions.CountEnds(s.Plan.SessionUses())
	play(t, w, l, asked{201, IPv4, "192.0.2.7", "", "b", ReasonSession}) // a query that began before the document changed
	if c, h := next.SessionCounts(&use); c != 4 || h != 3 {
		t.Errorf("with the next document: %d created and %d honoured, want 4 and 3", c, h)
	}
	if got := next.Sessions.Census(1_700_000_201)[use.ID].Expired; got != 2 {
		t.Errorf("with the next document: %d expired, want 2", got)
	}
	l.Sessions.CountEnds(nil)
	if got := l.Sessions.Census(1_700_000_201); len(got) != 0 {
		t.Errorf("without uses: %v", got)
	}
}

// TestSpilloverSessionsAreCounted: apart from those of persistence.
func TestSpilloverSessionsAreCounted(t *testing.T) {
	w := spilling(config.Spillover{Method: config.SpilloverConnections, Threshold: 10, Persistence: true, Timeout: config.Duration(2 * time.Minute)})
	busy := func(n uint64) *world { return w.load("a", n, 0).load("b", n, 0) }
	l := play(t, busy(100), nil, asked{0, IPv4, "192.0.2.7", "", "c", ""}, asked{1, IPv4, "192.0.2.7", "", "c", ""})
	play(t, busy(1), l, asked{2, IPv4, "192.0.2.7", "", "c", ""})
	s, _ := w.snapshot(t)
	for _, u := range s.Plan.SessionUses() {
		if c, h := l.SessionCounts(&u); !u.Spillover || c != 1 || h != 2 {
			t.Errorf("%+v: %d created and %d honoured, want 1 and 2", u, c, h)
		}
	}
}

func BenchmarkCensus(b *testing.B) {
	s := NewSessions(SessionOptions{Max: 1_000_000})
	uses := []SessionUse{{ID: 1}, {ID: 2}}
	s.CountEnds(uses)
	for n := range 900_000 {
		s.Keep(SessionKey{ID: uint32(1 + n%2), Client: someone(n)}, 1, 1, 1000)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Census(2)
	}
}
