package mep

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// world is sites and who may speak for whom.
type world struct {
	t       *testing.T
	n       *memNet
	sites   map[string]*testSite
	parents map[string][]string // best first
	back    time.Duration       // ParentReturn of all
}

func newWorld(t *testing.T, parents map[string][]string, names ...string) *world {
	w := &world{t: t, n: newMemNet(), sites: map[string]*testSite{}, parents: parents, back: time.Minute}
	for i, name := range names {
		w.sites[name] = newTestSite(t, w.n, name, fmt.Sprintf("10.0.%d.%d", i/250, i%250+1), nil)
	}
	for name := range w.sites {
		w.start(name)
	}
	return w
}

func (w *world) relays() map[string][]string {
	out := map[string][]string{}
	for site := range w.parents {
		for next := w.parents[site]; len(next) > 0; {
			p := next[0]
			if next = next[1:]; !slices.Contains(out[site], p) {
				out[site], next = append(out[site], p), append(slices.Clone(next), w.parents[p]...)
			}
		}
	}
	return out
}

func (w *world) topology(name string) Topology {
	t := Topology{Self: w.sites[name].peer, Relays: w.relays(), ParentReturn: w.back}
	for other, s := range w.sites {
		p := s.peer
		switch rank := slices.Index(w.parents[name], other); {
		case rank >= 0:
			p.Relation, p.Rank = RelationParent, rank
		case slices.Contains(w.parents[other], name):
			p.Relation, p.Rank = RelationChild, slices.Index(w.parents[other], name)
		case len(w.parents[name]) > 0 || len(w.parents[other]) > 0:
			continue
		}
		t.Peers = append(t.Peers, p)
	}
	return t
}

func (w *world) start(name string) {
	w.t.Helper()
	s := w.sites[name]
	s.start(w.topology(name))
}

func (w *world) stop() {
	for _, s := range w.sites {
		s.stop()
	}
}

// restart makes a new instance of a site that was stopped.
func (w *world) restart(name string) *testSite {
	old := w.sites[name]
	ip := old.peer.Address[:len(old.peer.Address)-len(":3009")]
	w.sites[name] = newTestSite(w.t, w.n, name, ip, nil)
	w.start(name)
	return w.sites[name]
}

// of returns the last report about a site, or nil.
func (s *testSite) of(site string) *ServicesReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.events) - 1; i >= 0; i-- {
		if r, ok := s.events[i].(*ServicesReport); ok && r.Site == site {
			return r
		}
	}
	return nil
}

// reaches returns what was told of a site's reach, as words: "heard ams".
func (s *testSite) reaches(site string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []string{}
	for _, e := range s.events {
		if r, ok := e.(*SiteReach); ok && r.Site == site {
			out = append(out, map[Reach]string{ReachHeard: "heard ", ReachLost: "lost ", ReachLeft: "left "}[r.Reach]+r.Peer)
		}
	}
	return out
}

// lastReach returns what was told last of a site's reach.
func (s *testSite) lastReach(site string) *SiteReach {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.events) - 1; i >= 0; i-- {
		if r, ok := s.events[i].(*SiteReach); ok && r.Site == site {
			return r
		}
	}
	return new(SiteReach)
}

// lastDown returns what was told last of the end of a session; nil: nothing.
func (s *testSite) lastDown(peer string) *SessionDown {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.events) - 1; i >= 0; i-- {
		if d, ok := s.events[i].(*SessionDown); ok && d.Peer == peer {
			return d
		}
	}
	return nil
}

func (s *testSite) wantReach(site string, want ...string) {
	s.t.Helper()
	if got := s.reaches(site); !slices.Equal(got, want) {
		s.t.Errorf("site %s about %s: got %q, want %q", s.peer.Site, site, got, want)
	}
}

func (s *testSite) wantHeard(site, via string) {
	s.t.Helper()
	if r := s.of(site); r == nil || r.Peer != via || len(r.Records) != 1 || r.Records[0].Name != "web-"+site {
		s.t.Errorf("site %s about %s: got %+v, want web-%s by %s", s.peer.Site, site, r, site, via)
	}
}

func TestParentsPassOnWhatChildrenTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// leaf under mid under ams; ams, nyc and sin in the mesh.
		w := newWorld(t, map[string][]string{"mid": {"ams"}, "leaf": {"mid"}}, "ams", "nyc", "sin", "mid", "leaf")
		defer w.stop()
		pass(3 * time.Second)
		for _, name := range []string{"nyc", "sin"} {
			w.sites[name].wantHeard("leaf", "ams")
			w.sites[name].wantHeard("mid", "ams")
			w.sites[name].wantReach("leaf", "heard ams")
		}
		w.sites["ams"].wantHeard("leaf", "mid")
		w.sites["ams"].wantHeard("mid", "mid")
		for _, c := range []string{"mid", "leaf"} {
			for _, p := range []string{"ams", "nyc", "sin"} {
				if r := w.sites[c].of(p); r != nil {
					t.Errorf("site %s was told of the services of %s: services travel upwards only", c, p)
				}
			}
		}
		if r := w.sites["nyc"].of("leaf"); r != nil && r.Incarnation != w.sites["leaf"].opts.Incarnation {
			t.Errorf("incarnation of leaf: got %d, want its own %d", r.Incarnation, w.sites["leaf"].opts.Incarnation)
		}
		// A change of state passes on at once.
		pass(300 * time.Millisecond)
		began := time.Now()
		w.sites["leaf"].announce(ServiceRecord{Name: "web-leaf", State: StateDown, Reason: "monitor failed"})
		w.sites["leaf"].Announce()
		pass(60 * time.Millisecond)
		if r := w.sites["nyc"].of("leaf"); r.Records[0].State != StateDown || r.Records[0].Reason != "monitor failed" {
			t.Errorf("%v after the change: got %+v, want DOWN", time.Since(began), r.Records[0])
		}
		p := w.sites["nyc"].Peers()[0]
		if p.Site != "ams" || p.Origins != 3 || p.ServicesReported != 3 {
			t.Errorf("peer ams: got %d origins, %d services, want 3 and 3", p.Origins, p.ServicesReported)
		}
	})
}

func TestPlannedStopReachesAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string][]string{"mid": {"ams"}, "leaf": {"mid"}}, "ams", "nyc", "mid", "leaf")
		defer w.stop()
		pass(3 * time.Second)
		w.sites["leaf"].Leave(t.Context())
		pass(100 * time.Millisecond)
		w.sites["nyc"].wantReach("leaf", "heard ams", "left ams")
		w.sites["ams"].wantReach("leaf", "heard mid", "left mid")
		w.sites["leaf"].stop()
		pass(5 * time.Second)
		leaf := w.restart("leaf")
		pass(10 * time.Second)
		w.sites["nyc"].wantReach("leaf", "heard ams", "left ams", "heard ams")
		if got := w.sites["nyc"].of("leaf").Incarnation; got != leaf.opts.Incarnation {
			t.Errorf("incarnation after the restart: got %d, want %d", got, leaf.opts.Incarnation)
		}
	})
}

func TestChildAttachesToBackupParentAndReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string][]string{"kid": {"ams", "nyc"}}, "ams", "nyc", "sin", "kid")
		defer w.stop()
		attached := func(to string) {
			t.Helper()
			for _, p := range w.sites["kid"].Peers() {
				if p.Attached != (p.Site == to) {
					t.Errorf("kid attached to %s: got %v, want it attached to %s", p.Site, p.Attached, to)
				}
			}
			for _, parent := range []string{"ams", "nyc"} {
				for _, p := range w.sites[parent].Peers() {
					if p.Site == "kid" && p.State == PeerUp && p.Attached != (parent == to) {
						t.Errorf("%s about kid attached: got %v, want it attached to %s", parent, p.Attached, to)
					}
				}
			}
		}
		pass(3 * time.Second)
		attached("ams")
		w.sites["sin"].wantHeard("kid", "ams")
		// The parent dies without a word.
		w.sites["ams"].stop()
		pass(9 * time.Second)
		w.sites["sin"].wantReach("kid", "heard ams")
		if r := w.sites["sin"].of("kid"); r.Peer != "ams" {
			t.Errorf("before parent_timeout: kid was heard by %s", r.Peer)
		}
		pass(1500 * time.Millisecond)
		attached("nyc")
		w.sites["sin"].wantHeard("kid", "nyc")
		w.restart("ams")
		pass(50 * time.Second)
		attached("nyc")
		pass(17 * time.Second)
		attached("ams")
		w.sites["sin"].wantHeard("kid", "ams")
		// A parent that leaves is not waited for.
		w.sites["ams"].Leave(t.Context())
		pass(200 * time.Millisecond)
		w.sites["sin"].wantHeard("kid", "nyc")
		if got := w.sites["sin"].Rejections(); len(got) != 0 {
			t.Errorf("rejections: got %v, want none", got)
		}
	})
}

// TestChildReturnsAtOnce: a document says that a better parent needs not be back for any time.
func TestChildReturnsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string][]string{"kid": {"ams", "nyc"}}, "ams", "nyc", "sin", "kid")
		defer w.stop()
		w.back = 0
		if err := w.sites["kid"].SetTopology(w.topology("kid")); err != nil {
			t.Fatal(err)
		}
		pass(3 * time.Second)
		w.sites["ams"].stop()
		pass(11 * time.Second)
		attached := func(to string) {
			t.Helper()
			for _, p := range w.sites["kid"].Peers() {
				if p.Attached != (p.Site == to) {
					t.Errorf("kid attached to %s: got %v, want it attached to %s", p.Site, p.Attached, to)
				}
			}
		}
		attached("nyc")
		w.restart("ams")
		pass(10 * time.Second) // the session comes back, and with it the attachment
		attached("ams")
		w.sites["sin"].wantHeard("kid", "ams")
	})
}

// TestChildMovesWithoutAGap: a document moves a child to another parent while it runs.
func TestChildMovesWithoutAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string][]string{"kid": {"ams", "nyc"}, "toddler": {"kid"}}, "ams", "nyc", "sin", "kid", "toddler")
		defer w.stop()
		pass(3 * time.Second)
		w.sites["sin"].wantHeard("toddler", "ams")
		w.parents["kid"] = []string{"nyc"}
		for name, s := range w.sites {
			if err := s.SetTopology(w.topology(name)); err != nil {
				t.Fatal(err)
			}
		}
		pass(2 * time.Second)
		w.sites["sin"].wantHeard("kid", "nyc")
		pass(2 * time.Second)
		w.sites["sin"].wantHeard("toddler", "nyc")
		for name, s := range w.sites {
			if got := s.Rejections(); len(got) != 0 {
				t.Errorf("site %s: rejections: got %v, want none", name, got)
			}
		}
	})
}

// TestALostChildIsToldOfOnce: what a dead child's parent knows.
func TestALostChildIsToldOfOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string][]string{"kid": {"ams", "nyc"}}, "ams", "nyc", "sin", "kid")
		defer w.stop()
		pass(3 * time.Second)
		w.sites["kid"].stop()
		pass(time.Second)
		w.sites["sin"].wantReach("kid", "heard ams", "lost ams")
		before := w.sites["sin"].reports()
		pass(20 * time.Second)
		w.sites["sin"].wantReach("kid", "heard ams", "lost ams")
		for _, e := range w.sites["sin"].events[before:] {
			if r, ok := e.(*ServicesReport); ok && r.Site == "kid" && r.ReceivedAt.After(time.Now().Add(-19*time.Second)) {
				t.Errorf("a report of kid %v after it was lost", time.Since(r.ReceivedAt))
			}
		}
		w.restart("kid")
		pass(10 * time.Second)
		w.sites["sin"].wantHeard("kid", "ams")
	})
}

// TestASmallSpeakerIsPassedOn: a child that sends Hello, Attach and full sets, and nothing else of version 2.
func TestASmallSpeakerIsPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, map[string][]string{"kid": {"ams"}}, "ams", "nyc", "kid")
		defer w.stop()
		w.sites["kid"].stop()
		pass(2 * time.Second)
		later := uint64(time.Now().UnixNano())
		kid := introduceTo(t, w, "kid", "ams", later)
		defer kid.conn.Close()
		set := func(number uint64, r ServiceRecord) {
			b := kid.frame(FrameServices, 0, encodeServices(servicesPrefix{incarnation: later, set: number, origin: "kid"}, []ServiceRecord{r}))
			_, _ = kid.conn.Write(b)
		}
		_, _ = kid.conn.Write(kid.frame(FrameAttach, 0, []byte{1}))
		r := ServiceRecord{Name: "web-kid", State: StateUp, Has: HasActiveConnections | HasLoadAge | HasEvidenceAge, ActiveConnections: 5,
			LoadAge: 300 * time.Millisecond, EvidenceAge: time.Second}
		for i := range 5 {
			r.ActiveConnections++
			set(uint64(i+1), r)
			pass(time.Second)
		}
		got := w.sites["nyc"].of("kid")
		if got == nil || got.Peer != "ams" || got.Incarnation != later || got.Records[0].ActiveConnections < 9 || got.Records[0].LoadAge < 300*time.Millisecond {
			t.Fatalf("nyc about kid: got %+v, want what it told, by ams", got)
		}
		r.State = StateDown
		set(6, r)
		pass(50 * time.Millisecond)
		if got := w.sites["nyc"].of("kid").Records[0].State; got != StateDown {
			t.Errorf("50 ms after the change: got %v, want DOWN", got)
		}
		// Nothing comes any more, but the session is up: what was measured grows old.
		pass(8 * time.Second)
		if r := w.sites["nyc"].of("kid"); time.Since(r.ReceivedAt)+r.Age+r.Records[0].LoadAge < 7*time.Second {
			t.Errorf("load 8 s after the last word: got %v old, want about 8 s", time.Since(r.ReceivedAt)+r.Age+r.Records[0].LoadAge)
		}
		_, _ = kid.conn.Write(kid.frame(FrameAttach, 0, []byte{0}))
		pass(50 * time.Millisecond)
		w.sites["nyc"].wantReach("kid", "heard ams", "lost ams")
	})
}

// TestWhoIsBehindGetsTheNewest: rounds that follow, a few of them, or else all as it is now.
func TestWhoIsBehindGetsTheNewest(t *testing.T) {
	x, err := New(Options{Site: "ams", Insecure: true, Services: func() []ServiceRecord { return nil }, Receive: func(Event) {}})
	if err != nil {
		t.Fatal(err)
	}
	if got := x.stream.since(0); got != nil {
		t.Errorf("before the first round: got %v, want nothing", got)
	}
	records := make([]ServiceRecord, 100)
	for round := range uint64(100) {
		for i := range records {
			records[i] = ServiceRecord{Name: fmt.Sprint("service-", i), State: StateUp, Reason: fmt.Sprint("round ", round)}
		}
		x.takeRound(records, time.Now())
	}
	for _, c := range []struct {
		last   uint64
		rounds int
		anew   bool
	}{{100, 0, false}, {99, 1, false}, {96, 4, false}, {50, 1, true}, {0, 1, true}, {101, 1, true}} {
		got := x.stream.since(c.last)
		if len(got) != c.rounds || len(got) > 0 && (got[0].anew != c.anew || got[len(got)-1].number != 100) {
			t.Errorf("who heard up to %d: got %d rounds, want %d, anew %v", c.last, len(got), c.rounds, c.anew)
		}
	}
	if a, b := x.stream.since(0), x.stream.since(1); a[0] != b[0] {
		t.Error("all was encoded twice")
	}
	if n := len(x.stream.recent); n > maxBehind || x.stream.octets > recordSize*100+leastBehind*10_000 {
		t.Errorf("rounds kept: got %d with %d octets", n, x.stream.octets)
	}
}
