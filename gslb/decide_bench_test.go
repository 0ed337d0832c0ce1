package gslb

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"fairlead/config"
)

var benchMethods = []config.Method{config.RoundRobin, config.LeastConnection, config.LeastResponseTime, config.LeastBandwidth, config.LeastPackets,
	config.SourceIPHashing, config.StaticProximity, config.RTT, config.CustomLoad, config.Measured, config.Scored}

// benchWorld is n services at as many sites, of which everything is known that a method may want.
func benchWorld(method config.Method, n int) *world {
	w := newWorld()
	var names []string
	for i := range n {
		w.site(fmt.Sprintf("site%d", i), "EU.NL", float64(i%90), float64(i%180))
		name := fmt.Sprintf("svc%d", i)
		names = append(names, name)
		w.service(name, fmt.Sprintf("site%d", i), Up, fmt.Sprintf("10.0.%d.%d", i/250, i%250+1), fmt.Sprintf("2001:db8::%x", i+1)).load(name, uint64(100+i), 0)
		st := w.status[name]
		known := func(v float64) Measure { return Measure{Value: v, At: epoch, PerAnswer: 1, Source: "test"} }
		st.Measures = &Measures{ResponseTime: known(0.01), Bandwidth: known(float64(1000 * i)), Packets: known(float64(10 * i)), Custom: known(float64(i))}
		w.status[name] = st
		w.doc.Services[i].Cost, w.doc.Services[i].Capacity = float64(1+i%3), 10_000
	}
	w.location("203.0.113.0/24", "EU.NL", 52, 5)
	v := config.VirtualServer{Name: "v", Method: method, ClientSubnet: true, Members: members(names...), Domains: domains("www.example.com")}
	v.Score = config.Score{Load: 1, RTT: 1, Distance: 1, Cost: 1}
	return w.virtualServer(v)
}

var benchQuery = Query{Family: IPv4, At: oracleNow, LDNS: netip.MustParseAddr("198.51.100.53"), Subnet: netip.MustParsePrefix("203.0.113.0/24")}

// benchTables measures the query's resolver from up to 16 sites, and pushes a measurement for its client.
func benchTables(b testing.TB, s *Snapshot, l *Learned) {
	l.Sessions = NewSessions(SessionOptions{Max: 1 << 16})
	l.Resolvers = NewResolvers(ResolverOptions{Prefix4: 32, Prefix6: 128, Max: 1 << 12, Timeout: time.Hour})
	var values []PushedValue
	for i := range min(16, len(s.Plan.sites)) {
		for j, q := range benchResolvers(64) {
			l.Resolvers.Measured(q.LDNS, s.Plan.sites[i].hash, time.Duration(10+(i+j)%16)*time.Millisecond, oracleNow)
		}
		values = append(values, PushedValue{Service: s.Plan.services[i].Hash, Value: float64(i), Until: oracleNow + 1000})
	}
	if err := l.Pushed.Set(benchQuery.Subnet, values, oracleNow); err != nil {
		b.Fatal(err)
	}
}

// benchResolvers is a query from each of some resolvers.
func benchResolvers(n int) []Query {
	out := make([]Query, n)
	for i := range out {
		out[i] = benchQuery
		out[i].LDNS = netip.AddrFrom4([4]byte{198, 51, 100, byte(53 + i)})
	}
	return out
}

// benchCase is one way to decide.
type benchCase struct {
	name    string
	world   *world
	queries []Query
}

// benchCases lists every method with few and many members, and what a query may need besides.
func benchCases(sizes ...int) []benchCase {
	var out []benchCase
	for _, m := range benchMethods {
		for _, n := range sizes {
			out = append(out, benchCase{fmt.Sprintf("%s/%d", m, n), benchWorld(m, n), []Query{benchQuery}})
		}
	}
	with := func(m config.Method, change func(*config.VirtualServer)) *world {
		w := benchWorld(m, 4)
		change(&w.doc.VirtualServers[0])
		return w
	}
	session := config.Persistence{Type: config.PersistenceSourceIP, Timeout: config.Duration(2 * time.Minute), Prefix4: 24, Prefix6: 56}
	out = append(out,
		benchCase{"persistence/4", with(config.LeastConnection, func(v *config.VirtualServer) { v.Persistence = session }), []Query{benchQuery}},
		benchCase{"policies/4", with(config.LeastConnection, func(v *config.VirtualServer) {
			v.Policies = []config.Policy{{Name: "no", Clients: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Orders: []int{1}},
				{Name: "yes", Places: []string{"EU.*"}, Prefer: []string{"EU.NL"}}}
		}), []Query{benchQuery}},
		benchCase{"score-load/4", with(config.Scored, func(v *config.VirtualServer) { v.Score = config.Score{Load: 1, Cost: 1} }), []Query{benchQuery}},
		benchCase{"score-near/4", with(config.Scored, func(v *config.VirtualServer) { v.Score = config.Score{Load: 1, Distance: 1} }), []Query{benchQuery}},
		benchCase{"score-resolvers/1000", benchWorld(config.Scored, 1000), benchResolvers(64)},
		benchCase{"score-near/1000", func() *world {
			w := benchWorld(config.Scored, 1000)
			w.doc.VirtualServers[0].Score = config.Score{Load: 1, Distance: 1}
			return w
		}(), []Query{benchQuery}})
	idle := benchWorld(config.Scored, 512)
	idle.doc.VirtualServers[0].Score = config.Score{Load: 1, RTT: 1}
	for name, st := range idle.status {
		st.Load.Active = 0
		idle.status[name] = st
	}
	out = append(out, benchCase{"score-idle/512", idle, []Query{benchQuery}})
	coherent := benchWorld(config.LeastConnection, 4)
	coherent.doc.Settings.Answers.Coherent = true
	six := benchQuery
	six.Family = IPv6
	return append(out, benchCase{"coherent/4", coherent, []Query{benchQuery, six}})
}

// benchReport is after how many answers loads are reported again.
const benchReport = 10_000

// benchReported is the snapshot after a report that says of all services what the one before said.
func benchReported(s *Snapshot, l *Learned) *Snapshot {
	status := *s.Status
	status.Services = slices.Clone(status.Services)
	for i := range status.Services {
		status.Services[i].Load.Handed = l.Handed(ServiceIndex(i))
	}
	return NewSnapshot(s.Generation+1, s.Plan, &status, s)
}

func BenchmarkDecide(b *testing.B) {
	for _, c := range benchCases(4, 1000) {
		b.Run(c.name, func(b *testing.B) {
			s, l := c.world.snapshot(b)
			benchTables(b, s, l)
			d, turn, answers := &Decider{}, 0, 0
			b.ReportAllocs()
			for b.Loop() {
				if answers++; answers%benchReport == 0 {
					b.StopTimer()
					s = benchReported(s, l)
					b.StartTimer()
				}
				d.Query = c.queries[turn]
				if turn++; turn == len(c.queries) {
					turn = 0
				}
				d.Decide(s, l, epoch, nil)
			}
		})
	}
}

// TestDecideDoesNotAllocate holds the budget of the query path.
func TestDecideDoesNotAllocate(t *testing.T) {
	for _, c := range benchCases(4, 40) {
		s, l := c.world.snapshot(t)
		benchTables(t, s, l)
		if got := testing.AllocsPerRun(200, func() {
			for _, q := range c.queries {
				Decide(s, q, l, epoch, nil)
			}
		}); got != 0 {
			t.Errorf("%s allocates %v times per decision, want 0", c.name, got)
		}
	}
}

// BenchmarkFirstAfterReport is the first query of a resolver after each report of loads, and what the snapshot costs that came with it.
func BenchmarkFirstAfterReport(b *testing.B) {
	for _, c := range []struct {
		name  string
		world *world
	}{{"score/1000", benchWorld(config.Scored, 1000)}, {"score/512", benchWorld(config.Scored, 512)},
		{"least-connection/1000", benchWorld(config.LeastConnection, 1000)}, {"round-robin/1000", benchWorld(config.RoundRobin, 1000)},
		{"round-robin/4", benchWorld(config.RoundRobin, 4)}} {
		b.Run(c.name, func(b *testing.B) {
			s, l := c.world.snapshot(b)
			benchTables(b, s, l)
			d := &Decider{Query: benchQuery}
			var queries, snapshots time.Duration
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				s = benchReported(s, l)
				made := time.Now()
				d.Decide(s, l, epoch, nil)
				queries, snapshots = queries+time.Since(made), snapshots+made.Sub(start)
			}
			b.ReportMetric(float64(queries.Nanoseconds())/float64(b.N), "ns/query")
			b.ReportMetric(float64(snapshots.Nanoseconds())/float64(b.N), "ns/snapshot")
		})
	}
}
