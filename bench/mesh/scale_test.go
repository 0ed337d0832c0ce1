package mesh_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"testing/synctest"
	"time"
)

// Sizes of the runs that are asked for; by default the runs are small.
var (
	wantParents  = flag.Int("parents", 4, "sites without parent")
	wantChildren = flag.Int("children", 64, "sites with one")
	wantServices = flag.Int("services", 4, "services of each child")
	wantSeconds  = flag.Int("seconds", 20, "virtual seconds to measure for")
	wantSettle   = flag.Int("settle", 15, "virtual seconds before that, after which traffic is that of any second")
	wantMinutes  = flag.Float64("minutes", 0.05, "real minutes of the run over loopback")
	wantHeap     = flag.String("heap", "", "file to write a profile of the heap to, as it is after the measurement")
	wantBelief   = flag.Int("belief", 1, "parents that have a belief behind them")
)

// warmUp is how long all sites get to connect and hear of each other.
const warmUp = 10 * time.Second

// tlsRecord is what TLS 1.3 adds to a record: header, type and tag.
const tlsRecord = 5 + 1 + 16

// cost is what a mesh costs each parent.
type cost struct {
	shape    shape
	in, out  float64 // octets a second, with TLS
	writes   float64 // a second
	cpu      float64 // CPU seconds a second of one parent with its children, and of the network between them
	heap     float64 // octets of one parent with its children
	stacks   float64
	sessions int // ends of them, in all
	belief   beliefCost
}

func (c cost) String() string {
	return fmt.Sprintf("%v: per parent %.1f KB/s in, %.1f KB/s out in %.0f writes/s; with its children %.2f %% of a CPU, %.2f MB of heap and %.2f MB of stacks; %d ends of sessions in all%v",
		c.shape, c.in/1e3, c.out/1e3, c.writes, 100*c.cpu, c.heap/1e6, c.stacks/1e6, c.sessions, c.belief)
}

// measureScale runs a mesh for so many virtual seconds.
func measureScale(t *testing.T, s shape, seconds, belief int) (c cost) {
	synctest.Test(t, func(t *testing.T) {
		began := cpuTime(false)
		w := newWorld(t, s, nil)
		w.connect()
		var beliefs []*believing
		for _, p := range w.parents()[:min(belief, s.parents)] {
			beliefs = append(beliefs, newBelieving(t, w, p))
		}
		w.start()
		defer w.stop()
		time.Sleep(warmUp)
		if all, have := w.complete(); !all {
			t.Fatalf("%v: after %v %d parents know all services, want all", s, warmUp, have)
		}
		t.Logf("%v: all know everything; %.1f s of CPU so far", s, (cpuTime(false) - began).Seconds())
		time.Sleep(time.Duration(*wantSettle) * time.Second)
		c = w.measure(time.Duration(seconds)*time.Second, beliefs)
		for _, b := range beliefs {
			b.stop()
			if n := b.transitions.Load(); n > 0 {
				t.Errorf("%v: %d changes of belief at site %s, want none: nothing happens", s, n, b.site.peer.Site)
			}
		}
		for _, p := range w.parents() {
			if _, _, down, missing := p.heard.known(); down+missing > 0 || p.downs.Load() > 0 {
				t.Fatalf("%v: site %s: %d records that are not UP, %d sets that lack some, %d sessions ended, want none", s, p.peer.Site, down, missing, p.downs.Load())
			}
		}
	})
	return c
}

// measure measures for a time in which nothing happens.
func (w *world) measure(d time.Duration, beliefs []*believing) cost {
	octets := func() (in, out, writes float64) {
		for _, p := range w.parents() {
			i, o := p.host.Traffic()
			in += float64(i.Octets + tlsRecord*i.Records)
			out += float64(o.Octets + tlsRecord*o.Records)
			writes += float64(o.Records)
		}
		return in, out, writes
	}
	for _, b := range beliefs {
		b.reset()
	}
	in, out, writes := octets()
	cpu := cpuTime(false)
	time.Sleep(d)
	synctest.Wait()
	spent := cpuTime(false) - cpu
	afterIn, afterOut, afterWrites := octets()
	n := d.Seconds() * float64(w.shape.parents)
	c := cost{shape: w.shape, in: (afterIn - in) / n, out: (afterOut - out) / n, writes: (afterWrites - writes) / n}
	for _, b := range beliefs {
		c.belief.add(b, d)
	}
	spent -= c.belief.spent
	c.cpu = spent.Seconds() / n
	c.sessions = w.sessions()
	runtime.GC()
	if *wantHeap != "" {
		f, err := os.Create(*wantHeap)
		if err != nil {
			w.t.Fatal(err)
		}
		if err := errors.Join(pprof.WriteHeapProfile(f), f.Close()); err != nil {
			w.t.Fatal(err)
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	c.heap, c.stacks = float64(m.HeapAlloc)/float64(w.shape.parents), float64(m.StackInuse)/float64(w.shape.parents)
	return c
}

// TestScale runs the mesh that is asked for.
func TestScale(t *testing.T) {
	s := shape{*wantParents, *wantChildren, *wantServices}
	c := measureScale(t, s, *wantSeconds, *wantBelief)
	t.Log(c)
	services := float64(s.children * s.services)
	// Each service is told to each other parent, and heard from each by one.
	if most := 8*services + 300*float64(s.parents+2*s.children/s.parents); c.in > most {
		t.Errorf("%v: %.0f octets/s in, want at most %.0f: 8 for each service and 300 for each session", s, c.in, most)
	}
}

// TestCostsAreLinear: what is told grows with services, not with sites times sites.
func TestCostsAreLinear(t *testing.T) {
	if *wantParents > 32 {
		t.Skip("for small meshes; larger ones are run one by one")
	}
	two := measureScale(t, shape{4, 64, 2}, 10, 0)
	eight := measureScale(t, shape{4, 64, 8}, 10, 0)
	many := measureScale(t, shape{8, 64, 8}, 10, 0)
	t.Logf("\n%v\n%v\n%v", two, eight, many)
	if ratio := eight.in / two.in; ratio > 4 {
		t.Errorf("4 times as many services: %.1f times as much is heard, want at most 4 times", ratio)
	}
	// The four parents more add sessions, whose KeepAlives cost the same with any number of services.
	if more := many.in - eight.in; more > 4*400 {
		t.Errorf("twice as many parents with the same services: each hears %.0f octets/s more, want at most 400 for each session more", more)
	}
}
