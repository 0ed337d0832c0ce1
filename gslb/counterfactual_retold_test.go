package gslb

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/config"
)

// retold is a world as a counterfactual describes it, made from the document, the belief and the tables, without the code that found it.
type retold struct {
	doc    config.Document
	status Status
	l      *Learned
	s      *Snapshot
	q      Query
	w      *randomPlan
	anew   bool // the document changes
}

func newRetold(w *randomPlan, s *Snapshot, q Query, l *Learned) *retold {
	a := &retold{doc: w.doc, status: *s.Status, l: l.Copy(), s: s, q: q, w: w}
	a.doc.VirtualServers = slices.Clone(w.doc.VirtualServers)
	a.status.Services = slices.Clone(s.Status.Services)
	a.status.Held, a.status.Ordered = slices.Clone(s.Status.Held), slices.Clone(s.Status.Ordered)
	return a
}

// change makes one change, which is of a number if it has a metric; false: it means nothing.
func (a *retold) change(c *Change, target ServiceIndex, chain []int, needed float64) bool {
	st, svc := &a.status.Services[target], &a.s.Plan.services[target]
	switch c.Kind {
	case ChangeSession:
		a.l.Sessions = NewSessions(SessionOptions{Max: 16})
	case ChangePair:
		a.l.pairs = new(pairs)
	case ChangeState:
		st.State, st.Without4, st.Without6 = Up, false, false
	case ChangeOrder, ChangeOthers:
		for _, name := range c.Services {
			i, _ := a.s.Plan.ServiceByName(name)
			a.status.Services[i].State = Down
		}
	case ChangeLoad, ChangeLimit:
		a.load(st, c.Metric, needed, target)
	case ChangeRTT:
		a.rtt(svc.Site, needed)
	case ChangePushed:
		a.push(svc, needed)
	case ChangePlace:
		a.locate(svc.Site)
	case ChangeWeight:
		a.weigh(svc.Name, chain, int(needed))
	default:
		return slices.ContainsFunc(chain, func(vs int) bool { return a.changeServer(c, vs, vs == chain[0]) })
	}
	return true
}

// changeServer makes a change of one virtual server; false: it is of another one.
func (a *retold) changeServer(c *Change, vs int, first bool) bool {
	v := &a.doc.VirtualServers[vs]
	switch c.Kind {
	case ChangeOverride:
		if c.Text != fmt.Sprintf("if %s were used as the document says (now: )", v.Name) {
			return false
		}
		a.status.Ordered[vs] = Ordered{}
	case ChangeHold:
		if c.Text != fmt.Sprintf("if %s were released from its backup", v.Name) {
			return false
		}
		a.status.Held[vs] = false
	case ChangePolicy:
		n, of := len(v.Policies), " of virtual server "+v.Name
		if first {
			of = ""
		}
		v.Policies = slices.DeleteFunc(slices.Clone(v.Policies), func(p config.Policy) bool { return c.Text == fmt.Sprintf("if there were no policy %q%s", p.Name, of) })
		if a.anew = true; n == len(v.Policies) {
			return false
		}
	case ChangeSpillover:
		if !strings.HasPrefix(c.Text, fmt.Sprintf("if spillover of %s (%s) were ", v.Name, c.Metric)) {
			return false
		}
		a.anew = true
		switch v.Spillover.Method {
		case config.SpilloverHealth:
			v.Spillover.Threshold = 0
		default:
			v.Spillover.Method, v.Spillover.Threshold = config.SpilloverConnections, 1<<40
		}
	default:
		return false
	}
	return true
}

func (a *retold) weigh(service string, chain []int, weight int) {
	a.anew = true
	for _, vs := range chain {
		v := &a.doc.VirtualServers[vs]
		if i := slices.IndexFunc(v.Members, func(m config.Member) bool { return m.Service == service }); i >= 0 {
			v.Members = slices.Clone(v.Members)
			v.Members[i].Weight = weight
			return
		}
	}
}

// client is whose address counts.
func (a *retold) client() netip.Addr {
	if a.w.doc.VirtualServers[0].ClientSubnet && a.q.Subnet.IsValid() {
		return a.q.Subnet.Addr()
	}
	return a.q.LDNS
}

func (a *retold) locate(site string) {
	a.anew = true
	i := slices.IndexFunc(a.doc.Sites, func(s config.Site) bool { return s.Name == site })
	at, client := &a.doc.Sites[i].Location, a.client()
	a.doc.Locations = append(slices.Clone(a.doc.Locations), config.Location{Prefix: netip.PrefixFrom(client, client.BitLen()), Place: at.Place, Latitude: at.Latitude, Longitude: at.Longitude})
}

func (a *retold) load(st *ServiceStatus, metric string, x float64, target ServiceIndex) {
	if metric == "active" {
		l := &st.Load
		per := l.PerAnswer
		if l.At.IsZero() {
			per = 1
		}
		*l = Load{Active: uint64(x), At: a.status.At, PerAnswer: per, Patience: l.Patience, Handed: a.l.Handed(target), Source: l.Source}
		return
	}
	var m Measures
	if st.Measures != nil {
		m = *st.Measures
	}
	switch metric {
	case "response time":
		m.ResponseTime.Value, m.ResponseTime.Expected, m.ResponseTime.At = x/1e3, 0, a.status.At
	case "bandwidth":
		m.Bandwidth.Value, m.Bandwidth.Expected, m.Bandwidth.At = x, 0, a.status.At
	case "packets":
		m.Packets.Value, m.Packets.Expected, m.Packets.At = x, 0, a.status.At
	case "custom load":
		m.Custom.Value, m.Custom.Expected, m.Custom.At = x, 0, a.status.At
	default:
		panic("no metric " + metric)
	}
	st.Measures = &m
}

func (a *retold) rtt(site string, ms float64) {
	a.l.Resolvers = NewResolvers(ResolverOptions{Prefix4: 32, Prefix6: 128, Max: 1024, Timeout: time.Hour})
	times := a.w.rtts[a.q.LDNS]
	for i := range a.s.Plan.sites {
		name := a.s.Plan.sites[i].name
		t, ok := times[name]
		if name == site {
			t, ok = time.Duration(ms*1e6), true
		}
		if ok {
			a.l.Resolvers.Measured(a.q.LDNS, a.s.Plan.sites[i].hash, t, oracleNow)
		}
	}
}

func (a *retold) push(svc *Service, x float64) {
	client := a.client()
	known, _ := a.l.Pushed.Lookup(client)
	values := []PushedValue{{Service: svc.Hash, Value: x, Until: a.q.At + 60}}
	for _, v := range known {
		if v.Service != svc.Hash {
			values = append(values, v)
		}
	}
	a.l.Pushed = NewPushed()
	if err := a.l.Pushed.Set(netip.PrefixFrom(client, client.BitLen()), values, a.q.At); err != nil {
		panic(err)
	}
}

// decide asks in the world: how often is the target answered?
func (a *retold) decide(t *testing.T, target ServiceIndex) float64 {
	t.Helper()
	p := a.s.Plan
	if a.anew {
		var err error
		if p, err = Compile(&a.doc, CompileOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if p.policies != a.s.Plan.policies { // which have turns of their own
		own := NewLearned(p)
		own.Sessions, own.Resolvers, own.Pushed = a.l.Sessions, a.l.Resolvers, a.l.Pushed
		a.l = own
	}
	trial := newTrial(NewSnapshot(a.s.Generation, p, &a.status, nil), a.q, a.l, epoch)
	trial.left = 1
	trial.enter()
	return trial.shares()[target]
}

// retelling puts what is said in random worlds to the test.
type retelling struct {
	w      *randomPlan
	s      *Snapshot
	l      *Learned
	chain  []int
	kinds  map[ChangeKind]int
	beyond int // numbers just beyond what is needed
}

// TestCounterfactualsRetold: what an explanation says would be so is so, by every method: the document, belief or table is changed as the words
// say and everything is made anew. And the next number after the one that is told is not enough.
func TestCounterfactualsRetold(t *testing.T) {
	c := retelling{kinds: map[ChangeKind]int{}}
	for seed := range uint64(*rounds / 60) {
		r := rand.New(rand.NewPCG(seed, 91))
		c.w = randomWorld(r)
		if seed%50 == 49 {
			c.w = randomWorldOf(r, worldSize{sites: 4 + r.IntN(6), services: 24, crowd: true})
		}
		c.s, c.l = c.w.snapshotHeld(t)
		c.w.tables(t, c.s, c.l)
		c.chain = nil
		for vs := 0; vs != none; vs = c.s.Plan.virtualServers[vs].backup {
			c.chain = append(c.chain, vs)
		}
		families := newOracle(c.w, c.s).families()
		for asked := range 4 {
			q := c.w.asked(randomQuery(r, families, oracleNow))
			for _, said := range Counterfactuals(c.s, q, c.l, epoch) {
				// the turns of other policies are others' in a plan without one
				if n := len(said.Changes); n > 0 && (said.Changes[n-1].Kind != ChangePolicy || asked == 0) {
					c.check(t, fmt.Sprintf("seed %d, query %d: %s %s", seed, asked, said.Service, said.Text), q, &said)
				}
			}
			for range r.IntN(3) {
				Decide(c.s, q, c.l, epoch, nil)
			}
		}
	}
	t.Logf("%v; %d numbers just beyond what is needed", c.kinds, c.beyond)
	for _, k := range ChangeKinds() {
		if c.kinds[k] == 0 && k != ChangePair && k != ChangePlace { // those two are rare
			t.Errorf("no random world had a change of kind %q", k)
		}
	}
	if c.beyond < 5 {
		t.Errorf("%d numbers just beyond what is needed", c.beyond)
	}
}

func (c *retelling) check(t *testing.T, name string, q Query, said *Counterfactual) {
	t.Helper()
	last, any := &said.Changes[len(said.Changes)-1], false
	for i := range said.Changes {
		c.kinds[said.Changes[i].Kind]++
		any = any || said.Changes[i].Metric != "" && said.Changes[i].Needed == nil
	}
	share := c.share(t, q, said, func(change *Change) float64 {
		if change.Needed == nil {
			return 7e5 // any is enough
		}
		return *change.Needed
	})
	if share <= 0 || !any && math.Abs(share-said.Share) > 1e-9 { // with any number it is answered, but not equally often
		t.Errorf("%s: share %v, said %v", name, share, said.Share)
	}
	next, ok := c.next(said, last)
	if !ok {
		return
	}
	c.beyond++
	share = c.share(t, q, said, func(change *Change) float64 {
		if change == last {
			return next
		}
		return *change.Needed
	})
	if share > 1e-9 {
		t.Errorf("%s: with %v, too, share %v", name, next, share)
	}
}

// next is the number after the one that is needed; ok is false where there is none.
func (c *retelling) next(said *Counterfactual, change *Change) (next float64, ok bool) {
	if change.Needed == nil || *change.Needed == 0 || change.Kind == ChangeSpillover {
		return 0, false
	}
	needed := *change.Needed
	if change.Kind == ChangeWeight {
		return needed - 1, true
	}
	i, _ := c.s.Plan.ServiceByName(said.Service)
	if change.Kind == ChangeLimit && needed >= limitOf(&c.s.Plan.services[i], change.Metric)*0.999-1 { // the limit itself
		return 0, false
	}
	step := math.Pow10(int(math.Floor(math.Log10(needed))) - 2)
	switch {
	case change.Is != nil:
		step = max(step, *change.Is*1e-4)
	default: // the search has not begun near it
		step = max(step, needed/10)
	}
	if change.Metric == "active" {
		step = math.Ceil(step)
	}
	return needed + step, true
}

func limitOf(svc *Service, metric string) float64 {
	switch metric {
	case "active":
		return float64(svc.maxConnections)
	case "bandwidth":
		return float64(svc.maxBandwidth)
	}
	return svc.loadThreshold
}

// share returns how often the service is answered in the world that is told of. needed says which number a change brings.
func (c *retelling) share(t *testing.T, q Query, said *Counterfactual, needed func(*Change) float64) float64 {
	t.Helper()
	target, _ := c.s.Plan.ServiceByName(said.Service)
	a := newRetold(c.w, c.s, q, c.l)
	for i := range said.Changes {
		change, x := &said.Changes[i], 0.0
		if change.Metric != "" {
			x = needed(change)
		}
		if !a.change(change, target, c.chain, x) {
			t.Errorf("%s: cannot be told again: %s", said.Service, change.Text)
		}
	}
	return a.decide(t, target)
}
