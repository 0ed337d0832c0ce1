package sites

import (
	"net/netip"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/monitors"
)

// TestDrainOnAtOnce: the first answer that drains counts, and so does the first that does not; neither is a loss.
func TestDrainOnAtOnce(t *testing.T) {
	s := newScene(t, "ams", monitored("m"))
	step := func(word string, want gslb.State) {
		t.Helper()
		s.now = s.now.Add(time.Second)
		s.do("mon4=" + word)
		s.do("mon6=" + word)
		if b := s.believed(); b.State != want || b.Doubt != "" {
			t.Fatalf("after %s: %v, doubt %q (%s), want %v without doubt", word, b.State, b.Doubt, b.Reason, want)
		}
	}
	step("up", gslb.Up)
	for range 50 { // as often as would keep an address out if it were lost
		step("draining", gslb.Draining)
		step("up", gslb.Up)
	}
}

// TestDrainOnReported: the other sites are told that it drains, by whatever it is that drains it, and start it slowly when that is over.
func TestDrainOnReported(t *testing.T) {
	owner := newScene(t, "ams", monitored("m"))
	owner.do("mon4=draining")
	owner.do("mon6=draining")
	record := func() mep.ServiceRecord {
		t.Helper()
		records := Records(gslb.NewSnapshot(1, owner.tr.plan, owner.tr.Status(owner.now, noneHanded), nil), "ams", owner.now)
		if len(records) != 1 {
			t.Fatalf("%d records, want 1", len(records))
		}
		return records[0]
	}
	other := newScene(t, "ams", func(d *config.Document) { d.Services[0].SlowStart = config.Duration(16 * time.Second) })
	other.tr = New(Options{Site: "nyc"})
	other.set(other.doc)
	hear := func(r mep.ServiceRecord) gslb.ServiceStatus {
		other.tr.Peer(&mep.ServicesReport{Peer: "ams", Records: []mep.ServiceRecord{r}, ReceivedAt: other.now}, noneHanded)
		return other.believed()
	}
	other.tr.Peer(&mep.SessionUp{Peer: "ams", At: other.now}, noneHanded)
	r := record()
	if b := hear(r); r.State != mep.StateDraining || b.State != gslb.Draining || b.Reason != "monitor m at 192.0.2.1:80: draining" {
		t.Errorf("told %v (%s), believed %v (%s)", r.State, r.Reason, b.State, b.Reason)
	}
	owner.do("mon4=up")
	owner.do("mon6=up")
	other.now = other.now.Add(time.Second)
	if b := hear(record()); b.State != gslb.Up || b.Share != 1./16 {
		t.Errorf("then %v with share %v, want UP with 1/16", b.State, b.Share)
	}
	other.now = other.now.Add(16 * time.Second)
	if b := hear(record()); b.Share != 1 {
		t.Errorf("after the slow start the share is %v", b.Share)
	}
}

// TestDrainOnOverride: what operators want comes first, and does not make UP what asks to be drained.
func TestDrainOnOverride(t *testing.T) {
	shared := NewOverrides(OverridesOptions{Site: "ams"})
	s := newScene(t, "ams", monitored("m"))
	s.tr = New(Options{Site: "ams", Overrides: shared})
	s.set(s.doc)
	s.do("mon4=draining")
	s.do("mon6=draining")
	for _, tt := range []struct {
		action OverrideAction
		want   gslb.State
	}{{Disable, gslb.Disabled}, {Drain, gslb.Draining}, {Enable, gslb.Draining}} {
		s.now = s.now.Add(time.Second)
		mustGive(t, shared, order(OfService, "svc", tt.action), s.now)
		if b := s.believed(); b.State != tt.want {
			t.Errorf("%s: %v (%s), want %v", tt.action, b.State, b.Reason, tt.want)
		}
	}
}

// TestDrainOnSuspicion: a service that asks to be drained is in sight, and stays as it was when it is lost with all others.
func TestDrainOnSuspicion(t *testing.T) {
	s := newScene(t, "ams", monitored("m"))
	s.do("mon4=draining")
	s.do("mon6=draining")
	s.believed()
	if e := &s.tr.services[0]; !e.sights[0].good || !e.sights[1].good || e.before.state != gslb.Draining {
		t.Errorf("in sight: %v, %v; kept: %v", e.sights[0].good, e.sights[1].good, e.before.state)
	}
}

// TestQuorumDrains: as many must see that it asks to be drained as must see it DOWN; who sees it DOWN counts with them.
func TestQuorumDrains(t *testing.T) {
	p := newParliament(t, config.Quorum{Agree: 2}, "nl1", "us1", "jp1")
	p.told = nil
	asks := func(site string, drains bool) {
		p.asks[[2]string{site, "at-nl1"}] = drains
		p.pass(2 * time.Second)
	}
	asks("us1", true)
	p.noneChanged("one sees it draining")
	if b := p.believed("us1", "at-nl1"); b.Reason != "1 of 3 sites sees it DRAINING (us1); 2 must; here: monitor m at 192.0.2.1:80: as seen" || b.Doubt != gslb.DoubtFailing {
		t.Errorf("got %q, doubt %q", b.Reason, b.Doubt)
	}
	asks("jp1", true)
	p.want("two see it draining", "at-nl1", gslb.Draining)
	if b := p.believed("nl1", "at-nl1"); b.Reason != "2 of 3 sites see it DRAINING (jp1, us1); 2 must" || b.Source != "quorum" || b.Doubt != "" {
		t.Errorf("got %q by %s, doubt %q", b.Reason, b.Source, b.Doubt)
	}
	p.see("jp1", "at-nl1", 2) // DOWN
	asks("jp1", false)
	p.want("one sees it draining, one DOWN", "at-nl1", gslb.Draining)
	if b := p.believed("nl1", "at-nl1"); b.Reason != "1 of 3 sites sees it DRAINING (us1), 1 DOWN (jp1); 2 must" {
		t.Errorf("got %q", b.Reason)
	}
	p.see("nl1", "at-nl1", 2)
	p.pass(2 * time.Second)
	p.want("two see it DOWN", "at-nl1", gslb.Down)
	p.see("nl1", "at-nl1", 1)
	p.see("jp1", "at-nl1", 1)
	asks("us1", false)
	p.want("nobody any more", "at-nl1", gslb.Up)
}

// TestQuorumDrainsByRegions: they must be from as many regions as must see it DOWN.
func TestQuorumDrainsByRegions(t *testing.T) {
	p := newParliament(t, config.Quorum{Agree: 2, Regions: 2}, "nl1", "nl2", "us1")
	p.asks[[2]string{"nl1", "at-us1"}], p.asks[[2]string{"nl2", "at-us1"}] = true, true
	p.pass(3 * time.Second)
	p.want("one region sees it draining", "at-us1", gslb.Up)
	p.asks[[2]string{"nl2", "at-us1"}], p.asks[[2]string{"us1", "at-us1"}] = false, true
	p.pass(3 * time.Second)
	p.want("two regions see it draining", "at-us1", gslb.Draining)
}

// TestQuorumDrainsUnheard: who hears too few goes by what it sees itself, or else by what was agreed last.
func TestQuorumDrainsUnheard(t *testing.T) {
	names := []string{"nl1", "us1", "jp1"}
	for _, of := range []int{0, 2} { // all are asked, or two of them
		p := newParliament(t, config.Quorum{Agree: 2, Of: of}, names...)
		if of == 2 {
			for _, site := range names {
				p.asks[[2]string{site, "at-nl1"}] = true
			}
		}
		p.pass(3 * time.Second)
		for _, site := range names {
			q := p.nodes[site].tr.services[p.nodes[site].tr.byName["at-nl1"]].quorum
			if of == 2 && q.mine >= 0 || of == 0 && site != "us1" {
				continue
			}
			for _, other := range names {
				if other != site {
					p.both(site, other, false)
				}
			}
			p.asks[[2]string{site, "at-nl1"}] = true
			p.pass(25 * time.Second)
			p.want("cut off", "at-nl1", gslb.Draining, site)
			if b := p.believed(site, "at-nl1"); b.Doubt != gslb.DoubtPeerLost {
				t.Errorf("%s has doubt %q (%s), want that it hears too few", site, b.Doubt, b.Reason)
			}
		}
	}
}

// TestDrainOnIsNews: it is to be told without delay that a service asks to be drained, and no longer does; and that another monitor
// begins to fail meanwhile is a doubt.
func TestDrainOnIsNews(t *testing.T) {
	s := newScene(t, "ams", func(d *config.Document) {
		monitored("m", "m2")(d)
		d.Services[0].Addresses = d.Services[0].Addresses[:1]
	})
	s.do("mon4=up")
	s.do("other4=up")
	for _, drains := range []bool{true, false} {
		v := monitors.Verdict{Service: "svc", Monitor: "m", Address: netip.MustParseAddrPort("192.0.2.1:80"), State: monitors.Up, Draining: drains, At: s.now, Successes: 1}
		if !s.tr.Verdict(v) {
			t.Errorf("draining %t is no news", drains)
		}
		if s.tr.Verdict(v) {
			t.Error("the same again is")
		}
	}
	s.do("mon4=draining")
	s.do("other4=failing")
	if b := s.believed(); b.State != gslb.Draining || b.Doubt != gslb.DoubtFailing {
		t.Errorf("%v with doubt %q, want DRAINING, failing", b.State, b.Doubt)
	}
}

// TestPassiveHasNoQuorum: sites that only repeat what the owner tells are no witnesses.
func TestPassiveHasNoQuorum(t *testing.T) {
	doc := parliamentDocument(config.Quorum{Agree: 2}, []string{"nl1", "us1"})
	doc.Monitors[0].Type = config.MonitorPassive
	if q := newInquest(doc).of(&doc.Services[0]); q.Agree != 0 {
		t.Errorf("the quorum is %+v, want none", q)
	}
	doc.Monitors = append(doc.Monitors, config.Monitor{Name: "page", Type: config.MonitorHTTP})
	doc.Services[0].Monitors = append(doc.Services[0].Monitors, config.MonitorBinding{Monitor: "page"})
	if q := newInquest(doc).of(&doc.Services[0]); q.Agree != 2 {
		t.Errorf("with another monitor the quorum is %+v, want 2", q)
	}
}

// TestKinds: calculated monitors are as slow as their slowest part, and say nothing of their own when these do not.
func TestKinds(t *testing.T) {
	interval := func(s int) config.Duration { return config.Duration(time.Duration(s) * time.Second) }
	calculated := func(name string, parts ...string) config.Monitor {
		m := config.Monitor{Name: name, Type: config.MonitorCalculated, Interval: interval(5), Calculated: &config.CalculatedProbe{}}
		for _, p := range parts {
			m.Calculated.Monitors = append(m.Calculated.Monitors, config.CalculatedPart{Monitor: p})
		}
		return m
	}
	k := newKinds(&config.Document{Monitors: []config.Monitor{
		calculated("outer", "inner"), calculated("inner", "slow", "behind"), calculated("told", "echo"), calculated("echo", "behind"),
		{Name: "slow", Type: config.MonitorTCP, Interval: interval(60)}, {Name: "behind", Type: config.MonitorPassive, Interval: interval(5)},
	}})
	for _, tt := range []struct {
		name     string
		interval time.Duration
		hearsay  bool
	}{{"outer", time.Minute, false}, {"inner", time.Minute, false}, {"told", 5 * time.Second, true}, {"echo", 5 * time.Second, true}, {"behind", 5 * time.Second, true}, {"slow", time.Minute, false}} {
		if k.intervals[tt.name] != tt.interval || k.hearsay[tt.name] != tt.hearsay {
			t.Errorf("%s: interval %v, hearsay %t; want %v, %t", tt.name, k.intervals[tt.name], k.hearsay[tt.name], tt.interval, tt.hearsay)
		}
	}
}

// TestPassiveAges: a source that died does not take a service out; it is in doubt.
func TestPassiveAges(t *testing.T) {
	s := newScene(t, "ams", func(d *config.Document) {
		passive("m")(d)
		d.Services[0].Load = &config.LoadSource{Source: config.LoadPush, Interval: config.Duration(2 * time.Second)}
	})
	s.do("mon4=up")
	s.do("mon6=up")
	for _, tt := range []struct {
		age  time.Duration
		want gslb.Reason
	}{{15 * time.Second, ""}, {17 * time.Second, gslb.DoubtAged}, {24 * time.Hour, gslb.DoubtAged}} {
		s.now = epoch.Add(tt.age)
		if b := s.believed(); b.State != gslb.Up || b.Doubt != tt.want || !b.Seen.Equal(epoch) {
			t.Errorf("%v after the last report: %v, doubt %q, seen %v; want UP, %q, as of then", tt.age, b.State, b.Doubt, b.Seen, tt.want)
		}
	}
}
