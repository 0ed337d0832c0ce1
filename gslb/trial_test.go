package gslb

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"fairlead/config"
)

// countTurns decides again and again while nothing but the turn moves, and counts who is answered first.
func countTurns(trial *trial, turns int) map[ServiceIndex]float64 {
	out := map[ServiceIndex]float64{}
	for range turns {
		if i := trial.decide().first(); i != none {
			out[ServiceIndex(i)]++
		}
	}
	for i := range out {
		out[i] /= float64(turns)
	}
	return out
}

// TestSharesAreWhatTurnsGive compares the shares that are told with those that thousands of decisions have, in random worlds.
func TestSharesAreWhatTurnsGive(t *testing.T) {
	t.Parallel()
	shared := 0
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 29))
		w := randomWorld(r)
		s, l := w.snapshotHeld(t)
		w.tables(t, s, l)
		trial := newTrial(s, w.asked(randomQuery(r, newOracle(w, s).families(), oracleNow)), l, epoch)
		for range r.IntN(40) { // another phase of the fill
			Decide(s, trial.asked, l, epoch, nil)
		}
		trial = newTrial(s, trial.asked, l, epoch)
		trial.enter()
		said := trial.shares()
		turns := 200
		if len(said) > 1 {
			shared, turns = shared+1, 20_000
		}
		counted := countTurns(trial, turns)
		for i, n := range counted {
			if said[i] == 0 {
				t.Errorf("seed %d: nothing is said of %s, which has %.4f of the answers: %v", seed, s.Plan.services[i].Name, n, said)
			}
		}
		for i, part := range said {
			if math.Abs(counted[i]-part) > 0.003 {
				t.Errorf("seed %d: %s is said to have %.5f of the answers, but has %.5f", seed, s.Plan.services[i].Name, part, counted[i])
			}
		}
	}
	if shared < 50 {
		t.Errorf("in %d worlds services took turns", shared)
	}
}

// TestSharesOfLongRotations: turns of many members, and of great weights, repeat after thousands. All of them are known, also of
// those that come last.
func TestSharesOfLongRotations(t *testing.T) {
	t.Parallel()
	q := Query{Family: IPv4, LDNS: netip.MustParseAddr("198.51.100.7"), At: oracleNow}
	for _, method := range []config.Method{config.RoundRobin, config.LeastConnection, config.StaticProximity, config.RTT, config.Measured, config.Scored} {
		for _, n := range []int{3, 300} {
			t.Run(fmt.Sprintf("%s/%d", method, n), func(t *testing.T) {
				w := newWorld().site("ams", "EU.NL").site("nyc", "NA.US")
				v := config.VirtualServer{Name: "web", Domains: domains("www.example.com"), Method: method, Score: config.Score{Cost: 1, RTT: 1}}
				all := 0
				for i := range n {
					name := fmt.Sprintf("m%d", i)
					w.service(name, []string{"ams", "nyc"}[i%2], Up, fmt.Sprintf("192.0.2.%d", i%250+1))
					v.Members = append(v.Members, config.Member{Service: name, Weight: 99 + i%2, Order: 1})
					w.load(name, uint64(99+i%2), 0)
					if method != config.StaticProximity || i%2 == 0 {
						all += 99 + i%2
					}
				}
				s, l := w.virtualServer(v).location("198.51.100.0/24", "EU.NL").snapshot(t)
				l.Resolvers = NewResolvers(ResolverOptions{Max: 10, Timeout: time.Hour})
				for i := range s.Plan.sites {
					l.Resolvers.Measured(q.LDNS, s.Plan.sites[i].hash, 10*time.Millisecond, oracleNow)
				}
				var pushed []PushedValue
				for i := range min(n, MaxPushedServices) {
					pushed = append(pushed, PushedValue{Service: s.Plan.services[i].Hash, Value: 1, Until: oracleNow + 60})
				}
				if err := l.Pushed.Set(netip.MustParsePrefix("198.51.100.0/24"), pushed, oracleNow); err != nil {
					t.Fatal(err)
				}
				trial := newTrial(s, q, l, epoch)
				trial.left = 1
				trial.enter()
				said, sum := trial.shares(), 0.0
				if trial.told.turns > 0 {
					all = int(trial.told.turns)
				}
				counted := countTurns(trial, all)
				for i, part := range said {
					if sum += part; math.Abs(counted[i]-part) > 0.05/float64(n) {
						t.Errorf("%s is said to have %.5f of the answers, but has %.5f", s.Plan.services[i].Name, part, counted[i])
					}
				}
				if math.Abs(sum-1) > 1e-9 || len(said) != len(counted) {
					t.Errorf("%d services are said to share %.6f of the answers, and %d do", len(said), sum, len(counted))
				}
			})
		}
	}
}

// TestWorldsStandAnew: a world of a trial sets up what its edits change, and nothing of the world before is left.
func TestWorldsStandAnew(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 31))
		w := randomWorld(r)
		s, l := w.snapshotHeld(t)
		w.tables(t, s, l)
		trial := newTrial(s, w.asked(randomQuery(r, newOracle(w, s).families(), oracleNow)), l, epoch)
		for range 20 {
			edits := randomEdits(r, trial)
			trial.enter(edits...)
			got := *trial.decide()
			shares := fmt.Sprint(trial.shares())
			other := newTrial(s, trial.asked, l, epoch)
			other.reset()
			for _, e := range edits {
				e(other)
			}
			for _, vs := range other.chain {
				other.world.standings[vs] = other.world.stand(vs, nil)
			}
			want := *other.decide()
			if got.Outcome != want.Outcome || got.Count != want.Count || got.Reason != want.Reason || got.first() != want.first() {
				t.Fatalf("seed %d: got %+v, want %+v", seed, got, want)
			}
			if all := fmt.Sprint(other.shares()); shares != all {
				t.Fatalf("seed %d: got shares %s, want %s", seed, shares, all)
			}
		}
	}
}

func randomEdits(r *rand.Rand, t *trial) (out []edit) {
	vs := t.chain[r.IntN(len(t.chain))]
	v := &t.base.Plan.virtualServers[vs]
	target := v.members[r.IntN(len(v.members))].service
	all := []edit{asUp(target), asDown(target), asDown(t.services...), withConnections(target, float64(r.IntN(60))), withWeight(vs, target, uint32(1+r.IntN(100))), withoutSpillover(vs),
		withMeasure(target, func(m *Measures) *Measure { return &m.Bandwidth }, float64(r.IntN(9000))), withoutSessions}
	if len(v.policies) > 0 {
		all = append(all, withoutPolicy(vs, r.IntN(len(v.policies))))
	}
	if vs < len(t.status.Held) {
		all = append(all, released(vs))
	}
	for _, i := range r.Perm(len(all))[:r.IntN(3)] {
		out = append(out, all[i])
	}
	return out
}

// TestPartsOfAFill: the parts that a fill tells of are those that picking has, in each of its phases.
func TestPartsOfAFill(t *testing.T) {
	const turns = 20_000
	urgent := 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 37))
		loads, contenders := make([]pour, 2+r.IntN(12)), make([]contender, 14)
		for i := range loads {
			loads[i] = pour{value: float64(r.IntN(100)), growth: float64(1+r.IntN(8)) / 4, patience: float64(r.IntN(3)), basis: basisMeasured}
			contenders[i].weight = uint32(1 + r.IntN(3))
		}
		w := newFill(loads, contenders[:len(loads)])
		if w.urgent != nil {
			urgent++
		}
		phases := []float64{0, w.before / 2, w.before, w.before + 1}
		for _, join := range w.joins {
			phases = append(phases, w.before+join)
		}
		for _, phase := range phases {
			said, counted := make([]float64, len(loads)), make([]float64, len(loads))
			w.addParts(said, math.Floor(phase), 0, 1)
			for turn := range uint64(turns) {
				counted[w.pick(turn, uint64(phase))] += 1. / turns
			}
			for i := range said {
				if math.Abs(said[i]-counted[i]) > 0.003 {
					t.Errorf("seed %d, after %.0f of %.1f urgent answers: contender %d is said to have %.4f, but has %.4f", seed, phase, w.before, i, said[i], counted[i])
				}
			}
		}
	}
	if urgent < 10 {
		t.Errorf("%d fills were urgent", urgent)
	}
}
