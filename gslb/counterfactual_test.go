package gslb

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/config"
)

// TestCounterfactualsAreTrue asks in random worlds, and puts every counterfactual to the test: in the world that it
// describes the service has a turn, in the world as it is it has none, and a number just beyond the one that is needed is not enough.
func TestCounterfactualsAreTrue(t *testing.T) {
	kinds := map[ChangeKind]int{}
	beyond, beyondWins := 0, 0
	for seed := range uint64(700) {
		r := rand.New(rand.NewPCG(seed, 23))
		w := randomWorld(r)
		s, l := w.snapshotHeld(t)
		w.tables(t, s, l)
		o := newOracle(w, s)
		for range 3 {
			q := w.asked(randomQuery(r, o.families(), oracleNow))
			before := Decide(s, q, l.Copy(), epoch, nil)
			found := Counterfactuals(s, q, l, epoch)
			if after := Decide(s, q, l.Copy(), epoch, nil); after != before {
				t.Fatalf("seed %d: asking what could be changed what is: %+v, before %+v", seed, after, before)
			}
			for _, c := range found {
				for _, change := range c.Changes {
					kinds[change.Kind]++
				}
				checkCounterfactual(t, seed, s, q, l, c)
				if n, wins := justBeyond(s, q, l, c); n {
					beyond++
					if wins {
						beyondWins++
					}
				}
			}
			Decide(s, q, l, epoch, nil)
		}
	}
	t.Logf("%v", kinds)
	for _, k := range ChangeKinds() {
		if kinds[k] == 0 && k != ChangePair && k != ChangePlace { // those two are rare, and have cases of their own
			t.Errorf("no random world had a change of kind %q", k)
		}
	}
	if beyond < 5 || beyondWins > 0 {
		t.Errorf("of %d numbers just beyond what is needed %d are enough, too", beyond, beyondWins)
	}
}

func checkCounterfactual(t *testing.T, seed uint64, s *Snapshot, q Query, l *Learned, c Counterfactual) {
	t.Helper()
	i, _ := s.Plan.ServiceByName(c.Service)
	trial := newTrial(s, q, l, epoch)
	trial.left = 2
	if c.Share <= 0 || c.Share > 1 || c.Text == "" || s.Plan.services[i].Site != c.Site {
		t.Errorf("seed %d: got %+v", seed, c)
	}
	if as := trial.wins(i); as != (len(c.Changes) == 0) {
		t.Errorf("seed %d: %s has a turn: %t, but %+v", seed, c.Service, as, c)
	}
	var edits []edit
	for _, change := range c.Changes {
		edits = append(edits, change.edits...)
	}
	if !trial.wins(i, edits...) {
		t.Errorf("seed %d: %s would not be answered %s", seed, c.Service, c.Text)
	}
	if c.Share == 1 && len(c.Changes) == 1 {
		checkAnew(t, seed, s, q, l, i, &c.Changes[0])
	}
}

// checkAnew decides in a world that was made without the code that found it.
func checkAnew(t *testing.T, seed uint64, s *Snapshot, q Query, l *Learned, target ServiceIndex, c *Change) {
	t.Helper()
	status := *s.Status
	status.Services = slices.Clone(s.Status.Services)
	st := &status.Services[target]
	switch {
	case c.Kind == ChangeState:
		st.State, st.Without4, st.Without6 = Up, false, false
	case c.Metric == "active":
		per := st.Load.PerAnswer
		if st.Load.At.IsZero() {
			per = 1
		}
		st.Load = Load{Active: uint64(*c.Needed), At: status.At, PerAnswer: per, Patience: st.Load.Patience, Handed: l.Handed(target), Source: st.Load.Source}
	case c.Kind == ChangeOrder || c.Kind == ChangeOthers:
		for _, name := range c.Services {
			i, _ := s.Plan.ServiceByName(name)
			status.Services[i].State = Down
		}
	default:
		return
	}
	if d := Decide(NewSnapshot(s.Generation, s.Plan, &status, nil), q, l.Copy(), epoch, nil); d.first() != int(target) {
		t.Errorf("seed %d: %s %s: deciding anew gives %+v", seed, s.Plan.services[target].Name, c.Text, d)
	}
}

// justBeyond decides with a number one thousandth, and at least one step, greater than what is needed.
func justBeyond(s *Snapshot, q Query, l *Learned, c Counterfactual) (tried, wins bool) {
	if len(c.Changes) != 1 || c.Changes[0].Metric != "active" || c.Changes[0].Kind != ChangeLoad || c.Changes[0].Is == nil {
		return false, false
	}
	i, _ := s.Plan.ServiceByName(c.Service)
	trial := newTrial(s, q, l, epoch)
	trial.left = 1
	return true, trial.wins(i, withConnections(i, *c.Changes[0].Needed+1))
}

// saidOf returns what is said of one service.
func saidOf(t *testing.T, s *Snapshot, q Query, l *Learned, service string) Counterfactual {
	t.Helper()
	for _, c := range Counterfactuals(s, q, l, epoch) {
		if c.Service == service {
			return c
		}
	}
	t.Fatalf("nothing is said of %s: %+v", service, Counterfactuals(s, q, l, epoch))
	return Counterfactual{}
}

func TestCounterfactualOfEachKind(t *testing.T) {
	q := Query{Family: IPv4, LDNS: netip.MustParseAddr(client), At: oracleNow}
	ordered := []config.Member{{Service: "a", Weight: 1, Order: 1}, {Service: "b", Weight: 1, Order: 2}}
	rtts := func(s *Snapshot, l *Learned) {
		l.Resolvers = NewResolvers(ResolverOptions{Max: 10, Timeout: time.Hour})
		for site, ms := range map[string]int{"ams": 41, "nyc": 57} {
			for i := range s.Plan.sites {
				if s.Plan.sites[i].name == site {
					l.Resolvers.Measured(q.LDNS, s.Plan.sites[i].hash, time.Duration(ms)*time.Millisecond, oracleNow)
				}
			}
		}
	}
	pushed := func(s *Snapshot, l *Learned) {
		_ = l.Pushed.Set(netip.MustParsePrefix("198.51.100.0/24"), []PushedValue{{Service: s.Plan.services[0].Hash, Value: 3, Until: oracleNow + 60}}, oracleNow)
	}
	session := func(s *Snapshot, l *Learned) {
		l.Sessions = NewSessions(SessionOptions{Max: 16})
		key, _ := (&Decider{client: q.LDNS}).session(&s.Plan.virtualServers[0].persistence)
		l.Sessions.Keep(key, s.Plan.services[0].Hash, oracleNow, oracleNow+60)
	}
	coherent := twoSites(config.VirtualServer{Method: config.RoundRobin})
	coherent.doc.Settings.Answers.Coherent = true
	otherFamily := func(s *Snapshot, l *Learned) { Decide(s, Query{Family: IPv6, LDNS: q.LDNS, At: q.At}, l, epoch, nil) }
	notLocated := twoSites(config.VirtualServer{Method: config.StaticProximity, BackupMethod: config.SourceIPHashing})
	notLocated.doc.Services[1].HashID = 1 // with which the client is a's
	atLimit := twoSites(config.VirtualServer{Method: config.RoundRobin}).state("b", Down).load("b", 12, 0)
	atLimit.doc.Services[1].MaxConnections = 10
	tests := []struct {
		name  string
		world *world
		learn func(*Snapshot, *Learned)
		want  string
	}{
		{"turns", twoSites(config.VirtualServer{Method: config.RoundRobin}), nil, "takes turns: 1/2 of the answers"},
		{"turns by weight", twoSites(config.VirtualServer{Method: config.RoundRobin, Members: []config.Member{{Service: "a", Weight: 3, Order: 1}, {Service: "b", Weight: 1, Order: 1}}}), nil,
			"takes turns: 1/4 of the answers"},
		{"down", twoSites(config.VirtualServer{Method: config.RoundRobin}).state("b", Down), nil, "if it were UP (it is DOWN); it would take 1/2 of the answers"},
		{"disabled", twoSites(config.VirtualServer{Method: config.StaticProximity}).state("b", Disabled).location("198.51.100.0/24", "NA.US"), nil,
			"if it were enabled (an operator disabled it)"},
		{"connections", twoSites(config.VirtualServer{Method: config.LeastConnection}).load("a", 41, 0).load("b", 57, 0), nil,
			"if its connections were at most 41 (now 57); it would take 1/2 of the answers"},
		{"round-trip time", twoSites(config.VirtualServer{Method: config.RTT}), rtts, "if its RTT were at most 41 ms (now 57 ms); it would take 1/2 of the answers"},
		{"pushed", twoSites(config.VirtualServer{Method: config.Measured}), pushed, "if the measurement pushed for it were at most 3 (nothing was pushed for it); it would take 1/2 of the answers"},
		{"order", twoSites(config.VirtualServer{Method: config.RoundRobin, Members: ordered}), nil, "if no member of a better order than 2 were usable: a"},
		{"two changes", twoSites(config.VirtualServer{Method: config.RoundRobin, Members: ordered}).state("b", Unknown), nil,
			"if it were UP (it is UNKNOWN), and if no member of a better order than 2 were usable: a"},
		{"down, and at its limit", atLimit, nil,
			"if it were UP (it is DOWN), and if its connections were below its limit of 10, at most 9 (now 12); it would take 1/2 of the answers"},
		{"session", twoSites(config.VirtualServer{Method: config.RoundRobin, Persistence: config.Persistence{Type: config.PersistenceSourceIP, Timeout: config.Duration(time.Minute), Prefix4: 32, Prefix6: 64}}),
			session, "if the client had no session; it would take 1/2 of the answers"},
		{"other family", coherent, otherFamily, "if the client had not been given another service for another family just now; it would take 1/2 of the answers"},
		{"not located", notLocated, nil,
			"if the client were located at na.us, as site nyc is (nothing is known of " + client + ")"},
		{"located elsewhere", twoSites(config.VirtualServer{Method: config.StaticProximity}).location("198.51.100.0/24", "EU.NL"), nil, "if a were not usable"},
		{"policy", twoSites(config.VirtualServer{Method: config.RoundRobin, Policies: []config.Policy{{Name: "home", Prefer: []string{"EU"}}}}), nil,
			`if there were no policy "home"; it would take 1/2 of the answers`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, l := tt.world.snapshot(t)
			if tt.learn != nil {
				tt.learn(s, l)
			}
			if got := saidOf(t, s, q, l, "b"); got.Text != tt.want {
				t.Errorf("got %q, want %q", got.Text, tt.want)
			}
		})
	}
}

// TestCounterfactualOfABackup: who waits in a backup would be answered if those before it were not usable.
func TestCounterfactualOfABackup(t *testing.T) {
	w := twoSites(config.VirtualServer{Method: config.RoundRobin, Backup: "dr"}).backup(config.VirtualServer{})
	w.service("d", "nyc", Up, "192.0.2.4")
	s, l := w.snapshot(t)
	got := saidOf(t, s, Query{Family: IPv4, LDNS: epochAddr, At: oracleNow}, l, "c")
	if len(got.Changes) != 1 || got.Changes[0].Kind != ChangeOthers || !slices.Equal(got.Changes[0].Services, []string{"a", "b"}) {
		t.Errorf("got %+v", got)
	}
}

// TestCounterfactualsAreBounded: many members, none of whom can be brought in by one change, cost no more than they may.
func TestCounterfactualsAreBounded(t *testing.T) {
	w := newWorld().site("s", "EU")
	var all []config.Member
	for i := range 400 {
		name := "m" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + string(rune('a'+i/26))
		w.service(name, "s", Up, "192.0.2.1")
		all = append(all, config.Member{Service: name, Weight: 1 + i%9, Order: 1 + i/40})
	}
	w.virtualServer(config.VirtualServer{Name: "web", Domains: domains("www.example.com"), Method: config.SourceIPHashing, Members: all})
	s, l := w.snapshot(t)
	start := time.Now()
	if got := Counterfactuals(s, Query{Family: IPv4, LDNS: epochAddr, At: oracleNow}, l, epoch); len(got) > MaxCounterfactuals {
		t.Errorf("%d counterfactuals", len(got))
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// TestCounterfactualOfTheBestOfASite: of another site the service is told that comes next, not the first of the document; and
// one that has a turn among thousands needs no change.
func TestCounterfactualOfTheBestOfASite(t *testing.T) {
	w := newWorld().site("ams", "EU.NL").site("nyc", "NA.US")
	for i := range 6 {
		w.service(string(rune('a'+i)), []string{"ams", "nyc"}[i/3], Up, "192.0.2.1")
	}
	w.virtualServer(config.VirtualServer{Name: "web", Domains: domains("www.example.com"), Method: config.SourceIPHashing, Members: members("a", "b", "c", "d", "e", "f")})
	s, l := w.snapshot(t)
	for i := range 60 {
		q := Query{Family: IPv4, LDNS: netip.AddrFrom4([4]byte{198, 51, byte(i), 7}), At: oracleNow}
		here := s.Plan.services[Decide(s, q, l.Copy(), epoch, nil).Services[0]].Site
		left := *s.Status
		left.Services = slices.Clone(left.Services)
		for j := range left.Services {
			if s.Plan.services[j].Site == here {
				left.Services[j].State = Down
			}
		}
		next := s.Plan.services[Decide(NewSnapshot(s.Generation, s.Plan, &left, nil), q, l.Copy(), epoch, nil).Services[0]]
		for _, c := range Counterfactuals(s, q, l, epoch) {
			if c.Site != here && c.Service != next.Name {
				t.Errorf("%s: %s is told of site %s, where %s comes next", q.LDNS, c.Service, c.Site, next.Name)
			}
		}
	}
}

// TestCounterfactualsOfManyTurns: of hundreds that take turns few are told, and how many more there are.
func TestCounterfactualsOfManyTurns(t *testing.T) {
	w := newWorld().site("ams", "EU.NL").site("nyc", "NA.US")
	var all []config.Member
	for i := range 300 {
		name := "m" + string(rune('a'+i/26)) + string(rune('a'+i%26))
		w.service(name, "ams", Up, "192.0.2.1")
		all = append(all, config.Member{Service: name, Weight: 99 + i%2, Order: 1})
	}
	w.service("d", "nyc", Down, "192.0.2.1")
	all = append(all, config.Member{Service: "d", Weight: 1, Order: 1})
	w.virtualServer(config.VirtualServer{Name: "web", Domains: domains("www.example.com"), Method: config.StaticProximity, Members: all})
	s, l := w.location("198.51.100.0/24", "EU.NL").snapshot(t)
	got := Counterfactuals(s, Query{Family: IPv4, LDNS: netip.MustParseAddr(client), At: oracleNow}, l, epoch)
	if len(got) != MaxCounterfactuals {
		t.Fatalf("%d counterfactuals: %+v", len(got), got)
	}
	for i, c := range got {
		if len(c.Changes) > 0 {
			t.Errorf("%s has a turn, but %s", c.Service, c.Text)
		}
		if last := i == len(got)-1; strings.HasSuffix(c.Text, "; so do 284 more services") != last {
			t.Errorf("%d: %s", i, c.Text)
		}
	}
}
