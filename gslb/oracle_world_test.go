package gslb

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"fairlead/config"
)

var oraclePlaces = []string{"EU.NL.NH", "EU.NL.ZH", "EU.BE", "NA.US.NY", "NA.CA", "AS.JP", ""}

var oracleMethods = []config.Method{config.RoundRobin, config.LeastConnection, config.LeastResponseTime, config.LeastBandwidth, config.LeastPackets,
	config.SourceIPHashing, config.StaticProximity, config.RTT, config.CustomLoad, config.Measured, config.Scored}

// oracleNow is the time of the oracle's queries.
const oracleNow = int64(1_800_000_000)

// pushedTo is a measurement that was pushed.
type pushedTo struct {
	prefix  netip.Prefix
	service string
	value   float64
	ended   bool
}

// randomPlan is a document with a belief about it, and what was measured.
type randomPlan struct {
	*world
	worldSize
	held    map[string]bool                         // by virtual server
	ordered map[string]State                        // by virtual server: Disabled, Draining or nothing
	rtts    map[netip.Addr]map[string]time.Duration // by resolver and site
	pushed  []pushedTo
	six     bool // clients have IPv6 addresses
}

// as is an IPv4 prefix as its clients have it: the same bits behind 2001:db8 in place of 203.0.
func (w *randomPlan) as(p netip.Prefix) netip.Prefix {
	if !w.six || !p.IsValid() {
		return p
	}
	b := p.Addr().As4()
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, b[2], b[3]}), p.Bits()+16)
}

func (w *randomPlan) asAddr(a netip.Addr) netip.Addr {
	return w.as(netip.PrefixFrom(a, 32)).Addr()
}

// asked is a query as its client asks it.
func (w *randomPlan) asked(q Query) Query {
	q.LDNS, q.Subnet = w.asAddr(q.LDNS), w.as(q.Subnet)
	return q
}

// worldSize is how much there is in a random world.
type worldSize struct {
	sites, services int
	crowd           bool // of members: most of them may be picked, by a method with a way of its own for many
}

var smallWorld = worldSize{sites: 3, services: 6}

// oneIn is true once in n times.
func oneIn(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

// randomWorld draws a small document and a belief about it.
func randomWorld(r *rand.Rand) *randomPlan { return randomWorldOf(r, smallWorld) }

// randomWorldOf draws a document of a size, and a belief about it.
func randomWorldOf(r *rand.Rand, size worldSize) *randomPlan {
	w := &randomPlan{world: newWorld(), worldSize: size, six: r.IntN(4) == 0, held: map[string]bool{}, ordered: map[string]State{}, rtts: map[netip.Addr]map[string]time.Duration{}}
	w.doc.Settings.Answers = config.AnswerSettings{AdaptiveTTL: oneIn(r, 2), LeastTTL: config.Duration(time.Duration(1+r.IntN(40)) * time.Second), Coherent: oneIn(r, 2)}
	w.doc.Settings.Locations.Wildcards = config.WildcardAny
	for i := range w.sites {
		name := fmt.Sprintf("site%d", i)
		if oneIn(r, 3) {
			w.site(name, oraclePlaces[r.IntN(len(oraclePlaces))], float64(r.IntN(160)-80), float64(r.IntN(340)-170))
		} else {
			w.site(name, oraclePlaces[r.IntN(len(oraclePlaces))])
		}
	}
	for i := range w.services {
		w.randomService(r, i)
	}
	for i := range 3 {
		w.randomVirtualServer(r, i)
	}
	w.randomLocations(r)
	w.randomMeasurements(r)
	return w
}

func (w *randomPlan) randomService(r *rand.Rand, i int) {
	name := fmt.Sprintf("svc%d", i)
	addrs := []string{fmt.Sprintf("192.0.2.%d", i+1), fmt.Sprintf("2001:db8::%d", i+1)}
	if oneIn(r, 4) {
		addrs = addrs[r.IntN(2):][:1]
	}
	w.service(name, fmt.Sprintf("site%d", r.IntN(w.sites)), []State{Up, Up, Up, Up, Down, Unknown, Disabled, Draining}[r.IntN(8)], addrs...)
	s, st := &w.doc.Services[i], w.status[name]
	if !oneIn(r, 3) {
		st.Load = Load{Active: uint64(r.IntN(40)), At: epoch.Add(-time.Duration(r.IntN(12)) * time.Second), PerAnswer: float64(1+r.IntN(4)) / 2,
			Expected: float64(r.IntN(3) * r.IntN(9)), Source: "test"}
	}
	if oneIn(r, 4) {
		st.Load.Expected = -float64(st.Load.Active) * float64(r.IntN(5)) / 4 // connections that have ended since
	}
	if !oneIn(r, 3) {
		st.Measures = randomMeasures(r)
	}
	if !oneIn(r, 3) {
		s.Host = name + ".example.com"
	}
	s.MaxConnections, s.Cost, s.HashID = uint64(max(0, r.IntN(60)-40)), float64(r.IntN(4)), uint32(max(0, r.IntN(9)-6)*(i+1))
	s.Capacity = uint64(max(0, r.IntN(100)-50))
	if oneIn(r, 4) {
		s.MaxBandwidth, s.LoadThreshold = uint64(r.IntN(5000)), float64(r.IntN(10))
	}
	if oneIn(r, 4) {
		s.BackupServices = []string{fmt.Sprintf("svc%d", (i+1)%w.services)}
	}
	if oneIn(r, 6) {
		st.Share = float64(1+r.IntN(16)) / 16
	}
	if oneIn(r, 8) {
		st.Doubt = DoubtFailing
	}
	st.Without4, st.Without6 = oneIn(r, 12), oneIn(r, 12)
	if w.crowd && !oneIn(r, 10) {
		st.State, s.MaxConnections, s.MaxBandwidth, s.LoadThreshold = Up, 0, 0, 0
	}
	w.status[name] = st
}

func randomMeasures(r *rand.Rand) *Measures {
	draw := func(most int) Measure {
		if oneIn(r, 4) {
			return Measure{}
		}
		m := Measure{Value: float64(r.IntN(most)), At: epoch.Add(-time.Duration(r.IntN(12)) * time.Second), PerAnswer: float64(r.IntN(3) * most / 100), Source: "test"}
		if oneIn(r, 15) {
			m.At = epoch.Add(-time.Hour)
		}
		return m
	}
	m := &Measures{ResponseTime: draw(200), Bandwidth: draw(4000), Packets: draw(1000), Custom: draw(12), Members: draw(9), MemberWeight: draw(30), Capacity: draw(500)}
	m.ResponseTime.Value /= 1000
	m.ResponseTime.PerAnswer = 0
	return m
}

func (w *randomPlan) randomVirtualServer(r *rand.Rand, i int) {
	v := config.VirtualServer{Name: fmt.Sprintf("vs%d", i), Method: oracleMethods[r.IntN(len(oracleMethods))], BackupMethod: oracleMethods[r.IntN(len(oracleMethods))],
		MaxAnswers: 1 + r.IntN(3), ClientSubnet: oneIn(r, 2), EffectiveState: oneIn(r, 3), BackupHold: oneIn(r, 4),
		WhenAllDown:    []config.WhenAllDown{config.AnswerAll, config.AnswerAll, config.AnswerEmpty, config.AnswerServFail, config.AnswerBackupAddress}[r.IntN(5)],
		ActiveOrder:    []config.ActiveOrder{config.OrderAscending, config.OrderAscending, config.OrderDescending}[r.IntN(3)],
		OrderThreshold: max(0, r.IntN(150)-50), DynamicWeight: []config.DynamicWeight{config.DynamicNone, config.DynamicMembers, config.DynamicMemberWeight}[r.IntN(3)]}
	most := w.services - 1
	if w.crowd && i == 0 {
		w.crowdVirtualServer(r, &v)
	} else {
		most = 1 + r.IntN(most)
	}
	for _, s := range r.Perm(w.services)[:most] {
		m := config.Member{Service: fmt.Sprintf("svc%d", s), Weight: 1 + r.IntN(9), Order: 1 + r.IntN(2)}
		if w.crowd && !oneIn(r, 12) {
			m.Order = 1
		}
		v.Members = append(v.Members, m)
	}
	if v.Method == config.RTT {
		v.Tolerance = config.Duration(time.Duration(r.IntN(20)) * time.Millisecond)
	}
	if oneIn(r, 2) {
		v.Score = config.Score{Load: float64(r.IntN(3)), RTT: float64(r.IntN(3)), Distance: float64(r.IntN(3)), Cost: float64(r.IntN(2))}
	}
	if w.crowd && i == 0 && oneIn(r, 2) {
		v.Score.RTT = 1
	}
	if i == 0 {
		v.Domains = domains("www.example.com")
		if oneIn(r, 2) {
			v.Domains[0].HTTPS = &config.HTTPSAnswer{}
		}
	}
	if i < 2 && oneIn(r, 2) {
		v.Backup = fmt.Sprintf("vs%d", i+1)
	}
	if oneIn(r, 3) {
		v.Persistence = config.Persistence{Type: config.PersistenceSourceIP, Timeout: config.Duration(2 * time.Minute), Prefix4: 16 + 8*r.IntN(3), YieldToOrder: oneIn(r, 2)}
	}
	v.Persistence.Prefix6 = v.Persistence.Prefix4 + 16
	if oneIn(r, 3) && !w.crowd {
		v.Spillover = randomSpillover(r)
	}
	w.randomPolicies(r, &v)
	w.held[v.Name] = oneIn(r, 3)
	w.ordered[v.Name] = []State{Disabled, Draining, 9: Unknown}[r.IntN(10)]
	w.virtualServer(v)
}

// crowdVirtualServer makes it likely that many are compared.
func (w *randomPlan) crowdVirtualServer(r *rand.Rand, v *config.VirtualServer) {
	if !oneIn(r, 4) {
		v.Method = []config.Method{config.Scored, config.Scored, config.RTT, config.SourceIPHashing, config.SourceIPHashing}[r.IntN(5)]
	}
	if !oneIn(r, 4) {
		v.DynamicWeight = config.DynamicNone
	}
}

func randomSpillover(r *rand.Rand) config.Spillover {
	s := config.Spillover{Persistence: oneIn(r, 3), Timeout: config.Duration(2 * time.Minute),
		WithoutBackup: []config.WithoutBackup{config.SpillAccept, config.SpillEmpty}[r.IntN(2)]}
	switch r.IntN(4) {
	case 0:
		s.Method, s.Threshold = config.SpilloverConnections, uint64(1+r.IntN(100))
	case 1:
		s.Method = config.SpilloverDynamicConnections
	case 2:
		s.Method, s.Threshold = config.SpilloverBandwidth, uint64(1+r.IntN(8000))
	default:
		s.Method, s.Threshold = config.SpilloverHealth, uint64(1+r.IntN(100))
	}
	return s
}

func (w *randomPlan) randomPolicies(r *rand.Rand, v *config.VirtualServer) {
	few := max(0, r.IntN(6)-3)
	if w.crowd {
		few /= 2
	}
	for n := range few {
		p := config.Policy{Name: fmt.Sprintf("p%d", n)}
		if oneIn(r, 2) {
			p.Clients = []netip.Prefix{w.as(randomPrefix(r))}
		}
		if oneIn(r, 2) {
			p.Places = []string{[]string{"EU", "EU.NL", "NA.*.NY", "AS.JP", "*.US"}[r.IntN(5)]}
		}
		if oneIn(r, 8) {
			p.Listeners = []netip.Addr{netip.MustParseAddr("192.0.2.53")}
		}
		if oneIn(r, 8) && len(v.Domains) > 0 {
			p.Names = []string{v.Domains[0].Name}
		}
		if oneIn(r, 2) {
			p.Orders = []int{2, 1}[:1+r.IntN(2)]
		} else {
			p.Prefer = []string{"EU.NL", "NA", "EU.*", "AS"}[r.IntN(4):]
		}
		v.Policies = append(v.Policies, p)
	}
}

func randomPrefix(r *rand.Rand) netip.Prefix {
	p, _ := netip.AddrFrom4([4]byte{203, 0, byte(r.IntN(4)), byte(r.IntN(256))}).Prefix(20 + r.IntN(9))
	return p
}

func (w *randomPlan) randomLocations(r *rand.Rand) {
	for range r.IntN(8) {
		p := w.as(randomPrefix(r))
		if slices.ContainsFunc(w.doc.Locations, func(l config.Location) bool { return l.Prefix == p }) {
			continue
		}
		if oneIn(r, 2) {
			w.location(p.String(), oraclePlaces[r.IntN(len(oraclePlaces))], float64(r.IntN(160)-80), float64(r.IntN(340)-170))
		} else {
			w.location(p.String(), oraclePlaces[r.IntN(len(oraclePlaces)-1)])
		}
	}
}

// randomMeasurements are times to resolvers, and what was pushed.
func (w *randomPlan) randomMeasurements(r *rand.Rand) {
	for range r.IntN(6) {
		ldns := w.asAddr(netip.AddrFrom4([4]byte{203, 0, byte(r.IntN(5)), byte(r.IntN(16))}))
		w.rtts[ldns] = map[string]time.Duration{}
		for i := range w.sites {
			if !oneIn(r, 3) {
				w.rtts[ldns][fmt.Sprintf("site%d", i)] = time.Duration(1+r.IntN(60)) * time.Millisecond
			}
		}
	}
	for range r.IntN(10) {
		w.pushed = append(w.pushed, pushedTo{w.as(randomPrefix(r)), fmt.Sprintf("svc%d", r.IntN(w.services)), float64(r.IntN(5)), oneIn(r, 6)})
	}
}

// randomQuery asks as one of a few clients.
func randomQuery(r *rand.Rand, of []Family, at int64) Query {
	q := Query{Family: of[r.IntN(len(of))], At: at, LDNS: netip.AddrFrom4([4]byte{203, 0, byte(r.IntN(5)), byte(r.IntN(16))})}
	if oneIn(r, 2) {
		q.Subnet, _ = netip.AddrFrom4([4]byte{203, 0, byte(r.IntN(5)), 0}).Prefix(24)
	}
	if oneIn(r, 2) {
		q.Listener = netip.MustParseAddr("192.0.2.53")
	}
	return q
}
