package sites

import (
	"math/rand/v2"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"
)

// TestModerateDifferencesAreFollowed: where a client asks now and then, each gets the emptier one of two services, also when
// the other one has but twice as many connections, for as long as that is so. Answers here bring none.
func TestModerateDifferencesAreFollowed(t *testing.T) {
	wrong, all := 0, 0
	for seed := range uint64(40) {
		w, a := followed(t, rand.New(rand.NewPCG(seed, 9)))
		wrong, all = wrong+w, all+a
	}
	t.Logf("%d of %d answers do not follow", wrong, all)
	if wrong*200 > all {
		t.Errorf("%d of %d answers do not follow the load", wrong, all)
	}
}

// followed plays 22 s: from one moment on one service has 30 connections more, from a later one on the other has 60. A report
// is two seconds old at most; answers of the second after that count.
func followed(t *testing.T, rng *rand.Rand) (wrong, all int) {
	const (
		first, second = 2500 * time.Millisecond, 9500 * time.Millisecond
		settled       = 3 * time.Second
		end           = 22 * time.Second
	)
	c := newCrowd(t, visits{services: 2})
	c.rng = rng
	ttl := config.Duration(20 * time.Second)
	c.doc.VirtualServers[0].Domains[0].TTL = &ttl
	c.recompile(t)
	perTick := (0.5 + 2*rng.Float64()) / 10 // half a query to two and a half a second
	for at := time.Duration(0); at < end; at += 100 * time.Millisecond {
		hold, want := [2]int{1, 1}, gslb.ServiceIndex(0)
		if at > first {
			hold[0], want = 31, 1
		}
		if at > second {
			hold[1], want = 61, 0
		}
		for i := range c.active {
			c.active[i] = hold[i] + rng.IntN(2) // a monitor's probe
		}
		c.report(int(at / (100 * time.Millisecond)))
		if rng.Float64() < perTick {
			n := &c.nodes[rng.IntN(2)]
			got := c.decide(n)
			if at > first+settled && at < second || at > second+settled {
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
