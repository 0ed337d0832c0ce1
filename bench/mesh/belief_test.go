package mesh_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/sites"
)

// republish is the least time between two statuses, longest the most. Between them, at most every mostCost-th part of the time goes
// into statuses for the sake of loads, as in a node.
const republish, longest, mostCost = 100 * time.Millisecond, time.Second, 20

// believing is a belief behind a parent, kept up as a node does it: one goroutine takes events in and makes statuses.
type believing struct {
	site        *site
	inbox       chan mep.Event
	done        chan struct{}
	transitions atomic.Int64

	taking, making, statuses, reports atomic.Int64 // nanoseconds of CPU, and how many
}

// document returns the world's document.
func (w *world) document() *config.Document {
	doc := &config.Document{}
	m := &doc.Settings.MEP
	m.KeepaliveTimeout, m.MetricsInterval = config.Duration(10*time.Second), config.Duration(time.Second)
	m.ParentTimeout, m.ParentReturn = config.Duration(10*time.Second), config.Duration(time.Minute)
	doc.Settings.Suspicion = config.SuspicionSettings{Share: 50, Targets: 3, Window: config.Duration(30 * time.Second), Longest: config.Duration(10 * time.Minute)}
	doc.Settings.Damping = config.DampingSettings{HalfLife: config.Duration(time.Minute), Suppress: 3000, Reuse: 1000, MaxSuppress: config.Duration(5 * time.Minute)}
	for i := range w.shape.parents {
		doc.Sites = append(doc.Sites, config.Site{Name: parentName(i)})
	}
	for i := range w.shape.children {
		name, parents := childName(i), w.shape.parentsOf(i)
		doc.Sites = append(doc.Sites, config.Site{Name: name, Parent: parentName(parents[0]), BackupParents: []string{parentName(parents[1])}})
		for j := range w.shape.services {
			doc.Services = append(doc.Services, config.Service{Name: serviceName(name, j), Site: name, State: config.ServiceEnabled, CNAME: "x.example", Load: &config.LoadSource{Source: config.LoadPush}})
		}
	}
	return doc
}

// newBelieving begins a belief behind a site that does not run yet.
func newBelieving(t *testing.T, w *world, s *site) *believing {
	t.Helper()
	doc := w.document()
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b := &believing{site: s, inbox: make(chan mep.Event, 1024), done: make(chan struct{})}
	s.receive = func(e mep.Event) {
		select {
		case b.inbox <- e:
		case <-b.done:
		}
	}
	tracker := sites.New(sites.Options{Site: s.peer.Site, Transition: func(tr sites.Transition) {
		if tr.From == gslb.Up {
			b.transitions.Add(1)
		}
	}})
	tracker.SetDocument(doc, plan, time.Now())
	go b.run(tracker)
	return b
}

func (b *believing) run(tracker *sites.Tracker) {
	runtime.LockOSThread() // its CPU time is counted
	defer runtime.UnlockOSThread()
	handed := func(gslb.ServiceIndex) uint64 { return 0 }
	timer := time.NewTimer(longest)
	defer timer.Stop()
	last, soon, cost := time.Now(), false, time.Duration(0)
	for {
		select {
		case <-b.done:
			return
		case e := <-b.inbox:
			began := cpuTime(true)
			tracker.Peer(e, handed)
			b.taking.Add(int64(cpuTime(true) - began))
			b.reports.Add(1)
			if !soon {
				soon = true
				timer.Reset(max(0, min(max(republish, mostCost*cost), longest)-time.Since(last)))
			}
		case <-timer.C:
			began := cpuTime(true)
			tracker.Status(time.Now(), handed)
			cost = cpuTime(true) - began
			b.making.Add(int64(cost))
			b.statuses.Add(1)
			last, soon = time.Now(), false
			timer.Reset(longest)
		}
	}
}

func (b *believing) stop() { close(b.done) }

func (b *believing) reset() {
	for _, n := range []*atomic.Int64{&b.taking, &b.making, &b.statuses, &b.reports} {
		n.Store(0)
	}
}

// beliefCost is what beliefs cost, each.
type beliefCost struct {
	beliefs                           int
	spent                             time.Duration // all of them
	taking, making, reports, statuses float64       // CPU seconds, and how many, a second
}

func (c *beliefCost) add(b *believing, d time.Duration) {
	c.beliefs++
	c.spent += time.Duration(b.taking.Load() + b.making.Load())
	c.taking += time.Duration(b.taking.Load()).Seconds() / d.Seconds()
	c.making += time.Duration(b.making.Load()).Seconds() / d.Seconds()
	c.reports += float64(b.reports.Load()) / d.Seconds()
	c.statuses += float64(b.statuses.Load()) / d.Seconds()
}

func (c beliefCost) String() string {
	if c.beliefs == 0 {
		return ""
	}
	n := float64(c.beliefs)
	return fmt.Sprintf("; a belief: %.1f %% of a CPU for %.0f events/s, %.1f %% for %.1f statuses/s", 100*c.taking/n, c.reports/n, 100*c.making/n, c.statuses/n)
}
