package whatif

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"fairlead/config/revision"
	"fairlead/gslb"
)

// changed has two sites and three services; %s are members of www, and what else there is of virtual servers.
const changed = `
zones: [{name: example.test, nameservers: [ns.example.test], ttl: 30s}]
sites: [{name: ams, address: 192.0.2.1}, {name: nyc, address: 198.51.100.1}]
services:
  - {name: a, site: ams, addresses: [192.0.2.80]}
  - {name: b, site: nyc, addresses: [198.51.100.80]}
  - {name: c, site: nyc, addresses: [198.51.100.81]}
virtual_servers:
  - {name: www, domains: [{name: www.example.test}], method: %s, members: [%s]}
%s
`

func changing(method, members string, more ...string) string {
	return fmt.Sprintf(changed, method, members, strings.Join(more, "\n"))
}

const (
	onlyA, onlyB = "{service: a}", "{service: b}"
	bothAB       = onlyA + ", " + onlyB
	api          = "  - {name: api, domains: [{name: api.example.test}], method: round-robin, members: [{service: a}]}"
)

// effectText writes an effect down in one line.
func effectText(e *revision.Effect) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%.3f of %d", e.Moved, e.Queries)
	for _, n := range e.Names {
		fmt.Fprintf(&b, "; %s %.3f of %d:%s ->%s", n.Name, n.Moved, n.Queries, sharesText(n.From), sharesText(n.To))
	}
	if len(e.LostNames)+len(e.NewNames)+e.More > 0 {
		fmt.Fprintf(&b, "; lost %v, new %v, more %d", e.LostNames, e.NewNames, e.More)
	}
	return b.String()
}

func sharesText(list []revision.Share) string {
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, " %s %.3f", s.Service, s.Part)
	}
	return b.String()
}

// states is what a world's document says of its services: UP but for those that are named.
func (w *world) states(other map[string]gslb.State) func(gslb.ServiceIndex) gslb.State {
	return func(i gslb.ServiceIndex) gslb.State {
		if s, ok := other[w.plan.Service(i).Name]; ok {
			return s
		}
		return gslb.Up
	}
}

// believe sets what is believed of services.
func (w *world) believe(t *testing.T, states map[string]gslb.State) {
	t.Helper()
	for name, s := range states {
		i, ok := w.plan.ServiceByName(name)
		if !ok {
			t.Fatal(name)
		}
		w.status.Services[i].State = s
	}
}

func TestChange(t *testing.T) {
	type states = map[string]gslb.State
	www, both := asked("www.example.test.", 60), append(asked("www.example.test.", 60), asked("api.example.test.", 40)...)
	tests := []struct {
		name          string
		before, after string
		said, says    states // by the documents
		believed      states
		queries       []Query
		want          string
		awaitsAll     bool
	}{
		{name: "nothing", before: changing("round-robin", bothAB, api), after: changing("round-robin", bothAB, api), queries: both, want: "0.000 of 100"},
		{name: "a third member", before: changing("round-robin", bothAB, api), after: changing("round-robin", bothAB+", {service: c}", api), queries: both,
			// each of a and b has 1/6 less, c has 1/3: a third of 60 of 100 moves
			want: "0.200 of 100; www.example.test. 0.333 of 60: a 0.500 b 0.500 -> a 0.333 b 0.333 c 0.333"},
		{name: "weights", before: changing("round-robin", bothAB), after: changing("round-robin", "{service: a, weight: 3}, {service: b, weight: 1}"), queries: www,
			want: "0.250 of 60; www.example.test. 0.250 of 60: a 0.500 b 0.500 -> a 0.750 b 0.250"},
		{name: "a member goes", before: changing("round-robin", bothAB), after: changing("round-robin", onlyB), queries: www,
			want: "0.500 of 60; www.example.test. 0.500 of 60: a 0.500 b 0.500 -> b 1.000"},
		{name: "a name goes", before: changing("round-robin", bothAB, api), after: changing("round-robin", bothAB), queries: both,
			want: "0.400 of 100; api.example.test. 1.000 of 40: a 1.000 -> (no address) 1.000; lost [api.example.test.], new [], more 0"},
		{name: "a name goes that awaits members", before: changing("round-robin", bothAB, api), after: changing("round-robin", bothAB), awaitsAll: true, want: "0.000 of 0"},
		{name: "a name comes", before: changing("round-robin", bothAB), after: changing("round-robin", bothAB, api), queries: both,
			want: "0.400 of 100; api.example.test. 1.000 of 40: (no address) 1.000 -> a 1.000; lost [], new [api.example.test.], more 0"},
		{name: "the document disables a service", before: changing("round-robin", bothAB), after: changing("round-robin", bothAB), says: states{"a": gslb.Disabled}, queries: www,
			want: "0.500 of 60; www.example.test. 0.500 of 60: a 0.500 b 0.500 -> b 1.000"},
		{name: "the document enables a service", before: changing("round-robin", bothAB), after: changing("round-robin", bothAB), said: states{"a": gslb.Disabled},
			believed: states{"a": gslb.Disabled}, queries: www, want: "0.500 of 60; www.example.test. 0.500 of 60: b 1.000 -> a 0.500 b 0.500"},
		{name: "an operator has disabled a service, and goes on to", before: changing("round-robin", bothAB), after: changing("round-robin", bothAB+", {service: c}"),
			believed: states{"a": gslb.Disabled}, queries: www, want: "0.500 of 60; www.example.test. 0.500 of 60: b 1.000 -> b 0.500 c 0.500"},
		{name: "the last one goes beside one that an operator has disabled", before: changing("round-robin", bothAB), after: changing("round-robin", onlyA),
			believed: states{"a": gslb.Disabled}, queries: www,
			want: "1.000 of 60; www.example.test. 1.000 of 60: b 1.000 -> (no address) 1.000; lost [www.example.test.], new [], more 0"},
		{name: "a name that had no answer goes", before: changing("round-robin", onlyA, strings.Replace(api, "a}", "b}", 1)), after: changing("round-robin", onlyA),
			believed: states{"b": gslb.Disabled}, queries: both, want: "0.000 of 100"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			was, will := newWorld(t, tt.before), newWorld(t, tt.after)
			was.believe(t, tt.said)
			was.believe(t, tt.believed)
			c := Change{Before: gslb.NewSnapshot(1, was.plan, was.status, nil), Learned: was.learned, After: will.plan, State: will.states(tt.says),
				Was: was.states(tt.said), Queries: tt.queries}
			if tt.awaitsAll {
				c.Awaits = func(string) bool { return true }
			}
			if got := effectText(c.Effect(context.Background())); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestChangeLeavesNothing: an effect is asked for as often as people like; answers, sessions and turns are as if it had not been.
func TestChangeLeavesNothing(t *testing.T) {
	const keeps = "persistence: {type: source-ip}, members"
	text := strings.Replace(changing("least-connection", bothAB), "members", keeps, 1)
	was, will := newWorld(t, text), newWorld(t, strings.Replace(changing("least-connection", bothAB+", {service: c}"), "members", keeps, 1))
	was.carry(t, map[string]uint64{"a": 10, "b": 10})
	was.learned.Sessions = gslb.NewSessions(gslb.SessionOptions{Max: 100})
	a, _ := was.plan.ServiceByName("a")
	query := gslb.Query{Domain: domainsOf(was.plan)["www.example.test."], Family: gslb.IPv4, At: epoch.UnixNano(), LDNS: netip.MustParseAddr("203.0.113.1")}
	snapshot := gslb.NewSnapshot(1, was.plan, was.status, nil)
	live := gslb.Decider{Query: query}
	live.Decide(snapshot, was.learned, time.Time{}, nil) // a session, and a turn
	sessions := func() (n int) {
		was.learned.Sessions.Each(func(gslb.SessionKey, uint64, int64) bool { n++; return true })
		return n
	}
	kept, handed := sessions(), was.learned.Handed(a)
	if kept != 1 {
		t.Fatalf("%d sessions to begin with, want 1", kept)
	}
	c := Change{Before: snapshot, Learned: was.learned, After: will.plan, State: will.states(nil), Was: was.states(nil),
		Queries: asked("www.example.test.", 1, "203.0.113.1", "203.0.113.2", "203.0.113.3")}
	for range 3 {
		if e := c.Effect(context.Background()); e.Queries != 3 {
			t.Fatalf("%d queries were looked at, want 3", e.Queries)
		}
	}
	if got := sessions(); got != kept {
		t.Errorf("there are %d sessions, and were %d", got, kept)
	}
	if got := was.learned.Handed(a); got != handed {
		t.Errorf("a was handed out %d times, and %d before", got, handed)
	}
}

// TestChangeKeepsHolds: a virtual server that is held on its backup is held under the next document, too.
func TestChangeKeepsHolds(t *testing.T) {
	held := []string{"  - {name: spare, method: round-robin, members: [{service: c}]}"}
	text := strings.Replace(changing("round-robin", bothAB, held...), "members: [{service: a}, {service: b}]", "backup: spare, backup_hold: true, members: [{service: a}, {service: b}]", 1)
	was, will := newWorld(t, text), newWorld(t, text)
	was.status.Held = make([]bool, was.plan.VirtualServers())
	for i := range was.status.Held {
		was.status.Held[i] = was.plan.VirtualServerName(gslb.VirtualServerIndex(i)) == "www"
	}
	c := Change{Before: gslb.NewSnapshot(1, was.plan, was.status, nil), Learned: was.learned, After: will.plan, State: will.states(nil), Was: was.states(nil),
		Queries: asked("www.example.test.", 60)}
	if to := c.Effect(context.Background()); to.Moved != 0 {
		t.Errorf("the same document moves %s", effectText(to))
	}
}

// TestChangeListsAreBounded: what awaits members does not take the place of names that are lost.
func TestChangeListsAreBounded(t *testing.T) {
	var more []string
	for i := range maxListed + 50 {
		more = append(more, fmt.Sprintf("  - {name: v%[1]d, domains: [{name: v%03[1]d.example.test}], method: round-robin, members: [{service: a}]}", i))
	}
	was, will := newWorld(t, changing("round-robin", bothAB, more...)), newWorld(t, changing("round-robin", bothAB))
	c := Change{Before: gslb.NewSnapshot(1, was.plan, was.status, nil), Learned: was.learned, After: will.plan, State: will.states(nil), Was: was.states(nil)}
	if e := c.Effect(context.Background()); len(e.LostNames) != maxListed || e.More != 50 || e.LostNames[0] != "v000.example.test." {
		t.Errorf("%d names are lost, %d more, first %q", len(e.LostNames), e.More, e.LostNames[0])
	}
	c.Awaits = func(name string) bool { return name != "v149.example.test." }
	if e := c.Effect(context.Background()); len(e.LostNames) != 1 || e.LostNames[0] != "v149.example.test." || e.More != 0 {
		t.Errorf("lost are %v and %d more, want the last one alone", e.LostNames, e.More)
	}
}
