package sites

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/monitors"
)

// setFrom gives a site a document whose plan is made from the one before, or from nothing. It reports whether the former was done.
func (s *scene) setFrom(doc *config.Document, amend bool) bool {
	s.t.Helper()
	var o gslb.CompileOptions
	if amend {
		o.Before = s.tr.plan
	}
	plan, err := gslb.Compile(doc, o)
	if err != nil {
		s.t.Fatal(err)
	}
	_, _, known := plan.Since(s.tr.plan)
	s.doc = doc
	s.tr.SetDocument(doc, plan, s.now)
	return known
}

// changeOne returns a document with one service otherwise, that shares all else.
func changeOne(r *rand.Rand, doc *config.Document) *config.Document {
	next := *doc
	next.Services = slices.Clone(doc.Services)
	s := &next.Services[r.IntN(len(next.Services))]
	switch r.IntN(10) {
	case 8:
		next.Sites = slices.Clone(doc.Sites)
		next.Sites[r.IntN(len(next.Sites))].Comment += "!"
	case 9:
		next.Sites = slices.Clone(doc.Sites)
		next.Sites[r.IntN(len(next.Sites))].Location.Latitude = new(float64(r.IntN(90)))
	case 0:
		s.Addresses = []netip.Addr{netip.AddrFrom4([4]byte{198, 51, 100, byte(r.IntN(200))})}
	case 1:
		s.State = []config.ServiceState{config.ServiceEnabled, config.ServiceDisabled, config.ServiceDraining}[r.IntN(3)]
	case 2:
		s.SlowStart = config.Duration(time.Duration(r.IntN(60)) * time.Second)
	case 3:
		s.Monitors = []config.MonitorBinding{{Monitor: "m", Weight: 1 + r.IntN(5)}}
		if r.IntN(3) == 0 {
			s.Monitors = nil
		}
	case 4:
		s.Load = &config.LoadSource{Interval: config.Duration(time.Second)}
		if r.IntN(2) == 0 {
			s.Load = nil
		}
	case 5:
		s.Quorum = config.Quorum{Agree: r.IntN(3)}
	case 6:
		s.Comment += "!"
	case 7:
		next.VirtualServers = slices.Clone(doc.VirtualServers)
		next.VirtualServers[0].Domains = []config.Domain{{Name: "www.example.com", TTL: new(config.Duration(time.Duration(r.IntN(100)) * time.Second))}}
	}
	return &next
}

// TestChangesLeaveTheSameEvidence: sites that are given plans made from the ones before believe and tell the same as sites that are given documents as if
// they had nothing to do with the ones before.
func TestChangesLeaveTheSameEvidence(t *testing.T) {
	amended := 0
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 5))
		names := []string{"nl1", "us1", "jp1", "nl2"}
		quorum := config.Quorum{Agree: int(seed % 3), Of: int(seed % 2 * 3)}
		both := [2]*parliament{newParliament(t, quorum, names...), newParliament(t, quorum, names...)}
		doc := parliamentDocument(quorum, names)
		doc.VirtualServers = []config.VirtualServer{{Name: "www", Domains: []config.Domain{{Name: "www.example.com"}}, Method: config.RoundRobin, BackupMethod: config.RoundRobin,
			Members: []config.Member{{Service: "at-nl1", Weight: 1, Order: 1}, {Service: "at-us1", Weight: 1, Order: 1}}}}
		for round := range 30 {
			if round > 0 {
				doc = changeOne(r, doc)
			}
			site, service, state := names[r.IntN(4)], "at-"+names[r.IntN(4)], []monitors.State{monitors.Up, monitors.Down}[r.IntN(2)]
			from, to, open, d := names[r.IntN(4)], names[r.IntN(4)], r.IntN(2) == 0, time.Duration(1+r.IntN(12))*time.Second
			for which, p := range both {
				for _, name := range names {
					if p.nodes[name].setFrom(doc, which == 0) && which == 0 {
						amended++
					}
				}
				p.see(site, service, state)
				p.link(from, to, open)
				p.pass(d)
			}
			for _, name := range names {
				sameEvidence(t, fmt.Sprintf("seed %d, change %d, site %s", seed, round, name), both[0].nodes[name], both[1].nodes[name])
			}
		}
	}
	t.Logf("%d documents were amended", amended)
	if amended < 1000 {
		t.Error("hardly a document was amended")
	}
}

func sameEvidence(t *testing.T, what string, got, want *scene) {
	t.Helper()
	a, b := got.tr, want.tr
	if x, y := a.Status(got.now, noneHanded), b.Status(want.now, noneHanded); !reflect.DeepEqual(x, y) {
		t.Fatalf("%s believes\n%+v, want\n%+v", what, x, y)
	}
	if x, y := a.Views(got.now), b.Views(want.now); !reflect.DeepEqual(x, y) {
		t.Fatalf("%s tells\n%+v, want\n%+v", what, x, y)
	}
	if !slices.Equal(a.probed, b.probed) || !slices.Equal(a.agreeing, b.agreeing) {
		t.Fatalf("%s probes %v and counts votes for %v, want %v and %v", what, a.probed, a.agreeing, b.probed, b.agreeing)
	}
	for i := range a.list {
		x, y := slices.Sorted(slices.Values(a.list[i].viewed)), slices.Sorted(slices.Values(b.list[i].viewed))
		if !slices.Equal(x, y) {
			t.Fatalf("%s was told by %s of %v, want %v", what, a.list[i].name, x, y)
		}
	}
	for i := range a.services {
		x, y := &a.services[i], &b.services[i]
		if x.service != &got.doc.Services[i] || x.trigger != y.trigger || x.hearsay != y.hearsay || len(x.verdicts)+len(y.verdicts) > 0 && !reflect.DeepEqual(x.verdicts, y.verdicts) ||
			!reflect.DeepEqual(x.busy, y.busy) || !maps.Equal(x.passing, y.passing) {
			t.Fatalf("%s has of service %d\n%+v, want\n%+v", what, i, x, y)
		}
	}
}

// TestStatusSinceIsThatOfWhatChanged: by a document that changes one service, that one is believed what a Status of all says, and all others what they
// were, with loads as of now.
func TestStatusSinceIsThatOfWhatChanged(t *testing.T) {
	since := 0
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 6))
		names := []string{"nl1", "us1", "jp1", "nl2"}
		quorum := config.Quorum{}
		if seed%4 == 0 {
			quorum.Agree = 2
		}
		p, doc := newParliament(t, quorum, names...), parliamentDocument(quorum, names)
		doc.VirtualServers = []config.VirtualServer{{Name: "www", Domains: []config.Domain{{Name: "www.example.com"}}, Method: config.RoundRobin, BackupMethod: config.RoundRobin,
			Members: []config.Member{{Service: "at-nl1", Weight: 1, Order: 1}}}}
		for round := range 20 {
			next := doc
			if round > 0 {
				next = changeOne(r, doc)
			}
			site, service, state := names[r.IntN(4)], "at-"+names[r.IntN(4)], []monitors.State{monitors.Up, monitors.Down}[r.IntN(2)]
			p.see(site, service, state)
			p.pass(time.Second)
			for _, name := range names {
				s := p.nodes[name]
				before, plan := s.tr.Status(s.now, noneHanded), s.tr.plan
				known := s.setFrom(next, true)
				if s.tr.StatusSince(before, plan, before.At.Add(statusKept+1), noneHanded) != nil {
					t.Fatal("what was believed long ago was taken over")
				}
				got := s.tr.StatusSince(before, plan, s.now, noneHanded)
				if got == nil {
					continue
				}
				if !known {
					t.Fatalf("seed %d, change %d: a status since a document of which nothing is known", seed, round)
				}
				since++
				all := s.tr.Status(s.now, noneHanded)
				for i := range all.Services {
					want := all.Services[i]
					if next.Services[i].Same(&doc.Services[i]) {
						want = before.Services[i]
						want.Load, want.Measures = all.Services[i].Load, all.Services[i].Measures
					}
					if !reflect.DeepEqual(got.Services[i], want) {
						t.Fatalf("seed %d, change %d: %s believes of service %d\n%+v, want\n%+v", seed, round, name, i, got.Services[i], want)
					}
				}
				if s.tr.StatusSince(before, plan, s.now, noneHanded) != nil {
					t.Fatal("after a status of all, one since the document before was still to be had")
				}
			}
			doc = next
		}
	}
	t.Logf("%d documents were believed since the one before", since)
	if since < 500 {
		t.Error("hardly a document was")
	}
}
