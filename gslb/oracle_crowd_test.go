package gslb

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"fairlead/config"
)

// queriesOfCrowd is how many queries each crowded plan is asked.
const queriesOfCrowd = 90

// TestDecideAgreesWithOracleAmongMany is TestDecideAgreesWithOracle where there are many members, for whom methods have ways of
// their own, and remember what they found: few clients ask again and again, while states, loads and resolvers' times change.
func TestDecideAgreesWithOracleAmongMany(t *testing.T) {
	t.Parallel()
	many, joins, parted := map[string]int{}, 0, 0
	for seed := range uint64(max(4, *rounds/400)) {
		r := rand.New(rand.NewPCG(seed, 17))
		w := randomWorldOf(r, worldSize{sites: 4 + r.IntN(10), services: []int{24, 40, 110, 170}[seed%4], crowd: true})
		c := newComparison(t, r, w, fmt.Sprintf("crowd %d", seed))
		clients := []Query{w.asked(randomQuery(r, c.o.families(), 0)), w.asked(randomQuery(r, c.o.families(), 0)), w.asked(randomQuery(r, c.o.families(), 0))}
		for ldns := range w.rtts {
			clients[0].LDNS = ldns
		}
		for n := range queriesOfCrowd {
			q := clients[r.IntN(len(clients))]
			if q.At = c.o.at; oneIn(r, 10) {
				q = w.asked(randomQuery(r, c.o.families(), c.o.at))
			}
			want, got := c.ask(t, q)
			if got.Outcome == OutcomeServices && !want.session && !want.resort {
				for _, from := range []int{fewContenders, sieveMembers} {
					if v := c.o.find(want.v); len(want.rest) > from {
						many[fmt.Sprint(v.Method, " ", from)]++
					}
				}
			}
			switch {
			case n%30 == 29:
				c.believe(t)
			case oneIn(r, 12):
				c.measure()
			case oneIn(r, 8):
				c.o.at += int64(r.IntN(20))
			}
		}
		joins, parted = joins+c.o.joins, parted+c.o.parted
	}
	if t.Logf("%d answers agreed with another family's, %d did not", joins, parted); parted*100 > joins {
		t.Errorf("%d answers did not agree with another family's, %d did", parted, joins)
	}
	for _, m := range []config.Method{config.Scored, config.RTT, config.SourceIPHashing} {
		for _, from := range []int{fewContenders, sieveMembers} {
			if n := many[fmt.Sprint(m, " ", from)]; n < *rounds/400 {
				t.Errorf("%d answers by %s of more than %d", n, m, from)
			}
		}
	}
	t.Logf("answers of many: %v", many)
}

// believe changes the states and loads of some services: the snapshot after that keeps what still holds of the one before.
func (c *comparison) believe(t *testing.T) {
	t.Helper()
	w := c.o.w
	changes := c.r.IntN(4)
	for range changes {
		name := w.doc.Services[c.r.IntN(w.services)].Name
		st := w.status[name]
		switch c.r.IntN(3) {
		case 0:
			st.State = []State{Up, Up, Down, Draining}[c.r.IntN(4)]
		case 1:
			st.Share = float64(c.r.IntN(16)) / 16
		default:
			i, _ := c.s.Plan.ServiceByName(name)
			st.Load = Load{Active: uint64(c.r.IntN(40)), At: epoch, PerAnswer: 1, Handed: c.l.Handed(i), Source: "test"}
			c.o.sent[name] = 0
		}
		w.status[name] = st
	}
	status := &Status{At: c.s.Status.At, Held: c.s.Status.Held, Ordered: c.s.Status.Ordered, Services: make([]ServiceStatus, len(c.s.Status.Services))}
	for i := range status.Services {
		status.Services[i] = w.status[c.s.Plan.services[i].Name]
	}
	c.s = NewSnapshot(c.s.Generation+1, c.s.Plan, status, c.s)
	clear(c.o.given)
}

// measure is a resolver's time anew.
func (c *comparison) measure() {
	w := c.o.w
	site := w.doc.Sites[c.r.IntN(len(w.doc.Sites))].Name
	ldns := c.last.LDNS
	if w.rtts[ldns] == nil {
		w.rtts[ldns] = map[string]time.Duration{}
	}
	rtt := time.Duration(1+c.r.IntN(60)) * time.Millisecond
	w.rtts[ldns][site] = rtt
	for i := range c.s.Plan.sites {
		if c.s.Plan.sites[i].name == site {
			c.l.Resolvers.Measured(ldns, c.s.Plan.sites[i].hash, rtt, c.o.at)
		}
	}
}
