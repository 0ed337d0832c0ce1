package gslb

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/config"
)

// changingWorld is a random document that is changed at random.
type changingWorld struct {
	*randomPlan
	r *rand.Rand
}

// change returns the document with one thing otherwise than before, and what that is. What stays is shared.
func (w *changingWorld) change() string {
	other := randomWorldOf(w.r, w.worldSize)
	doc := w.doc
	w.doc.Services, w.doc.VirtualServers = slices.Clone(doc.Services), slices.Clone(doc.VirtualServers)
	i, j := w.r.IntN(w.services), w.r.IntN(len(doc.VirtualServers))
	s, v := &w.doc.Services[i], &w.doc.VirtualServers[j]
	switch w.r.IntN(14) {
	case 0, 1, 2, 3:
		name, site := s.Name, s.Site
		as := slices.IndexFunc(other.doc.Services, func(o config.Service) bool { return o.Name == name })
		if *s = other.doc.Services[max(as, 0)]; as < 0 { // one that came
			s.Name, s.BackupServices = name, nil
		}
		if !oneIn(w.r, 4) {
			s.Site = site
		}
		if oneIn(w.r, 4) {
			s.Load = &config.LoadSource{Interval: config.Duration(time.Second)}
		}
		return fmt.Sprintf("service %d", i)
	case 4:
		if s.CNAME = "other.example.com."; oneIn(w.r, 2) {
			s.CNAME = ""
		}
		return fmt.Sprintf("CNAME of service %d", i)
	case 5, 6:
		policies := v.Policies
		if *v = other.doc.VirtualServers[j]; oneIn(w.r, 2) {
			v.Policies = policies
		}
		return fmt.Sprintf("virtual server %d", j)
	case 7:
		v.Members = slices.Clone(v.Members)
		v.Members[w.r.IntN(len(v.Members))].Weight++
		return fmt.Sprintf("a weight of virtual server %d", j)
	case 8:
		w.doc.Zones = []config.Zone{{Name: "example.com", TTL: config.Duration(time.Duration(w.r.IntN(60)) * time.Second)}}
		return "the zone's TTL"
	case 9:
		w.doc.Settings.Answers.Coherent = !w.doc.Settings.Answers.Coherent
		return "settings"
	case 10:
		site := s.Site
		w.service(fmt.Sprint("more", w.r.Uint32()), site, Up, "192.0.2.77")
		if oneIn(w.r, 2) {
			bit := uint64(1) << w.r.IntN(4)
			leave(&w.doc, func(name string) bool { return strings.HasPrefix(name, "more") && hashOf(name)&bit == 0 })
		} else if oneIn(w.r, 2) {
			comeInBetween(w.r, &w.doc, &w.doc.VirtualServers[j])
		}
		return "a service more or less"
	case 11, 12:
		return moveSite(w.r, &w.doc)
	}
	w.doc.VirtualServers[0].Domains = domains("www.example.com", "more.example.com")
	return "names"
}

// comeInBetween puts the last service anywhere among the others, and perhaps makes it a member.
func comeInBetween(r *rand.Rand, doc *config.Document, v *config.VirtualServer) {
	last := doc.Services[len(doc.Services)-1]
	doc.Services = slices.Insert(slices.Clone(doc.Services[:len(doc.Services)-1]), r.IntN(len(doc.Services)), last)
	if oneIn(r, 2) {
		v.Members = append(slices.Clone(v.Members), config.Member{Service: last.Name, Weight: 1 + r.IntN(3), Order: 1 + r.IntN(2)})
	}
}

// leave takes services out that match, and wherever else they are named.
func leave(doc *config.Document, which func(name string) bool) {
	doc.Services = slices.DeleteFunc(slices.Clone(doc.Services), func(s config.Service) bool { return which(s.Name) })
	for i := range doc.Services {
		if s := &doc.Services[i]; slices.ContainsFunc(s.BackupServices, which) {
			s.BackupServices = slices.DeleteFunc(slices.Clone(s.BackupServices), which)
		}
	}
	for i := range doc.VirtualServers {
		v, is := &doc.VirtualServers[i], func(m config.Member) bool { return which(m.Service) }
		if slices.ContainsFunc(v.Members, is) {
			v.Members = slices.DeleteFunc(slices.Clone(v.Members), is)
		}
	}
}

// moveSite changes a site in ways of which some steer nothing but distances.
func moveSite(r *rand.Rand, doc *config.Document) string {
	doc.Sites = slices.Clone(doc.Sites)
	s := &doc.Sites[r.IntN(len(doc.Sites))]
	switch r.IntN(5) {
	case 0:
		s.Location.Latitude, s.Location.Longitude = new(float64(r.IntN(180)-90)), new(float64(r.IntN(360)-180))
	case 1:
		s.Location.Place = s.Location.Region() + []string{"", ".A", ".B", ".A.B"}[r.IntN(4)]
	case 2:
		s.Location = config.SiteLocation{Place: []string{"EU.NL", "NA.US", ""}[r.IntN(3)]}
	case 3:
		s.Parent = []string{"", doc.Sites[0].Name}[r.IntN(2)]
	case 4:
		s.Comment += "!"
	}
	return "site " + s.Name
}

// beliefs changes what is believed of some services, and returns all of it for a plan.
func (w *changingWorld) beliefs(p *Plan, at time.Time) *Status {
	for name, st := range w.status {
		if oneIn(w.r, 6) {
			st.State = []State{Up, Down, Draining, Disabled}[w.r.IntN(4)]
			st.Without4, st.Doubt, st.Share = oneIn(w.r, 6), "", float64(w.r.IntN(5))/4
			st.Load.Active += uint64(w.r.IntN(9))
			w.status[name] = st
		}
	}
	out := &Status{At: at, Services: make([]ServiceStatus, p.Services())}
	for i := range out.Services {
		out.Services[i] = w.status[p.Service(ServiceIndex(i)).Name]
	}
	if !oneIn(w.r, 4) {
		out.Held, out.Ordered = make([]bool, p.VirtualServers()), make([]Ordered, p.VirtualServers())
		for i := range out.Held {
			out.Held[i], out.Ordered[i].State = oneIn(w.r, 4), []State{Disabled, Draining, 9: Unknown}[w.r.IntN(10)]
		}
	}
	return out
}

// TestChangesCompileToTheSame: a plan made from the one before is the same as one that was compiled whole, so are the snapshots of both, and so is what
// they answer.
func TestChangesCompileToTheSame(t *testing.T) {
	amended, renumbered := 0, 0
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 3))
		w := &changingWorld{randomWorldOf(r, worldSize{sites: 3, services: 6 + r.IntN(10)}), r}
		before, l := w.snapshotHeld(t)
		w.tables(t, before, l)
		first := w.doc
		before.Plan.document = &first // documents do not change, but this world's does
		plain := before
		for round := range 6 {
			what := fmt.Sprintf("seed %d, change %d, %s", seed, round, w.change())
			next, doc := w.doc, w.doc
			plan, err := Compile(&next, CompileOptions{Before: before.Plan})
			whole, wholeErr := compileWhole(&doc, CompileOptions{Before: before.Plan})
			if err != nil || wholeErr != nil {
				t.Fatalf("%s: %v, %v", what, err, wholeErr)
			}
			if plan.amended.of != nil {
				amended++
				if plan.amended.renumbered != nil {
					renumbered++
				}
			}
			samePlans(t, what, plan, whole)
			l = l.Carry(before.Plan, plan)
			status := w.beliefs(plan, before.Status.At.Add(time.Second))
			generation := before.Generation + 1
			before, plain = NewSnapshot(generation, plan, status, before), NewSnapshot(generation, whole, status, nil)
			sameStandings(t, what, before, plain)
			ofPlain := l.Copy()
			for range 20 {
				q := randomQuery(r, []Family{IPv4, IPv6}, oracleNow)
				got, want := Decide(before, q, l.Copy(), epoch, &Trace{}), Decide(plain, q, ofPlain.Copy(), epoch, &Trace{})
				if got != want {
					t.Fatalf("%s: %+v is answered with %+v, want %+v", what, q, got, want)
				}
				Decide(before, q, l, epoch, nil)
				ofPlain = l.Copy()
			}
		}
	}
	t.Logf("%d changes were compiled alone, %d of them with other services", amended, renumbered)
	if amended < 1500 || renumbered < 120 {
		t.Error("hardly a change was compiled alone")
	}
}

func samePlans(t *testing.T, what string, got, want *Plan) {
	t.Helper()
	a, b := *got, *want
	for _, p := range []*Plan{&a, &b} {
		p.document, p.mark, p.amended = nil, nil, amendment{}
	}
	if reflect.DeepEqual(&a, &b) {
		return
	}
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range x.NumField() {
		if fmt.Sprintf("%+v", x.Field(i)) != fmt.Sprintf("%+v", y.Field(i)) {
			t.Errorf("%s: %s is\n%+v, want\n%+v", what, x.Type().Field(i).Name, x.Field(i), y.Field(i))
		}
	}
	t.Fatalf("%s: the plan is another one than when it is compiled whole", what)
}

// sameStandings compares all but what queries write to.
func sameStandings(t *testing.T, what string, got, want *Snapshot) {
	t.Helper()
	bare := func(st standing) standing {
		strip := func(f *field) {
			f.memo, f.spots, f.scoring, f.fills = nil, nil, nil, [2]*fill{}
		}
		for f := range st.fields {
			strip(&st.fields[f])
		}
		if st.other != nil {
			other := *st.other
			st.other = &other
			for f := range other.fields {
				strip(&other.fields[f])
			}
		}
		st.preferred = slices.Clone(st.preferred)
		for i := range st.preferred {
			for f := range st.preferred[i] {
				strip(&st.preferred[i][f])
			}
		}
		return st
	}
	for i := range want.standings {
		a, b := bare(got.standings[i]), bare(want.standings[i])
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("%s: virtual server %d stands\n%+v, want\n%+v", what, i, a, b)
		}
	}
}
