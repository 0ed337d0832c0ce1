package gslb

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"fairlead/config"
)

// calmWorld is a document in which hardly anything stands differently unless the document or a state changes: what is not looked at again stays as it is.
type calmWorld struct {
	*world
	r *rand.Rand
}

const calmServices, calmServers = 8, 6

func newCalmWorld(r *rand.Rand) *calmWorld {
	w := &calmWorld{newWorld(), r}
	w.doc.Settings.Answers.Coherent = oneIn(r, 2)
	w.site("site0", "EU.NL", 52, 5).site("site1", "NA.US", 40, -74)
	for i := range calmServices {
		w.service(fmt.Sprint("svc", i), fmt.Sprint("site", i%2), Up, fmt.Sprintf("192.0.2.%d", i+1), fmt.Sprintf("2001:db8::%d", i+1))
		w.doc.Services[i].Host = fmt.Sprintf("svc%d.example.com", i)
	}
	for i := range calmServers {
		v := config.VirtualServer{Name: fmt.Sprint("vs", i), Method: config.RoundRobin, Domains: domains(fmt.Sprintf("n%d.example.com", i))}
		w.members(&v)
		if i == 5 && oneIn(r, 2) {
			v.Policies = []config.Policy{{Name: "p", Prefer: []string{"EU"}}}
		}
		w.virtualServer(v)
	}
	return w
}

func (w *calmWorld) members(v *config.VirtualServer) {
	v.Members = nil
	for _, s := range w.r.Perm(calmServices)[:1+w.r.IntN(4)] {
		v.Members = append(v.Members, config.Member{Service: fmt.Sprint("svc", s), Weight: 1 + w.r.IntN(4), Order: 1 + w.r.IntN(2)})
	}
}

// serviceChanges are what of a service a plan is made of.
func (w *calmWorld) changeService(s *config.Service, n int) string {
	r := w.r
	few := func() uint64 { return uint64(r.IntN(3)) * 5 }
	address := func() []netip.Addr {
		all := []netip.Addr{netip.AddrFrom4([4]byte{198, 51, 100, byte(r.IntN(200))}), netip.AddrFrom16([16]byte{0x20, 1, 15: byte(r.IntN(200))})}
		return all[r.IntN(2):][:1]
	}
	changes := []struct {
		name string
		do   func()
	}{
		{"addresses", func() { s.Addresses = address() }},
		{"public addresses", func() { s.PublicAddresses = address() }},
		{"both addresses", func() {
			s.Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.99"), netip.MustParseAddr("2001:db8::99")}
		}},
		{"cname", func() { s.CNAME = []string{"", "other.example.net", "else.example.net"}[r.IntN(3)] }},
		{"host", func() { s.Host = []string{"", "a.example.com", "b.example.com"}[r.IntN(3)] }},
		{"port", func() { s.Port = r.IntN(3) * 80 }},
		{"max connections", func() { s.MaxConnections = few() }},
		{"max bandwidth", func() { s.MaxBandwidth = few() }},
		{"load threshold", func() { s.LoadThreshold = float64(few()) }},
		{"capacity", func() { s.Capacity = few() }},
		{"cost", func() { s.Cost = float64(few()) }},
		{"hash id", func() { s.HashID = uint32(few()) * uint32(1+r.IntN(9)) }},
		{"backups", func() { s.BackupServices = []string{"svc0", "svc3", "svc5"}[r.IntN(3):][:1] }},
		{"no backups", func() { s.BackupServices = nil }},
		{"naptr", func() { s.NAPTR = &config.NAPTRService{Order: r.IntN(3)} }},
		{"no naptr", func() { s.NAPTR = nil }},
		{"load", func() {
			s.Load = &config.LoadSource{Interval: config.Duration(time.Duration(1+r.IntN(3)) * time.Second)}
		}},
		{"no load", func() { s.Load = nil }},
		{"site", func() { s.Site = fmt.Sprint("site", r.IntN(2)) }},
		{"labels", func() { s.Labels = config.Labels{"a": fmt.Sprint(r.IntN(3))} }},
		{"state", func() { s.State = []config.ServiceState{config.ServiceEnabled, config.ServiceDisabled}[r.IntN(2)] }},
	}
	c := changes[n%len(changes)]
	c.do()
	return c.name + " of " + s.Name
}

func (w *calmWorld) changeServer(j int, v *config.VirtualServer, n int) string {
	r := w.r
	domain := func(do func(d *config.Domain)) func() {
		return func() {
			v.Domains = slices.Clone(v.Domains)
			do(&v.Domains[0])
		}
	}
	yes := oneIn(r, 2)
	backup := func() {
		if v.Backup = ""; j+1 < calmServers {
			v.Backup = fmt.Sprint("vs", j+1+r.IntN(calmServers-j-1))
		}
	}
	changes := []struct {
		name string
		do   func()
	}{
		{"method", func() { v.Method = oracleMethods[r.IntN(len(oracleMethods))] }},
		{"method round-robin", func() { v.Method = config.RoundRobin }},
		{"method source-ip-hash", func() { v.Method = config.SourceIPHashing }},
		{"backup method", func() { v.BackupMethod = oracleMethods[r.IntN(len(oracleMethods))] }},
		{"backup method round-robin", func() { v.BackupMethod = config.RoundRobin }},
		{"members", func() { w.members(v) }},
		{"weights", func() { v.Members = slices.Clone(v.Members); v.Members[r.IntN(len(v.Members))].Weight = 1 + r.IntN(9) }},
		{"orders", func() { v.Members = slices.Clone(v.Members); v.Members[r.IntN(len(v.Members))].Order = 1 + r.IntN(3) }},
		{"backup", backup}, {"a backup", backup}, {"no backup", func() { v.Backup = "" }},
		{"hold", func() { v.BackupHold = yes }},
		{"spillover", func() { v.Spillover = randomSpillover(r) }}, {"no spillover", func() { v.Spillover = config.Spillover{} }},
		{"order threshold", func() { v.OrderThreshold = r.IntN(100) }},
		{"active order", func() { v.ActiveOrder = []config.ActiveOrder{config.OrderAscending, config.OrderDescending}[r.IntN(2)] }},
		{"dynamic weight", func() { v.DynamicWeight = []config.DynamicWeight{config.DynamicNone, config.DynamicMembers}[r.IntN(2)] }},
		{"persistence", func() {
			v.Persistence = config.Persistence{Type: config.PersistenceSourceIP, Timeout: config.Duration(time.Minute), Prefix4: 24, Prefix6: 56, ID: r.IntN(3)}
		}},
		{"no persistence", func() { v.Persistence = config.Persistence{} }},
		{"effective state", func() { v.EffectiveState = yes }},
		{"hash bits", func() { v.SourceIPHash.Prefix4 = 8 + r.IntN(24) }},
		{"answers", func() { v.MaxAnswers = 1 + r.IntN(3) }},
		{"all down", func() {
			v.WhenAllDown = []config.WhenAllDown{config.AnswerAll, config.AnswerEmpty, config.AnswerServFail, config.AnswerBackupAddress}[r.IntN(4)]
		}},
		{"client subnet", func() { v.ClientSubnet = yes }},
		{"score", func() { v.Score = config.Score{Load: 1, Distance: float64(r.IntN(2))} }},
		{"tolerance", func() { v.Tolerance = config.Duration(r.IntN(20)) * config.Duration(time.Millisecond) }},
		{"ttl", domain(func(d *config.Domain) { d.TTL = new(config.Duration(time.Duration(r.IntN(99)) * time.Second)) })},
		{"zone's ttl", domain(func(d *config.Domain) { d.TTL = nil })},
		{"https", domain(func(d *config.Domain) { d.HTTPS = &config.HTTPSAnswer{Port: r.IntN(9)} })}, {"no https", domain(func(d *config.Domain) { d.HTTPS = nil })},
		{"srv", domain(func(d *config.Domain) { d.SRV = &config.SRVAnswer{} })}, {"no srv", domain(func(d *config.Domain) { d.SRV = nil })},
		{"mx", domain(func(d *config.Domain) { d.MX = &config.MXAnswer{} })}, {"naptr", domain(func(d *config.Domain) { d.NAPTR = &config.NAPTRAnswer{All: yes} })},
		{"no more types", domain(func(d *config.Domain) { d.HTTPS, d.SRV, d.MX, d.NAPTR = nil, nil, nil, nil })},
		{"backup addresses", domain(func(d *config.Domain) { d.BackupAddresses = []netip.Addr{netip.MustParseAddr("203.0.113.9")} })},
	}
	c := changes[n%len(changes)]
	c.do()
	return c.name + " of " + v.Name
}

// comeOrGo brings one of three more services, or has those leave, alone or with what names them.
func (w *calmWorld) comeOrGo() string {
	name := fmt.Sprint("more", w.r.IntN(3))
	if slices.ContainsFunc(w.doc.Services, func(s config.Service) bool { return s.Name == name }) {
		leave(&w.doc, func(n string) bool { return n == name })
		for i := range w.doc.VirtualServers {
			if v := &w.doc.VirtualServers[i]; len(v.Members) == 0 {
				w.members(v)
			}
		}
		return name + " leaves"
	}
	w.service(name, fmt.Sprint("site", w.r.IntN(2)), Up, "192.0.2.200")
	comeInBetween(w.r, &w.doc, &w.doc.VirtualServers[w.r.IntN(calmServers)])
	return name + " comes"
}

// change is changingWorld.change of one thing, or of two.
func (w *calmWorld) change() (what string) {
	w.doc.Services, w.doc.VirtualServers = slices.Clone(w.doc.Services), slices.Clone(w.doc.VirtualServers)
	for range 1 + w.r.IntN(2) {
		if oneIn(w.r, 8) {
			what += moveSite(w.r, &w.doc) + "; "
		} else if oneIn(w.r, 8) {
			what += w.comeOrGo() + "; "
		} else if oneIn(w.r, 3) {
			what += w.changeService(&w.doc.Services[w.r.IntN(len(w.doc.Services))], w.r.IntN(1<<20)) + "; "
		} else {
			j := w.r.IntN(calmServers)
			what += w.changeServer(j, &w.doc.VirtualServers[j], w.r.IntN(1<<20)) + "; "
		}
	}
	return what
}

// status is belief for a plan, of which little changes from round to round.
func (w *calmWorld) statusOf(p *Plan, at time.Time) *Status {
	if oneIn(w.r, 3) {
		name := fmt.Sprint("svc", w.r.IntN(calmServices))
		st := w.status[name]
		st.State, st.Load.Active = []State{Up, Up, Down, Draining}[w.r.IntN(4)], uint64(w.r.IntN(12))
		st.Load.At = at
		w.status[name] = st
	}
	out := &Status{At: at, Services: make([]ServiceStatus, p.Services())}
	for i := range out.Services {
		out.Services[i] = w.status[p.Service(ServiceIndex(i)).Name]
	}
	return out
}

// TestEveryKindOfChangeIsSeen: what stays of a plan and a snapshot before is what would be made anew, whatever of services and virtual servers changes, also where
// nothing but the document has a virtual server looked at again. The answers of what is not touched stay.
func TestEveryKindOfChangeIsSeen(t *testing.T) {
	amended, placed, renumbered := 0, 0, 0
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 11))
		w := newCalmWorld(r)
		first := w.doc
		plan, err := Compile(&first, CompileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		before, l := NewSnapshot(1, plan, w.statusOf(plan, epoch), nil), NewLearned(plan)
		for round := range 60 {
			what := fmt.Sprintf("seed %d, change %d, %s", seed, round, w.change())
			next, doc := w.doc, w.doc
			plan, err := Compile(&next, CompileOptions{Before: before.Plan})
			whole, wholeErr := compileWhole(&doc, CompileOptions{Before: before.Plan})
			if err != nil || wholeErr != nil {
				t.Fatalf("%s: %v, %v", what, err, wholeErr)
			}
			if plan.amended.of != nil {
				amended++
				placed += min(len(plan.amended.placed), 1)
				if plan.amended.renumbered != nil {
					renumbered++
				}
			}
			samePlans(t, what, plan, whole)
			w.sameUntouched(t, what, before, plan)
			l = l.Carry(before.Plan, plan)
			status := w.statusOf(plan, before.Status.At.Add(time.Second))
			generation := before.Generation + 1
			before = NewSnapshot(generation, plan, status, before)
			plain := NewSnapshot(generation, whole, status, nil)
			sameStandings(t, what, before, plain)
			for range 10 {
				q := randomQuery(r, []Family{IPv4, IPv6}, oracleNow)
				q.Domain = DomainIndex(r.IntN(plan.Domains()))
				if plan.Domain(q.Domain).Types != nil {
					q.Family = []Family{IPv4, IPv6, AnyFamily, ByHost, ByNAPTR}[r.IntN(5)]
				}
				a, b := l.Copy(), l.Copy()
				if got, want := Decide(before, q, a, epoch, &Trace{}), Decide(plain, q, b, epoch, &Trace{}); got != want {
					t.Fatalf("%s: %+v is answered with %+v, want %+v", what, q, got, want)
				}
				Decide(before, q, l, epoch, nil)
			}
		}
	}
	t.Logf("%d changes were compiled alone, %d of them with sites elsewhere, %d with other services", amended, placed, renumbered)
	if amended < 300 || placed < 10 || renumbered < 30 {
		t.Error("hardly a change was compiled alone")
	}
}

// sameUntouched compares what is not touched by a plan, to what it is if nothing else changes.
func (w *calmWorld) sameUntouched(t *testing.T, what string, before *Snapshot, plan *Plan) {
	t.Helper()
	touched, known := plan.Touched(before.Plan)
	if !known {
		return
	}
	status := &Status{At: before.Status.At, Services: make([]ServiceStatus, plan.Services())}
	for i := range status.Services {
		if was, there := plan.ServiceBefore(before.Plan, ServiceIndex(i)); there {
			status.Services[i] = before.Status.Services[was]
		}
	}
	named := func(p *Plan, d *Decision) (out []string) {
		for _, s := range d.Services[:d.Count] {
			out = append(out, p.Service(s).Name)
		}
		return out
	}
	whole := NewSnapshot(before.Generation+1, plan, status, nil)
	for d := range plan.Domains() {
		if slices.Contains(touched, plan.Domain(DomainIndex(d)).VirtualServer()) {
			continue
		}
		for _, f := range []Family{IPv4, IPv6} {
			q := Query{Family: f, At: oracleNow, Domain: DomainIndex(d), LDNS: netip.MustParseAddr("203.0.113.1")}
			got, want := Decide(before, q, NewLearned(before.Plan), epoch, &Trace{}), Decide(whole, q, NewLearned(plan), epoch, &Trace{})
			if !slices.Equal(named(before.Plan, &got), named(plan, &want)) || got.TTL != want.TTL {
				t.Fatalf("%s: %q is said not to be touched, and is answered with %+v, not %+v", what, plan.Domain(DomainIndex(d)).Name, want, got)
			}
		}
	}
}
