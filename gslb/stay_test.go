package gslb

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"fairlead/config"
)

// asked is one query of a sequence, at a second of the test.
type asked struct {
	at           int64
	family       Family
	ldns, subnet string
	want         string
	reason       Reason
}

// play asks in turn, of worlds that follow each other: the state of services may change between queries.
func play(t *testing.T, w *world, l *Learned, queries ...asked) *Learned {
	t.Helper()
	s, fresh := w.snapshot(t)
	if l == nil {
		l = fresh
		l.Sessions = NewSessions(SessionOptions{Max: 1024})
		l.Resolvers = NewResolvers(ResolverOptions{Prefix4: 32, Prefix6: 128, Max: 1024, Timeout: 3 * time.Minute})
	}
	for i, a := range queries {
		q := Query{Family: a.family, LDNS: netip.MustParseAddr(a.ldns), At: 1_700_000_000 + a.at}
		if a.family == FamilyNone {
			q.Family = IPv4
		}
		if a.subnet != "" {
			q.Subnet = netip.MustParsePrefix(a.subnet)
		}
		d := Decide(s, q, l, epoch, nil)
		if got := outcome(s, d); got != a.want || a.reason != "" && d.Reason != a.reason {
			t.Errorf("query %d at %d s: got %q (%s), want %q (%s)", i, a.at, got, d.Reason, a.want, a.reason)
		}
	}
	return l
}

func outcome(s *Snapshot, d Decision) string {
	if d.Outcome != OutcomeServices {
		return fmt.Sprint(d.Outcome)
	}
	return s.Plan.Service(d.Services[0]).Name
}

func sticky(change func(*config.VirtualServer)) *world {
	v := config.VirtualServer{Method: config.RoundRobin, ClientSubnet: true,
		Persistence: config.Persistence{Type: config.PersistenceSourceIP, Timeout: config.Duration(2 * time.Minute), Prefix4: 24, Prefix6: 56}}
	if change != nil {
		change(&v)
	}
	return twoSites(v)
}

func TestPersistence(t *testing.T) {
	w := sticky(nil)
	l := play(t, w, nil,
		asked{0, IPv4, "192.0.2.7", "", "a", ReasonRotation},
		asked{1, IPv4, "192.0.2.200", "", "a", ReasonSession}, // the same /24
		asked{1, IPv4, "198.51.100.1", "", "b", ReasonRotation},
		asked{2, IPv4, "198.51.100.1", "192.0.2.0/24", "a", ReasonSession}, // the client subnet is the client
		asked{20, IPv6, "192.0.2.7", "", "a", ReasonSession},
		asked{121, IPv4, "192.0.2.7", "", "a", ReasonSession}, // prolonged at 20 s
		asked{400, IPv4, "198.51.100.1", "", "a", ReasonRotation},
	)
	play(t, w.state("a", Draining), l, asked{401, IPv4, "198.51.100.1", "", "a", ReasonSession}, asked{401, IPv4, "203.0.113.1", "", "b", ReasonOnlyOne})
	play(t, w.state("b", Down), l, asked{402, IPv4, "198.51.100.1", "", "a", ReasonSession}) // nobody new may be sent anywhere
	play(t, w.state("b", Up).state("a", Down), l, asked{403, IPv4, "198.51.100.1", "", "b", ReasonOnlyOne})
	play(t, w.state("a", Up), l, asked{404, IPv4, "198.51.100.1", "", "b", ReasonSession}) // the new choice is kept
}

func TestPersistenceYieldsToOrder(t *testing.T) {
	for _, yields := range []bool{false, true} {
		w := sticky(func(v *config.VirtualServer) {
			v.Persistence.YieldToOrder = yields
			v.Members = []config.Member{{Service: "a", Weight: 1, Order: 1}, {Service: "b", Weight: 1, Order: 2}}
		})
		l := play(t, w.state("a", Down), nil, asked{0, IPv4, "192.0.2.7", "", "b", ReasonOnlyOne})
		want, reason := "b", ReasonSession
		if yields {
			want, reason = "a", ReasonOnlyOne
		}
		play(t, w.state("a", Up), l, asked{1, IPv4, "192.0.2.7", "", want, reason})
	}
}

func TestFrozenLearnedKeepsNothing(t *testing.T) {
	w := sticky(nil)
	l := play(t, w, nil)
	play(t, w, l.Copy(), asked{0, IPv4, "192.0.2.7", "", "a", ReasonRotation})
	if n := l.Sessions.Len(); n != 0 {
		t.Errorf("a copy kept %d sessions", n)
	}
}

func spilling(s config.Spillover) *world {
	return twoSites(config.VirtualServer{Method: config.RoundRobin, Backup: "dr", Spillover: s}).backup(config.VirtualServer{})
}

func TestSpillover(t *testing.T) {
	up := func(w *world, change func(*world)) *world { change(w); return w }
	limits := func(w *world) { w.doc.Services[0].MaxConnections, w.doc.Services[1].MaxConnections = 60, 40 }
	tests := []struct {
		name  string
		world *world
		want  string
	}{
		{"connections below", spilling(config.Spillover{Method: config.SpilloverConnections, Threshold: 101}).load("a", 60, 0).load("b", 40, 0), "a"},
		{"connections reached", spilling(config.Spillover{Method: config.SpilloverConnections, Threshold: 100}).load("a", 60, 0).load("b", 40, 0), "c"},
		{"no connections known", spilling(config.Spillover{Method: config.SpilloverConnections, Threshold: 0}), "a"},
		{"dynamic: below the limits", up(spilling(config.Spillover{Method: config.SpilloverDynamicConnections}).load("a", 59, 0).load("b", 39, 0), limits), "a"},
		{"dynamic: one is down", up(spilling(config.Spillover{Method: config.SpilloverDynamicConnections}).load("a", 59, 0).load("b", 40, 0).state("a", Down), limits), "c"},
		{"health above", spilling(config.Spillover{Method: config.SpilloverHealth, Threshold: 50}).state("a", Down), "b"},
		{"health below", spilling(config.Spillover{Method: config.SpilloverHealth, Threshold: 51}).state("a", Down), "c"},
		{"health: disabled members do not count", spilling(config.Spillover{Method: config.SpilloverHealth, Threshold: 51}).state("a", Disabled), "b"},
		{"no backup is usable: accepted", spilling(config.Spillover{Method: config.SpilloverHealth, Threshold: 51}).state("a", Down).state("c", Down), "b"},
		{"the same, empty", spilling(config.Spillover{Method: config.SpilloverHealth, Threshold: 51, WithoutBackup: config.SpillEmpty}).state("a", Down).state("c", Down), fmt.Sprint(OutcomeEmpty)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { play(t, tt.world, nil, asked{0, IPv4, "192.0.2.7", "", tt.want, ""}) })
	}
}

func TestSpilloverPersistence(t *testing.T) {
	w := spilling(config.Spillover{Method: config.SpilloverConnections, Threshold: 100, Persistence: true, Timeout: config.Duration(time.Minute)})
	w.doc.VirtualServers[0].Persistence = config.Persistence{Prefix4: 32, Prefix6: 128}
	l := play(t, w.load("a", 100, 0), nil, asked{0, IPv4, "192.0.2.7", "", "c", ReasonOnlyOne})
	play(t, w.load("a", 10, 0), l,
		asked{1, IPv4, "192.0.2.7", "", "c", ReasonOnlyOne},
		asked{1, IPv4, "192.0.2.8", "", "a", ReasonRotation},
		asked{62, IPv4, "192.0.2.7", "", "b", ReasonRotation})
}

func TestCoherence(t *testing.T) {
	w := twoSites(config.VirtualServer{Method: config.RoundRobin})
	w.doc.Settings.Answers.Coherent = true
	l := play(t, w, nil,
		asked{0, IPv4, "192.0.2.7", "", "a", ReasonRotation},
		asked{0, IPv4, "192.0.2.8", "", "b", ReasonRotation},
		asked{1, IPv6, "192.0.2.8", "", "b", ReasonPaired},
		asked{1, IPv6, "192.0.2.7", "", "a", ReasonPaired},
		asked{2, IPv4, "192.0.2.7", "", "a", ReasonRotation}, // again: decided anew
		asked{2, IPv4, "192.0.2.7", "", "b", ReasonRotation},
		asked{3, IPv6, "192.0.2.7", "", "b", ReasonPaired},
		asked{3, IPv6, "192.0.2.7", "198.51.100.0/24", "a", ReasonRotation}, // another client
	)
	play(t, w.state("b", Down), l, asked{4, IPv4, "192.0.2.8", "", "a", ReasonOnlyOne})
	play(t, w.state("b", Up), l, asked{40, IPv6, "192.0.2.8", "", "b", ReasonRotation}) // forgotten after the TTL
}

// TestCoherenceFollowsTheSite: a site with a service for each family is named for both.
func TestCoherenceFollowsTheSite(t *testing.T) {
	w := newWorld().site("ams", "").site("nyc", "").
		service("a4", "ams", Up, "192.0.2.1").service("a6", "ams", Up, "2001:db8:a::1").
		service("b4", "nyc", Up, "198.51.100.1").service("b6", "nyc", Up, "2001:db8:b::1")
	w.doc.Settings.Answers.Coherent = true
	w.virtualServer(config.VirtualServer{Name: "v", Method: config.RoundRobin, Members: members("a4", "b6", "b4", "a6"), Domains: domains("www.example.com")})
	play(t, w, nil,
		asked{0, IPv4, "192.0.2.7", "", "a4", ReasonRotation}, asked{0, IPv6, "192.0.2.7", "", "a6", ReasonPaired},
		asked{0, IPv4, "192.0.2.8", "", "b4", ReasonRotation}, asked{0, IPv6, "192.0.2.8", "", "b6", ReasonPaired})
}

func TestHeld(t *testing.T) {
	held := func(w *world) (*Snapshot, *Learned) {
		s, l := w.snapshot(t)
		st := *s.Status
		st.Held = []bool{true, false}
		return NewSnapshot(2, s.Plan, &st, nil), l
	}
	w := twoSites(config.VirtualServer{Method: config.RoundRobin, Backup: "dr", BackupHold: true}).backup(config.VirtualServer{})
	s, l := held(w)
	if got, _ := ask(s, l, IPv4, client, ""); got != "c" {
		t.Errorf("held: got %q, want the backup's c", got)
	}
	s, l = held(w.state("c", Down))
	if got, _ := ask(s, l, IPv4, client, ""); got != "a" {
		t.Errorf("held and the backup is down: got %q, want a", got)
	}
}

func TestAdaptiveTTL(t *testing.T) {
	w := twoSites(config.VirtualServer{Method: config.RoundRobin})
	w.doc.Settings.Answers = config.AnswerSettings{AdaptiveTTL: true, LeastTTL: config.Duration(5 * time.Second)}
	ttl := func() uint32 {
		s, l := w.snapshot(t)
		_, d := ask(s, l, IPv4, client, "")
		return d.TTL
	}
	if got := ttl(); got != 30 {
		t.Errorf("certain: TTL %d, want 30", got)
	}
	st := w.status["b"]
	st.Doubt = DoubtFailing
	w.status["b"] = st
	if got := ttl(); got != 5 {
		t.Errorf("uncertain: TTL %d, want 5", got)
	}
	w.doc.Settings.Answers.LeastTTL = config.Duration(time.Minute)
	if got := ttl(); got != 30 {
		t.Errorf("least_ttl above the domain's: TTL %d, want 30", got)
	}
}

// TestSpilloverEmptyIsForThreshold: who is only to stay on the backup is not refused when it fails; who is too many is.
func TestSpilloverEmptyIsForThreshold(t *testing.T) {
	w := twoSites(config.VirtualServer{Method: config.RoundRobin, Backup: "dr", Persistence: config.Persistence{Prefix4: 24, Prefix6: 56},
		Spillover: config.Spillover{Method: config.SpilloverConnections, Threshold: 10, Persistence: true,
			Timeout: config.Duration(2 * time.Minute), WithoutBackup: config.SpillEmpty}}).backup(config.VirtualServer{}).load("a", 20, 0)
	l := play(t, w, nil, asked{0, IPv4, "192.0.2.7", "", "c", ReasonOnlyOne})
	l = play(t, w.state("c", Down), l, asked{1, IPv4, "192.0.2.7", "", fmt.Sprint(OutcomeEmpty), ReasonSpillEmpty})
	play(t, w.load("a", 1, 0), l, asked{2, IPv4, "192.0.2.7", "", "a", ReasonRotation})
}

// TestSpilloverForgetsLoad: a load source that has died does not send clients away for good.
func TestSpilloverForgetsLoad(t *testing.T) {
	for age, want := range map[time.Duration]bool{time.Second: true, time.Minute: true, 3 * time.Minute: false} {
		for _, m := range []config.SpilloverMethod{config.SpilloverConnections, config.SpilloverBandwidth} {
			w := twoSites(config.VirtualServer{Method: config.RoundRobin, Backup: "dr", Spillover: config.Spillover{Method: m, Threshold: 10}}).
				backup(config.VirtualServer{}).load("a", 20, age)
			st := w.status["a"]
			st.Measures = &Measures{Bandwidth: Measure{Value: 20, At: epoch.Add(-age)}}
			w.status["a"] = st
			if s, _ := w.snapshot(t); s.Spilled(0) != want {
				t.Errorf("%s of %s ago: spilled over is %v, want %v", m, age, !want, want)
			}
		}
	}
}

// TestSessionOutlastsOtherFamilies: a client stays with a service that has no address of another family that it asks for.
func TestSessionOutlastsOtherFamilies(t *testing.T) {
	w := newWorld().site("ams", "").service("a", "ams", Up, "192.0.2.1").service("b", "ams", Up, "192.0.2.2").
		service("c", "ams", Up, "192.0.2.3", "2001:db8::3")
	w.virtualServer(config.VirtualServer{Name: "v", Method: config.RoundRobin, Domains: domains("www.example.com"), Members: members("a", "b", "c"),
		Persistence: config.Persistence{Type: config.PersistenceSourceIP, Timeout: config.Duration(2 * time.Minute), Prefix4: 24, Prefix6: 56}})
	l := play(t, w, nil,
		asked{0, IPv4, "192.0.2.7", "", "a", ReasonRotation},
		asked{0, IPv6, "192.0.2.7", "", "c", ReasonOnlyOne},
		asked{1, IPv4, "192.0.2.7", "", "a", ReasonSession},
	)
	l = play(t, w.state("a", Draining), l, asked{2, IPv6, "192.0.2.7", "", "c", ReasonOnlyOne}, asked{2, IPv4, "192.0.2.7", "", "a", ReasonSession})
	play(t, w.state("a", Down), l, asked{3, IPv6, "192.0.2.7", "", "c", ReasonOnlyOne}, asked{3, IPv4, "192.0.2.7", "", "c", ReasonSession})
}

// TestSessionYieldsToOrderOfPolicy: where a policy prefers another order, that is the one in use for its clients.
func TestSessionYieldsToOrderOfPolicy(t *testing.T) {
	w := newWorld().site("ams", "").service("a", "ams", Up, "192.0.2.1").service("b", "ams", Up, "192.0.2.2").service("c", "ams", Up, "192.0.2.3")
	w.virtualServer(config.VirtualServer{Name: "v", Method: config.RoundRobin, Domains: domains("www.example.com"),
		Members:  []config.Member{{Service: "a", Weight: 1, Order: 1}, {Service: "b", Weight: 1, Order: 2}, {Service: "c", Weight: 1, Order: 2}},
		Policies: []config.Policy{{Name: "p", Clients: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Orders: []int{2}}},
		Persistence: config.Persistence{Type: config.PersistenceSourceIP, Timeout: config.Duration(2 * time.Minute), Prefix4: 32, Prefix6: 128,
			YieldToOrder: true}})
	play(t, w, nil,
		asked{0, IPv4, "192.0.2.7", "", "b", ReasonRotation},
		asked{1, IPv4, "192.0.2.8", "", "c", ReasonRotation},
		asked{2, IPv4, "192.0.2.8", "", "c", ReasonSession},
		asked{3, IPv4, "192.0.2.7", "", "b", ReasonSession},
	)
}

// TestSessionWithStandIn: a client stays with a service that is used for what stands in behind its address.
func TestSessionWithStandIn(t *testing.T) {
	w := sticky(func(v *config.VirtualServer) { v.EffectiveState = true }).service("x", "ams", Up, "192.0.2.9")
	w.doc.Services[0].BackupServices, w.doc.Services[1].BackupServices = []string{"x"}, []string{"x"}
	l := play(t, w.state("a", Down).state("b", Down), nil,
		asked{0, IPv4, "192.0.2.7", "", "a", ReasonRotation}, asked{1, IPv4, "192.0.2.7", "", "a", ReasonSession})
	play(t, w.state("b", Up), l, asked{2, IPv4, "192.0.2.7", "", "b", ReasonOnlyOne})
}
