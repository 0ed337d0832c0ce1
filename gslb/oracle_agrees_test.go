package gslb

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

var rounds = flag.Int("rounds", 30_000, "queries that Decide and the oracle are compared on")

// queriesOfPlan is how many queries each random plan is asked.
const queriesOfPlan = 12

func newOracle(w *randomPlan, s *Snapshot) *oracle {
	o := &oracle{w: w, seeds: map[string]uint64{}, services: map[string]int{}, sessions: map[string]oracleSession{}, stays: map[string]int64{}, paired: map[string]oraclePair{},
		given: map[string]int{}, sent: map[string]int{}}
	for i := range w.doc.Services {
		o.services[w.doc.Services[i].Name] = i
	}
	for i := range s.Plan.services {
		o.seeds[s.Plan.services[i].Name] = s.Plan.services[i].drawer.seed
	}
	return o
}

// tables fills what Decide reads besides the snapshot.
func (w *randomPlan) tables(t *testing.T, s *Snapshot, l *Learned) {
	t.Helper()
	l.Sessions = NewSessions(SessionOptions{Max: 1024})
	l.Resolvers = NewResolvers(ResolverOptions{Prefix4: 32, Prefix6: 128, Max: 1024, Timeout: time.Hour})
	for ldns, times := range w.rtts {
		for i := range s.Plan.sites {
			if rtt, ok := times[s.Plan.sites[i].name]; ok {
				l.Resolvers.Measured(ldns, s.Plan.sites[i].hash, rtt, oracleNow)
			}
		}
	}
	values := map[netip.Prefix][]PushedValue{}
	last := map[string]bool{} // of a prefix and service the last one counts
	for i := len(w.pushed) - 1; i >= 0; i-- {
		p := w.pushed[i]
		if key := fmt.Sprint(p.prefix, p.service); last[key] {
			w.pushed = slices.Delete(w.pushed, i, i+1)
			continue
		} else {
			last[key] = true
		}
		until := oracleNow + 1<<20
		if p.ended {
			until = oracleNow - 1
		}
		service, _ := s.Plan.ServiceByName(p.service)
		values[p.prefix] = append(values[p.prefix], PushedValue{Service: s.Plan.services[service].Hash, Value: p.value, Until: until})
	}
	for prefix, v := range values {
		if err := l.Pushed.Set(prefix, v, oracleNow); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDecideAgreesWithOracle compares Decide with the oracle on random plans, beliefs and queries, and checks on the way
// that explaining changes nothing and that the scope is truthful.
func TestDecideAgreesWithOracle(t *testing.T) {
	t.Parallel()
	joins, parted := 0, 0
	for seed := range uint64(*rounds / queriesOfPlan) {
		r := rand.New(rand.NewPCG(seed, 7))
		c := newComparison(t, r, randomWorld(r), fmt.Sprintf("seed %d", seed))
		for range queriesOfPlan {
			c.ask(t, c.o.w.asked(randomQuery(r, c.o.families(), c.o.at)))
			if oneIn(r, 4) {
				c.o.at += int64(r.IntN(50))
			}
		}
		joins, parted = joins+c.o.joins, parted+c.o.parted
	}
	t.Logf("%d answers agreed with another family's, %d did not", joins, parted)
	if parted*200 > joins {
		t.Errorf("%d answers did not agree with another family's, %d did", parted, joins)
	}
}

// comparison asks Decide and the oracle the same.
type comparison struct {
	name string
	r    *rand.Rand
	s    *Snapshot
	l    *Learned
	o    *oracle
	n    int
	last Query
}

func newComparison(t *testing.T, r *rand.Rand, w *randomPlan, name string) *comparison {
	t.Helper()
	c := &comparison{name: name, r: r}
	c.s, c.l = w.snapshotHeld(t)
	w.tables(t, c.s, c.l)
	c.o = newOracle(w, c.s)
	c.o.at = oracleNow
	return c
}

// ask compares what is said of a query, or of one like it of the client before.
func (c *comparison) ask(t *testing.T, q Query) (want ruling, got Decision) {
	t.Helper()
	if c.n > 0 && oneIn(c.r, 3) { // the same client asks for something else, or again
		q.LDNS, q.Subnet, q.Listener = c.last.LDNS, c.last.Subnet, c.last.Listener
	}
	c.last = q
	explained := Decide(c.s, q, c.l.Copy(), epoch, &Trace{})
	c.o.kin = 0
	if explained.SubnetUsed {
		c.o.kin = min(int(explained.Scope), q.Subnet.Bits())
	}
	want = c.o.decide(q)
	if !c.o.w.doc.Settings.Answers.Coherent {
		checkScope(t, c.r, c.s, q, c.l, explained)
	}
	got = Decide(c.s, q, c.l, epoch, nil)
	if explained != got {
		t.Fatalf("%s query %d: explained %+v, served %+v", c.name, c.n, explained, got)
	}
	if problem := c.o.judge(c.s, q, want, &got); problem != "" {
		t.Fatalf("%s query %d %+v: %s\ngot %+v %q\noracle says %+v", c.name, c.n, q, problem, got, serviceNames(c.s, &got), want)
	}
	c.o.note(c.s, q, want, &got)
	c.n++
	return want, got
}

// snapshotHeld is snapshot with what is held, and ordered.
func (w *randomPlan) snapshotHeld(t testing.TB) (*Snapshot, *Learned) {
	s, l := w.snapshot(t)
	s.Status.Held, s.Status.Ordered = make([]bool, s.Plan.VirtualServers()), make([]Ordered, s.Plan.VirtualServers())
	for i := range s.Status.Held {
		name := s.Plan.VirtualServerName(VirtualServerIndex(i))
		s.Status.Held[i], s.Status.Ordered[i].State = w.held[name], w.ordered[name]
	}
	return NewSnapshot(1, s.Plan, s.Status, nil), l
}

func serviceNames(s *Snapshot, d *Decision) []string {
	var out []string
	for _, i := range d.Services[:d.Count] {
		out = append(out, s.Plan.Service(i).Name)
	}
	return out
}

// judge says what is wrong with a decision.
func (o *oracle) judge(s *Snapshot, q Query, want ruling, got *Decision) string {
	outcome := map[Outcome]string{OutcomeServices: "services", OutcomeEmpty: "empty", OutcomeServFail: "servfail", OutcomeBackupAddresses: "backup-address"}[got.Outcome]
	services := serviceNames(s, got)
	switch {
	case outcome != want.outcome:
		return "outcome " + outcome
	case got.TTL != want.ttl:
		return fmt.Sprintf("TTL %d, want %d", got.TTL, want.ttl)
	case s.Plan.VirtualServerName(got.VirtualServer) != want.v:
		return "it answers from " + s.Plan.VirtualServerName(got.VirtualServer)
	case outcome != "services":
		return ""
	case got.Reason == ReasonPaired && len(want.first) == 1 && want.first[0] == services[0]: // there was no choice
	case got.Reason == ReasonPaired && !slices.Contains(want.pair, services[0]):
		return fmt.Sprintf("the other family has %q", want.pair)
	case got.Reason != ReasonPaired && !slices.Contains(want.first, services[0]):
		return services[0] + " may not be first"
	}
	return o.judgeRest(want, services)
}

// judgeRest checks who comes after the first.
func (o *oracle) judgeRest(want ruling, got []string) string {
	most := o.find(want.v).MaxAnswers
	if want.resort {
		most = MaxAnswers
	}
	all := names(want.rest)
	at := slices.Index(all, got[0])
	if want.session {
		at = -1 // the others follow as they stand
	}
	exp := []string{got[0]}
	for i := range all {
		if name := all[(at+1+i)%len(all)]; name != got[0] && len(exp) < most {
			exp = append(exp, name)
		}
	}
	if !slices.Equal(got, exp) {
		return fmt.Sprintf("want %q", exp)
	}
	return ""
}

// note keeps what the answer taught.
func (o *oracle) note(s *Snapshot, q Query, want ruling, got *Decision) {
	if want.stays != "" {
		o.stays[want.stays] = o.at + 120
	}
	if got.Outcome != OutcomeServices || want.resort {
		return
	}
	first, v := s.Plan.Service(got.Services[0]).Name, o.find(want.v)
	joined := got.Reason == ReasonPaired
	switch {
	case joined:
		o.joins++
	case want.pair != nil:
		o.parted++
	}
	switch {
	case joined || want.session:
	case want.filled:
		o.given[want.fill]++
	}
	if !joined {
		o.sent[first]++
	}
	if s, kept := o.kept(v, q); v.Persistence.Type != "" && (!kept || o.has(s, q.Family)) {
		o.sessions[o.key("session", v, o.client(q))] = oracleSession{first, o.at + 120}
	}
	if want.session || !o.coheres(v, want.policy, q) {
		return
	}
	p := oraclePair{first, string(familyLetter(q.Family)), o.at}
	if joined {
		p = o.paired[o.pairName(q)]
		p.families += string(familyLetter(q.Family))
	}
	o.paired[o.pairName(q)] = p
}

// checkScope asks for other clients inside the answer's scope: they must get the same.
func checkScope(t *testing.T, r *rand.Rand, s *Snapshot, q Query, l *Learned, d Decision) {
	t.Helper()
	if !d.SubnetUsed || int(d.Scope) > q.Subnet.Bits() {
		return
	}
	for range 3 {
		other := q
		masked, err := q.Subnet.Addr().Prefix(int(d.Scope))
		if err != nil {
			t.Fatalf("scope %d of %s: %v", d.Scope, q.Subnet, err)
		}
		b, x := masked.Addr().AsSlice(), r.Uint64()
		for i := int(d.Scope); i < q.Subnet.Bits(); i++ {
			if x>>i&1 == 1 {
				b[i/8] |= 0x80 >> (i % 8)
			}
		}
		if q.Subnet.Addr().Is4() && (b[0] == 127 || b[0] == 0 || b[0] >= 224 || b[0] == 169 && b[1] == 254) {
			continue // not routable: the resolver would be the client
		}
		if !q.Subnet.Addr().Is4() && (b[0] == 0 || b[0] >= 0xfe) {
			continue
		}
		at, _ := netip.AddrFromSlice(b)
		other.Subnet = netip.PrefixFrom(at, q.Subnet.Bits())
		if got := Decide(s, other, l.Copy(), epoch, nil); got != d {
			t.Fatalf("client %s got %+v with scope %d, but %s inside it gets %+v", q.Subnet, d, d.Scope, other.Subnet, got)
		}
	}
}
