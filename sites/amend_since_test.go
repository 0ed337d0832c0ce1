package sites

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/monitors"
)

// restated is a document that says another comment of one service, given to a tracker, and what is believed by it as it comes.
func (s *scene) restated(service string, before *gslb.Status, handed func(gslb.ServiceIndex) uint64) *gslb.Status {
	s.t.Helper()
	next, plan := *s.doc, s.tr.plan
	next.Services = slices.Clone(s.doc.Services)
	next.Services[s.tr.byName[service]].Comment += "!"
	if !s.setFrom(&next, true) {
		s.t.Fatal("the document was not amended")
	}
	if st := s.tr.StatusSince(before, plan, s.now, handed); st != nil {
		return st
	}
	return s.tr.Status(s.now, handed)
}

// TestChangeWhileSightIsLost: a document that comes just after this node lost sight of everything, and before it could find that suspicious, takes nothing
// out that it changes.
func TestChangeWhileSightIsLost(t *testing.T) {
	for _, c := range []struct {
		name, service string
		lose          func(o *outlook)
	}{
		{"of what it probes", "n1", func(o *outlook) { o.probe(monitors.Down, all...) }},
		{"of the site that tells", "u1", func(o *outlook) { o.probe(monitors.Down, all...); o.lose("nyc", "lax") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOutlook(t, all...)
			o.now = o.now.Add(time.Second)
			before := o.status()
			o.now = o.now.Add(50 * time.Millisecond)
			c.lose(o)
			st := o.restated(c.service, before, noneHanded)
			if got := st.Services[o.tr.byName[c.service]]; got.State != gslb.Up {
				t.Errorf("%s is %s as the document comes: %s", c.service, got.State, got.Reason)
			}
			o.now = o.now.Add(100 * time.Millisecond)
			o.wantUp("a moment later", "a1 a2 n1 n2 l1 l2 u1", true)
		})
	}
}

// TestChangeKnowsWhatWasHanded: by a document that changes one service, the loads of all others are reckoned with the answers given until then: those of the
// snapshot that comes are counted from there.
func TestChangeKnowsWhatWasHanded(t *testing.T) {
	s := newScene(t, "ams", func(d *config.Document) {
		d.Services[0].Load = &config.LoadSource{Source: config.LoadJSON, Interval: config.Duration(time.Second)}
		d.Services = append(d.Services, config.Service{Name: "other", Site: "ams", State: config.ServiceEnabled, Addresses: d.Services[0].Addresses})
	})
	handed := uint64(0)
	count := func(i gslb.ServiceIndex) uint64 { return []uint64{handed, 0}[i] }
	s.tr.Peer(&mep.SessionUp{Peer: "nyc", At: s.now}, count)
	s.tr.Load(monitors.Load{Service: "svc", Active: 100, At: s.now, Source: "json"}, count)
	before := s.tr.Status(s.now, count)
	s.now, handed = s.now.Add(time.Second), 50
	got := s.restated("other", before, count).Services[0].Load
	want := s.tr.Status(s.now, count).Services[0].Load
	if got.Expected != want.Expected || got.Expected <= before.Services[0].Load.Expected {
		t.Errorf("after 50 answers %v connections are expected, want %v; before them it was %v", got.Expected, want.Expected, before.Services[0].Load.Expected)
	}
}

// TestStatusSinceLeavesNoTrace: what is believed by a status of all is the same whether a document that came just before was believed in part or whole, whatever
// was seen and heard, and not weighed, when it came.
func TestStatusSinceLeavesNoTrace(t *testing.T) {
	since, alarms := 0, 0
changes:
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 9))
		names := []string{"nl1", "us1", "jp1", "nl2"}
		doc := suspiciousDocument(r, names)
		both := [2]*parliament{newParliament(t, config.Quorum{}, names...), newParliament(t, config.Quorum{}, names...)}
		for _, p := range both {
			for _, name := range names {
				p.nodes[name].set(doc)
			}
			p.pass(3 * time.Second)
		}
		for round := range 30 {
			next := changeOne(r, doc)
			for slices.ContainsFunc(next.Services, func(s config.Service) bool { return s.State == config.ServiceDisabled }) {
				next = changeOne(r, doc) // what is disabled counts for suspicion by the status before
			}
			all, state, site := r.IntN(3) == 0, []monitors.State{monitors.Up, monitors.Down}[r.IntN(2)], names[r.IntN(4)]
			from, to, open := names[r.IntN(4)], names[r.IntN(4)], r.IntN(2) == 0
			for which, p := range both {
				for i, service := range p.services() {
					if all || i == round%4 {
						p.see(site, service, state)
					}
				}
				p.link(from, to, open)
				p.now = p.now.Add(time.Second)
				for _, name := range names {
					s := p.nodes[name]
					before, plan := s.tr.Status(s.now, noneHanded), s.tr.plan
					s.now = p.now
					p.sessions(name)
					p.probe(name)
					s.setFrom(next, true)
					if which == 0 && s.tr.StatusSince(before, plan, s.now, noneHanded) != nil {
						since++
						continue
					}
					s.tr.Status(s.now, noneHanded)
				}
			}
			for _, name := range names {
				a, b := both[0].nodes[name], both[1].nodes[name]
				x, y := a.tr.Status(a.now, noneHanded), b.tr.Status(b.now, noneHanded)
				if x.Alarm != "" {
					alarms++
				}
				if x.Alarm != "" && keepsMore(x, y) {
					continue changes // it was good when the document came, a moment before the suspicion began
				}
				if (x.Alarm == "") != (y.Alarm == "") || !slices.EqualFunc(x.Services, y.Services, sameState) {
					t.Fatalf("seed %d, change %d: %s believes\n%+v, want\n%+v", seed, round, name, x, y)
				}
			}
			both[0].tell()
			both[1].tell()
			doc = next
		}
	}
	t.Logf("%d documents were believed in part, %d times under suspicion", since, alarms)
	if since < 500 || alarms < 100 {
		t.Error("hardly any was")
	}
}

// suspiciousDocument is of sites that suspect themselves soon, and hold for some time what they believe.
func suspiciousDocument(r *rand.Rand, names []string) *config.Document {
	doc := parliamentDocument(config.Quorum{}, names)
	doc.Settings.Suspicion.Share, doc.Settings.MEP.KeepaliveTimeout = 50, config.Duration(3*time.Second)
	doc.Settings.Damping.MinHold = config.Duration(time.Duration(r.IntN(3)) * time.Second)
	doc.Services[3].Monitors = nil
	doc.VirtualServers = []config.VirtualServer{{Name: "www", Domains: []config.Domain{{Name: "www.example.com"}}, Method: config.RoundRobin, BackupMethod: config.RoundRobin,
		Members: []config.Member{{Service: "at-nl1", Weight: 1, Order: 1}}}}
	return doc
}

// sameState reports whether a service is believed to be in the same state, since the same time.
func sameState(a, b gslb.ServiceStatus) bool {
	return a.State == b.State && a.Without4 == b.Without4 && a.Without6 == b.Without6 && a.Since.Equal(b.Since)
}

// keepsMore reports whether one status has services UP that another one has not, and otherwise the same states.
func keepsMore(x, y *gslb.Status) (more bool) {
	for i := range x.Services {
		switch a, b := x.Services[i].State, y.Services[i].State; {
		case a == b:
		case a != gslb.Up:
			return false
		default:
			more = true
		}
	}
	return more
}
