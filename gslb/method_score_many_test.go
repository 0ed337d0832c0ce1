package gslb

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"fairlead/config"
)

// scoredCrowd is many services with all that method score weighs, of some of which something is missing.
func scoredCrowd(r *rand.Rand, n int, capacities bool) *world {
	w := newWorld()
	var list []config.Member
	for i := range n {
		name, site := fmt.Sprintf("svc%d", i), fmt.Sprintf("site%d", i/2)
		if i%2 == 0 {
			if oneIn(r, 5) {
				w.site(site, "EU")
			} else {
				w.site(site, "EU", float64(r.IntN(120)-60), float64(r.IntN(300)-150))
			}
		}
		w.service(name, site, Up, fmt.Sprintf("10.1.%d.%d", i/250, i%250+1))
		if !oneIn(r, 6) {
			w.load(name, uint64(r.IntN(60)), time.Second)
		}
		if w.doc.Services[i].Cost = float64(r.IntN(4)); capacities {
			w.doc.Services[i].Capacity = uint64(50 + r.IntN(200))
		}
		list = append(list, config.Member{Service: name, Weight: 1 + r.IntN(3), Order: 1})
	}
	for i := range 20 {
		w.location(fmt.Sprintf("203.0.%d.0/24", i), "EU", float64(r.IntN(120)-60), float64(r.IntN(300)-150))
	}
	return w.virtualServer(config.VirtualServer{Name: "v", Method: config.Scored, ClientSubnet: true, Members: list, Domains: domains("www.example.com"),
		Score: config.Score{Load: float64(r.IntN(4)), RTT: float64(1 + r.IntN(2)), Distance: float64(r.IntN(3)), Cost: float64(r.IntN(2))}})
}

// crowdTable has times of some sites to some resolvers.
func crowdTable(r *rand.Rand, s *Snapshot) *Resolvers {
	table := NewResolvers(ResolverOptions{Prefix4: 32, Prefix6: 128, Max: 1024, Timeout: time.Hour})
	for i := range 8 {
		for range r.IntN(16) {
			table.Measured(crowdLDNS(i), s.Plan.sites[r.IntN(len(s.Plan.sites))].hash, time.Duration(1+r.IntN(90))*time.Millisecond, oracleNow)
		}
	}
	return table
}

func crowdLDNS(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}) }

// leastByHand is the least score of all members, and that of one, computed without any short cut.
func leastByHand(s *Snapshot, v *config.VirtualServer, l *Learned, q Query, one ServiceIndex) (least, of float64) {
	n := s.Plan.Services()
	active, now, rtt, far, cost := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	capacities := true
	for i := range n {
		capacities = capacities && s.Plan.services[i].Capacity > 0
	}
	number, _ := s.Plan.locations.spotNumber(q.Subnet.Addr())
	at := s.Plan.locations.spotOf(number)
	_, known, _ := l.Resolvers.Lookup(q.LDNS)
	for i := range n {
		svc, st := &s.Plan.services[i], &s.Status.Services[i]
		active[i], now[i], rtt[i], far[i], cost[i] = math.NaN(), math.NaN(), math.NaN(), math.NaN(), svc.cost
		if !st.Load.At.IsZero() {
			active[i] = float64(st.Load.Active)
			now[i] = active[i] + float64(l.Handed(ServiceIndex(i))-st.Load.Handed)*st.Load.PerAnswer
			if capacities {
				active[i], now[i] = active[i]/float64(svc.Capacity), now[i]/float64(svc.Capacity)
			}
		}
		for _, m := range known {
			if m.Site == s.Plan.sites[svc.site].hash {
				rtt[i] = m.RTT.Seconds()
			}
		}
		if to := s.Plan.sites[svc.site].spot; at.located && to.located {
			far[i] = greatCircleMetres(at, to)
		}
	}
	most := 10.0
	if capacities {
		most = 1
	}
	sum, count := 0.0, 0.0
	for _, x := range active {
		if !math.IsNaN(x) {
			sum, count = sum+x, count+1
			if !capacities {
				most = max(most, x)
			}
		}
	}
	mean := sum / count
	inputs := [][]float64{scaled(rtt), scaled(far), scaled(cost)}
	least = math.Inf(1)
	for i := range n {
		load := now[i]
		if math.IsNaN(load) {
			load = mean
		}
		score := v.Score.Load * load / most
		for j, by := range []float64{v.Score.RTT, v.Score.Distance, v.Score.Cost} {
			if inputs[j] != nil {
				score += by * inputs[j][i]
			}
		}
		score /= float64(v.Members[i].Weight)
		if least = min(least, score); ServiceIndex(i) == one {
			of = score
		}
	}
	return least, of
}

// TestScoreAmongManyIsLeast: whoever is chosen has the least score of all, as it is at that moment, whatever is remembered;
// and who remembers nothing chooses the same.
func TestScoreAmongManyIsLeast(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 9))
		w := scoredCrowd(r, []int{20, 70, 600}[seed%3], seed%2 == 0)
		s, l := w.snapshot(t)
		l.Resolvers = crowdTable(r, s)
		v := &w.doc.VirtualServers[0]
		for step := range 1500 {
			q := Query{Family: IPv4, At: oracleNow + int64(step), LDNS: crowdLDNS(r.IntN(9)), Subnet: netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, byte(r.IntN(3)), 0}), 24)}
			if seed >= 6 { // all for one client
				q.LDNS, q.Subnet = crowdLDNS(1), netip.MustParsePrefix("203.0.1.0/24")
			}
			if oneIn(r, 50) && seed != 11 {
				l.Resolvers.Measured(q.LDNS, s.Plan.sites[r.IntN(len(s.Plan.sites))].hash, time.Duration(1+r.IntN(90))*time.Millisecond, q.At)
			}
			if copied := l.Copy(); oneIn(r, 50) { // what others try out changes nothing here
				for range 30 {
					Decide(s, q, copied, epoch, nil)
				}
			}
			want := Decide(s, q, l.Copy(), epoch, nil)
			if step%20 == 0 {
				if least, of := leastByHand(s, v, l, q, want.Services[0]); !near(least, of) {
					t.Fatalf("seed %d, step %d: the least score is %v, that of the chosen one %v", seed, step, least, of)
				}
			}
			if got := Decide(s, q, l, epoch, nil); got != want {
				t.Fatalf("seed %d, step %d: got %+v, want %+v", seed, step, got, want)
			}
		}
	}
}

// TestScoreForgetsResolver: what is remembered of a resolver ends with its times.
func TestScoreForgetsResolver(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	w := scoredCrowd(r, 40, true)
	w.doc.VirtualServers[0].Score = config.Score{RTT: 1}
	s, l := w.snapshot(t)
	l.Resolvers = NewResolvers(ResolverOptions{Prefix4: 32, Prefix6: 128, Max: 1024, Timeout: time.Hour})
	at := func(site string, at int64) {
		t.Helper()
		for range 5 {
			d := Decide(s, Query{Family: IPv4, At: at, LDNS: crowdLDNS(1)}, l, epoch, nil)
			if got := s.Plan.services[d.Services[0]].Site; got != site {
				t.Errorf("at %d: got %s, want %s", at-oracleNow, got, site)
			}
		}
	}
	l.Resolvers.Measured(crowdLDNS(1), s.Plan.sites[3].hash, 9*time.Millisecond, oracleNow)
	l.Resolvers.Measured(crowdLDNS(1), s.Plan.sites[4].hash, 20*time.Millisecond, oracleNow+1000)
	at("site3", oracleNow+1001)
	l.Resolvers.Measured(crowdLDNS(1), s.Plan.sites[5].hash, 5*time.Millisecond, oracleNow+1002)
	at("site5", oracleNow+1003)
	l.Resolvers.Measured(crowdLDNS(1), s.Plan.sites[5].hash, 90*time.Millisecond, oracleNow+1004)
	at("site3", oracleNow+1005)
	l.Resolvers.Measured(crowdLDNS(1), s.Plan.sites[4].hash, 21*time.Millisecond, oracleNow+3000)
	at("site3", oracleNow+3500)
	at("site3", oracleNow+3599)
	at("site4", oracleNow+3600) // an hour after the one from site3
}

// TestScoreTellsResolversApart: of two resolvers whose places in all tables are the same, neither gets what was remembered of
// the other one.
func TestScoreTellsResolversApart(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 9))
	w := scoredCrowd(r, 40, true)
	w.doc.VirtualServers[0].Score = config.Score{RTT: 1}
	s, l := w.snapshot(t)
	l.Resolvers = NewResolvers(ResolverOptions{Prefix4: 32, Prefix6: 128, Max: 1024, Timeout: time.Hour})
	first := map[uint64]netip.Addr{}
	for n := uint32(1); ; n++ {
		ldns := netip.AddrFrom4([4]byte{100, byte(n >> 16), byte(n >> 8), byte(n)})
		hash := l.Resolvers.seek(ldns).hash
		same := uint64(placeOf(hash, places(1024)))*rankedSets + hash>>32%rankedSets
		other, ok := first[same]
		if first[same] = ldns; !ok {
			continue
		}
		for who, near := range map[netip.Addr]int{ldns: 3, other: 5} {
			l.Resolvers.Measured(who, s.Plan.sites[near].hash, 9*time.Millisecond, oracleNow)
			l.Resolvers.Measured(who, s.Plan.sites[7].hash, 90*time.Millisecond, oracleNow)
		}
		for range 4 {
			for who, site := range map[netip.Addr]string{ldns: "site3", other: "site5"} {
				d := Decide(s, Query{Family: IPv4, At: oracleNow + 1, LDNS: who}, l, epoch, nil)
				if got := s.Plan.services[d.Services[0]].Site; got != site {
					t.Errorf("%s: got %s, want %s", who, got, site)
				}
			}
		}
		return
	}
}

// TestScoreManyAtOnce: queries that come at once do not disturb each other.
func TestScoreManyAtOnce(t *testing.T) {
	w := scoredCrowd(rand.New(rand.NewPCG(2, 9)), 200, true)
	w.doc.VirtualServers[0].Score = config.Score{Load: 2, RTT: 1}
	s, l := w.snapshot(t)
	l.Resolvers = crowdTable(rand.New(rand.NewPCG(3, 9)), s)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			d := &Decider{Query: Query{Family: IPv4, At: oracleNow, LDNS: crowdLDNS(2)}}
			for range 2000 {
				if d.Decide(s, l, epoch, nil); d.Decision.Reason != ReasonScore && d.Decision.Reason != ReasonTie {
					t.Errorf("got %s", d.Decision.Reason)
					return
				}
			}
		})
	}
	all.Wait()
	levels := map[uint64]float64{}
	for i := range s.Plan.services {
		svc := &s.Plan.services[i]
		if n := l.Handed(ServiceIndex(i)) - s.Status.Services[i].Load.Handed; n > 0 && svc.site > 40 {
			levels[svc.Hash] = float64(n)
		}
	}
	if len(levels) < 10 {
		t.Errorf("only %d services beyond the nearest got answers of 16,000", len(levels))
	}
}
