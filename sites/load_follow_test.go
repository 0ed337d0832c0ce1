package sites

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/monitors"
)

// TestModerateDifferencesAreFollowed: where a client asks now and then, each gets the emptier one of two services, also when
// the other one has but twice as many connections, for as long as that is so. Answers here bring none.
func TestModerateDifferencesAreFollowed(t *testing.T) {
	wrong, all := 0, 0
	for seed := range uint64(40) {
		w, a := followed(t, rand.New(rand.NewPCG(seed, 9)), moved{first: 2500 * time.Millisecond, second: 9500 * time.Millisecond, end: 22 * time.Second})
		wrong, all = wrong+w, all+a
	}
	t.Logf("%d of %d answers do not follow", wrong, all)
	if wrong*200 > all {
		t.Errorf("%d of %d answers do not follow the load", wrong, all)
	}
}

// TestLoadsThatJustMovedAreFollowed: the same of services that are hardly known, whatever was asked before, whenever their loads
// move, and however old the other site's report may be: one that stays as it is ages until its bound.
func TestLoadsThatJustMovedAreFollowed(t *testing.T) {
	const seeds = 240
	wrong, all, runs := 0, 0, 0
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 11))
		m := moved{first: 300*time.Millisecond + time.Duration(rng.Int64N(int64(2200*time.Millisecond))), burst: rng.IntN(10), aged: true, still: seed%2 == 0}
		if seed%4 > 1 {
			m.first += time.Duration(rng.Int64N(int64(time.Minute)))
		}
		m.second = m.first + 2*time.Second + time.Duration(rng.Int64N(int64(5*time.Second)))
		m.end = m.second + 10*time.Second
		w, a := followed(t, rng, m)
		if wrong, all = wrong+w, all+a; w > 0 {
			runs++
		}
	}
	t.Logf("%d of %d answers do not follow, in %d of %d runs", wrong, all, runs, seeds)
	if wrong > 0 {
		t.Errorf("%d of %d answers do not follow the load, in %d of %d runs", wrong, all, runs, seeds)
	}
}

// moved is when loads move: at first one service gets 30 connections more, at second the other one 60.
type moved struct {
	first, second, end time.Duration
	burst              int  // answers before the first move
	still              bool // no monitor's probe is seen in between
	aged               bool // sites tell each other of changes only, as MEP does, at times of their own
}

// followed plays two services whose loads move. A report is two seconds old at most; answers of the second after that count.
func followed(t *testing.T, rng *rand.Rand, m moved) (wrong, all int) {
	const (
		settled = 3 * time.Second
		few     = 4 // answers in the second before, as a node counts them
	)
	var lately [2][]time.Duration // when a node gave answers
	c := newCrowd(t, visits{services: 2})
	c.rng = rng
	ttl := config.Duration(20 * time.Second)
	c.doc.VirtualServers[0].Domains[0].TTL = &ttl
	c.recompile(t)
	report := c.report
	if m.aged {
		report = newGossip(c, rng).report
	}
	perTick := (0.5 + 2*rng.Float64()) / 10 // half a query to two and a half a second
	for at := time.Duration(0); at < m.end; at += 100 * time.Millisecond {
		hold, want := [2]int{1, 1}, gslb.ServiceIndex(0)
		if at > m.first {
			hold[0], want = 31, 1
		}
		if at > m.second {
			hold[1], want = 61, 0
		}
		for i := range c.active {
			c.active[i] = hold[i]
			if probe := rng.IntN(2); !m.still {
				c.active[i] += probe // a monitor's
			}
		}
		report(int(at / (100 * time.Millisecond)))
		for ; at <= m.first && m.burst > 0; m.burst-- {
			c.decide(&c.nodes[rng.IntN(2)])
		}
		if rng.Float64() < perTick {
			which := rng.IntN(2)
			n := &c.nodes[which]
			got := c.decide(n)
			lately[which] = append(slices.DeleteFunc(lately[which], func(t time.Duration) bool { return at-t > 1500*time.Millisecond }), at)
			rested := at > m.first+settled && at < m.second || at > m.second+settled
			if rested && len(lately[which]) <= few { // who gives more gives them in turn
				all++
				if got != want {
					wrong++
				}
			}
		}
		c.now = c.now.Add(100 * time.Millisecond)
	}
	return wrong, all
}

// gossip is the sites of a crowd telling each other what changed, at times of their own. An age that was told grows up to a
// bound while nothing changes, although its source goes on measuring.
type gossip struct {
	c            *crowd
	reads, tells [2]int // tenths of a second by which they are late
	bound        time.Duration
	told         [2]struct {
		active uint64
		at     time.Time // of the measurement
	}
}

func newGossip(c *crowd, rng *rand.Rand) *gossip {
	g := &gossip{c: c, bound: 2400 * time.Millisecond}
	for i := range g.reads {
		g.reads[i], g.tells[i] = rng.IntN(10), rng.IntN(10)
	}
	return g
}

func (g *gossip) report(tick int) {
	c := g.c
	for i := range c.nodes {
		n, other := &c.nodes[i], &c.nodes[1-i]
		if (tick+g.reads[i])%10 == 0 {
			n.tr.Load(monitors.Load{Service: fmt.Sprint("s", i), Active: uint64(c.active[i]), At: c.now, Source: "json"}, n.learned.Handed)
		}
		n.snapshot = gslb.NewSnapshot(uint64(tick), c.plan, n.tr.Status(c.now, n.learned.Handed), n.snapshot)
		if (tick+g.tells[i])%10 == 0 {
			records := Records(n.snapshot, n.tr.opts.Site, c.now)
			g.age(i, records)
			other.tr.Peer(&mep.ServicesReport{Peer: n.tr.opts.Site, Records: records, ReceivedAt: c.now}, other.learned.Handed)
		}
	}
}

// age makes the load of a site's service as old as the other site has to take it for.
func (g *gossip) age(i int, records []mep.ServiceRecord) {
	for r := range records {
		told := &g.told[i]
		if records[r].Has&mep.HasActiveConnections == 0 {
			continue
		}
		if told.at.IsZero() || told.active != records[r].ActiveConnections {
			told.active, told.at = records[r].ActiveConnections, g.c.now.Add(-records[r].LoadAge)
		}
		records[r].LoadAge = min(g.c.now.Sub(told.at), g.bound)
	}
}

// recompile brings a change of the document into effect.
func (c *crowd) recompile(t *testing.T) {
	t.Helper()
	plan, err := gslb.Compile(c.doc, gslb.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c.plan = plan
	for i := range c.nodes {
		c.nodes[i].tr.SetDocument(c.doc, plan, c.now)
		c.nodes[i].learned = gslb.NewLearned(plan)
	}
}
