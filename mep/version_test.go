package mep

import (
	"context"
	"io"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/internal/testkit/mepv1"
)

// oldSite is a site of a release that speaks version 1 only.
type oldSite struct {
	*mepv1.Exchange
	mu       sync.Mutex
	services []mepv1.ServiceRecord
	events   []mepv1.Event
}

func runOldSite(t *testing.T, n *memNet, name, ip string, peers ...*testSite) (s *oldSite, stop func()) {
	s = &oldSite{services: []mepv1.ServiceRecord{{Name: "web-" + name, State: mepv1.StateUp, Has: mepv1.HasActiveConnections | mepv1.HasLoadAge,
		ActiveConnections: 7, LoadAge: time.Second}}}
	x, err := mepv1.New(mepv1.Options{Site: name, Listen: ip + ":3009", Insecure: true, ListenFunc: n.Host(ip).Listen, DialFunc: n.Host(ip).Dial,
		Services: func() []mepv1.ServiceRecord {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.services
		},
		Views: func() []mepv1.ViewRecord { return []mepv1.ViewRecord{{Kind: 2, State: mepv1.StateUp, Name: "sin"}} },
		Overrides: func() []mepv1.OverrideRecord {
			return []mepv1.OverrideRecord{{Kind: 1, Action: 2, Revision: 5, Name: "web", Site: name}}
		},
		Receive: func(e mepv1.Event) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.events = append(s.events, e)
		}})
	if err != nil {
		t.Fatal(err)
	}
	s.Exchange = x
	var list []mepv1.Peer
	for _, p := range peers {
		list = append(list, mepv1.Peer{Site: p.peer.Site, Address: p.peer.Address})
	}
	if err := x.SetPeers(mepv1.Peer{Site: name, Address: ip + ":3009"}, list); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	return s, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// last returns the last event of each kind that was told.
func (s *oldSite) last() (services *mepv1.ServicesReport, views *mepv1.ViewsReport, orders *mepv1.OverridesReport) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		switch e := e.(type) {
		case *mepv1.ServicesReport:
			services = e
		case *mepv1.ViewsReport:
			views = e
		case *mepv1.OverridesReport:
			orders = e
		}
	}
	return
}

// TestAnOlderReleaseIsUnderstood: this release and one that speaks version 1 only, whichever dials.
func TestAnOlderReleaseIsUnderstood(t *testing.T) {
	for _, address := range []string{"10.0.0.1", "10.0.0.9"} {
		synctest.Test(t, func(t *testing.T) {
			n := newMemNet()
			nyc := newTestSite(t, n, "nyc", "10.0.0.2", func(o *Options) {
				o.Views = sampleViews
				o.Overrides = sampleOverrides
			})
			old := &testSite{peer: Peer{Site: "old", Address: address + ":3009"}}
			nyc.run(old)
			defer nyc.stop()
			ams, stop := runOldSite(t, n, "old", address, nyc)
			defer stop()
			pass(3 * time.Second)
			p := nyc.Peers()[0]
			if p.State != PeerUp || p.Version != 1 {
				t.Fatalf("session: got %s, version %d; want up, version 1 (%s)", p.State, p.Version, p.LastError)
			}
			if r := nyc.last("old"); r == nil || r.Site != "old" || r.Records[0].Name != "web-old" || r.Records[0].ActiveConnections != 7 || r.Records[0].LoadAge != time.Second {
				t.Errorf("services of the older: got %+v", r)
			}
			services, views, orders := ams.last()
			if services == nil || services.Records[0].Name != "web-nyc" || services.Records[0].ActiveConnections != 7 {
				t.Errorf("services told to the older: got %+v", services)
			}
			if views == nil || len(views.Records) != len(sampleViews()) || orders == nil || len(orders.Records) != len(sampleOverrides()) {
				t.Errorf("views and overrides told to the older: got %+v, %+v", views, orders)
			}
			nyc.mu.Lock()
			seen := map[string]bool{}
			for _, e := range nyc.events {
				seen[reflect.TypeOf(e).Elem().Name()] = true
			}
			nyc.mu.Unlock()
			if !seen["ViewsReport"] || !seen["OverridesReport"] {
				t.Errorf("events from the older: got %v, want its views and overrides", seen)
			}
			// A change of state is told at once, whoever tells it.
			pass(500 * time.Millisecond)
			nyc.announce(ServiceRecord{Name: "web-nyc", State: StateDown})
			nyc.Announce()
			ams.mu.Lock()
			ams.services = []mepv1.ServiceRecord{{Name: "web-old", State: mepv1.StateDown}}
			ams.mu.Unlock()
			ams.Announce()
			pass(200 * time.Millisecond)
			if services, _, _ := ams.last(); services.Records[0].State != mepv1.StateDown || nyc.last("old").Records[0].State != StateDown {
				t.Errorf("after a change: told %v, heard %v; want DOWN both ways", services.Records[0].State, nyc.last("old").Records[0].State)
			}
			if len(nyc.Rejections()) != 0 || len(ams.Rejections()) != 0 {
				t.Errorf("rejections: got %v and %v, want none", nyc.Rejections(), ams.Rejections())
			}
		})
	}
}

// TestALaterReleaseIsUnderstood lets a peer speak a version 3 that has frames, sections, fields and flags of its own.
func TestALaterReleaseIsUnderstood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc := newTestSite(t, n, "ams", "10.0.0.1", nil), newTestSite(t, n, "nyc", "10.0.0.2", nil)
		nyc.run(ams)
		defer nyc.stop()
		synctest.Wait()
		i := intrude(t, n, "10.0.0.1")
		defer i.conn.Close()
		h := sampleHello()
		h.VersionMax = 3
		b := i.frame(FrameHello, 0x80, append(h.append(nil), 0, 9, 0, 2, 1, 2))
		b = append(b, i.frame(200, 0xff, make([]byte, 70_000))...)
		b = append(b, i.frame(FrameAttach, 0xf0, []byte{1, 2, 3})...)
		b = append(b, i.frame(FrameKeepAlive, 0, append((&keepAlive{stamp: 1, clock: time.Unix(0, 0)}).append(nil), 1, 2, 3))...)
		record := []byte{0, 15, 1, 0x80, 0xc0, 0x01, 1, 'a', 0, 42, 5, 6, 7, 8, 9, 10, 11}
		section := append([]byte{byte(sectionOrigin), 0, 3, 'a', 'm', 's'}, make([]byte, 16)...) // incarnation and set follow
		section = append(append(section, 8, 1, 1), record...)
		frame := func(round byte, sections ...[]byte) []byte {
			out := append([]byte{0, 0, 0, 0, 0, 0, 0, round}, make([]byte, changesPrefixSize-8)...)
			for _, s := range sections {
				out = append(append(out, byte(len(s))), s...)
			}
			return out
		}
		unknown := []byte{77, 1, 2, 3}
		b = append(b, i.frame(FrameChanges, flagAnew|0x80, frame(1, unknown, section, append([]byte{byte(sectionGone + 1)}, 0)))...)
		// connections +1, and bits 14 and 20 that nobody knows.
		change := []byte{byte(sectionChanges), 0, 1, 1, 0, 0x81, 0x80, 0x41, 2, 100, 0x80, 1}
		b = append(b, i.frame(FrameChanges, 0x80, frame(2, change))...)
		go func() { _, _ = io.Copy(io.Discard, i.conn) }()
		go func() { _, _ = i.conn.Write(b) }()
		pass(time.Second)
		if got := nyc.Rejections(); len(got) != 0 {
			t.Fatalf("rejections: got %v (%s), want none", got, nyc.Peers()[0].LastError)
		}
		if p := nyc.Peers()[0]; p.Version != VersionMax {
			t.Errorf("version: got %d, want %d", p.Version, VersionMax)
		}
		if r := nyc.last("ams"); r == nil || len(r.Records) != 1 || r.Records[0].Name != "a" || r.Records[0].State != StateUp || r.Records[0].ActiveConnections != 43 {
			t.Errorf("services: got %+v, want a UP with 43", r)
		}
	})
}
