package mesh_test

import (
	"runtime"
	"runtime/metrics"
	"testing"
	"testing/synctest"
	"time"
)

// atOnce and gap are how attempts to connect are spread: a site begins so many at one moment, and then one in each gap.
const atOnce, gap = 64, time.Millisecond

// back is how long after a storm everything has to be as before.
const back = 30 * time.Second

// storm is what happens to a mesh.
type storm struct {
	name   string
	outage time.Duration // in which nobody can connect
	mesh   bool          // sessions between parents are lost, too
	dies   bool          // the last parent ends, and stays away
	// share is the largest part of all attempts to connect that may fall into one second; 0: not looked at.
	share float64
}

// TestStorm has many sessions lost at once.
func TestStorm(t *testing.T) {
	s := shape{*wantParents, *wantChildren, *wantServices}
	for _, c := range []storm{
		{name: "all children lose their sessions"},
		{name: "all sites lose all sessions and cannot connect for 15 s", outage: 15 * time.Second, mesh: true, share: 0.4},
		{name: "a parent dies", dies: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runStorm(t, s, c) })
		})
	}
}

func runStorm(t *testing.T, s shape, c storm) {
	w := newWorld(t, s, nil)
	w.connect()
	var beliefs []*believing
	for _, p := range w.parents()[:min(*wantBelief, s.parents-1)] {
		beliefs = append(beliefs, newBelieving(t, w, p))
	}
	w.start()
	defer w.stop()
	time.Sleep(warmUp + 15*time.Second) // longer than a keepalive timeout: what is lost then was no failed attempt
	if all, have := w.complete(); !all {
		t.Fatalf("%d parents know all services, want all", have)
	}
	before, sessions := heapNow(true), w.sessions()
	watching := w.parents()
	if c.dies {
		watching = watching[:s.parents-1]
	}
	for _, p := range watching {
		p.heard.mark()
	}
	began := time.Now()
	w.dials.begin()
	w.strike(c)
	peak := heapNow(false)
	var connected, heard time.Duration
	for connected == 0 || heard == 0 {
		time.Sleep(50 * time.Millisecond)
		peak = max(peak, heapNow(false))
		passed := time.Since(began)
		if connected == 0 && (c.dies || w.sessions() == sessions) {
			connected = passed
		}
		if heard == 0 && heardAll(watching, s.children) {
			heard = passed
		}
		if passed > c.outage+back {
			t.Fatalf("%v later: sessions are back: %v, all children are heard again: %v", passed, connected > 0, heard > 0)
		}
	}
	all, second := w.dials.most(100)
	_, tenth := w.dials.most(10)
	t.Logf("%v: all sessions %v and all services %v after it; %d attempts to connect, %d in the worst second, %d in the worst tenth; heap %.0f MB before, at most %.0f MB, %.0f MB after",
		s, connected, heard, all, second, tenth, mb(before), mb(peak), mb(heapNow(true)))
	if c.share > 0 && float64(second) > c.share*float64(all) {
		t.Errorf("%d of %d attempts fall into one second, want at most %.0f %%", second, all, 100*c.share)
	}
	if most := s.parents * (atOnce + int(100*time.Millisecond/gap) + 1); tenth > most {
		t.Errorf("%d attempts fall into a tenth of a second, want at most %d: those dial who have children", tenth, most)
	}
	if all > 12*sessions {
		t.Errorf("%d attempts for %d ends of sessions", all, sessions)
	}
	time.Sleep(back - 10*time.Second)
	for _, b := range beliefs {
		if n := b.transitions.Load(); n > 0 {
			t.Errorf("%d changes of belief at site %s, want none: no service failed", n, b.site.peer.Site)
		}
		b.stop()
	}
	for _, p := range watching {
		if _, _, down, missing := p.heard.known(); down+missing > 0 {
			t.Errorf("site %s: %d records that are not UP, %d sets that lack some, want none", p.peer.Site, down, missing)
		}
	}
}

// strike has it happen.
func (w *world) strike(c storm) {
	if c.dies {
		last := w.sites[w.shape.parents-1]
		last.cancel()
		if err := <-last.ended; err != nil {
			w.t.Error(err)
		}
		last.ended <- nil // for stop
		return
	}
	w.net.Down(c.outage > 0)
	lost := w.children()
	if c.mesh {
		lost = w.sites
	}
	for _, s := range lost {
		s.host.Cut()
	}
	synctest.Wait()
	if c.outage > 0 {
		time.AfterFunc(c.outage, func() { w.net.Down(false) })
	}
}

func heardAll(parents []*site, children int) bool {
	for _, p := range parents {
		if p.heard.heardAgain() < children {
			return false
		}
	}
	return true
}

// heapNow returns the octets of objects in the heap, live ones only if collected.
func heapNow(collected bool) uint64 {
	if collected {
		runtime.GC()
	}
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func mb(octets uint64) float64 { return float64(octets) / 1e6 }
