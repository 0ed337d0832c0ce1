package mep

import (
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestDocumentsChangeOneAfterTheOther: sites take a new document one after the other, and what the document says of whom they talk
// to a moment after the document itself. Nobody is refused for that; who speaks for others without leave later is.
func TestDocumentsChangeOneAfterTheOther(t *testing.T) {
	next := &[32]byte{9}
	for _, c := range []struct {
		name  string
		adopt func(t *testing.T, ams, nyc *testSite, without Topology)
		heard bool // at last, when nyc has the topology in which ams speaks for pup
		after time.Duration
	}{
		{"the receiver has the document, not the topology yet", func(_ *testing.T, ams, nyc *testSite, _ Topology) {
			nyc.digest.Store(next)
			ams.digest.Store(next)
		}, true, 0},
		{"the sender has the document, not the topology yet", func(t *testing.T, ams, nyc *testSite, without Topology) {
			nyc.digest.Store(next)
			if err := nyc.SetTopology(without); err != nil {
				t.Error(err)
			}
			ams.digest.Store(next)
		}, true, 0},
		{"the sender speaks without leave", func(t *testing.T, ams, nyc *testSite, without Topology) {
			nyc.digest.Store(next)
			if err := nyc.SetTopology(without); err != nil {
				t.Error(err)
			}
			ams.digest.Store(next)
		}, false, documentGrace + time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, map[string][]string{"kid": {"ams"}, "pup": {"ams"}}, "ams", "nyc", "kid", "pup")
				defer w.stop()
				ams, nyc := w.sites["ams"], w.sites["nyc"]
				with := w.topology("nyc")
				without := with
				without.Relays = maps.Clone(with.Relays)
				delete(without.Relays, "pup")
				alone := w.topology("ams")
				alone.Peers = slices.DeleteFunc(alone.Peers, func(p Peer) bool { return p.Site == "pup" })
				for s, topology := range map[*testSite]Topology{nyc: without, ams: alone} {
					if err := s.SetTopology(topology); err != nil {
						t.Fatal(err)
					}
				}
				pass(documentGrace + 3*time.Second)
				c.adopt(t, ams, nyc, without)
				pass(c.after)
				if err := ams.SetTopology(w.topology("ams")); err != nil {
					t.Fatal(err)
				}
				pass(time.Second)
				if refused := nyc.Rejections()[RejectWrongSite] > 0; refused == c.heard {
					t.Fatalf("nyc refuses ams: %v, want %v (%v)", refused, !c.heard, nyc.Rejections())
				}
				if !c.heard {
					return
				}
				if err := nyc.SetTopology(with); err != nil {
					t.Fatal(err)
				}
				pass(2 * time.Second)
				nyc.wantReach("pup", "heard ams")
				nyc.wantStory("up ams")
			})
		})
	}
}
