package mep

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// mute is a connection that swallows what is written while it is on, as a link that works in one direction only.
type mute struct {
	net.Conn
	on *atomic.Bool
}

func (m mute) Write(b []byte) (int, error) {
	if m.on.Load() {
		return len(b), nil
	}
	return m.Conn.Write(b)
}

// TestEndingsAreNamed: why a session ended can be told apart, at both ends.
func TestEndingsAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var on atomic.Bool
		n := newMemNet()
		ams, nyc := twoSites(t, n, func(o *Options) {
			dial := o.DialFunc
			o.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
				c, err := dial(ctx, network, address)
				if err != nil {
					return nil, err
				}
				return mute{c, &on}, nil
			}
		})
		defer ams.stop()
		last := func(when string, s *testSite, want Ending, text string) {
			t.Helper()
			downs := s.downs()
			if len(downs) == 0 {
				t.Fatalf("%s: no session was lost", when)
			}
			d := downs[len(downs)-1]
			if d.Ending != want || !strings.Contains(d.Reason, text) {
				t.Errorf("%s: %s (%s), want %s (%s)", when, d.Ending, d.Reason, want, text)
			}
			if s.Endings()[want] == 0 {
				t.Errorf("%s: %s was not counted: %v", when, want, s.Endings())
			}
		}
		pass(20 * time.Second)
		on.Store(true) // nyc does not hear ams
		pass(12 * time.Second)
		last("one way", ams, EndOneWay, "frames arrive one way only: nyc does not hear ams")
		last("one way", nyc, EndSilence, "no frame for 10s")
		if p := ams.Peers()[0]; p.State == PeerUp {
			t.Error("there is a session although nyc hears nothing")
		}
		on.Store(false)
		pass(30 * time.Second)
		if p := ams.Peers()[0]; p.State != PeerUp {
			t.Fatalf("the link works again: %s, %s", p.State, p.LastError)
		}
		n.Cut()
		pass(time.Second)
		last("a connection that broke", ams, EndClosed, "")
		pass(30 * time.Second)
		n.Stall()
		pass(11 * time.Second)
		last("both ways", ams, EndSilence, "no frame for 10s")
		pass(30 * time.Second)
		nyc.Leave(t.Context())
		nyc.stop()
		pass(time.Second)
		last("nyc stops", ams, EndLeft, "stops as planned")
	})
}
