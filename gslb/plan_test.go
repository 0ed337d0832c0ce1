package gslb

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"fairlead/config"
)

// epoch is an arbitrary fixed instant for tests.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// world is a document under construction, with the belief about it.
type world struct {
	doc    config.Document
	status map[string]ServiceStatus
}

func newWorld() *world {
	w := &world{status: map[string]ServiceStatus{}}
	w.doc.Zones = []config.Zone{{Name: "example.com", TTL: config.Duration(30 * time.Second)}}
	w.doc.Settings.MEP.MetricsInterval = config.Duration(time.Second)
	return w
}

func (w *world) site(name, place string, coordinates ...float64) *world {
	s := config.Site{Name: name, Location: config.SiteLocation{Place: place}}
	if len(coordinates) == 2 {
		s.Location.Latitude, s.Location.Longitude = &coordinates[0], &coordinates[1]
	}
	w.doc.Sites = append(w.doc.Sites, s)
	return w
}

func (w *world) service(name, site string, state State, addrs ...string) *world {
	s := config.Service{Name: name, Site: site}
	for _, a := range addrs {
		s.Addresses = append(s.Addresses, netip.MustParseAddr(a))
	}
	w.doc.Services = append(w.doc.Services, s)
	w.status[name] = ServiceStatus{State: state, Source: "test", Since: epoch}
	return w
}

// load sets the reported active connections of a service, this long before epoch.
func (w *world) load(name string, active uint64, age time.Duration) *world {
	st := w.status[name]
	st.Load = Load{Active: active, At: epoch.Add(-age), PerAnswer: 1, Source: "test"}
	w.status[name] = st
	return w
}

func (w *world) virtualServer(v config.VirtualServer) *world {
	if v.BackupMethod == "" {
		v.BackupMethod = config.RoundRobin
	}
	if v.MaxAnswers == 0 {
		v.MaxAnswers = 1
	}
	if v.WhenAllDown == "" {
		v.WhenAllDown = config.AnswerAll
	}
	if v.SourceIPHash.Prefix4 == 0 {
		v.SourceIPHash = config.SourceIPHash{Prefix4: 24, Prefix6: 56}
	}
	w.doc.VirtualServers = append(w.doc.VirtualServers, v)
	return w
}

func (w *world) location(prefix, place string, coordinates ...float64) *world {
	l := config.Location{Prefix: netip.MustParsePrefix(prefix), Place: place}
	if len(coordinates) == 2 {
		l.Latitude, l.Longitude = &coordinates[0], &coordinates[1]
	}
	w.doc.Locations = append(w.doc.Locations, l)
	return w
}

func members(names ...string) []config.Member {
	var out []config.Member
	for _, n := range names {
		out = append(out, config.Member{Service: n, Weight: 1, Order: 1})
	}
	return out
}

func domains(names ...string) []config.Domain {
	var out []config.Domain
	for _, n := range names {
		out = append(out, config.Domain{Name: n})
	}
	return out
}

// snapshot compiles the world as it is at epoch.
func (w *world) snapshot(t testing.TB) (*Snapshot, *Learned) {
	t.Helper()
	plan, err := Compile(&w.doc, CompileOptions{})
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	status := &Status{At: epoch, Services: make([]ServiceStatus, plan.Services())}
	for name, st := range w.status {
		i, ok := plan.ServiceByName(name)
		if !ok {
			t.Fatalf("no service %q in the plan", name)
		}
		status.Services[i] = st
	}
	return NewSnapshot(1, plan, status, nil), NewLearned(plan)
}

// ask decides for the first domain and returns the services' names, or the outcome.
func ask(s *Snapshot, l *Learned, f Family, ldns, subnet string) (string, Decision) {
	q := Query{Family: f, LDNS: netip.MustParseAddr(ldns)}
	if subnet != "" {
		q.Subnet = netip.MustParsePrefix(subnet)
	}
	d := Decide(s, q, l, epoch, nil)
	switch d.Outcome {
	case OutcomeEmpty:
		return "empty", d
	case OutcomeBackupAddresses:
		return "backup-address", d
	case OutcomeServFail:
		return "servfail", d
	}
	text := ""
	for i := range d.Count {
		if i > 0 {
			text += " "
		}
		text += s.Plan.Service(d.Services[i]).Name
	}
	return text, d
}

func TestCompileTTL(t *testing.T) {
	ttl := config.Duration(7 * time.Second)
	w := newWorld().site("ams", "").service("a", "ams", Up, "192.0.2.1")
	w.doc.Zones = append(w.doc.Zones, config.Zone{Name: "sub.example.com", TTL: config.Duration(60 * time.Second)})
	w.virtualServer(config.VirtualServer{Name: "v", Method: config.RoundRobin, Members: members("a"), Domains: []config.Domain{
		{Name: "a.example.com"}, {Name: "b.example.com", TTL: &ttl}, {Name: "c.sub.example.com"}, {Name: "SUB.example.com"},
	}})
	s, _ := w.snapshot(t)
	for i, want := range []uint32{30, 7, 60, 60} {
		if got := s.Plan.Domain(DomainIndex(i)).TTL; got != want {
			t.Errorf("TTL of %s = %d, want %d", s.Plan.Domain(DomainIndex(i)).Name, got, want)
		}
	}
}

// TestLoadFresh: three rounds of reading and telling, where a push counts as read each second.
func TestLoadFresh(t *testing.T) {
	w := newWorld().site("ams", "").service("json", "ams", Up, "192.0.2.1").service("none", "ams", Up, "192.0.2.2")
	w.doc.Services[0].Load = &config.LoadSource{Source: config.LoadJSON, Interval: config.Duration(4 * time.Second)}
	for interval, want := range map[time.Duration][2]time.Duration{
		100 * time.Millisecond: {15 * time.Second, 6 * time.Second}, // telling counts as a second at least
		5 * time.Second:        {27 * time.Second, 18 * time.Second},
	} {
		w.doc.Settings.MEP.MetricsInterval = config.Duration(interval)
		s, _ := w.snapshot(t)
		if got := [2]time.Duration{s.Plan.Service(0).LoadFresh(), s.Plan.Service(1).LoadFresh()}; got != want {
			t.Errorf("metrics every %v: got %v, want %v", interval, got, want)
		}
	}
}

func TestLearnedCarry(t *testing.T) {
	build := func(names ...string) *Plan {
		w := newWorld().site("ams", "")
		for i, n := range names {
			w.service(n, "ams", Up, fmt.Sprintf("192.0.2.%d", i+1))
		}
		w.virtualServer(config.VirtualServer{Name: "v", Method: config.RoundRobin, Members: members(names...), Domains: domains("www.example.com")})
		s, _ := w.snapshot(t)
		return s.Plan
	}
	turn := func(l *Learned) uint64 { return l.waysOf(0, IPv4)[byMethod].n.Add(1) - 1 }
	before, after := build("a", "b"), build("x", "b")
	l := NewLearned(before)
	turn(l)
	turn(l)
	l.handed[1].n.Add(5)
	got := l.Carry(before, after)
	if n := turn(got); n != 2 {
		t.Errorf("turn after Carry = %d, want 2", n)
	}
	if x, b := got.Handed(0), got.Handed(1); x != 0 || b != 5 {
		t.Errorf("handed after Carry = x %d, b %d, want 0, 5", x, b)
	}
	c := got.Copy()
	turn(c)
	if n := turn(got); n != 3 {
		t.Errorf("turn after a copy was used = %d, want 3", n)
	}
}

var epochAddr = netip.MustParseAddr(client)
