package mesh_test

import (
	mathrand "math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"fairlead/mep"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// realTime is how long runs over loopback take.
func realTime() time.Duration { return time.Duration(*wantMinutes * float64(time.Minute)) }

// waitFor waits until something is so, and returns how long that took.
func waitFor(t *testing.T, what string, most time.Duration, so func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		if <-tick.C; time.Since(began) > most {
			t.Fatalf("%v later still not so: %s", most, what)
		}
	}
	return time.Since(began)
}

// sample is what a process has at a time.
type sample struct {
	at         time.Duration
	heap       float64 // live octets
	stacks     float64
	goroutines int
	files      int
}

func takeSample(began time.Time) sample {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return sample{time.Since(began), float64(m.HeapAlloc), float64(m.StackInuse), runtime.NumGoroutine(), openFiles()}
}

// slope returns by how many octets a second the heap grows, by least squares.
func slope(samples []sample) float64 {
	var n, x, y, xx, xy float64
	for _, s := range samples {
		at := s.at.Seconds()
		n, x, y, xx, xy = n+1, x+at, y+s.heap, xx+at*at, xy+at*s.heap
	}
	if d := n*xx - x*x; d != 0 {
		return (n*xy - x*y) / d
	}
	return 0
}

// TestReal runs a mesh over loopback with TLS: nothing may grow, and nothing may be left.
func TestReal(t *testing.T) {
	s := shape{*wantParents, *wantChildren, *wantServices}
	w, nets := newLoopback(t, s, nil)
	spent, files := cpuTime(false), openFiles()
	w.start()
	defer w.stop()
	first := waitFor(t, "all parents know all services", time.Minute, func() bool { all, _ := w.complete(); return all })
	want := s.parents*(s.parents-1) + 2*2*s.children
	waitFor(t, "all sessions", time.Minute, func() bool { return w.sessions() == want })
	lost, refused := w.troubles()
	t.Logf("until all are connected: %d ends of sessions lost, %d rejections", lost, refused)
	t.Logf("%v: all know everything after %v and %.1f s of CPU; %d ends of sessions, %d file descriptors more", s, first.Round(time.Millisecond),
		(cpuTime(false) - spent).Seconds(), want, openFiles()-files)
	w.steady(t, nets)

	// All children lose their sessions.
	files, spent = openFiles(), cpuTime(false)
	lost, _ = w.troubles()
	for _, l := range nets[s.parents:] {
		l.cut()
	}
	waitFor(t, "sessions are lost", 10*time.Second, func() bool { now, _ := w.troubles(); return now > lost })
	again := waitFor(t, "sessions are back", back, func() bool { return w.sessions() == want })
	waitFor(t, "file descriptors as before", 5*time.Second, func() bool { return openFiles() <= files })
	t.Logf("after all children lost their sessions: back after %v and %.1f s of CPU", again.Round(time.Millisecond), (cpuTime(false) - spent).Seconds())
}

// steady watches a mesh in which nothing happens.
func (w *world) steady(t *testing.T, nets []*loopback) {
	began, spent := time.Now(), cpuTime(false)
	lost, refused := w.troubles()
	octets := func() (in, out float64) {
		for _, l := range nets[:w.shape.parents] {
			in, out = in+float64(l.in.Load()), out+float64(l.out.Load())
		}
		return in, out
	}
	in, out := octets()
	tick := time.NewTicker(max(realTime()/100, 200*time.Millisecond))
	defer tick.Stop()
	var samples []sample
	for time.Since(began) < realTime() {
		<-tick.C
		samples = append(samples, takeSample(began))
	}
	passed := time.Since(began).Seconds()
	afterIn, afterOut := octets()
	n := passed * float64(w.shape.parents)
	heaps, last := make([]float64, 0, len(samples)), samples[len(samples)-1]
	samples = samples[len(samples)/4:] // buffers grow to their size first
	for _, s := range samples {
		heaps = append(heaps, s.heap)
		if s.files != last.files {
			t.Errorf("after %v: %d file descriptors, in the end %d", s.at, s.files, last.files)
		}
	}
	grows := slope(samples)
	t.Logf("%.0f s: per parent %.1f KB/s in, %.1f KB/s out below TLS; with its children %.2f %% of a CPU (with %d collections asked for); heap %.1f to %.1f MB, growing by %.0f octets/s; stacks %.1f MB; %d goroutines, %d file descriptors",
		passed, (afterIn-in)/n/1e3, (afterOut-out)/n/1e3, 100*(cpuTime(false)-spent).Seconds()/n, len(heaps), slices.Min(heaps)/1e6, slices.Max(heaps)/1e6, grows,
		last.stacks/1e6, last.goroutines, last.files)
	if realTime() >= time.Minute && grows*realTime().Seconds() > 0.05*last.heap {
		t.Errorf("the heap grows by %.0f octets/s, %.0f in all, from %.0f", grows, grows*realTime().Seconds(), heaps[0])
	}
	if nowLost, nowRefused := w.troubles(); nowLost > lost || nowRefused > refused {
		t.Errorf("%d ends of sessions lost and %d rejections while nothing happened", nowLost-lost, nowRefused-refused)
	}
}

// troubles returns how many ends of sessions were lost, and how many connections and sessions were refused, so far.
func (w *world) troubles() (lost int64, refused uint64) {
	for _, s := range w.sites {
		lost += s.downs.Load()
		for _, n := range s.exchange.Rejections() {
			refused += n
		}
	}
	return lost, refused
}

// TestBytesOverTLS counts, below TLS, what 1,000 services of a site cost a peer.
func TestBytesOverTLS(t *testing.T) {
	for _, c := range []struct {
		name string
		idle bool
		most float64
	}{{"steady", false, 8000}, {"idle", true, 200}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			src := newSource(mathrand.New(mathrand.NewPCG(5, 5)), "a", 1000)
			w, nets := newLoopback(t, shape{parents: 2}, func(i int, o *mep.Options) {
				if i == 0 {
					o.Services = src.services
				}
			})
			if c.idle {
				src.rest()
			}
			w.start()
			defer w.stop()
			waitFor(t, "a session", 10*time.Second, func() bool { return w.sessions() == 2 })
			if realTime() < 30*time.Second {
				c.most *= 1.25 // what is told in the first seconds counts, too
			}
			settle := time.NewTimer(max(1500*time.Millisecond, min(realTime()/2, 30*time.Second)))
			<-settle.C
			before := nets[0].out.Load()
			framed := w.sites[0].exchange.Peers()[0].BytesOut
			took := max(realTime(), 2*time.Second)
			wait := time.NewTimer(took)
			<-wait.C
			each := float64(nets[0].out.Load()-before) / took.Seconds()
			frames := float64(w.sites[0].exchange.Peers()[0].BytesOut-framed) / took.Seconds()
			t.Logf("%s: %.0f octets/s to a peer, %.0f of them frames", c.name, each, frames)
			if each > c.most {
				t.Errorf("%s: got %.0f octets/s, want at most %.0f", c.name, each, c.most)
			}
		})
	}
}
