package sites

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/monitors"
)

// crowd is two sites that decide apart, and clients who open connections for each answer.
type crowd struct {
	doc    *config.Document
	plan   *gslb.Plan
	rng    *rand.Rand
	now    time.Time
	nodes  [2]decidingNode
	opens  [][]time.Time // by service: connections to be opened
	closes [][]time.Time // by service: when those open end
	active []int
}

type decidingNode struct {
	tr       *Tracker
	learned  *gslb.Learned
	snapshot *gslb.Snapshot
}

// visits is what follows an answer: connections that open within a tenth of a second and live for life on the average.
type visits struct {
	services  int
	life      time.Duration
	perAnswer int
	most      float64 // bound of the mean of max/mean over the services
}

const crowdStep = 5 * time.Millisecond // one answer: 200 a second

func newCrowd(t *testing.T, h visits) *crowd {
	names := [2]string{"ams", "nyc"}
	doc := &config.Document{Sites: []config.Site{{Name: "ams"}, {Name: "nyc"}}}
	doc.Settings.MEP.KeepaliveTimeout = config.Duration(10 * time.Second)
	doc.Settings.MEP.MetricsInterval = config.Duration(time.Second)
	v := config.VirtualServer{Name: "web", Method: config.LeastConnection, BackupMethod: config.RoundRobin, MaxAnswers: 1,
		Domains: []config.Domain{{Name: "www.example.com"}}}
	for i := range h.services {
		name := fmt.Sprint("s", i)
		doc.Services = append(doc.Services, config.Service{Name: name, Site: names[i%2], Port: 80, State: config.ServiceEnabled,
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})},
			Load:      &config.LoadSource{Source: config.LoadJSON, Interval: config.Duration(time.Second)}})
		v.Members = append(v.Members, config.Member{Service: name, Weight: 1, Order: 1})
	}
	doc.VirtualServers = []config.VirtualServer{v}
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{doc: doc, plan: plan, rng: rand.New(rand.NewPCG(1, uint64(h.services))), now: epoch,
		opens: make([][]time.Time, h.services), closes: make([][]time.Time, h.services), active: make([]int, h.services)}
	for i := range c.nodes {
		n := &c.nodes[i]
		n.tr, n.learned = New(Options{Site: names[i]}), gslb.NewLearned(plan)
		n.tr.SetDocument(doc, plan, c.now)
		n.tr.Peer(&mep.SessionUp{Peer: names[1-i], At: c.now}, n.learned.Handed)
	}
	return c
}

// ask lets one client ask one of the sites, and time pass.
func (c *crowd) ask(h visits) {
	n := &c.nodes[c.rng.IntN(2)]
	d := gslb.Decide(n.snapshot, gslb.Query{Family: gslb.IPv4, LDNS: netip.MustParseAddr("198.51.100.1")}, n.learned, c.now, nil)
	s := d.Services[0]
	for range h.perAnswer {
		c.opens[s] = append(c.opens[s], c.now.Add(time.Duration(c.rng.Float64()*float64(100*time.Millisecond))))
	}
	c.now = c.now.Add(crowdStep)
}

// connect opens and closes what is due.
func (c *crowd) connect(h visits) {
	past := func(t time.Time) bool { return !t.After(c.now) }
	for s := range c.opens {
		for _, at := range c.opens[s] {
			if past(at) {
				c.closes[s] = append(c.closes[s], at.Add(time.Duration(c.rng.ExpFloat64()*float64(h.life))))
			}
		}
		c.opens[s] = slices.DeleteFunc(c.opens[s], past)
		c.closes[s] = slices.DeleteFunc(c.closes[s], past)
		c.active[s] = len(c.closes[s])
	}
}

// report lets each site measure its services, tell the other, and compile belief.
func (c *crowd) report(tick int) {
	for i := range c.nodes {
		n, other := &c.nodes[i], &c.nodes[1-i]
		for s := range c.active {
			if s%2 == i && (tick+3*s)%10 == 0 {
				n.tr.Load(monitors.Load{Service: fmt.Sprint("s", s), Active: uint64(c.active[s]), At: c.now, Source: "json"}, n.learned.Handed)
			}
		}
		n.snapshot = gslb.NewSnapshot(uint64(tick), c.plan, n.tr.Status(c.now, n.learned.Handed), n.snapshot)
		if (tick+7*i)%10 == 0 {
			other.tr.Peer(&mep.ServicesReport{Peer: n.tr.opts.Site, Records: Records(n.snapshot, n.tr.opts.Site, c.now), ReceivedAt: c.now}, other.learned.Handed)
		}
	}
}

// TestLeastConnectionSpread: two sites that answer apart, on reports that are up to two seconds old, keep services level.
// Connections that live shorter than reports take are bound to be less even.
func TestLeastConnectionSpread(t *testing.T) {
	for _, h := range []visits{
		{2, 500 * time.Millisecond, 1, 1.15}, {2, time.Second, 4, 1.1}, {2, 5 * time.Second, 1, 1.05}, {2, 5 * time.Second, 4, 1.05},
		{4, 500 * time.Millisecond, 1, 1.2}, {4, 500 * time.Millisecond, 4, 1.2}, {4, time.Second, 1, 1.15}, {4, time.Second, 4, 1.1},
		{4, 2 * time.Second, 4, 1.1}, {4, 5 * time.Second, 1, 1.1}, {4, 5 * time.Second, 4, 1.1},
	} {
		t.Run(fmt.Sprintf("%d services %v x%d", h.services, h.life, h.perAnswer), func(t *testing.T) {
			mean, worst := spread(t, h)
			t.Logf("max/mean: %.2f, at worst %.2f", mean, worst)
			if mean > h.most {
				t.Errorf("the fullest service has %.2f times the mean, want at most %.2f", mean, h.most)
			}
		})
	}
}

// spread plays a minute and returns how much fuller than the mean the fullest service is, after the first 20 s.
func spread(t *testing.T, h visits) (mean, worst float64) {
	c := newCrowd(t, h)
	for tick := range 600 {
		c.report(tick)
		for range 20 {
			c.ask(h)
		}
		c.connect(h)
		if tick < 200 {
			continue
		}
		total := 0
		for _, a := range c.active {
			total += a
		}
		ratio := float64(slices.Max(c.active)) * float64(len(c.active)) / float64(total)
		mean, worst = mean+ratio/400, max(worst, ratio)
	}
	return mean, worst
}

// TestADeadSourceDoesNotStarve: a service whose load is no longer told keeps getting answers, by its last value.
func TestADeadSourceDoesNotStarve(t *testing.T) {
	c := newCrowd(t, visits{services: 3}) // s1 is of the other site, which says nothing
	n := &c.nodes[0]
	push := func(service string) {
		n.tr.Load(monitors.Load{Service: service, Active: 10, At: c.now, Source: "json"}, n.learned.Handed)
	}
	push("s2")
	handed := uint64(0)
	for second := range 60 {
		push("s0")
		for range 10 {
			n.snapshot = gslb.NewSnapshot(1, c.plan, n.tr.Status(c.now, n.learned.Handed), n.snapshot)
			gslb.Decide(n.snapshot, gslb.Query{Family: gslb.IPv4, LDNS: netip.MustParseAddr("198.51.100.1")}, n.learned, c.now, nil)
			c.now = c.now.Add(100 * time.Millisecond)
		}
		if second == 30 {
			handed = n.learned.Handed(2)
		}
	}
	if got := n.learned.Handed(2) - handed; got < 100 {
		t.Errorf("of 290 answers the service whose source died at 10 connections got %d, the other, at 10 too, the rest", got)
	}
}

// TestLoadGoesWithItsSource: the last value of a source that was taken away would stay for ever.
func TestLoadGoesWithItsSource(t *testing.T) {
	s := newScene(t, "ams", func(d *config.Document) { d.Services[0].Load = &config.LoadSource{Source: config.LoadPush} })
	s.tr.Load(monitors.Load{Service: "svc", Active: 500, At: epoch, Source: "push"}, noneHanded)
	next := *s.doc
	next.Services = slices.Clone(s.doc.Services)
	s.set(&next)
	if l := s.believed().Load; l.Active != 500 {
		t.Errorf("load after a reload that changed nothing: %+v, want 500", l)
	}
	next.Services[0].Load = nil
	s.set(&next)
	if l := s.believed().Load; !l.At.IsZero() {
		t.Errorf("load after its source was removed: %+v, want none", l)
	}
}
