package gslb

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"

	"fairlead/config"
)

const shareAnswers = 100_000

// checkShares decides many times and compares how often each service came first with what it should have of the answers:
// within 1 % of its share. snapshots is how many snapshots the answers are spread over.
func checkShares(t *testing.T, w *world, want map[string]float64, snapshots int) {
	t.Helper()
	s, l := w.snapshot(t)
	count := map[string]float64{}
	for n := range snapshots {
		s = NewSnapshot(uint64(n+1), s.Plan, s.Status, s)
		for range shareAnswers / snapshots {
			d := Decide(s, Query{Family: IPv4, LDNS: netip.MustParseAddr(client)}, l, epoch, nil)
			count[s.Plan.Service(d.Services[0]).Name]++
		}
	}
	total := 0.0
	for _, share := range want {
		total += share
	}
	for name, share := range want {
		if got, want := count[name], share/total*shareAnswers; math.Abs(got-want) > want/100+1 {
			t.Errorf("%s: %.0f of %d answers, want %.0f within 1 %%", name, got, shareAnswers, want)
		}
	}
}

// weighted is members with these weights.
func weighted(method config.Method, weights []int, change func(*world, string, int)) (*world, map[string]float64) {
	w := newWorld().site("ams", "EU.NL", 52, 5)
	v := config.VirtualServer{Name: "v", Method: method, Domains: domains("www.example.com")}
	want := map[string]float64{}
	for i, weight := range weights {
		name := fmt.Sprintf("svc%d", i)
		w.service(name, "ams", Up, fmt.Sprintf("192.0.%d.%d", 2+i/250, i%250+1))
		v.Members = append(v.Members, config.Member{Service: name, Weight: weight, Order: 1})
		want[name] = float64(weight)
		if change != nil {
			change(w, name, i)
		}
	}
	return w.virtualServer(v), want
}

var shareWeights = [][]int{{1, 1}, {1, 2, 3}, {100, 1}, {7, 13, 29, 51}, {97, 89, 83, 79, 73, 71, 67, 61}}

func TestSharesOfRotation(t *testing.T) {
	for _, weights := range shareWeights {
		t.Run(fmt.Sprint(weights), func(t *testing.T) {
			w, want := weighted(config.RoundRobin, weights, nil)
			checkShares(t, w, want, 10)
		})
	}
}

// TestSharesOfTies: all at the same site are equally near, and take turns by weight.
func TestSharesOfTies(t *testing.T) {
	for _, weights := range shareWeights {
		t.Run(fmt.Sprint(weights), func(t *testing.T) {
			w, want := weighted(config.StaticProximity, weights, nil)
			w.location("198.51.100.0/24", "EU.NL", 52, 5)
			checkShares(t, w, want, 10)
		})
	}
}

// TestSharesOfEqualLoad: services that stand at one level stay there.
func TestSharesOfEqualLoad(t *testing.T) {
	for _, weights := range shareWeights {
		for _, snapshots := range []int{1, 100} {
			t.Run(fmt.Sprint(weights, snapshots), func(t *testing.T) {
				w, want := weighted(config.LeastConnection, weights, func(w *world, name string, i int) { w.load(name, uint64(50*weights[i]), 0) })
				checkShares(t, w, want, snapshots)
			})
		}
	}
}

func TestSharesOfDynamicWeights(t *testing.T) {
	weights, behind := []int{3, 2, 1}, []float64{4, 10, 7}
	w, want := weighted(config.RoundRobin, weights, func(w *world, name string, i int) {
		st := w.status[name]
		st.Measures = &Measures{Members: Measure{Value: behind[i], At: epoch}, MemberWeight: Measure{Value: 1, At: epoch}}
		w.status[name] = st
	})
	w.doc.VirtualServers[0].DynamicWeight = config.DynamicMembers
	for i := range weights {
		want[fmt.Sprintf("svc%d", i)] *= behind[i]
	}
	checkShares(t, w, want, 10)
}

func TestSharesOfSlowStart(t *testing.T) {
	for _, share := range []float64{1. / 16, 0.25, 0.5, 0.75, 1} {
		for _, m := range []config.Method{config.RoundRobin, config.StaticProximity} {
			t.Run(fmt.Sprint(m, share), func(t *testing.T) {
				weights := []int{4, 2, 2}
				w, want := weighted(m, weights, nil)
				w.location("198.51.100.0/24", "EU.NL", 52, 5)
				st := w.status["svc1"]
				st.Share = share
				w.status["svc1"] = st
				want["svc1"] *= share
				checkShares(t, w, want, 10)
			})
		}
	}
}

// TestWaterFindsItsLevel: whatever levels contenders start at, how heavy they are and what an answer brings them, after any
// number of answers all that got some stand at one level, and nobody below it was left out.
func TestWaterFindsItsLevel(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 5))
		n := 2 + r.IntN(7)
		weights := make([]int, n)
		value, growth := make([]float64, n), make([]float64, n)
		for i := range n {
			weights[i] = 1 + r.IntN(9)
			value[i], growth[i] = float64(r.IntN(4000)*1000), float64(1000*(1+r.IntN(8)))
		}
		w, _ := weighted(config.LeastBandwidth, weights, func(w *world, name string, i int) {
			st := w.status[name]
			st.Measures = &Measures{Bandwidth: Measure{Value: value[i], At: epoch, PerAnswer: growth[i]}}
			w.status[name] = st
		})
		s, l := w.snapshot(t)
		answers := 1 + r.IntN(20_000)
		got := make([]float64, n)
		for range answers {
			got[Decide(s, Query{Family: IPv4, LDNS: netip.MustParseAddr(client)}, l, epoch, nil).Services[0]]++
		}
		level := waterLevel(value, growth, weights, float64(answers))
		for i := range n {
			want := max(0, (level-value[i]/float64(weights[i]))*float64(weights[i])/growth[i])
			if math.Abs(got[i]-want) > 3+want/100 {
				t.Fatalf("seed %d: service %d (value %.0f, weight %d, growth %.0f) got %.0f of %d answers, want %.1f", seed, i, value[i], weights[i], growth[i],
					got[i], answers, want)
			}
		}
	}
}

// waterLevel finds the level to which so many answers fill contenders, by halving.
func waterLevel(value, growth []float64, weights []int, answers float64) float64 {
	low, high := 0.0, 1e12
	for range 200 {
		level, poured := (low+high)/2, 0.0
		for i := range value {
			poured += max(0, (level-value[i]/float64(weights[i]))*float64(weights[i])/growth[i])
		}
		if poured > answers {
			high = level
		} else {
			low = level
		}
	}
	return low
}

// TestSharesOfServicesOfOneFamily: services at one site that have addresses of different families share the answers that agree
// with another family's, by weight.
func TestSharesOfServicesOfOneFamily(t *testing.T) {
	w := newWorld().site("ams", "EU.NL", 52, 5).service("a1", "ams", Up, "192.0.2.1").service("a2", "ams", Up, "192.0.2.2").
		service("b1", "ams", Up, "2001:db8::1").service("b2", "ams", Up, "2001:db8::2")
	w.doc.Settings.Answers.Coherent = true
	w.virtualServer(config.VirtualServer{Name: "v", Method: config.RoundRobin, Domains: domains("www.example.com"),
		Members: []config.Member{{Service: "a1", Weight: 1, Order: 1}, {Service: "a2", Weight: 1, Order: 1}, {Service: "b1", Weight: 1, Order: 1},
			{Service: "b2", Weight: 3, Order: 1}}})
	s, l := w.snapshot(t)
	count := map[string]int{}
	for i := range 4000 {
		for _, f := range []Family{IPv4, IPv6} {
			d := Decide(s, Query{Family: f, At: oracleNow, LDNS: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})}, l, epoch, nil)
			if count[outcome(s, d)]++; f == IPv6 && d.Reason != ReasonPaired {
				t.Fatalf("client %d: reason %s, want the site of the other family", i, d.Reason)
			}
		}
	}
	for name, want := range map[string]int{"a1": 2000, "a2": 2000, "b1": 1000, "b2": 3000} {
		if got := count[name]; got < want*99/100 || got > want*101/100 {
			t.Errorf("%s: %d answers, want %d", name, got, want)
		}
	}
}
