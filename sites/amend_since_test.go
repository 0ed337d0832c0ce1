package sites

import (
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
