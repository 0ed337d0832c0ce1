package mep

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testSite is an exchange on a memNet that records what it is told.
type testSite struct {
	*Exchange
	t    *testing.T
	peer Peer
	logs *observer.ObservedLogs
	stop func()

	digest atomic.Pointer[[32]byte]

	mu       sync.Mutex
	events   []Event
	at       []time.Time
	services []ServiceRecord
}

// newTestSite makes a site at ip; its exchange is insecure, for these tests are about time. adjust may be nil.
func newTestSite(t *testing.T, n *memNet, name, ip string, adjust func(*Options)) *testSite {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	s := &testSite{t: t, peer: Peer{Site: name, Address: ip + ":3009"}, logs: logs,
		services: []ServiceRecord{{Name: "web-" + name, State: StateUp, Has: HasActiveConnections, ActiveConnections: 7}}}
	s.digest.Store(&[32]byte{1, 2, 3})
	o := Options{
		Site: name, Node: name + "-1", Listen: ip + ":3009", Insecure: true,
		ListenFunc: n.Host(ip).Listen, DialFunc: n.Host(ip).Dial,
		Services: func() []ServiceRecord {
			s.mu.Lock()
			defer s.mu.Unlock()
			return append([]ServiceRecord(nil), s.services...)
		},
		Receive: func(e Event) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.events, s.at = append(s.events, e), append(s.at, time.Now())
		},
		Digest: func() [32]byte { return *s.digest.Load() },
		Logger: zap.New(core),
		Rand:   mathrand.NewPCG(1, uint64(len(name))),
	}
	if adjust != nil {
		adjust(&o)
	}
	x, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Exchange = x
	return s
}

// run starts the site with its peers. stop ends it and waits.
func (s *testSite) run(peers ...*testSite) {
	s.t.Helper()
	s.knows(peers...)
	s.begin()
}

// start starts the site in a topology.
func (s *testSite) start(t Topology) {
	s.t.Helper()
	if err := s.SetTopology(t); err != nil {
		s.t.Fatal(err)
	}
	s.begin()
}

func (s *testSite) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("site %s: Run: got %v, want nil", s.peer.Site, err)
		}
	})
}

func (s *testSite) knows(peers ...*testSite) {
	s.t.Helper()
	var list []Peer
	for _, p := range peers {
		list = append(list, p.peer)
	}
	if err := s.SetPeers(s.peer, list); err != nil {
		s.t.Fatal(err)
	}
}

func (s *testSite) announce(records ...ServiceRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.services = records
}

// story returns the events so far but reports, as words: "up nyc", "leaving nyc", "down nyc".
func (s *testSite) story() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []string{}
	for _, e := range s.events {
		switch e := e.(type) {
		case *SessionUp:
			out = append(out, "up "+e.Peer)
		case *PeerLeaving:
			out = append(out, "leaving "+e.Peer)
		case *SessionDown:
			out = append(out, "down "+e.Peer)
		}
	}
	return out
}

// when returns the time of the last event that match accepts.
func (s *testSite) when(match func(Event) bool) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.events) - 1; i >= 0; i-- {
		if match(s.events[i]) {
			return s.at[i], true
		}
	}
	return time.Time{}, false
}

func isDown(e Event) bool { _, ok := e.(*SessionDown); return ok }
func isUp(e Event) bool   { _, ok := e.(*SessionUp); return ok }

// last returns the last report of a peer, or nil.
func (s *testSite) last(peer string) *ServicesReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.events) - 1; i >= 0; i-- {
		if r, ok := s.events[i].(*ServicesReport); ok && r.Peer == peer {
			return r
		}
	}
	return nil
}

func (s *testSite) reports() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, e := range s.events {
		if _, ok := e.(*ServicesReport); ok {
			n++
		}
	}
	return n
}

func (s *testSite) wantStory(want ...string) {
	s.t.Helper()
	if got := s.story(); !slices.Equal(got, want) {
		s.t.Errorf("site %s: events: got %q, want %q", s.peer.Site, got, want)
	}
}

// pass lets d pass in the bubble and everything settle.
func pass(d time.Duration) { time.Sleep(d); synctest.Wait() }

// twoSites runs ams (which dials, having the lower address) and nyc.
func twoSites(t *testing.T, n *memNet, adjust func(*Options)) (ams, nyc *testSite) {
	ams, nyc = newTestSite(t, n, "ams", "10.0.0.1", adjust), newTestSite(t, n, "nyc", "10.0.0.2", adjust)
	ams.run(nyc)
	nyc.run(ams)
	return ams, nyc
}

func TestStateArrivesWithinInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ams, nyc := twoSites(t, newMemNet(), nil)
		defer nyc.stop()
		defer ams.stop()
		pass(time.Second)
		ams.wantStory("up nyc")
		nyc.wantStory("up ams")
		if r := ams.last("nyc"); r == nil || len(r.Records) != 1 || r.Records[0].Name != "web-nyc" ||
			r.Records[0].State != StateUp || r.Records[0].ActiveConnections != 7 {
			t.Fatalf("report of nyc: got %+v, want web-nyc UP with 7", r)
		}
		nyc.announce(ServiceRecord{Name: "web-nyc", State: StateDown, Reason: "monitor web-ok: 3 of 3 failed"})
		pass(time.Second)
		if r := ams.last("nyc"); r.Records[0].State != StateDown || r.Records[0].Reason == "" || r.Records[0].Has != 0 {
			t.Errorf("report of nyc after an interval: got %+v, want DOWN with a reason and no metrics", r.Records[0])
		}
		reports, frames := ams.reports(), ams.Peers()[0].FramesIn
		pass(60 * time.Second)
		if got := ams.reports() - reports; got < 20 || got > 30 {
			t.Errorf("reports in 60 s without a change: got %d, want 20 to 30", got)
		}
		if got := ams.Peers()[0].FramesIn - frames; got < 60+24 || got > 60+24+12+2 {
			t.Errorf("frames in 60 s without a change: got %d, want 60 rounds, 24 KeepAlives and up to 12 sets of overrides", got)
		}
	})
}

func TestAnnounceIsSentAtOnceAndLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ams, nyc := twoSites(t, newMemNet(), nil)
		defer nyc.stop()
		defer ams.stop()
		pass(1500 * time.Millisecond)
		before := ams.reports()
		nyc.announce(ServiceRecord{Name: "web-nyc", State: StateDown})
		nyc.Announce()
		synctest.Wait()
		if got := ams.last("nyc").Records[0].State; got != StateDown {
			t.Errorf("state at once after Announce: got %v, want DOWN", got)
		}
		for i := range 200 {
			nyc.announce(ServiceRecord{Name: "web-nyc", State: StateUp, Has: HasActiveConnections, ActiveConnections: uint64(i)})
			nyc.Announce()
			time.Sleep(5 * time.Millisecond)
		}
		synctest.Wait()
		if got := ams.reports() - before; got < 20 || got > 52 {
			t.Errorf("reports in 1 s of changes every 5 ms: got %d, want 20 to 52: those within 20 ms are told together", got)
		}
	})
}

func TestSilentPeerIsDownAtTimeoutNotBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc := twoSites(t, n, nil)
		defer nyc.stop()
		defer ams.stop()
		pass(5 * time.Second)
		heard := ams.Peers()[0].LastHeard
		n.Down(true)
		n.Stall()
		pass(time.Until(heard.Add(10*time.Second - time.Millisecond)))
		ams.wantStory("up nyc")
		pass(time.Millisecond)
		ams.wantStory("up nyc", "down nyc")
		if got := ams.Peers()[0]; !strings.Contains(got.LastError, "no frame for 10s") {
			t.Errorf("last error: got %q, want it to say that nothing was heard", got.LastError)
		}
		pass(time.Second)
		nyc.wantStory("up ams", "down ams")
	})
}

func TestReconnectsWithinFiveSecondsOfCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc := twoSites(t, n, nil)
		defer nyc.stop()
		defer ams.stop()
		for _, outage := range []time.Duration{0, 3 * time.Second, time.Minute, 10 * time.Minute} {
			pass(30 * time.Second)
			n.Down(true)
			n.Cut()
			pass(outage)
			n.Down(false)
			healed := time.Now()
			pass(5 * time.Second)
			up, ok := ams.when(isUp)
			if down, _ := ams.when(isDown); !ok || up.Before(down) {
				t.Errorf("outage %v: no session 5 s after it", outage)
			} else if got := up.Sub(healed); got > 5*time.Second {
				t.Errorf("outage %v: session after %v, want at most 5 s", outage, got)
			}
		}
		if n.Dials() < 100 || n.Dials() > 500 {
			t.Errorf("dials in 11 minutes of outage: got %d, want a try every 2.5 to 5 s", n.Dials())
		}
	})
}

func TestLeavingIsAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ams, nyc := twoSites(t, newMemNet(), nil)
		defer ams.stop()
		pass(2 * time.Second)
		began := time.Now()
		nyc.Leave(t.Context())
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("leaving took %v, want no waiting", took)
		}
		nyc.stop()
		synctest.Wait()
		ams.wantStory("up nyc", "leaving nyc", "down nyc")
		if got := ams.Peers()[0].State; got != PeerLeft {
			t.Errorf("state: got %s, want %s", got, PeerLeft)
		}
		pass(time.Minute)
		if got := ams.Peers()[0].State; got != PeerLeft {
			t.Errorf("state after a minute of dialling: got %s, want %s", got, PeerLeft)
		}
		ams.wantStory("up nyc", "leaving nyc", "down nyc")
	})
}

func TestLeavingDoesNotWaitForADeadPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc := twoSites(t, n, nil)
		defer ams.stop()
		defer nyc.stop()
		pass(2 * time.Second)
		n.Stall()
		began := time.Now()
		nyc.Leave(t.Context())
		if got := time.Since(began); got > 2*farewellTimeout {
			t.Errorf("leaving a stalled peer took %v, want about %v", got, farewellTimeout)
		}
	})
}

func TestRestartedPeerReplacesItsDeadSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc := twoSites(t, n, nil)
		defer nyc.stop()
		pass(2 * time.Second)
		n.Stall() // ams dies without a word; nyc has not noticed when the next instance dials
		ams.stop()
		again := newTestSite(t, n, "ams", "10.0.0.1", nil)
		again.run(nyc)
		defer again.stop()
		pass(time.Second)
		nyc.wantStory("up ams", "up ams")
		if got := nyc.Peers()[0].Incarnation; got != again.opts.Incarnation {
			t.Errorf("incarnation: got %d, want the new instance's %d", got, again.opts.Incarnation)
		}
		pass(time.Minute)
		nyc.wantStory("up ams", "up ams")
	})
}

func TestSimultaneousDialsKeepOneSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		n.Latency = 50 * time.Millisecond // so that neither is up before the other dials
		// Each believes that it has the lower address, as behind a NAT: both dial.
		ams := newTestSite(t, n, "ams", "10.0.0.1", nil)
		nyc := newTestSite(t, n, "nyc", "10.0.0.2", nil)
		nyc.peer.Address = "10.0.0.0:3009"
		if err := nyc.SetPeers(nyc.peer, []Peer{{Site: "ams", Address: "10.0.0.1:3009"}}); err != nil {
			t.Fatal(err)
		}
		nyc.run(ams)
		nyc.peer.Address = "10.0.0.2:3009"
		ams.run(nyc)
		defer nyc.stop()
		defer ams.stop()
		pass(time.Minute)
		for _, s := range []*testSite{ams, nyc} {
			for _, e := range s.story() {
				if strings.HasPrefix(e, "down") {
					t.Errorf("site %s: events: got %q, want no down", s.peer.Site, s.story())
				}
			}
			if got := s.Rejections(); len(got) != 0 {
				t.Errorf("site %s: rejections: got %v, want none", s.peer.Site, got)
			}
			if p := s.Peers()[0]; p.State != PeerUp || !p.Dials {
				t.Errorf("site %s: peer is %s (dials %v), want up and dialled", s.peer.Site, p.State, p.Dials)
			}
		}
		if n.Dials() < 2 {
			t.Errorf("dials: got %d, want both sites to have dialled", n.Dials())
		}
		if a, b := ams.peers["nyc"].session.id, nyc.peers["ams"].session.id; a != b {
			t.Errorf("sessions: the ends kept different connections, %v and %v", a, b)
		}
	})
}

func TestThreeSitesMesh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		sites := []*testSite{newTestSite(t, n, "ams", "10.0.0.1", nil), newTestSite(t, n, "nyc", "10.0.0.2", nil),
			newTestSite(t, n, "sin", "10.0.0.3", nil)}
		for _, s := range sites {
			s.run(sites...) // its own entry is skipped
			defer s.stop()
		}
		pass(2 * time.Second)
		for _, s := range sites {
			for _, p := range sites {
				if s != p && s.last(p.peer.Site) == nil {
					t.Errorf("site %s has no report of %s", s.peer.Site, p.peer.Site)
				}
			}
		}
		if n.Opened() != 3 {
			t.Errorf("connections: got %d, want one for each pair", n.Opened())
		}
		// nyc forgets sin; the others notice nothing.
		sites[1].knows(sites[0])
		pass(2 * time.Second)
		if got := len(sites[0].story()); got != 2 {
			t.Errorf("site ams: events: got %v, want two sessions and nothing else", sites[0].story())
		}
		if got := fmt.Sprint(sites[1].story()); !strings.HasSuffix(got, "down sin]") {
			t.Errorf("site nyc: events: got %v, want sin down last", got)
		}
		if got := sites[2].Peers()[1]; got.State == PeerUp || !strings.Contains(got.LastError, "nyc removed") && !strings.Contains(got.LastError, "not in the document") {
			t.Errorf("site sin about nyc: got %s, %q; want the reason", got.State, got.LastError)
		}
		if got := len(sites[1].Peers()); got != 1 {
			t.Errorf("site nyc: %d peers, want 1", got)
		}
		sites[1].knows(sites...)
		pass(6 * time.Second)
		if got := sites[1].Peers()[1].State; got != PeerUp {
			t.Errorf("site nyc about sin, added again: got %s, want up", got)
		}
	})
}

func TestChangedAddressReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc := twoSites(t, n, nil)
		defer ams.stop()
		pass(time.Second)
		nyc.stop()
		moved := newTestSite(t, n, "nyc", "10.0.0.9", nil)
		moved.run(ams)
		defer moved.stop()
		ams.knows(moved)
		pass(6 * time.Second)
		if p := ams.Peers()[0]; p.State != PeerUp || p.Address != "10.0.0.9:3009" {
			t.Errorf("peer: got %s at %s, want up at the new address", p.State, p.Address)
		}
	})
}

func TestStatusMeasures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ams, nyc := twoSites(t, newMemNet(), nil)
		defer nyc.stop()
		defer ams.stop()
		pass(10 * time.Second)
		p := ams.Peers()[0]
		if p.Site != "nyc" || p.Node != "nyc-1" || !p.Dials || p.State != PeerUp || p.Sessions != 1 || p.Version != 2 {
			t.Errorf("status: got %+v", p)
		}
		if p.Digest != [32]byte{1, 2, 3} || p.ServicesReported != 1 || !p.Measured || p.RTT != 0 || p.ClockSkew != 0 {
			t.Errorf("status: got digest %x, %d services, measured %v, rtt %v, skew %v", p.Digest, p.ServicesReported, p.Measured, p.RTT, p.ClockSkew)
		}
		if age := time.Since(p.LastHeard); age > time.Second {
			t.Errorf("last heard %v ago, want at most a second", age)
		}
		q := nyc.Peers()[0]
		if p.FramesIn != q.FramesOut || p.BytesIn == 0 || p.BytesIn+headerSize+uint64(len(helloMagic)) > q.BytesOut+1000 {
			t.Errorf("traffic: in %d frames, %d bytes; the other end sent %d frames, %d bytes", p.FramesIn, p.BytesIn, q.FramesOut, q.BytesOut)
		}
	})
}

// TestDocumentIsToldAgain changes a site's document during a session.
func TestDocumentIsToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var digest atomic.Value
		digest.Store([32]byte{1})
		ams, nyc := twoSites(t, newMemNet(), func(o *Options) { o.Digest = func() [32]byte { return digest.Load().([32]byte) } })
		defer nyc.stop()
		defer ams.stop()
		pass(10 * time.Second)
		digest.Store([32]byte{2})
		changed := time.Now()
		pass(10 * time.Second / keepalivesPerTimeout)
		if p := ams.Peers()[0]; p.Digest != [32]byte{2} || p.DigestAt.Before(changed) {
			t.Errorf("a keepalive interval after the change: digest %x, told %v before it", p.Digest, changed.Sub(p.DigestAt))
		}
	})
}

// TestAFailedDialIsOver: between two attempts the session is down, and the status says why.
func TestAFailedDialIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc := newTestSite(t, n, "ams", "10.0.0.1", nil), newTestSite(t, n, "nyc", "10.0.0.2", nil)
		ams.run(nyc) // which does not run
		defer ams.stop()
		pass(time.Minute)
		if p := ams.Peers()[0]; p.State != PeerDown || p.LastError == "" {
			t.Errorf("got %v with error %q, want %v and an error", p.State, p.LastError, PeerDown)
		}
		ams.wantStory()
	})
}

func TestLargeSetTravelsInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc := newTestSite(t, n, "ams", "10.0.0.1", nil), newTestSite(t, n, "nyc", "10.0.0.2", nil)
		records := make([]ServiceRecord, MaxServices+1)
		for i := range records {
			records[i] = ServiceRecord{Name: fmt.Sprintf("service-%06d", i), State: StateUp, Has: HasEvidenceAge, EvidenceAge: time.Second}
		}
		records[5].Name = "not a name"
		nyc.announce(records...)
		ams.run(nyc)
		defer ams.stop()
		nyc.run(ams)
		defer nyc.stop()
		pass(3 * time.Second)
		r := ams.last("nyc")
		if r == nil {
			t.Fatalf("no report; last error %q", ams.Peers()[0].LastError)
		}
		if len(r.Records) != MaxServices-1 || r.Records[5].Name != "service-000006" || r.Records[MaxServices-2].Name != "service-099999" {
			t.Errorf("report: got %d records up to %q, want %d without the bad name and without what is over the limit",
				len(r.Records), r.Records[len(r.Records)-1].Name, MaxServices-1)
		}
		for _, e := range ams.events {
			if part, ok := e.(*ServicesReport); ok && len(part.Records) != MaxServices-1 {
				t.Errorf("a report of %d records: a part was taken for the whole set", len(part.Records))
			}
		}
		if got := nyc.logs.FilterMessageSnippet("left_out").Len(); got != 2 {
			t.Errorf("logged: got %d lines on what was left out, want 2", got)
		}
		ams.wantStory("up nyc")
	})
}
