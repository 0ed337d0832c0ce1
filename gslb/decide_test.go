package gslb

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fairlead/config"
)

const client = "198.51.100.7"

// twoSites is the smallest world that every method can decide in.
func twoSites(v config.VirtualServer) *world {
	v.Name, v.Domains = "web", domains("www.example.com")
	if v.Members == nil {
		v.Members = members("a", "b")
	}
	w := newWorld().site("ams", "EU.NL", 52.37, 4.90).site("nyc", "NA.US", 40.71, -74.01).
		service("a", "ams", Up, "192.0.2.1", "2001:db8:a::1").service("b", "nyc", Up, "198.51.100.1", "2001:db8:b::1")
	return w.virtualServer(v)
}

func (w *world) state(name string, s State) *world {
	st := w.status[name]
	st.State = s
	w.status[name] = st
	return w
}

func (w *world) backup(v config.VirtualServer) *world {
	w.service("c", "ams", Up, "192.0.2.3")
	v.Name, v.Members, v.Method = "dr", members("c"), config.RoundRobin
	return w.virtualServer(v)
}

func TestDecideState(t *testing.T) {
	rr := config.VirtualServer{Method: config.RoundRobin}
	with := func(change func(*config.VirtualServer)) config.VirtualServer { v := rr; change(&v); return v }
	ordered := []config.Member{{Service: "a", Weight: 1, Order: 1}, {Service: "b", Weight: 1, Order: 2}}
	tests := []struct {
		name   string
		world  *world
		family Family
		want   []string // of consecutive queries
		reason Reason
	}{
		{"both up take turns", twoSites(rr), IPv4, []string{"a", "b", "a", "b"}, ReasonRotation},
		{"a down member is left out", twoSites(rr).state("a", Down), IPv4, []string{"b", "b"}, ReasonOnlyOne},
		{"an unknown member is left out", twoSites(rr).state("a", Unknown), IPv4, []string{"b", "b"}, ReasonOnlyOne},
		{"a draining member is left out", twoSites(rr).state("a", Draining), IPv4, []string{"b", "b"}, ReasonOnlyOne},
		{"order 2 waits", twoSites(with(func(v *config.VirtualServer) { v.Members = ordered })), IPv4, []string{"a", "a"}, ReasonOnlyOne},
		{"order 2 steps in", twoSites(with(func(v *config.VirtualServer) { v.Members = ordered })).state("a", Down), IPv4, []string{"b", "b"}, ReasonOnlyOne},
		{"max_answers appends the others", twoSites(with(func(v *config.VirtualServer) { v.MaxAnswers = 3 })), IPv4, []string{"a b", "b a"}, ReasonRotation},
		{"all down: all, rotated", twoSites(rr).state("a", Down).state("b", Unknown), IPv4, []string{"a b", "b a"}, ReasonAllDown},
		{"all down: a disabled member stays out", twoSites(rr).state("a", Disabled).state("b", Down), IPv4, []string{"b", "b"}, ReasonAllDown},
		{"all disabled: empty", twoSites(rr).state("a", Disabled).state("b", Disabled), IPv4, []string{"empty"}, ReasonAllEmpty},
		{"all down: empty", twoSites(with(func(v *config.VirtualServer) { v.WhenAllDown = config.AnswerEmpty })).state("a", Down).state("b", Down), IPv4, []string{"empty"}, ReasonAllEmpty},
		{"all down: servfail", twoSites(with(func(v *config.VirtualServer) { v.WhenAllDown = config.AnswerServFail })).state("a", Down).state("b", Down), IPv4, []string{"servfail"}, ReasonAllServFail},
		{"all down: backup address", twoSites(with(func(v *config.VirtualServer) { v.WhenAllDown = config.AnswerBackupAddress })).state("a", Down).state("b", Down), IPv4, []string{"backup-address"}, ReasonAllBackup},
		{"backup steps in", twoSites(with(func(v *config.VirtualServer) { v.Backup = "dr" })).backup(rr).state("a", Down).state("b", Down), IPv4, []string{"c"}, ReasonOnlyOne},
		{"backup waits", twoSites(with(func(v *config.VirtualServer) { v.Backup = "dr" })).backup(rr).state("a", Down), IPv4, []string{"b"}, ReasonOnlyOne},
		{"backup down too: own members", twoSites(with(func(v *config.VirtualServer) { v.Backup = "dr" })).backup(rr).state("a", Down).state("b", Down).state("c", Down), IPv4, []string{"a b"}, ReasonAllDown},
		{"no address of the family: empty, not the backup", twoSites(with(func(v *config.VirtualServer) { v.Backup = "dr" })).backup(rr), FamilyNone, []string{"empty"}, ReasonNobody},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, l := tt.world.snapshot(t)
			for i, want := range tt.want {
				got, d := ask(s, l, tt.family, client, "")
				if got != want || d.Reason != tt.reason {
					t.Errorf("query %d: got %q (%s), want %q (%s)", i, got, d.Reason, want, tt.reason)
				}
			}
		})
	}
}

func TestDecideFamilyFailsAlone(t *testing.T) {
	w := twoSites(config.VirtualServer{Method: config.RoundRobin})
	st := w.status["a"]
	st.Without6 = true
	w.status["a"] = st
	s, l := w.snapshot(t)
	for range 4 {
		if got, _ := ask(s, l, IPv6, client, ""); got != "b" {
			t.Errorf("AAAA: got %q, want b: a's IPv6 address fails", got)
		}
	}
	got := map[string]int{}
	for range 4 {
		name, _ := ask(s, l, IPv4, client, "")
		got[name]++
	}
	if got["a"] != 2 || got["b"] != 2 {
		t.Errorf("A: got %v, want both twice", got)
	}
}

// TestDecideFamilyFailsInOrder: an order whose members' addresses of a family fail leaves the family to the next order and
// to the backup; one that never had such an address keeps it.
func TestDecideFamilyFailsInOrder(t *testing.T) {
	ordered := []config.Member{{Service: "a", Weight: 1, Order: 1}, {Service: "b", Weight: 1, Order: 2}}
	build := func(change func(*world)) (*Snapshot, *Learned) {
		w := twoSites(config.VirtualServer{Method: config.RoundRobin, Members: ordered, Backup: "dr"}).backup(config.VirtualServer{})
		change(w)
		return w.snapshot(t)
	}
	without4 := func(w *world, names ...string) {
		for _, n := range names {
			st := w.status[n]
			st.Without4 = true
			w.status[n] = st
		}
	}
	tests := []struct {
		name   string
		change func(*world)
		v4, v6 string
	}{
		{"both families work", func(*world) {}, "a", "a"},
		{"IPv4 of order 1 fails", func(w *world) { without4(w, "a") }, "b", "a"},
		{"IPv4 of both orders fails", func(w *world) { without4(w, "a", "b") }, "c", "a"},
		{"and of the backup: up by IPv6, so no last resort", func(w *world) { without4(w, "a", "b", "c") }, "empty", "a"},
		{"order 1 never had IPv4", func(w *world) { w.doc.Services[0].Addresses = w.doc.Services[0].Addresses[1:] }, "empty", "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, l := build(tt.change)
			if got, d := ask(s, l, IPv4, client, ""); got != tt.v4 {
				t.Errorf("A: got %q (%s), want %q", got, d.Reason, tt.v4)
			}
			if got, d := ask(s, l, IPv6, client, ""); got != tt.v6 {
				t.Errorf("AAAA: got %q (%s), want %q", got, d.Reason, tt.v6)
			}
		})
	}
}

func TestDecideMaxConnections(t *testing.T) {
	w := twoSites(config.VirtualServer{Method: config.RoundRobin}).load("a", 10, time.Second)
	w.doc.Services[0].MaxConnections = 10
	s, l := w.snapshot(t)
	if got, _ := ask(s, l, IPv4, client, ""); got != "b" {
		t.Errorf("at the limit: got %q, want b", got)
	}
	w.load("a", 10, time.Hour)
	s, l = w.snapshot(t)
	if got, _ := ask(s, l, IPv4, client, ""); got != "a" {
		t.Errorf("limit reached an hour ago: got %q, want a: an old load does not keep a service out", got)
	}
}

func TestLeastConnection(t *testing.T) {
	lc := config.VirtualServer{Method: config.LeastConnection}
	tests := []struct {
		name   string
		world  *world
		want   string // of consecutive queries
		reason Reason
	}{
		{"least wins", twoSites(lc).load("a", 5, 0).load("b", 2, 0), "b", ReasonLeastLoad},
		{"expected load spreads answers", twoSites(lc).load("a", 3, 0).load("b", 1, 0), "b b b a b a", ReasonLeastLoad},
		{"weight divides", twoSites(config.VirtualServer{Method: config.LeastConnection, Members: []config.Member{
			{Service: "a", Weight: 10, Order: 1}, {Service: "b", Weight: 1, Order: 1}}}).load("a", 5, 0).load("b", 2, 0), "a", ReasonLeastLoad},
		{"an old load still counts", twoSites(lc).load("a", 5, time.Minute).load("b", 2, 0), "b", ReasonLeastLoad},
		{"an hour later it is forgotten", twoSites(lc).load("a", 5, time.Hour).load("b", 2, 0), "a b a b", ReasonLeastLoad},
		{"a silent member gets the mean", twoSites(lc).load("a", 5, 0), "a b a b", ReasonLeastLoad},
		{"nobody reports: rotation", twoSites(lc), "a b a b", ReasonRotation},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, l := tt.world.snapshot(t)
			var got []string
			for range strings.Fields(tt.want) {
				name, d := ask(s, l, IPv4, client, "")
				got = append(got, name)
				if len(got) == 1 && d.Reason != tt.reason {
					t.Errorf("reason of the first %q, want %q", d.Reason, tt.reason)
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, want %q", strings.Join(got, " "), tt.want)
			}
		})
	}
}

func TestStaticProximity(t *testing.T) {
	sp := config.VirtualServer{Method: config.StaticProximity, ClientSubnet: true}
	w := twoSites(sp).
		location("203.0.113.0/24", "EU.BE.Brussels").
		location("203.0.113.128/25", "NA.CA").
		location("192.0.2.0/24", "", 35.68, 139.69). // Tokyo: Amsterdam is nearer than New York
		location("2001:db8:1::/48", "NA.US.NY").
		location("198.18.0.0/15", "AS.JP")
	s, l := w.snapshot(t)
	tests := []struct {
		name, ldns, subnet, want string
		scope                    uint8
		reason                   Reason
	}{
		{"place", client, "203.0.113.0/26", "a", 25, ReasonProximity},
		{"longest prefix", client, "203.0.113.192/26", "b", 25, ReasonProximity},
		{"distance", client, "192.0.2.0/24", "a", 24, ReasonProximity},
		{"resolver", "203.0.113.200", "", "b", 25, ReasonProximity},
		{"IPv6", client, "2001:db8:1:2::/64", "b", 48, ReasonProximity},
		{"not located falls back, and the scope says so", client, "204.0.2.0/24", "a", 6, ReasonRotation},
		{"place of no site falls back", client, "198.18.5.0/24", "b", 15, ReasonRotation},
		{"source prefix 0 means the resolver", "203.0.113.1", "0.0.0.0/0", "a", 25, ReasonProximity},
		{"loopback subnet means the resolver", "203.0.113.1", "127.0.0.0/8", "a", 8, ReasonProximity},
		{"link-local subnet, resolver of IPv6", "2001:db8:1::53", "169.254.7.0/24", "b", 16, ReasonProximity},
		{"multicast subnet", "203.0.113.200", "225.0.0.0/8", "b", 4, ReasonProximity},
		{"unspecified address stands alone", "203.0.113.200", "0.0.0.0/1", "b", 32, ReasonProximity},
		{"loopback of IPv6", "203.0.113.200", "::1/128", "b", 128, ReasonProximity},
		{"mapped loopback", "203.0.113.200", "::ffff:127.0.0.0/104", "b", 104, ReasonProximity},
		{"link-local of IPv6", "203.0.113.200", "fe80::/64", "b", 10, ReasonProximity},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, d := ask(s, l, IPv4, tt.ldns, tt.subnet)
			if got != tt.want || d.Reason != tt.reason || d.Scope != tt.scope {
				t.Errorf("got %q scope %d (%s), want %q scope %d (%s)", got, d.Scope, d.Reason, tt.want, tt.scope, tt.reason)
			}
		})
	}
}

func TestStaticProximityTies(t *testing.T) {
	w := newWorld().site("par", "EU.FR").site("ams", "EU.NL").site("nyc", "NA.US").
		service("a", "par", Up, "192.0.2.1").service("b", "ams", Up, "192.0.2.2").service("c", "nyc", Up, "192.0.2.3")
	w.virtualServer(config.VirtualServer{Name: "v", Method: config.StaticProximity, Members: members("a", "b", "c"), Domains: domains("www.example.com")})
	w.location("203.0.113.0/24", "EU.DE")
	s, l := w.snapshot(t)
	var got []string
	for range 4 {
		name, d := ask(s, l, IPv4, "203.0.113.9", "")
		got = append(got, name)
		if d.Reason != ReasonTie {
			t.Errorf("reason %q, want %q", d.Reason, ReasonTie)
		}
	}
	if want := []string{"a", "b", "a", "b"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v: two sites match one qualifier and take turns", got, want)
	}
}

func TestClientSubnetOff(t *testing.T) {
	w := twoSites(config.VirtualServer{Method: config.StaticProximity}).location("203.0.113.0/24", "EU").location("192.0.2.0/24", "NA")
	s, l := w.snapshot(t)
	got, d := ask(s, l, IPv4, "192.0.2.99", "203.0.113.0/24")
	if got != "b" || d.SubnetUsed {
		t.Errorf("got %q, subnet used %v; want b by the resolver's address", got, d.SubnetUsed)
	}
}

func TestCNAMEStandsAlone(t *testing.T) {
	w := twoSites(config.VirtualServer{Method: config.RoundRobin, MaxAnswers: 2})
	w.doc.Services[0].Addresses, w.doc.Services[0].CNAME = nil, "cdn.example.net"
	s, l := w.snapshot(t)
	if !s.Plan.Domain(0).HasCNAME {
		t.Error("HasCNAME = false, want true")
	}
	for i, want := range []string{"a", "b"} {
		if got, _ := ask(s, l, IPv4, client, ""); got != want {
			t.Errorf("query %d: got %q, want %q", i, got, want)
		}
	}
	if got, _ := ask(s, l, FamilyNone, client, ""); got != "a" {
		t.Errorf("other type: got %q, want a: only the CNAME can answer", got)
	}
}

// TestAllDownWithCNAME: a name stands alone in the last resort too, and takes its turn.
func TestAllDownWithCNAME(t *testing.T) {
	w := twoSites(config.VirtualServer{Method: config.RoundRobin}).state("a", Down).state("b", Down)
	w.service("c", "nyc", Down, "192.0.2.3")
	w.doc.VirtualServers[0].Members = members("a", "b", "c")
	w.doc.Services[0].Addresses, w.doc.Services[0].CNAME = nil, "cdn.example.net"
	s, l := w.snapshot(t)
	for i, want := range []string{"a", "b c", "c b"} {
		if got, d := ask(s, l, IPv4, client, ""); got != want || d.Reason != ReasonAllDown {
			t.Errorf("query %d: got %q (%s), want %q (%s)", i, got, d.Reason, want, ReasonAllDown)
		}
	}
}

func TestTraceTellsTheDecision(t *testing.T) {
	w := twoSites(config.VirtualServer{Method: config.LeastConnection}).load("a", 5, time.Second).load("b", 2, 2*time.Second)
	s, l := w.snapshot(t)
	var tr Trace
	d := Decide(s, Query{Family: IPv4, LDNS: epochAddr}, l, epoch, &tr)
	var steps []Step
	for _, e := range tr.Entries {
		steps = append(steps, e.Step)
	}
	if want := []Step{StepClient, StepVirtualServer, StepCandidates, StepMethod, StepAnswer, StepLearn}; !slices.Equal(steps, want) {
		t.Fatalf("steps %v, want %v", steps, want)
	}
	method := tr.Entries[3]
	b := method.Candidates[1]
	if b.Service != "b" || !b.Kept || b.Value != 2 || b.AgeSeconds != 2 || b.Source != "test" || method.Reason != d.Reason {
		t.Errorf("method entry %+v does not tell why b was chosen", method)
	}
}

// TestASilentMembersAnswersAreCountedByRounds: what it was handed before the last round is in the mean already.
func TestASilentMembersAnswersAreCountedByRounds(t *testing.T) {
	w := twoSites(config.VirtualServer{Method: config.LeastConnection}).load("a", 5, 0)
	st := w.status["b"]
	st.Load.Handed = 100
	w.status["b"] = st
	s, l := w.snapshot(t)
	l.handed[1].n.Add(100)
	got := map[string]int{}
	for range 10 {
		name, _ := ask(s, l, IPv4, client, "")
		got[name]++
	}
	if got["a"] != 5 || got["b"] != 5 {
		t.Errorf("got %v, want 5 each: b has the mean, and no answer in this round", got)
	}
}

// TestLeastConnectionLearnsTogether: what was learned of one member's answers must not draw clients to another.
func TestLeastConnectionLearnsTogether(t *testing.T) {
	w := twoSites(config.VirtualServer{Method: config.LeastConnection}).load("a", 1, 0).load("b", 1, 0)
	st := w.status["b"]
	st.Load.PerAnswer = 0.25
	w.status["b"] = st
	s, l := w.snapshot(t)
	got := map[string]int{}
	for range 100 {
		name, _ := ask(s, l, IPv4, client, "")
		got[name]++
	}
	if got["a"] != 50 || got["b"] != 50 {
		t.Errorf("got %v, want 50 each: both have one connection", got)
	}
}

// TestDecideConcurrently has queries count answers under each other's eyes; the race detector and the bounds watch.
func TestDecideConcurrently(t *testing.T) {
	s, l := twoSites(config.VirtualServer{Method: config.LeastConnection}).load("a", 1, 0).load("b", 1, 0).snapshot(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 5000 {
				if _, d := ask(s, l, IPv4, client, ""); d.Count != 1 {
					t.Errorf("decision %+v, want one service", d)
					return
				}
			}
		})
	}
	all.Wait()
	if n := l.Handed(0) + l.Handed(1); n != 20000 {
		t.Errorf("%d answers were counted, want 20000", n)
	}
}

// More members than one answer holds are all named in turn: the only one that lives may be the last.
func TestLastResortReachesEverybody(t *testing.T) {
	v := config.VirtualServer{Name: "web", Domains: domains("www.example.com"), Method: config.RoundRobin}
	w := newWorld().site("ams", "", 0, 0)
	const count = MaxAnswers + 3
	for i := range count {
		name := fmt.Sprintf("s%02d", i)
		w.service(name, "ams", Down, fmt.Sprintf("192.0.2.%d", i+1))
		v.Members = append(v.Members, config.Member{Service: name, Weight: 1, Order: 1})
	}
	s, l := w.virtualServer(v).snapshot(t)
	seen := map[ServiceIndex]int{}
	for range count {
		d := Decide(s, Query{Family: IPv4}, l, epoch, nil)
		if d.Count != MaxAnswers || d.Reason != ReasonAllDown {
			t.Fatalf("got %d services, %s; want %d, %s", d.Count, d.Reason, MaxAnswers, ReasonAllDown)
		}
		for _, i := range d.Services {
			seen[i]++
		}
	}
	if len(seen) != count {
		t.Errorf("%d of %d members were named", len(seen), count)
	}
}

// TestChainOfBackups: ten backups are tried, and no eleventh.
func TestChainOfBackups(t *testing.T) {
	for length, want := range map[int]Reason{9: ReasonOnlyOne, 10: ReasonOnlyOne, 11: ReasonAllDown} {
		w := newWorld().site("ams", "")
		for i := range length + 1 {
			name, state := fmt.Sprintf("s%d", i), Down
			if i == length {
				state = Up
			}
			w.service(name, "ams", state, fmt.Sprintf("192.0.2.%d", i+1))
			v := config.VirtualServer{Name: fmt.Sprintf("v%d", i), Method: config.RoundRobin, Members: members(name)}
			if i == 0 {
				v.Domains = domains("www.example.com")
			}
			if i < length {
				v.Backup = fmt.Sprintf("v%d", i+1)
			}
			w.virtualServer(v)
		}
		s, l := w.snapshot(t)
		if got, d := ask(s, l, IPv4, client, ""); d.Reason != want {
			t.Errorf("%d backups: got %s (%s), want %s", length, got, d.Reason, want)
		}
	}
}
