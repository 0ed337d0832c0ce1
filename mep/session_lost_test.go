package mep

import (
	"testing"
	"testing/synctest"
	"time"
)

// downs returns the sessions that a site was told were lost, in order.
func (s *testSite) downs() (out []*SessionDown) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if d, ok := e.(*SessionDown); ok {
			out = append(out, d)
		}
	}
	return out
}

// TestSessionDownSaysWhatWasHeard: who is told of a loss can tell silence from a connection that broke, and one silent site from
// many.
func TestSessionDownSaysWhatWasHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newMemNet()
		ams, nyc, sin := newTestSite(t, n, "ams", "10.0.0.1", nil), newTestSite(t, n, "nyc", "10.0.0.2", nil), newTestSite(t, n, "sin", "10.0.0.3", nil)
		ams.run(nyc, sin)
		nyc.run(ams, sin)
		time.Sleep(300 * time.Millisecond) // so that not all sites say something at the same moments
		sin.run(ams, nyc)
		defer sin.stop()
		defer nyc.stop()
		defer ams.stop()
		pass(20 * time.Second)

		n.Stall() // nobody hears anybody
		pass(20 * time.Second)
		silent := ams.downs()
		if len(silent) != 2 {
			t.Fatalf("%d sessions were lost, want 2", len(silent))
		}
		for i, d := range silent {
			if got := d.At.Sub(d.Heard); got != 10*time.Second {
				t.Errorf("%s fell silent: heard %v before, want the keepalive timeout", d.Peer, got)
			}
			if silence := d.At.Sub(d.Others); i == 0 && silence < 5*time.Second {
				t.Errorf("the other site was heard %v before, want that it has been silent for long, too", silence)
			}
		}
		pass(30 * time.Second) // they are back
		n.Cut()
		pass(time.Second)
		for _, d := range ams.downs()[2:] {
			if got := d.At.Sub(d.Heard); got > 2500*time.Millisecond {
				t.Errorf("the connection with %s broke: heard %v before, want at most a quarter of the keepalive timeout", d.Peer, got)
			}
		}
		if got := len(ams.downs()); got < 4 {
			t.Errorf("%d sessions were lost in all, want 4", got)
		}
	})
}

// TestOthersAreOfTheSameKind: that a child is heard says nothing of whether the mesh is.
func TestOthersAreOfTheSameKind(t *testing.T) {
	heard := time.Unix(1000, 0)
	peerOf := func(name string, r Relation, at time.Time) *peer {
		p := &peer{site: name, wish: Peer{Site: name, Relation: r}}
		p.session = &session{peer: p, heardAt: at}
		return p
	}
	lost := peerOf("nyc", RelationMesh, heard)
	x := &Exchange{peers: map[string]*peer{"nyc": lost, "shop": peerOf("shop", RelationChild, heard.Add(time.Minute))}}
	if got := x.heardFromOthers(lost); !got.IsZero() {
		t.Errorf("with a child alone: %v, want none", got)
	}
	x.peers["sin"] = peerOf("sin", RelationMesh, heard.Add(time.Second))
	if got := x.heardFromOthers(lost); !got.Equal(heard.Add(time.Second)) {
		t.Errorf("got %v, want when sin was heard", got)
	}
}
