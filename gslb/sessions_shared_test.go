package gslb

import (
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fairlead/config"
)

// notes returns what is to be told, by client.
func (s *Sessions) notes(t *testing.T) map[SessionKey]SessionNote {
	t.Helper()
	out := map[SessionKey]SessionNote{}
	if s.EachNote(1<<30, func(n SessionNote) {
		if _, twice := out[n.Key]; twice {
			t.Errorf("%v is told twice", n.Key)
		}
		out[n.Key] = n
	}) {
		t.Error("something is left although all was asked for")
	}
	return out
}

// TestSessionsNoteWhatChanges: a new session, another service, an end in another quarter of the time-out, a drop; and nothing else.
func TestSessionsNoteWhatChanges(t *testing.T) {
	s, k := NewSessions(SessionOptions{Max: 1000}), SessionKey{ID: 3, Client: someone(1)}
	expect := func(what string, told bool, service uint64, until int64) {
		t.Helper()
		notes := s.notes(t)
		if n, ok := notes[k]; ok != told || ok && n != (SessionNote{Key: k, Service: service, Until: until}) {
			t.Errorf("%s: noted %+v", what, notes)
		}
	}
	s.Keep(k, 5, 1000, 1160)
	expect("before it is shared", false, 0, 0)
	s.Drop(k)
	s.Share(true)
	s.Keep(k, 5, 1000, 1160)
	s.Keep(k, 6, 1000, 1160)
	expect("new", true, 6, 1160)
	expect("once more", false, 0, 0)
	told, last := 0, int64(1160)
	for at := int64(1000); at < 1160; at += 10 { // a busy client
		s.Keep(k, 6, at, at+160)
		if n, ok := s.notes(t)[k]; ok {
			if told++; n.Until-last > 50 {
				t.Errorf("the end moved by %d before it was told", n.Until-last)
			}
			last = n.Until
		}
	}
	if told < 3 || told > 5 {
		t.Errorf("a session that was used for a time-out was told %d times, want about 4", told)
	}
	s.Keep(k, 7, 1170, 1330)
	expect("another service", true, 7, 1330)
	s.Keep(k, 7, 1330, 1490)
	expect("after its end", true, 7, 1490)
	if !s.Forget(k, 1340, 1500) || s.Forget(k, 1340, 1500) || !s.Pressed() || s.Pressed() {
		t.Error("it was not dropped once")
	}
	if _, ok := s.Find(k, 1345); ok {
		t.Error("it is found after it was dropped")
	}
	s.Each(func(SessionKey, uint64, int64) bool { t.Error("it is listed after it was dropped"); return true })
	expect("dropped", true, 0, 1500)
	s.Keep(k, 7, 1350, 1510)
	expect("kept after a drop", true, 7, 1510)
	if got, ok := s.Find(k, 1350); !ok || got != 7 {
		t.Error("it is not found after it was kept again")
	}
}

// TestNotesOutlastAChangeOfSize: nothing that is to be told gets lost while the table moves, and a few at a time are all in the end.
func TestNotesOutlastAChangeOfSize(t *testing.T) {
	s := NewSessions(SessionOptions{Max: 4000})
	s.Share(true)
	const clients = 3000
	seen := map[SessionKey]int{}
	for n := range clients {
		s.Keep(SessionKey{Client: someone(n)}, 1, 1000, 2000)
		if n%500 == 250 {
			s.Grow(4000 + n)
			s.EachNote(100, func(n SessionNote) { seen[n.Key]++ })
		}
	}
	for s.EachNote(100, func(n SessionNote) { seen[n.Key]++ }) {
	}
	if gone := int(s.Stats().Evictions); len(seen) < clients-gone || gone > 10 {
		t.Errorf("%d of %d sessions are told, %d gave way", len(seen), clients, gone)
	}
	for k, n := range seen {
		if n != 1 {
			t.Errorf("%v is told %d times", k, n)
		}
	}
}

func TestSessionsHear(t *testing.T) {
	k := SessionKey{ID: 1, Client: someone(1)}
	const at, end = 1000, 1100 // of service 5, which is here; the time-out is 120
	for _, tt := range []struct {
		name    string
		service uint64
		until   int64
		change  func(h *Hearing)
		want    Heard
		is      uint64
		ends    int64
		told    bool
	}{
		{"the same", 5, end, nil, HeardKnown, 5, end, false},
		{"the same, a little later", 5, end + renewSlack, nil, HeardKnown, 5, end, false},
		{"the same, earlier", 5, end - 50, nil, HeardKnown, 5, end, false},
		{"the same, later", 5, end + 10, nil, HeardTaken, 5, end + 10, false},
		{"later, for all", 5, end + 10, func(h *Hearing) { h.All = true }, HeardTaken, 5, end + 10, true},
		{"another, later", 4, end + 16, nil, HeardReplaced, 4, end + 16, true},
		{"another, earlier", 6, end - 16, nil, HeardKept, 5, end, true},
		{"another, at the same time, greater", 6, end - 15, nil, HeardReplaced, 6, end, true},
		{"another, at the same time, smaller", 4, end + 15, nil, HeardKept, 5, end + 15, true},
		{"a change that may not be", 6, end + 20, func(h *Hearing) { h.NoChange = true }, HeardRefused, 5, end, false},
		{"dropped after it was used", dropped, end + 20, nil, HeardReplaced, 0, 0, true},
		{"dropped before it was used", dropped, end - 2, nil, HeardKept, 5, end, true},
		{"over", 9, at, nil, HeardKnown, 5, end, false},
		{"a clock was set back here", 6, at + 80, func(h *Hearing) { h.Timeout = 90 }, HeardReplaced, 6, at + 90, true},
	} {
		s := NewSessions(SessionOptions{Max: 100})
		s.Keep(k, 5, at, end)
		s.Share(true)
		h := Hearing{SessionKey: k, Service: tt.service, At: at, Until: tt.until, Slack: 15, Timeout: 120}
		if tt.change != nil {
			tt.change(&h)
		}
		if got := s.Hear(&h); got != tt.want {
			t.Errorf("%s: became %d, want %d", tt.name, got, tt.want)
		}
		service, until, ok := s.Lookup(k, at)
		if ok != (tt.is != 0) || ok && (service != tt.is || until != tt.ends) {
			t.Errorf("%s: service %d until %d, %v; want %d until %d", tt.name, service, until, ok, tt.is, tt.ends)
		}
		if notes := s.notes(t); len(notes) == 1 != tt.told {
			t.Errorf("%s: told %+v", tt.name, notes)
		}
	}
}

// TestSessionsHeardTakeNoRoomOfOthers: not that of a session which has not ended, and not the last eighth.
func TestSessionsHeardTakeNoRoomOfOthers(t *testing.T) {
	const most = 2000
	s := NewSessions(SessionOptions{Max: most})
	hear := func(n int, at int64) Heard {
		return s.Hear(&Hearing{SessionKey: SessionKey{Client: someone(n)}, Service: 1, At: at, Until: at + 100, Timeout: 100, Slack: 10})
	}
	for n := range 3 * most {
		hear(n, 1000)
	}
	if n := s.Len(); n > most*7/8+1 || n < most*8/10 {
		t.Errorf("%d sessions of others, want at most seven eighths of %d", n, most)
	}
	if got := s.Hear(&Hearing{SessionKey: SessionKey{ID: 5}, Service: 1, At: 1, Until: 9, Timeout: 9, NoRoom: true}); got != HeardNoRoom {
		t.Errorf("NoRoom: %d", got)
	}
	taken := 0
	for n := range 3 * most {
		if hear(n+10*most, 2000) == HeardTaken {
			taken++
		}
	}
	if taken < most/2 {
		t.Errorf("%d took the place of one that had ended", taken)
	}
}

// TestSessionsAreSharedConcurrently: two tables tell each other all the time what their writers keep, and have the same in the end.
func TestSessionsAreSharedConcurrently(t *testing.T) {
	const clients = 300
	tables := [2]*Sessions{NewSessions(SessionOptions{Max: 4000}), NewSessions(SessionOptions{Max: 3000, Key: HashKey{4, 5}})}
	var writers, tellers sync.WaitGroup
	var stop atomic.Bool
	tell := func(from, to int) (n int) {
		tables[from].EachNote(64, func(note SessionNote) {
			n++
			tables[to].Hear(&Hearing{SessionKey: note.Key, Service: note.Service, At: 1000, Until: note.Until, Slack: 5, Timeout: 2000})
		})
		return n
	}
	for i, table := range tables {
		table.Share(true)
		writers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 4))
			for range 20_000 {
				k := SessionKey{Client: someone(rng.IntN(clients))}
				if rng.IntN(50) == 0 {
					table.Forget(k, 1000, 1500+rng.Int64N(500))
					continue
				}
				table.Keep(k, 1+rng.Uint64N(3), 1000, 1500+rng.Int64N(500))
			}
		})
		tellers.Go(func() {
			for !stop.Load() {
				tell(i, 1-i)
				table.Heard(SessionKey{Client: someone(1)})
				runtime.Gosched()
			}
		})
	}
	writers.Go(func() {
		for n := range 20 {
			tables[0].Grow(3000 + 100*n)
			runtime.Gosched()
		}
	})
	writers.Wait()
	stop.Store(true)
	tellers.Wait()
	for quiet := 0; quiet < 2; {
		if tell(0, 1)+tell(1, 0) > 0 {
			quiet = 0
		} else {
			quiet++
		}
	}
	for n := range clients {
		k := SessionKey{Client: someone(n)}
		a, _ := tables[0].Find(k, 1000)
		if b, _ := tables[1].Find(k, 1000); a != b {
			t.Errorf("client %d: %d at one site, %d at the other", n, a, b)
		}
	}
}

// TestExplanationsSayWhatWasHeard: that another site told of a client's session, until a query of the client renews it here.
func TestExplanationsSayWhatWasHeard(t *testing.T) {
	s, l := twoSites(config.VirtualServer{Persistence: config.Persistence{Type: config.PersistenceSourceIP, Timeout: config.Duration(2 * time.Minute), Prefix4: 32, Prefix6: 56}}).snapshot(t)
	l.Sessions = NewSessions(SessionOptions{Max: 100})
	l.Sessions.Share(true)
	at, use := epoch.Unix(), s.Plan.SessionUses()[0]
	b, _ := s.Plan.ServiceByName("b")
	l.Sessions.Hear(&Hearing{SessionKey: use.Key(netip.MustParseAddr(client)), Service: s.Plan.Service(b).Hash, At: at, Until: at + 60, Timeout: 120})
	for _, want := range []bool{true, false} {
		var trace Trace
		q := Query{Family: IPv4, LDNS: netip.MustParseAddr(client)}
		if got := outcome(s, Decide(s, q, l.Copy(), epoch, &trace)); got != "b" {
			t.Fatalf("answered %q, want what another site told", got)
		}
		told := slices.ContainsFunc(trace.Entries, func(e Entry) bool { return strings.Contains(e.Detail, "told by another site") })
		if told != want {
			t.Errorf("the explanation says that another site told it: %v, want %v", told, want)
		}
		Decide(s, q, l, epoch, nil)
	}
}

// TestSharingAllocatesNothing where sessions are kept.
func TestSharingAllocatesNothing(t *testing.T) {
	s := NewSessions(SessionOptions{Max: 1000})
	s.Share(true)
	n := 0
	if got := testing.AllocsPerRun(1000, func() {
		n++
		s.Keep(SessionKey{Client: someone(n % 100)}, uint64(n), 1000, 2000)
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
