package replica

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"
	"fairlead/config/revision"
)

// schedules is how many random courses of events TestSimulation plays. The continuous integration plays 10,000.
var schedules = flag.Int("schedules", 150, "random courses of events to play")

var scheduleAt = flag.Uint64("schedule", 0, "number of the first one")

// acknowledged is a write that somebody was told is kept.
type acknowledged struct {
	revision *revision.Revision
}

// course is a random course of events.
type course struct {
	*world
	acked                                         []acknowledged
	written                                       map[revision.Dot]*revision.Revision // all that a store ever had, also those that were lost
	refused, lost, restarts, crashes, cuts, wrote int
}

// TestSimulation plays random writes, partitions, crashes, restarts and losses of stores at two to five sites. After all is healed, every
// site has the same revision and document, and each acknowledged write is in the document, or beside it as a conflict, or was seen by a later
// write of the same object.
func TestSimulation(t *testing.T) {
	var sum course
	for n := *scheduleAt; n < *scheduleAt+uint64(*schedules); n++ {
		synctest.Test(t, func(t *testing.T) {
			c := &course{world: newWorld(t, 2+int(n%4), n), written: map[revision.Dot]*revision.Revision{}}
			defer func() {
				if t.Failed() {
					t.Logf("it was schedule %d; play it alone with -schedule %d -schedules 1", n, n)
				}
			}()
			c.play()
			sum.wrote += c.wrote
			sum.refused += c.refused
			sum.lost += c.lost
			sum.restarts += c.restarts
			sum.crashes += c.crashes
			sum.cuts += c.cuts
		})
	}
	t.Logf("%d schedules: %d writes acknowledged, %d refused, %d restarts, %d crashes within a write, %d stores lost, %d links cut",
		*schedules, sum.wrote, sum.refused, sum.restarts, sum.crashes, sum.lost, sum.cuts)
}

func (c *course) play() {
	seeds := [2]*config.Objects{config.NewObjects([]*config.Object{service("s0", `{"v":"a"}`), service("s1", `{"v":"a"}`), service("s8", `{"v":"a"}`)}),
		config.NewObjects([]*config.Object{service("s0", `{"v":"b"}`), service("s9", `{"v":"b"}`)})}
	for _, s := range c.sites {
		s.seed = seeds[c.random(8)/7]
		s.ahead = time.Duration(c.random(240)-120) * time.Second
		if c.random(40) == 0 {
			s.ahead += 7 * time.Minute
		}
	}
	defer c.stopAll()
	c.startAll()
	for range 5 + c.random(40) {
		c.step()
	}
	c.heal()
	time.Sleep(11 * time.Minute)
	c.agree("healed")
	c.check()
}

func (c *course) step() {
	s := c.sites[c.random(len(c.sites))]
	o := c.sites[c.random(len(c.sites))]
	switch n := c.random(100); {
	case n < 50:
		if s.engine != nil {
			c.write(s)
		}
	case n < 60 && s != o:
		c.cuts++
		c.setCut(s, o, true)
	case n < 67 && s != o:
		c.setCut(s, o, false)
	case n < 75:
		time.Sleep(time.Duration(c.random(40000)) * time.Millisecond)
	case n < 83:
		time.Sleep(time.Duration(c.random(100)) * time.Millisecond)
	case n < 90:
		if s.engine != nil {
			c.restarts++
			c.stop(s)
		} else {
			c.start(s)
		}
	case n < 94:
		if s.engine != nil {
			c.crash(s)
		}
	case n < 97:
		s.full = !s.full
		s.store.fail(map[bool]func() error{true: func() error { return errFull }}[s.full], nil)
	case n < 98:
		c.lose(s)
	}
}

// write makes a random write, and notes it when it was acknowledged.
func (c *course) write(s *testSite) {
	w := &revision.Write{Author: "ops", Source: "api", Reason: "because"}
	for range 1 + c.random(3) {
		name := fmt.Sprintf("s%d", c.random(8))
		key := serviceKey(name)
		switch n := c.random(10); {
		case n < 2 && s.engine.Current().Objects.Get(key) != nil:
			w.Remove = append(w.Remove, key)
		case n < 4:
			w.Put = append(w.Put, service(name, fmt.Sprintf(`{"backup":"s%d"}`, c.random(8))))
		default:
			w.Put = append(w.Put, service(name, fmt.Sprintf(`{"v":%d}`, c.random(1000))))
		}
	}
	if c.random(10) == 0 {
		w.Confirm = time.Duration(1+c.random(60)) * time.Second
	}
	if conflicts := s.engine.Conflicts(); len(conflicts) > 0 && c.random(3) == 0 {
		w.Resolve = append(w.Resolve, conflicts[0].Key)
	}
	out, err := s.engine.Commit(context.Background(), w)
	var invalid *revision.InvalidError
	switch {
	case err == nil && out.Revision != nil:
		c.wrote++
		c.acked = append(c.acked, acknowledged{out.Revision})
	case err != nil && !errors.As(err, &invalid) && !errors.Is(err, revision.ErrUnavailable):
		c.t.Fatal(err)
	case err != nil:
		c.refused++
	}
}

// crash ends a site within a write: what it wrote may be kept or not, and nobody was told.
func (c *course) crash(s *testSite) {
	c.crashes++
	die := func() error { return errors.New("killed") }
	if c.random(2) == 0 {
		s.store.fail(die, nil)
	} else {
		s.store.fail(nil, die)
	}
	_, _ = s.put(fmt.Sprintf("s%d", c.random(8)), fmt.Sprintf(`{"v":%d}`, 2000+c.random(1000)))
	c.stop(s)
	s.store.fail(nil, nil)
	if c.random(2) == 0 {
		c.start(s)
	}
}

// lose takes a site's store away. What no other store has is gone with it.
func (c *course) lose(s *testSite) {
	c.lost++
	if s.engine != nil {
		c.stop(s)
	}
	s.store.ever(c.written)
	s.store = c.newStore()
	c.acked = slices.DeleteFunc(c.acked, func(a acknowledged) bool {
		return !slices.ContainsFunc(c.sites, func(o *testSite) bool { return o.store.covers(a.revision.Dot) })
	})
	c.start(s)
}

// check holds what all sites have against what was acknowledged.
func (c *course) check() {
	state := c.sites[0].state()
	for _, s := range c.sites {
		s.store.ever(c.written)
	}
	for _, a := range c.acked {
		r := a.revision
		if !state.Vector().Covers(r.Dot) {
			c.t.Fatalf("the acknowledged revision %v of %s is lost", r.Dot, r.Site)
		}
		for _, change := range r.Changes {
			later := false
			for _, o := range c.written {
				later = later || state.Vector().Covers(o.Dot) && o.Seen.Covers(r.Dot) && slices.ContainsFunc(o.Changes, func(x revision.Change) bool { return x.Key == change.Key })
			}
			there := slices.ContainsFunc(state.Registers(change.Key), func(x revision.Register) bool { return x.Origin.Dot == r.Dot && x.Hash == change.Hash })
			if !there && !later {
				c.t.Fatalf("what %v wrote to %s is neither in the document nor a conflict, and nobody replaced it", r.Dot, change.Key)
			}
		}
	}
	for _, s := range c.sites {
		sync := s.engine.Sync()
		// What a store told just before it was lost may have come without what it was based on.
		sync.Quarantine = slices.DeleteFunc(sync.Quarantine, func(q revision.Quarantined) bool { return !state.Vector().Covers(q.Revision.Dot) && c.lost > 0 })
		if len(sync.Quarantine) > 0 || s.pending() > 0 || s.engine.Stats().Lies > 0 {
			c.t.Fatalf("%s: still waits: %+v, %d; lies: %d", s.name, sync.Quarantine, s.pending(), s.engine.Stats().Lies)
		}
	}
}
