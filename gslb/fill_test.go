package gslb

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"fairlead/config"
)

// pouredNames returns the picks of consecutive answers by name: a, b, c…
func pouredNames(values, growths []float64, weights []uint32, answers int) string {
	loads, contenders := make([]pour, len(values)), make([]contender, len(values))
	for i := range values {
		loads[i] = pour{value: values[i], growth: growths[i], basis: basisMeasured}
		contenders[i].weight = weights[i]
	}
	f := newFill(loads, contenders)
	var b strings.Builder
	for n := range answers {
		b.WriteByte('a' + byte(f.pick(uint64(n), uint64(n))))
	}
	return b.String()
}

func TestFillFindsItsLevel(t *testing.T) {
	tests := []struct {
		name            string
		values, growths []float64
		weights         []uint32
		want            string
		counts          [3]int // of the first len(want)
	}{
		{"the lowest first, then in turn", []float64{3, 1, 9}, []float64{1, 1, 1}, []uint32{1, 1, 1}, "bbbababababababcab", [3]int{7, 9, 1}},
		{"level from the start", []float64{2, 2, 2}, []float64{1, 1, 1}, []uint32{1, 1, 1}, "abcabc", [3]int{2, 2, 2}},
		{"one answer brings two", []float64{4, 0, 99}, []float64{2, 2, 2}, []uint32{1, 1, 1}, "bbba", [3]int{1, 3, 0}},
		{"nothing at all is level", []float64{0, 0, 0}, []float64{0, 0, 0}, []uint32{1, 1, 1}, "abcabc", [3]int{2, 2, 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := pouredNames(tt.values, tt.growths, tt.weights, len(tt.want))
			if tt.name != tests[0].name && got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			for i, want := range tt.counts {
				if n := strings.Count(got, string(rune('a'+i))); math.Abs(float64(n-want)) > 1 {
					t.Errorf("%s: %c has %d answers, want about %d", got, 'a'+i, n, want)
				}
			}
		})
	}
}

// TestFillEndsLevel: after enough answers all contenders stand at the same level, whatever weights and growths.
func TestFillEndsLevel(t *testing.T) {
	for n := 2; n < 40; n++ {
		values, growths, weights := make([]float64, n), make([]float64, n), make([]uint32, n)
		for i := range n {
			values[i], growths[i], weights[i] = float64(i*i%17)*10, 0.5+float64(i%3), uint32(1+i%5)
		}
		loads, contenders := make([]pour, n), make([]contender, n)
		for i := range n {
			loads[i], contenders[i].weight = pour{value: values[i], growth: growths[i], basis: basisMeasured}, weights[i]
		}
		f := newFill(loads, contenders)
		const answers = 40_000
		for k := range answers {
			i := f.pick(uint64(k), uint64(k))
			values[i] += growths[i]
		}
		low, high := math.Inf(1), 0.0
		for i := range n {
			level := values[i] / float64(weights[i])
			low, high = min(low, level), max(high, level)
		}
		if high > low+5*2.5 { // five answers of the largest growth
			t.Errorf("%d contenders: levels from %.1f to %.1f after %d answers", n, low, high, answers)
		}
	}
}

// TestLoadMethods: what each of them compares, and what it falls back to.
func TestLoadMethods(t *testing.T) {
	measure := func(v float64) Measure { return Measure{Value: v, At: epoch, PerAnswer: 1, Source: "test"} }
	tests := []struct {
		method config.Method
		set    func(m *Measures, v float64)
		reason Reason
		none   Reason
	}{
		{config.LeastResponseTime, func(m *Measures, v float64) { m.ResponseTime = measure(v) }, ReasonResponseTime, ReasonNoTime},
		{config.LeastBandwidth, func(m *Measures, v float64) { m.Bandwidth = measure(v) }, ReasonBandwidth, ReasonNoBandwidth},
		{config.LeastPackets, func(m *Measures, v float64) { m.Packets = measure(v) }, ReasonPackets, ReasonNoPackets},
		{config.CustomLoad, func(m *Measures, v float64) { m.Custom = measure(v) }, ReasonCustomLoad, ReasonNoCustom},
	}
	for _, tt := range tests {
		t.Run(string(tt.method), func(t *testing.T) {
			w := twoSites(config.VirtualServer{Method: tt.method}).load("a", 5, 0).load("b", 5, 0)
			for name, value := range map[string]float64{"a": 50, "b": 10} {
				st := w.status[name]
				st.Measures = new(Measures)
				tt.set(st.Measures, value)
				w.status[name] = st
			}
			s, l := w.snapshot(t)
			if got, d := ask(s, l, IPv4, client, ""); got != "b" || d.Reason != tt.reason {
				t.Errorf("got %q (%s), want b (%s)", got, d.Reason, tt.reason)
			}
			for name := range w.status {
				st := w.status[name]
				st.Measures = nil
				w.status[name] = st
			}
			s, l = w.snapshot(t)
			var tr Trace
			Decide(s, Query{Family: IPv4, LDNS: epochAddr}, l, epoch, &tr)
			found := false
			for _, e := range tr.Entries {
				found = found || e.Step == StepMethod && e.Reason == tt.none
			}
			if !found {
				t.Errorf("nothing reported: the trace has no %s", tt.none)
			}
		})
	}
}

// TestCustomLoadPrefersIdle: without an active connection a service comes first, whatever its load.
func TestCustomLoadPrefersIdle(t *testing.T) {
	w := twoSites(config.VirtualServer{Method: config.CustomLoad}).load("a", 0, 0).load("b", 5, 0)
	for name, value := range map[string]float64{"a": 50, "b": 10} {
		st := w.status[name]
		st.Measures = &Measures{Custom: Measure{Value: value, At: epoch, PerAnswer: 1}}
		w.status[name] = st
	}
	s, l := w.snapshot(t)
	if got, _ := ask(s, l, IPv4, client, ""); got != "a" {
		t.Errorf("got %q, want the idle a", got)
	}
}

// TestWeightsGrow: slow start and dynamic weights change the shares.
func TestWeightsGrow(t *testing.T) {
	tests := []struct {
		name   string
		change func(w *world)
		want   float64 // a's share
	}{
		{"slow start", func(w *world) { st := w.status["a"]; st.Share = 0.25; w.status["a"] = st }, 0.2},
		{"members behind", func(w *world) {
			w.doc.VirtualServers[0].DynamicWeight = config.DynamicMembers
			for name, n := range map[string]float64{"a": 9, "b": 3} {
				st := w.status[name]
				st.Measures = &Measures{Members: Measure{Value: n, At: epoch.Add(-time.Hour)}}
				w.status[name] = st
			}
		}, 0.75},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := twoSites(config.VirtualServer{Method: config.RoundRobin})
			tt.change(w)
			s, l := w.snapshot(t)
			const n = 1000
			a := 0
			for range n {
				if got, _ := ask(s, l, IPv4, client, ""); got == "a" {
					a++
				}
			}
			if got := float64(a) / n; math.Abs(got-tt.want) > 0.01 {
				t.Errorf("a's share is %.3f, want %.2f", got, tt.want)
			}
		})
	}
}

func TestPolicies(t *testing.T) {
	w := twoSites(config.VirtualServer{Method: config.RoundRobin, ClientSubnet: true, Policies: []config.Policy{
		{Name: "americans", Places: []string{"NA.*"}, Prefer: []string{"SA", "NA.US"}},
		{Name: "lab", Clients: prefixes("203.0.113.0/25"), Orders: []int{1}},
	}, Members: []config.Member{{Service: "b", Weight: 1, Order: 1}, {Service: "a", Weight: 1, Order: 2}}}).location("198.51.100.0/24", "NA.CA")
	w.doc.VirtualServers[0].ActiveOrder = config.OrderDescending
	l := play(t, w, nil,
		asked{0, IPv4, "192.0.2.7", "", "a", ReasonOnlyOne},                // descending: order 2 is active
		asked{0, IPv4, "192.0.2.7", "198.51.100.0/24", "b", ReasonOnlyOne}, // is in NA, and b is in NA.US
		asked{0, IPv4, "203.0.113.7", "", "b", ReasonOnlyOne},              // prefers order 1
		asked{0, IPv4, "203.0.113.200", "", "a", ReasonOnlyOne},
	)
	play(t, w.state("b", Down), l, asked{0, IPv4, "203.0.113.7", "", "a", ReasonOnlyOne})
	s, l := w.state("b", Up).snapshot(t)
	d := Decide(s, Query{Family: IPv4, LDNS: epochAddr, Subnet: prefixes("203.0.113.200/32")[0]}, l, epoch, nil)
	if d.Scope != 25 {
		t.Errorf("scope %d beside a policy's /25, want 25", d.Scope)
	}
}

func TestOrderThreshold(t *testing.T) {
	build := func(threshold int) *world {
		w := twoSites(config.VirtualServer{Method: config.RoundRobin, OrderThreshold: threshold}).service("c", "ams", Up, "192.0.2.3").service("d", "nyc", Up, "192.0.2.4")
		w.doc.VirtualServers[0].Members = []config.Member{{Service: "a", Weight: 1, Order: 1}, {Service: "b", Weight: 1, Order: 1}, {Service: "c", Weight: 1, Order: 2}, {Service: "d", Weight: 1, Order: 2}}
		return w
	}
	for _, tt := range []struct {
		threshold int
		down      string
		want      string
	}{{0, "a", "b"}, {50, "a", "b"}, {51, "a", "c"}, {51, "ac", "b"}, {51, "", "a"}, {100, "abc", "d"}} {
		t.Run(fmt.Sprint(tt.threshold, tt.down), func(t *testing.T) {
			w := build(tt.threshold)
			for _, name := range tt.down {
				w.state(string(name), Down)
			}
			play(t, w, nil, asked{0, IPv4, "192.0.2.7", "", tt.want, ""})
		})
	}
}

func TestEffectiveState(t *testing.T) {
	w := twoSites(config.VirtualServer{Method: config.RoundRobin, EffectiveState: true}).service("c", "ams", Up, "192.0.2.3").state("a", Down).state("b", Down)
	w.doc.Services[0].BackupServices = []string{"c"}
	play(t, w, nil, asked{0, IPv4, "192.0.2.7", "", "a", ReasonOnlyOne})
	play(t, w.state("c", Down), nil, asked{0, IPv4, "192.0.2.7", "", "a", ReasonAllDown})
}

// TestFillIsUrgentFarBelow: patience levels small differences slowly, and does not leave an idle contender idle.
func TestFillIsUrgentFarBelow(t *testing.T) {
	tests := []struct {
		name   string
		values []float64
		first  int // answers in a row that the first contender gets, at least
	}{
		{"idle beside 40", []float64{0, 40, 40}, 12},
		{"a little below", []float64{35, 40, 40}, 0},
		{"small numbers are chance", []float64{0, 2, 2}, 0},
		{"a tenth of ten thousand", []float64{1000, 10000, 10000}, 2400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			loads, contenders := make([]pour, len(tt.values)), make([]contender, len(tt.values))
			for i, v := range tt.values {
				loads[i], contenders[i].weight = pour{value: v, growth: 1, patience: 600, basis: basisMeasured}, 1
			}
			f := newFill(loads, contenders)
			got, counts := 0, make([]int, len(tt.values))
			for n := range uint64(30_000) {
				i := f.pick(n, n)
				if counts[i]++; i == 0 && counts[0] == int(n)+1 {
					got++
				}
			}
			if got < tt.first || got > tt.first+tt.first/10+3 {
				t.Errorf("the first contender gets %d answers in a row, want %d", got, tt.first)
			}
			if most := counts[1]; most < 9000-tt.first {
				t.Errorf("counts are %v: the others never join", counts)
			}
		})
	}
}

// TestFewAnswersFollow: where answers are few, differences beyond chance are followed by each of them, and no further than they
// are. Many need patience.
func TestFewAnswersFollow(t *testing.T) {
	tests := []struct {
		name   string
		values []float64
		pace   float64 // answers a second
		want   string  // of six answers; b is the lowest
	}{
		{"60 against 30", []float64{60, 30}, 0, "bbbb"},
		{"60 against 30, as many as a second has", []float64{60, 30}, 2, "bb"},
		{"60 against 30, many answers", []float64{60, 30}, 50, ""},
		{"chance", []float64{34, 30}, 0, ""},
		{"a step above chance", []float64{10, 2, 10}, 0, "bbbb"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			loads, contenders := make([]pour, len(tt.values)), make([]contender, len(tt.values))
			for i, v := range tt.values {
				loads[i] = pour{value: v, growth: 1, grain: 1, patience: 600, pace: tt.pace / float64(len(tt.values)), basis: basisMeasured}
				contenders[i].weight = 1
			}
			f, first, later := newFill(loads, contenders), 0, 0
			const turns = 6000
			for turn := range uint64(turns) { // snapshots that answer one query each, or as many as want says and one more
				if f.pick(turn, 0) == 1 {
					first++
				}
				if f.pick(turn, uint64(len(tt.want))) == 1 {
					later++
				}
			}
			even := turns / len(tt.values)
			if strict := first == turns; strict != (tt.want != "") || !strict && first > even*11/10 {
				t.Errorf("the next answer goes to the lowest in %d of %d snapshots, in turn it would be %d", first, turns, even)
			}
			if later > even*11/10 {
				t.Errorf("after %d answers the next goes to the lowest in %d of %d snapshots, want %d, in turn", len(tt.want), later, turns, even)
			}
		})
	}
}

// TestFewAnswersMoveAlong: answers that moved from one contender to another are not counted twice, once of late and once on the
// average.
func TestFewAnswersMoveAlong(t *testing.T) {
	tests := []struct {
		name          string
		last, average [2]float64
		want          float64
	}{
		{"moved along", [2]float64{0, 3}, [2]float64{3, 0}, 1},
		{"a part of one is left", [2]float64{0, 3.4}, [2]float64{1, 0}, 1},
		{"many of late", [2]float64{1, 3}, [2]float64{0, 0}, 0},
		{"many on the average", [2]float64{1, 1}, [2]float64{2, 2}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			loads, contenders := make([]pour, 2), make([]contender, 2)
			for i := range loads {
				loads[i] = pour{growth: 1, grain: 1, patience: 600, pace: tt.last[i], longPace: tt.average[i], basis: basisMeasured}
				contenders[i].weight = 1
			}
			loads[0].value, loads[1].value = 60, 30
			if got := fewAnswers(loads, contenders, []float64{60, 30}); got != tt.want {
				t.Errorf("the next %g answers go to the lowest, want %g", got, tt.want)
			}
		})
	}
}
