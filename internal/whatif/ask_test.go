package whatif

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/gslb"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// twoSites has two sites and four services. %s stands for more of the services and virtual servers.
const twoSites = `
zones: [{name: example.test, nameservers: [ns.example.test], ttl: 30s}]
sites:
  - {name: ams, address: 192.0.2.1, location: {latitude: 52.4, longitude: 4.9}}
  - {name: nyc, address: 198.51.100.1, location: {latitude: 40.7, longitude: -74}}
locations:
  - {prefix: 10.0.0.0/8, latitude: 52, longitude: 5}
  - {prefix: 172.16.0.0/12, latitude: 40, longitude: -74}
services:
  - {name: web-ams, site: ams, addresses: [192.0.2.80], %[1]s}
  - {name: api-ams, site: ams, addresses: [192.0.2.81], %[2]s}
  - {name: web-nyc, site: nyc, addresses: [198.51.100.80], %[3]s}
  - {name: api-nyc, site: nyc, addresses: [198.51.100.81], %[4]s}
virtual_servers:
  - {name: www, domains: [{name: www.example.test}], method: %[5]s, members: [{service: web-ams}, {service: web-nyc}]}
  - {name: api, domains: [{name: api.example.test}], method: round-robin, members: [{service: api-ams}, {service: api-nyc}]}
`

// world is a node's view of a document.
type world struct {
	plan    *gslb.Plan
	status  *gslb.Status
	learned *gslb.Learned
}

func newWorld(t testing.TB, text string) *world {
	t.Helper()
	doc, report := config.Parse(config.Source{Name: "test.yaml", Text: []byte(text)})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{plan: plan, learned: gslb.NewLearned(plan), status: &gslb.Status{At: epoch, Services: make([]gslb.ServiceStatus, plan.Services())}}
	for i := range w.status.Services {
		w.status.Services[i].State = gslb.Up
	}
	return w
}

// carry says how many connections services have.
func (w *world) carry(t testing.TB, connections map[string]uint64) *world {
	t.Helper()
	for name, n := range connections {
		i, ok := w.plan.ServiceByName(name)
		if !ok {
			t.Fatal(name)
		}
		w.status.Services[i].Load = gslb.Load{Active: n, At: epoch.Add(-time.Second), PerAnswer: 1, Source: "test"}
	}
	return w
}

func (w *world) input(queries []Query, lose ...string) Input {
	return Input{Snapshot: gslb.NewSnapshot(1, w.plan, w.status, nil), Learned: w.learned, Sites: []string{"ams", "nyc"}, Queries: queries, Lose: lose}
}

func asked(name string, weight float64, from ...string) []Query {
	if len(from) == 0 {
		return []Query{{Name: name, Family: gslb.IPv4, Weight: weight}}
	}
	var out []Query
	for _, f := range from {
		out = append(out, Query{Name: name, Family: gslb.IPv4, Weight: weight, LDNS: netip.MustParseAddr(f)})
	}
	return out
}

// describe writes a state down as "service share connections percent" for each service.
func describe(s *resource.WhatIfState) string {
	var b strings.Builder
	for _, v := range s.Services {
		fmt.Fprintf(&b, "%s %s %.0f%%", v.Name, v.State, v.Share*100)
		if v.Connections != nil {
			fmt.Fprintf(&b, " %.0f", *v.Connections)
		}
		if v.Percent != nil {
			fmt.Fprintf(&b, " %.0f%%", *v.Percent)
		}
		for _, mark := range []struct {
			is   bool
			text string
		}{{v.Overloaded, " over"}, {v.AtLimit, " full"}, {v.Estimated, " estimated"}} {
			if mark.is {
				b.WriteString(mark.text)
			}
		}
		b.WriteString("; ")
	}
	fmt.Fprintf(&b, "none %.0f%%, last resort %.0f%%, stranded %.0f", s.Unanswered*100, s.LastResort*100, s.Stranded)
	return b.String()
}

func TestAsk(t *testing.T) {
	capacities := fmt.Sprintf(twoSites, "capacity: 300", "capacity: 100", "capacity: 400", "capacity: 150", "round-robin")
	proximity := fmt.Sprintf(twoSites, "capacity: 300", "capacity: 100", "max_connections: 200", "capacity: 150", "static-proximity")
	loads := map[string]uint64{"web-ams": 120, "web-nyc": 180, "api-ams": 80, "api-nyc": 40}
	// www: 60 of 100 queries, half of them to each site: an answer of web-ams brings 120/30 connections, of web-nyc 180/30.
	// api: 40 of 100; an answer of api-ams brings 80/20, of api-nyc 40/20.
	both := append(asked("www.example.test.", 60), asked("api.example.test.", 40)...)
	for _, c := range []struct {
		name    string
		text    string
		loads   map[string]uint64
		queries []Query
		lose    []string
		load    float64
		before  string
		rounds  []string
		failed  []string // of each round
	}{
		{"nothing is lost, nothing changes", capacities, loads, both, nil, 0,
			"web-ams UP 30% 120 40%; api-ams UP 20% 80 80%; web-nyc UP 30% 180 45%; api-nyc UP 20% 40 27%; none 0%, last resort 0%, stranded 0",
			[]string{"web-ams UP 30% 120 40%; api-ams UP 20% 80 80%; web-nyc UP 30% 180 45%; api-nyc UP 20% 40 27%; none 0%, last resort 0%, stranded 0"},
			[]string{""}},
		{"a site is lost, the other one holds", capacities, loads, both, []string{"ams"}, 0,
			"web-ams UP 30% 120 40%; api-ams UP 20% 80 80%; web-nyc UP 30% 180 45%; api-nyc UP 20% 40 27%; none 0%, last resort 0%, stranded 0",
			[]string{"web-ams DOWN 0% 0 0%; api-ams DOWN 0% 0 0%; web-nyc UP 60% 300 75%; api-nyc UP 40% 120 80%; none 0%, last resort 0%, stranded 0"},
			[]string{"web-ams api-ams"}},
		{"a service is lost", capacities, loads, both, []string{"web-nyc"}, 0,
			"web-ams UP 30% 120 40%; api-ams UP 20% 80 80%; web-nyc UP 30% 180 45%; api-nyc UP 20% 40 27%; none 0%, last resort 0%, stranded 0",
			[]string{"web-ams UP 60% 300 100%; api-ams UP 20% 80 80%; web-nyc DOWN 0% 0 0%; api-nyc UP 20% 40 27%; none 0%, last resort 0%, stranded 0"},
			[]string{"web-nyc"}},
		{"the rest is overloaded and fails, too", capacities, loads, both, []string{"nyc"}, 0,
			"web-ams UP 30% 120 40%; api-ams UP 20% 80 80%; web-nyc UP 30% 180 45%; api-nyc UP 20% 40 27%; none 0%, last resort 0%, stranded 0",
			[]string{
				"web-ams UP 60% 300 100%; api-ams UP 40% 120 120% over; web-nyc DOWN 0% 0 0%; api-nyc DOWN 0% 0 0%; none 0%, last resort 0%, stranded 0",
				"web-ams UP 60% 300 100%; api-ams DOWN 0% 0 0%; web-nyc DOWN 0% 0 0%; api-nyc DOWN 0% 0 0%; none 0%, last resort 40%, stranded 120"},
			[]string{"web-nyc api-nyc", "api-ams"}},
		{"more load: all fails in the end", capacities, loads, both, []string{"ams"}, 1.5,
			"web-ams UP 30% 180 60%; api-ams UP 20% 120 120% over; web-nyc UP 30% 270 68%; api-nyc UP 20% 60 40%; none 0%, last resort 0%, stranded 0",
			[]string{
				"web-ams DOWN 0% 0 0%; api-ams DOWN 0% 0 0%; web-nyc UP 60% 450 112% over; api-nyc UP 40% 180 120% over; none 0%, last resort 0%, stranded 0",
				"web-ams DOWN 0% 0 0%; api-ams DOWN 0% 0 0%; web-nyc DOWN 0% 0 0%; api-nyc DOWN 0% 0 0%; none 0%, last resort 100%, stranded 630"},
			[]string{"web-ams api-ams", "web-nyc api-nyc"}},
		// www by place: 60 queries from near ams, 40 from near nyc. Both services carry 2 connections for each answer. Without ams, all 100 would
		// bring 200; web-nyc takes 200 at most.
		{"by place, up to the limit", proximity, map[string]uint64{"web-ams": 120, "web-nyc": 80},
			append(asked("www.example.test.", 60, "10.1.1.1"), asked("www.example.test.", 40, "172.16.1.1")...), []string{"ams"}, 0,
			"web-ams UP 60% 120 40%; web-nyc UP 40% 80 40%; none 0%, last resort 0%, stranded 0",
			[]string{"web-ams DOWN 0% 0 0%; web-nyc UP 100% 200 100% full; none 0%, last resort 0%, stranded 0"},
			[]string{"web-ams api-ams"}},
		// Twice as much: web-nyc is full after half of the queries; the other half has only a last resort.
		{"by place, above the limit", proximity, map[string]uint64{"web-ams": 120, "web-nyc": 80},
			append(asked("www.example.test.", 60, "10.1.1.1"), asked("www.example.test.", 40, "172.16.1.1")...), []string{"ams"}, 2,
			"web-ams UP 60% 240 80%; web-nyc UP 40% 160 80%; none 0%, last resort 0%, stranded 0",
			[]string{"web-ams DOWN 0% 0 0%; web-nyc UP 50% 200 100% full; none 0%, last resort 50%, stranded 200"},
			[]string{"web-ams api-ams"}},
		// web-nyc reports nothing: an answer of it brings what one of web-ams brings.
		{"one is silent", capacities, map[string]uint64{"web-ams": 120}, asked("www.example.test.", 60), []string{"ams"}, 0,
			"web-ams UP 50% 120 40%; web-nyc UP 50% 120 30% estimated; none 0%, last resort 0%, stranded 0",
			[]string{"web-ams DOWN 0% 0 0%; web-nyc UP 100% 240 60% estimated; none 0%, last resort 0%, stranded 0"},
			[]string{"web-ams api-ams"}},
		{"no load at all", capacities, nil, both, []string{"ams"}, 0,
			"web-ams UP 30%; api-ams UP 20%; web-nyc UP 30%; api-nyc UP 20%; none 0%, last resort 0%, stranded 0",
			[]string{"web-ams DOWN 0%; api-ams DOWN 0%; web-nyc UP 60%; api-nyc UP 40%; none 0%, last resort 0%, stranded 0"},
			[]string{"web-ams api-ams"}},
		{"connections that no query explains stay, or go down with theirs", capacities, loads, asked("www.example.test.", 60), []string{"ams"}, 0,
			"web-ams UP 50% 120 40%; api-ams UP 0% 80 80%; web-nyc UP 50% 180 45%; api-nyc UP 0% 40 27%; none 0%, last resort 0%, stranded 0",
			[]string{"web-ams DOWN 0% 0 0%; api-ams DOWN 0% 0 0%; web-nyc UP 100% 300 75%; api-nyc UP 0% 40 27%; none 0%, last resort 0%, stranded 0"},
			[]string{"web-ams api-ams"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := newWorld(t, c.text).carry(t, c.loads).input(c.queries, c.lose...)
			in.Load = c.load
			out, err := Ask(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(&out.Before); got != c.before {
				t.Errorf("before:\n got %s\nwant %s", got, c.before)
			}
			for i := range max(len(out.Rounds), len(c.rounds)) {
				if i >= len(out.Rounds) || i >= len(c.rounds) {
					t.Fatalf("got %d rounds, want %d", len(out.Rounds), len(c.rounds))
				}
				if got := describe(&out.Rounds[i].State); got != c.rounds[i] {
					t.Errorf("round %d:\n got %s\nwant %s", i+1, got, c.rounds[i])
				}
				if got := strings.Join(out.Rounds[i].Failed, " "); got != c.failed[i] {
					t.Errorf("round %d: got %q failed, want %q", i+1, got, c.failed[i])
				}
			}
			if !out.Settled {
				t.Error("not settled")
			}
		})
	}
}

// TestCapacityOfASite: what is lost is no capacity of its site any more; of a site that is lost as a whole it says how much went.
func TestCapacityOfASite(t *testing.T) {
	both := append(asked("www.example.test.", 60), asked("api.example.test.", 40)...)
	loads := map[string]uint64{"web-ams": 120, "web-nyc": 180, "api-ams": 80, "api-nyc": 40}
	const known, unknown = "capacity: 100", "cost: 1"
	for _, c := range []struct{ api, lose, want string }{
		{known, "web-ams", "ams 80 of 100 80%, nyc 340 of 550 62%"},
		{known, "ams", "ams 0 of 400 0%, nyc 420 of 550 76%"},
		{known, "web-nyc", "ams 380 of 400 95%, nyc 40 of 150 27%"},
		{unknown, "web-ams", "ams 80 of 0, nyc 340 of 550 62%"}, // how much it has left is not known; what went is no part of it
	} {
		text := fmt.Sprintf(twoSites, "capacity: 300", c.api, "capacity: 400", "capacity: 150", "round-robin")
		out, err := Ask(t.Context(), newWorld(t, text).carry(t, loads).input(both, c.lose))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range out.Rounds[0].State.Sites {
			one := fmt.Sprintf("%s %.0f of %.0f", s.Name, s.Connections, s.Capacity)
			if s.Percent != nil {
				one += fmt.Sprintf(" %.0f%%", *s.Percent)
			}
			got = append(got, one)
		}
		if got := strings.Join(got, ", "); got != c.want {
			t.Errorf("without %s: got %s, want %s", c.lose, got, c.want)
		}
	}
}

// TestALostServiceStaysDisabled: what an operator disabled is no last resort either when its site is lost, and nothing stands in for it.
func TestALostServiceStaysDisabled(t *testing.T) {
	text := strings.ReplaceAll(fmt.Sprintf(twoSites, "backup_services: [api-nyc]", "cost: 1", "cost: 1", "cost: 1", "round-robin, effective_state: true"), "{service: web-ams}, {service: web-nyc}", "{service: web-ams}")
	w := newWorld(t, text)
	i, _ := w.plan.ServiceByName("web-ams")
	for _, c := range []struct {
		state gslb.State
		want  string
	}{
		{gslb.Up, "web-ams DOWN 100%; none 0%, last resort 0%, stranded 0"},
		{gslb.Disabled, "none 100%, last resort 0%, stranded 0"},
	} {
		w.status.Services[i].State = c.state
		out, err := Ask(t.Context(), w.input(asked("www.example.test.", 1), "ams"))
		if err != nil {
			t.Fatal(err)
		}
		if got := describe(&out.Rounds[0].State); got != c.want {
			t.Errorf("%s: got %s, want %s", c.state, got, c.want)
		}
	}
}

// TestEvenMethods has a service with ten times the connections of the other: least-connection fills the gap first, and is
// even after that, which is what counts.
func TestEvenMethods(t *testing.T) {
	for _, method := range []string{"least-connection", "round-robin"} {
		w := newWorld(t, fmt.Sprintf(twoSites, "capacity: 1", "capacity: 1", "capacity: 1", "capacity: 1", method))
		w.carry(t, map[string]uint64{"web-ams": 1000, "web-nyc": 100})
		out, err := Ask(t.Context(), w.input(asked("www.example.test.", 60)))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range out.Before.Services {
			if math.Abs(s.Share-0.5) > 0.01 {
				t.Errorf("%s: %s gets %.3f of the answers, want half", method, s.Name, s.Share)
			}
		}
	}
}

func TestUnknownNames(t *testing.T) {
	w := newWorld(t, fmt.Sprintf(twoSites, "port: 80", "port: 80", "port: 80", "port: 80", "round-robin"))
	_, err := Ask(t.Context(), w.input(nil, "ams", "web-amz"))
	var unknown *UnknownError
	if !errors.As(err, &unknown) || unknown.Name != "web-amz" {
		t.Errorf("got %v, want that web-amz is unknown", err)
	}
	out, err := Ask(t.Context(), w.input(append(asked("gone.example.test.", 30), asked("www.example.test.", 10)...), "ams"))
	if err != nil || math.Abs(out.Covered-0.25) > 1e-9 || out.PerSecond != 40 || out.Kinds != 1 {
		t.Errorf("got %+v, %v; want a quarter covered", out, err)
	}
	if notes := strings.Join(out.Notes, "; "); !strings.Contains(notes, "75 %") || !strings.Contains(notes, "capacity of 2 services") || !strings.Contains(notes, "no service reported a load") {
		t.Errorf("notes: %s", notes)
	}
	if out, err := Ask(t.Context(), w.input(nil, "ams")); err != nil || len(out.Rounds) != 1 || !strings.Contains(out.Notes[0], "no query") {
		t.Errorf("without queries: got %+v, %v", out, err)
	}
}

func TestNothingIsKept(t *testing.T) {
	w := newWorld(t, fmt.Sprintf(twoSites, "port: 80", "port: 80", "port: 80", "port: 80", "round-robin"))
	first, _ := Ask(t.Context(), w.input(asked("www.example.test.", 60), "ams"))
	for i := range w.plan.Services() {
		if n := w.learned.Handed(gslb.ServiceIndex(i)); n != 0 {
			t.Errorf("service %d: %d answers were counted", i, n)
		}
	}
	if again, _ := Ask(t.Context(), w.input(asked("www.example.test.", 60), "ams")); describe(&again.Rounds[0].State) != describe(&first.Rounds[0].State) {
		t.Error("the same question has another answer")
	}
}

// TestKindsBeyondTheLimit asks from more networks than are decided: their weight is spread over the others of the name.
func TestKindsBeyondTheLimit(t *testing.T) {
	w := newWorld(t, fmt.Sprintf(twoSites, "port: 80", "port: 80", "port: 80", "port: 80", "static-proximity"))
	queries := append(asked("www.example.test.", 20, "10.1.1.1", "172.16.1.1"), asked("www.example.test.", 1, "10.2.2.2", "10.3.3.3", "10.4.4.4")...)
	queries = append(queries, Query{Name: "www.example.test.", Family: gslb.IPv4, Weight: 17}) // whose clients are not known
	in := w.input(queries)
	in.Kinds = 2
	out, err := Ask(t.Context(), in)
	if err != nil || out.Kinds != 2 || math.Abs(out.PerSecond-60) > 1e-9 || out.Covered != 1 {
		t.Fatalf("got %+v, %v", out, err)
	}
	if got := out.Before.Services[0].Share; math.Abs(got-0.5) > 1e-9 {
		t.Errorf("web-ams: got %v, want half", got)
	}
}

func TestLosses(t *testing.T) {
	w := newWorld(t, fmt.Sprintf(twoSites, "capacity: 300", "capacity: 100", "capacity: 400", "capacity: 150", "round-robin"))
	w.carry(t, map[string]uint64{"web-ams": 120, "web-nyc": 180, "api-ams": 80, "api-nyc": 40})
	l := NewLosses(w.input(append(asked("www.example.test.", 60), asked("api.example.test.", 40)...)))
	for _, c := range []struct {
		lost, worst string
		ratio       float64
	}{{"ams", "api-nyc", 0.2}, {"nyc", "api-ams", -0.2}} {
		got := l.Of(c.lost)
		if got.Ratio == nil || math.Abs(*got.Ratio-c.ratio) > 1e-9 || got.Worst != c.worst || got.Unanswered != 0 {
			t.Errorf("%s: got %+v, want %v at %s", c.lost, got, c.ratio, c.worst)
		}
	}
	alone := newWorld(t, strings.ReplaceAll(fmt.Sprintf(twoSites, "port: 80", "port: 80", "port: 80", "port: 80", "round-robin"), ", {service: api-nyc}", ""))
	got := NewLosses(alone.input(append(asked("www.example.test.", 60), asked("api.example.test.", 40)...))).Of("ams")
	if got.Ratio != nil || math.Abs(got.Unanswered-0.4) > 1e-9 {
		t.Errorf("got %+v, want 40 %% unanswered and no ratio", got)
	}
}

func BenchmarkAsk(b *testing.B) {
	w := newWorld(b, fmt.Sprintf(twoSites, "capacity: 300", "capacity: 100", "capacity: 400", "capacity: 150", "static-proximity"))
	w.carry(b, map[string]uint64{"web-ams": 120, "web-nyc": 180})
	var queries []Query
	for i := range MaxKinds {
		queries = append(queries, Query{Name: "www.example.test.", Family: gslb.IPv4, Weight: 1, LDNS: netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0})})
	}
	for b.Loop() {
		if _, err := Ask(b.Context(), w.input(queries, "ams")); err != nil {
			b.Fatal(err)
		}
	}
}

// TestSpillover has a virtual server that spills at 150 connections, and twice the load: answers above that go to the backup,
// and no connection gets lost.
func TestSpillover(t *testing.T) {
	text := fmt.Sprintf(twoSites, "capacity: 300", "capacity: 100", "capacity: 400", "capacity: 150", "round-robin") +
		"  - {name: spare, method: round-robin, members: [{service: api-nyc}]}\n"
	text = strings.Replace(text, "members: [{service: web-ams}, {service: web-nyc}]}",
		"members: [{service: web-ams}, {service: web-nyc}], backup: spare, spillover: {method: connections, threshold: 150}}", 1)
	w := newWorld(t, text).carry(t, map[string]uint64{"web-ams": 60, "web-nyc": 60, "api-nyc": 1})
	in := w.input(asked("www.example.test.", 60))
	in.Load = 2
	out, err := Ask(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	after := out.Rounds[0].State
	total := 0.0
	for _, s := range after.Services {
		total += *s.Connections
	}
	if math.Abs(total-242) > 1e-6 || *after.Services[2].Connections <= 2 {
		t.Errorf("got %s, want 242 connections, some of them at the spare", describe(&after))
	}
}
