package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sort"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/monitors"
	"fairlead/sites"
)

// Case is one setting of the simulation.
type Case struct {
	Weights []int         // of the services, as many as there are
	Report  time.Duration // between two readings of a service's load
	Life    time.Duration // mean of a connection
	// Ways of the model that the table keeps as they are.
	Resolvers int           // that cache answers; clients are behind them
	TTL       time.Duration // how long
	Active    int           // mean connections for each unit of weight
	Warm      time.Duration // before anything is measured
	Measured  time.Duration
	Seed      uint64
}

// withDefaults fills in what the table keeps as it is.
func (c Case) withDefaults() Case {
	if c.Resolvers == 0 {
		c.Resolvers = 2000
	}
	if c.TTL == 0 {
		c.TTL = 5 * time.Second
	}
	if c.Active == 0 {
		c.Active = 1000
	}
	if c.Warm == 0 {
		c.Warm = max(30*time.Second, 3*c.Life)
	}
	if c.Measured == 0 {
		c.Measured = 60 * time.Second
	}
	return c
}

// Choice says how a site picks.
type Choice string

// Choices.
const (
	Ours  Choice = "fairlead" // method least-connection
	Turns Choice = "turns"    // method round-robin: what evenness there can be while all services are alike
	Naive Choice = "naive"    // the service whose last report, by weight, is least
)

// Result is how evenly services were used. Utilisation is connections by weight.
type Result struct {
	Spread float64   // mean over time of the fullest service's utilisation by the mean of all
	Worst  float64   // the same at its worst
	Curves []float64 // utilisation by the mean over time, of service i at sample n in [n*services+i]
}

const (
	grain   = 10 * time.Millisecond  // of the ends of connections
	publish = 100 * time.Millisecond // between two looks at what changed: the least time between two snapshots
	told    = time.Second            // between two MEP reports
	opening = 50 * time.Millisecond  // from an answer to the first connection
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// simulation is two sites that answer apart, services of both, and clients behind caching resolvers.
type simulation struct {
	Case
	choice Choice
	rng    *rand.Rand
	now    time.Duration

	plan   *gslb.Plan
	nodes  [2]node
	cached []cached
	upTo   []float64 // sums of the resolvers' rates, for a draw by rate
	rate   float64   // connections per second, all together
	active []int
	ends   [][]int // by grain, then service: connections that end
}

// node is one site: its belief, and what it learned from its own answers.
type node struct {
	name     string
	tracker  *sites.Tracker
	learned  *gslb.Learned
	snapshot *gslb.Snapshot
}

// cached is a resolver: it asks the same site each time.
type cached struct {
	address netip.Addr
	site    int
	service gslb.ServiceIndex
	until   time.Duration
}

// Simulate plays one case. Equal arguments give equal results.
func Simulate(c Case, choice Choice) (Result, error) {
	c = c.withDefaults()
	s := &simulation{Case: c, choice: choice, rng: rand.New(rand.NewPCG(c.Seed, uint64(len(c.Weights)))), active: make([]int, len(c.Weights))}
	if err := s.setUp(); err != nil {
		return Result{}, err
	}
	return s.run(), nil
}

func (s *simulation) setUp() error {
	doc := s.document()
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		return fmt.Errorf("compile the simulated document: %w", err)
	}
	s.plan = plan
	for i := range s.nodes {
		n := &s.nodes[i]
		n.name = doc.Sites[i].Name
		n.tracker, n.learned = sites.New(sites.Options{Site: n.name}), gslb.NewLearned(plan)
		n.tracker.SetDocument(doc, plan, start)
		n.tracker.Peer(&mep.SessionUp{Peer: doc.Sites[1-i].Name, At: start}, n.learned.Handed)
	}
	total := 0.0
	for i := range s.Resolvers {
		total += s.rng.ExpFloat64()/2 + 0.5 // some have three times as many clients as others
		s.upTo = append(s.upTo, total)
		s.cached = append(s.cached, cached{address: netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}), site: i % 2})
	}
	weight := 0
	for _, w := range s.Weights {
		weight += w
	}
	s.rate = float64(s.Active*weight) / s.Life.Seconds()
	return nil
}

// document is two sites that own the services in turn.
func (s *simulation) document() *config.Document {
	doc := &config.Document{Sites: []config.Site{{Name: "ams"}, {Name: "nyc"}},
		Zones: []config.Zone{{Name: "example.com", TTL: config.Duration(s.TTL)}}}
	doc.Settings.MEP.KeepaliveTimeout = config.Duration(10 * time.Second)
	doc.Settings.MEP.MetricsInterval = config.Duration(told)
	method := config.LeastConnection
	if s.choice == Turns {
		method = config.RoundRobin
	}
	v := config.VirtualServer{Name: "web", Method: method, BackupMethod: config.RoundRobin, MaxAnswers: 1,
		WhenAllDown: config.AnswerAll, Domains: []config.Domain{{Name: "www.example.com"}}}
	for i, w := range s.Weights {
		name := serviceName(i)
		doc.Services = append(doc.Services, config.Service{Name: name, Site: doc.Sites[i%2].Name, Port: 80, State: config.ServiceEnabled,
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)})},
			Load:      &config.LoadSource{Source: config.LoadJSON, Interval: config.Duration(s.Report)}})
		v.Members = append(v.Members, config.Member{Service: name, Weight: w, Order: 1})
	}
	doc.VirtualServers = []config.VirtualServer{v}
	return doc
}

func serviceName(i int) string { return fmt.Sprint("web", i+1) }

// run plays the case from one look to the next. Between two, clients come.
func (s *simulation) run() Result {
	var out Result
	total := s.Warm + s.Measured
	s.ends = make([][]int, int(total/grain)+1)
	next, samples := s.wait(), 0
	for at := time.Duration(0); at < total; at += publish {
		s.now = at
		s.report(int(at / publish))
		for ; next < at+publish; next += s.wait() {
			s.end(next)
			s.now = next
			s.client()
		}
		s.end(at + publish)
		if at >= s.Warm {
			spread := s.sample(&out)
			out.Spread, out.Worst, samples = out.Spread+spread, max(out.Worst, spread), samples+1
		}
	}
	out.Spread /= float64(samples)
	return out
}

// wait draws the time to the next connection.
func (s *simulation) wait() time.Duration {
	return time.Duration(s.rng.ExpFloat64() / s.rate * float64(time.Second))
}

// report lets services be read when they are due, sites tell each other, and belief become answers.
func (s *simulation) report(look int) {
	now := start.Add(s.now)
	period, peers := int(s.Report/publish), int(told/publish)
	for i := range s.nodes {
		n, other := &s.nodes[i], &s.nodes[1-i]
		for service := range s.active {
			if service%2 == i && (look+3*service)%period == 0 {
				n.tracker.Load(monitors.Load{Service: serviceName(service), Active: uint64(s.active[service]), At: now, Source: "json"}, n.learned.Handed)
			}
		}
		n.snapshot = gslb.NewSnapshot(uint64(look), s.plan, n.tracker.Status(now, n.learned.Handed), n.snapshot)
		if (look+7*i)%peers == 0 {
			other.tracker.Peer(&mep.ServicesReport{Peer: n.name, Records: sites.Records(n.snapshot, n.name, now), ReceivedAt: now}, other.learned.Handed)
		}
	}
}

// client opens one connection: to where its resolver's answer says, or that of a new one.
func (s *simulation) client() {
	r := &s.cached[sort.SearchFloat64s(s.upTo, s.rng.Float64()*s.upTo[len(s.upTo)-1])]
	if r.until <= s.now {
		r.service, r.until = s.answer(r), s.now+s.TTL
	}
	s.active[r.service]++
	ends := s.now + opening + time.Duration(s.rng.ExpFloat64()*float64(s.Life))
	at := int(ends / grain)
	if at < len(s.ends) {
		s.ends[at] = append(s.ends[at], int(r.service))
	}
}

func (s *simulation) answer(r *cached) gslb.ServiceIndex {
	n := &s.nodes[r.site]
	if s.choice == Naive {
		return least(n.snapshot, s.Weights)
	}
	now := start.Add(s.now)
	d := gslb.Decide(n.snapshot, gslb.Query{Family: gslb.IPv4, LDNS: r.address, At: now.Unix()}, n.learned, now, nil)
	return d.Services[0]
}

// least is what a balancer does that believes the last report until the next one comes.
func least(snapshot *gslb.Snapshot, weights []int) gslb.ServiceIndex {
	best := 0
	load := func(i int) float64 {
		return float64(snapshot.Status.Services[i].Load.Active) / float64(weights[i])
	}
	for i := range weights {
		if load(i) < load(best) {
			best = i
		}
	}
	return gslb.ServiceIndex(best)
}

// end closes the connections whose time has come.
func (s *simulation) end(at time.Duration) {
	for from, to := int(s.now/grain), int(at/grain); from < to; from++ {
		for _, service := range s.ends[from] {
			s.active[service]--
		}
		s.ends[from] = nil
	}
}

// sample notes how full the services are and returns the fullest by the mean.
func (s *simulation) sample(out *Result) float64 {
	connections, weight := 0, 0
	for i, w := range s.Weights {
		connections, weight = connections+s.active[i], weight+w
	}
	mean := float64(connections) / float64(weight)
	first := len(out.Curves)
	for i, w := range s.Weights {
		out.Curves = append(out.Curves, float64(s.active[i])/float64(w)/mean)
	}
	return slices.Max(out.Curves[first:])
}
