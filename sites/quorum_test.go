package sites

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/monitors"
)

// parliament is the trackers of several sites, with links between them that can be cut.
type parliament struct {
	t     *testing.T
	names []string
	nodes map[string]*scene
	cut   map[[2]string]time.Time // from, to: since when nothing gets through
	up    map[[2]string]bool      // there is a session, seen from the first
	seen  map[[2]string]monitors.State
	asks  map[[2]string]bool // it sees that the service asks to be drained
	now   time.Time
	told  []Transition
}

// newParliament makes sites named after their regions: "nl1" and "nl2" are both in EU.NL.
func newParliament(t *testing.T, q config.Quorum, names ...string) *parliament {
	t.Helper()
	p := &parliament{t: t, names: names, nodes: map[string]*scene{}, cut: map[[2]string]time.Time{}, up: map[[2]string]bool{},
		seen: map[[2]string]monitors.State{}, asks: map[[2]string]bool{}, now: epoch}
	for _, name := range names {
		doc := parliamentDocument(q, names)
		s := &scene{t: t, tr: New(Options{Site: name, Transition: func(tr Transition) { p.told = append(p.told, tr) }}), now: epoch}
		s.set(doc)
		p.nodes[name] = s
	}
	for _, name := range names {
		for _, service := range p.services() {
			p.see(name, service, monitors.Up)
		}
	}
	p.pass(2 * time.Second)
	return p
}

// parliamentDocument has one service for each site, "at-SITE".
func parliamentDocument(q config.Quorum, names []string) *config.Document {
	doc := &config.Document{Monitors: []config.Monitor{{Name: "m", Type: config.MonitorTCP, Interval: config.Duration(5 * time.Second), Quorum: q}}}
	for i, name := range names {
		doc.Sites = append(doc.Sites, config.Site{Name: name, TriggerMonitors: config.TriggerAlways,
			Location: config.SiteLocation{Place: "W." + strings.ToUpper(name[:2]) + "." + name}})
		doc.Services = append(doc.Services, config.Service{Name: "at-" + name, Site: name, Port: 80, State: config.ServiceEnabled,
			Addresses: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)})}, Monitors: []config.MonitorBinding{{Monitor: "m", Weight: 1}}})
	}
	doc.Settings.MEP.KeepaliveTimeout = config.Duration(10 * time.Second)
	doc.Settings.MEP.MetricsInterval = config.Duration(time.Second)
	doc.Settings.Damping = config.DampingSettings{HalfLife: config.Duration(time.Minute), Suppress: 0, Reuse: 1000, MaxSuppress: config.Duration(5 * time.Minute)}
	doc.Settings.Suspicion = config.SuspicionSettings{Share: 0, Targets: 3, Window: config.Duration(30 * time.Second), Longest: config.Duration(10 * time.Minute)}
	return doc
}

func (p *parliament) services() []string {
	var out []string
	for _, name := range p.names {
		out = append(out, "at-"+name)
	}
	return out
}

// see sets what a site's monitors see of a service.
func (p *parliament) see(site, service string, state monitors.State) {
	p.seen[[2]string{site, service}] = state
}

// link cuts or mends what one site sends another one.
func (p *parliament) link(from, to string, open bool) {
	if key := [2]string{from, to}; open {
		delete(p.cut, key)
	} else {
		p.cut[key] = p.now
	}
}

func (p *parliament) both(a, b string, open bool) { p.link(a, b, open); p.link(b, a, open) }

// pass lets time pass by steps of a second: monitors run, sessions begin and end, everyone tells what it sees.
func (p *parliament) pass(d time.Duration) {
	for end := p.now.Add(d); p.now.Before(end); {
		p.now = p.now.Add(time.Second)
		for _, name := range p.names {
			p.nodes[name].now = p.now
			p.sessions(name)
			p.probe(name)
			p.nodes[name].tr.Status(p.now, noneHanded)
		}
		p.tell()
	}
}

// sessions begins and ends those of a site. One is lost when either direction was silent for the keep-alive time-out.
func (p *parliament) sessions(name string) {
	tr := p.nodes[name].tr
	for _, peer := range p.names {
		if peer == name {
			continue
		}
		silent := false
		open := true
		for _, way := range [][2]string{{name, peer}, {peer, name}} {
			if since, cut := p.cut[way]; cut {
				open = false
				silent = silent || p.now.Sub(since) >= 10*time.Second
			}
		}
		switch key := [2]string{name, peer}; {
		case !p.up[key] && open:
			p.up[key] = true
			tr.Peer(&mep.SessionUp{Peer: peer, At: p.now}, noneHanded)
		case p.up[key] && silent:
			p.up[key] = false
			tr.Peer(&mep.SessionDown{Peer: peer, At: p.now}, noneHanded)
		}
	}
}

func (p *parliament) probe(name string) {
	tr := p.nodes[name].tr
	for i := range tr.document.Services {
		s := &tr.document.Services[i]
		if state := p.seen[[2]string{name, s.Name}]; tr.services[i].probed && state != monitors.Unknown {
			tr.Verdict(monitors.Verdict{Service: s.Name, Monitor: "m", Address: netip.AddrPortFrom(s.Addresses[0], 80), State: state, At: p.now, Reason: "as seen",
				Draining: p.asks[[2]string{name, s.Name}]})
		}
	}
}

// tell brings what each site tells to all that it reaches, in an order that differs from time to time.
func (p *parliament) tell() {
	order := slices.Clone(p.names)
	rand.New(rand.NewPCG(uint64(p.now.Unix()), 1)).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	for _, from := range order {
		views := p.nodes[from].tr.Views(p.now)
		records := Records(gslb.NewSnapshot(1, p.nodes[from].tr.plan, p.nodes[from].tr.Status(p.now, noneHanded), nil), from, p.now)
		for _, to := range p.names {
			if _, cut := p.cut[[2]string{from, to}]; cut || !p.up[[2]string{to, from}] {
				continue
			}
			p.nodes[to].tr.Peer(&mep.ServicesReport{Peer: from, Records: records, ReceivedAt: p.now}, noneHanded)
			p.nodes[to].tr.Peer(&mep.ViewsReport{Peer: from, Records: views, ReceivedAt: p.now}, noneHanded)
		}
	}
}

// believed is what a site believes of a service.
func (p *parliament) believed(site, service string) gslb.ServiceStatus {
	tr := p.nodes[site].tr
	return tr.Status(p.now, noneHanded).Services[tr.byName[service]]
}

// want checks what sites believe of a service; all of them, when none is named.
func (p *parliament) want(when, service string, want gslb.State, at ...string) {
	p.t.Helper()
	if len(at) == 0 {
		at = p.names
	}
	for _, site := range at {
		if b := p.believed(site, service); b.State != want {
			p.t.Errorf("%s: %s takes %s to be %v (%s by %s), want %v", when, site, service, b.State, b.Reason, b.Source, want)
		}
	}
}

// noneChanged checks that no belief changed since it was called last.
func (p *parliament) noneChanged(when string) {
	p.t.Helper()
	for _, tr := range p.told {
		p.t.Errorf("%s: %s went from %v to %v (%s)", when, tr.Service, tr.From, tr.To, tr.Reason)
	}
	p.told = nil
}

// TestQuorumAgrees: one that does not reach a service is overruled, two are not.
func TestQuorumAgrees(t *testing.T) {
	p := newParliament(t, config.Quorum{Agree: 2}, "nl1", "us1", "jp1")
	p.told = nil
	p.want("all see it", "at-nl1", gslb.Up)
	p.see("us1", "at-nl1", monitors.Down)
	p.pass(30 * time.Second)
	p.noneChanged("one does not reach it")
	b := p.believed("us1", "at-nl1")
	if want := "1 of 3 sites sees it DOWN (us1); 2 must; here: monitor m at 192.0.2.1:80: as seen"; b.Reason != want || b.Source != "quorum" || b.Doubt != gslb.DoubtFailing {
		t.Errorf("got %q by %s, doubt %q, want %q by quorum", b.Reason, b.Source, b.Doubt, want)
	}
	p.see("jp1", "at-nl1", monitors.Down)
	p.pass(2 * time.Second)
	p.want("two do not reach it", "at-nl1", gslb.Down)
	if b, want := p.believed("nl1", "at-nl1"), "2 of 3 sites see it DOWN (jp1, us1); 2 must"; b.Reason != want || b.Doubt != "" {
		t.Errorf("got %q, doubt %q, want %q", b.Reason, b.Doubt, want)
	}
	p.see("us1", "at-nl1", monitors.Up)
	p.pass(2 * time.Second)
	p.want("one reaches it again", "at-nl1", gslb.Up)
	p.see("jp1", "at-nl1", monitors.Up)
	p.pass(2 * time.Second)
	if b := p.believed("nl1", "at-nl1"); b.Source != "monitor m" || b.Doubt != "" {
		t.Errorf("all see it: %q by %s, doubt %q", b.Reason, b.Source, b.Doubt)
	}
}

// TestQuorumNeedsRegions: two of one region are not enough where two regions must agree.
func TestQuorumNeedsRegions(t *testing.T) {
	p := newParliament(t, config.Quorum{Agree: 2, Regions: 2}, "nl1", "nl2", "us1", "jp1")
	p.see("nl1", "at-jp1", monitors.Down)
	p.see("nl2", "at-jp1", monitors.Down)
	p.pass(20 * time.Second)
	p.want("one region is blind", "at-jp1", gslb.Up)
	if b, want := p.believed("us1", "at-jp1"), "2 of 4 sites see it DOWN (nl1, nl2); 2 must, from 2 regions and these are from 1"; b.Reason != want {
		t.Errorf("got %q, want %q", b.Reason, want)
	}
	p.see("us1", "at-jp1", monitors.Down)
	p.pass(2 * time.Second)
	p.want("two regions see it DOWN", "at-jp1", gslb.Down)
}

// TestQuorumAsksSome: the others need not probe, and believe the same.
func TestQuorumAsksSome(t *testing.T) {
	p := newParliament(t, config.Quorum{Agree: 2, Of: 3}, "nl1", "nl2", "us1", "us2", "jp1", "jp2")
	doc := p.nodes["nl1"].doc
	probes := map[string][]string{}
	for _, site := range p.names {
		for i, probed := range Probed(doc, site) {
			if s := &doc.Services[i]; probed {
				probes[s.Name] = append(probes[s.Name], site)
			}
		}
	}
	for _, service := range p.services() {
		if got := probes[service]; len(got) != 3 || !slices.Contains(got, strings.TrimPrefix(service, "at-")) {
			t.Errorf("%s is probed by %v, want three, the owner among them", service, got)
		}
	}
	asked := probes["at-us1"]
	for _, site := range p.names {
		if !slices.Contains(asked, site) {
			p.see(site, "at-us1", monitors.Down) // does not count, as it does not probe
		}
	}
	p.see(asked[0], "at-us1", monitors.Down)
	p.pass(5 * time.Second)
	p.want("one that is asked sees it DOWN", "at-us1", gslb.Up)
	p.see(asked[1], "at-us1", monitors.Down)
	p.pass(2 * time.Second)
	p.want("two do", "at-us1", gslb.Down)
}

// TestQuorumAcrossPartitions: what fails here are links, and no service flaps for that.
func TestQuorumAcrossPartitions(t *testing.T) {
	start := func() *parliament {
		p := newParliament(t, config.Quorum{Agree: 2}, "nl1", "us1", "jp1")
		p.told = nil
		return p
	}
	t.Run("two of three do not hear each other", func(t *testing.T) {
		p := start()
		p.both("nl1", "us1", false)
		p.see("nl1", "at-us1", monitors.Down)
		p.see("us1", "at-nl1", monitors.Down)
		p.pass(time.Minute)
		p.noneChanged("the link was cut")
		p.both("nl1", "us1", true)
		p.see("nl1", "at-us1", monitors.Up)
		p.see("us1", "at-nl1", monitors.Up)
		p.pass(time.Minute)
		p.noneChanged("the link is back")
	})
	t.Run("the site of a service is cut off, and sees it itself", func(t *testing.T) {
		p := start()
		for _, other := range []string{"us1", "jp1"} {
			p.both("nl1", other, false)
			p.see(other, "at-nl1", monitors.Down)
			p.see("nl1", "at-"+other, monitors.Down)
		}
		p.pass(15 * time.Second)
		p.want("cut off", "at-nl1", gslb.Down, "us1", "jp1")
		p.want("cut off", "at-nl1", gslb.Up, "nl1")
		p.want("cut off", "at-us1", gslb.Up, "us1", "jp1")
		b := p.believed("nl1", "at-nl1")
		if want := "only 1 of the 3 sites asked is heard, and 2 must agree: what this site sees counts; monitor m at 192.0.2.1:80: as seen"; b.Reason != want || b.Doubt != gslb.DoubtPeerLost {
			t.Errorf("got %q, doubt %q, want %q", b.Reason, b.Doubt, want)
		}
	})
	t.Run("all are cut off", func(t *testing.T) {
		p := start()
		p.both("nl1", "us1", false)
		p.both("nl1", "jp1", false)
		p.both("us1", "jp1", false)
		p.pass(time.Minute)
		p.noneChanged("all see all services")
		p.see("nl1", "at-us1", monitors.Down)
		p.pass(2 * time.Second)
		p.want("nobody is left to ask", "at-us1", gslb.Down, "nl1")
		p.want("nobody is left to ask", "at-us1", gslb.Up, "us1", "jp1")
	})
	t.Run("one way only", func(t *testing.T) {
		p := start()
		p.link("nl1", "us1", false) // us1 does not hear nl1
		p.see("us1", "at-nl1", monitors.Down)
		p.pass(time.Minute)
		p.noneChanged("frames arrive one way")
	})
	t.Run("a link that flaps", func(t *testing.T) {
		p := start()
		for range 30 {
			for _, open := range []bool{false, true} {
				for _, other := range []string{"us1", "jp1"} {
					p.both("nl1", other, open)
				}
				if p.see("nl1", "at-us1", monitors.Up); !open {
					p.see("nl1", "at-us1", monitors.Down)
				}
				p.pass(4 * time.Second)
			}
		}
		p.noneChanged("a link flaps")
	})
}

// TestNotAskedAndCutOff: who neither probes a service nor hears enough of those that do keeps what was agreed last, and says so.
func TestNotAskedAndCutOff(t *testing.T) {
	p := newParliament(t, config.Quorum{Agree: 2, Of: 2}, "nl1", "us1", "jp1")
	probes := map[string]bool{}
	for _, site := range p.names {
		probes[site] = Probed(p.nodes["nl1"].doc, site)[0]
	}
	i := slices.IndexFunc(p.names, func(s string) bool { return !probes[s] })
	if i < 0 {
		t.Fatal("all are asked")
	}
	alone := p.names[i]
	p.told = nil
	for _, other := range p.names {
		if other != alone {
			p.both(alone, other, false)
			p.see(alone, "at-"+other, monitors.Down)
		}
	}
	p.pass(time.Minute)
	b := p.believed(alone, "at-nl1")
	if want := "kept UP as it was agreed last: only 0 of the 2 sites asked are heard, and 2 must agree"; b.State != gslb.Up || b.Reason != want || b.Doubt != gslb.DoubtPeerLost {
		t.Errorf("%v (%s), doubt %q, want UP (%s)", b.State, b.Reason, b.Doubt, want)
	}
}

// TestAReloadKeepsVotes: a document that changes something else does not make anybody forget what was heard.
func TestAReloadKeepsVotes(t *testing.T) {
	p := newParliament(t, config.Quorum{Agree: 2, Of: 2}, "nl1", "us1", "jp1")
	p.told = nil
	for _, name := range p.names {
		next := parliamentDocument(config.Quorum{Agree: 2, Of: 2}, p.names)
		next.Services = append(next.Services[1:], next.Services[0])
		p.nodes[name].set(next)
		for _, service := range p.services() {
			p.want("after a reload", service, gslb.Up, name)
		}
	}
	p.pass(30 * time.Second)
	p.noneChanged("after a reload")
}

// TestOneFamilyByQuorum: families are voted on separately.
func TestOneFamilyByQuorum(t *testing.T) {
	s := newScene(t, "nyc", func(d *config.Document) {
		monitored("m")(d)
		d.Services[0].Quorum = config.Quorum{Agree: 2}
	})
	for _, word := range []string{"mon4=up", "mon6=down"} {
		s.do(word)
	}
	vote := func(peer string, r mep.ViewRecord) {
		s.tr.Peer(&mep.SessionUp{Peer: peer, At: s.now}, noneHanded)
		r.Kind, r.Name = mep.ViewOfService, "svc"
		s.tr.Peer(&mep.ViewsReport{Peer: peer, Records: []mep.ViewRecord{r}, ReceivedAt: s.now}, noneHanded)
	}
	vote("lax", mep.ViewRecord{State: mep.StateUp})
	vote("tyo", mep.ViewRecord{State: mep.StateUp})
	if b := s.believed(); b.State != gslb.Up || b.Without6 || !strings.HasPrefix(b.Reason, "1 of 4 sites sees its IPv6 address DOWN (ams); 2 must") {
		t.Errorf("only this site misses IPv6: %v, without IPv6 %v (%s)", b.State, b.Without6, b.Reason)
	}
	vote("lax", mep.ViewRecord{State: mep.StateUp, Without6: true})
	if b := s.believed(); b.State != gslb.Up || !b.Without6 || b.Without4 {
		t.Errorf("two miss IPv6: %v, without IPv6 %v (%s)", b.State, b.Without6, b.Reason)
	}
	vote("tyo", mep.ViewRecord{State: mep.StateDown})
	vote("lax", mep.ViewRecord{State: mep.StateDown})
	if b := s.believed(); b.State != gslb.Down {
		t.Errorf("two see it DOWN: %v (%s)", b.State, b.Reason)
	}
}

// TestABlindSiteHasNoVote: what a node lost sight of while it suspects itself is neither counted nor told.
func TestABlindSiteHasNoVote(t *testing.T) {
	p := newParliament(t, config.Quorum{Agree: 2}, "nl1", "us1", "jp1", "br1")
	for _, s := range p.nodes {
		s.doc.Settings.Suspicion.Share = 30
	}
	p.told = nil
	for _, service := range p.services()[1:] {
		p.see("nl1", service, monitors.Down)
	}
	p.pass(3 * time.Second)
	p.see("us1", "at-jp1", monitors.Down)
	p.pass(5 * time.Second)
	p.noneChanged("one is blind, one sees it DOWN")
	p.see("br1", "at-jp1", monitors.Down)
	p.pass(2 * time.Second)
	p.want("two that are not blind see it DOWN", "at-jp1", gslb.Down)
	for _, r := range p.nodes["nl1"].tr.Views(p.now) {
		if r.Kind == mep.ViewOfService && r.Name != "at-nl1" {
			t.Errorf("the blind site tells that %s is %v", r.Name, r.State)
		}
	}
}

// TestOperatorsComeBeforeQuorums: what operators want is no vote, and no vote changes it.
func TestOperatorsComeBeforeQuorums(t *testing.T) {
	p := newParliament(t, config.Quorum{Agree: 2}, "nl1", "us1", "jp1")
	tr := p.nodes["us1"].tr
	tr.opts.Overrides = NewOverrides(OverridesOptions{Site: "us1"})
	mustGive(t, tr.opts.Overrides, order(OfService, "at-nl1", Disable), p.now)
	p.want("disabled", "at-nl1", gslb.Disabled, "us1")
	for _, r := range tr.Views(p.now) {
		if r.Name == "at-nl1" && r.State != mep.StateUp {
			t.Errorf("tells %v, want what it sees: UP", r.State)
		}
	}
}

// TestChildrenTakeNoRoomOfVotes: a parent may hear more children, with more services, than a set of views has room for. It tells what it
// sees of services with a quorum all the same.
func TestChildrenTakeNoRoomOfVotes(t *testing.T) {
	names := []string{"nl1", "us1", "jp1"}
	doc := parliamentDocument(config.Quorum{Agree: 2}, names)
	votes := doc.Services
	doc.Services = nil
	for i := range mep.MaxViews + 1 {
		child := fmt.Sprintf("child%05d", i)
		doc.Sites = append(doc.Sites, config.Site{Name: child, Parent: "nl1"})
		doc.Services = append(doc.Services, config.Service{Name: "of-" + child, Site: child, State: config.ServiceEnabled, CNAME: "x.example"})
	}
	doc.Services = append(doc.Services, votes...)
	core, logged := observer.New(zap.WarnLevel)
	s := &scene{t: t, tr: New(Options{Site: "nl1", Logger: zap.New(core)}), now: epoch}
	s.set(doc)
	for _, site := range doc.Sites[len(names):] {
		s.tr.Peer(&mep.SessionUp{Peer: site.Name, At: s.now}, noneHanded)
		s.tr.Peer(&mep.ServicesReport{Peer: site.Name, Site: site.Name, ReceivedAt: s.now, Records: []mep.ServiceRecord{{Name: "of-" + site.Name, State: mep.StateUp}}}, noneHanded)
	}
	for _, v := range votes {
		s.tr.Verdict(monitors.Verdict{Service: v.Name, Monitor: "m", Address: netip.AddrPortFrom(v.Addresses[0], 80), State: monitors.Down, At: s.now})
	}
	s.tr.Status(s.now, noneHanded)
	got, told := s.tr.Views(s.now), 0
	for _, r := range got {
		if strings.HasPrefix(r.Name, "at-") && r.State == mep.StateDown {
			told++
		}
	}
	if told != len(votes) || len(got) != mep.MaxViews {
		t.Errorf("%d votes among %d records, want %d among %d", told, len(got), len(votes), mep.MaxViews)
	}
	want := ViewsLeftOut{Services: len(votes) + len(names) - 1 + 1, Sites: mep.MaxViews + 1}
	if left := s.tr.ViewsLeftOut(); left != want {
		t.Errorf("%+v left out, want %+v", left, want)
	}
	s.tr.Views(s.now.Add(time.Hour))
	if n := logged.FilterMessage("sites.views_left_out").Len(); n != 1 {
		t.Errorf("%d entries in the log that views were left out, want one when it began", n)
	}
}

// TestAllComeToTheSameBelief: whatever monitors see, whatever links did and in whatever order what was told arrives: two intervals
// after that all sites that hear each other believe the same.
func TestAllComeToTheSameBelief(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 7))
		names := []string{"nl1", "nl2", "us1", "us2", "jp1"}[:3+rng.IntN(3)]
		q := config.Quorum{Agree: 1 + rng.IntN(len(names)), Regions: rng.IntN(2)}
		if rng.IntN(2) == 0 {
			q.Of = q.Agree + rng.IntN(len(names)-q.Agree+1)
		}
		p := newParliament(t, q, names...)
		for range 6 {
			for range 8 {
				a, b := names[rng.IntN(len(names))], names[rng.IntN(len(names))]
				switch rng.IntN(3) {
				case 0:
					p.see(a, "at-"+b, monitors.Down)
				case 1:
					p.see(a, "at-"+b, monitors.Up)
				case 2:
					if a != b {
						p.link(a, b, rng.IntN(2) == 0)
					}
				}
				p.pass(time.Duration(rng.IntN(6)) * time.Second)
			}
			clear(p.cut)
			p.pass(2 * time.Second)
			for _, service := range p.services() {
				first := p.believed(names[0], service)
				for _, site := range names[1:] {
					if b := p.believed(site, service); b.State != first.State {
						t.Fatalf("seed %d, %+v, %s: %s has %v (%s), %s has %v (%s)", seed, q, service, names[0], first.State, first.Reason, site, b.State, b.Reason)
					}
				}
				p.check(fmt.Sprintf("seed %d", seed), service, q, first)
			}
		}
	}
}

// check compares a belief with a count by hand.
func (p *parliament) check(when, service string, q config.Quorum, b gslb.ServiceStatus) {
	p.t.Helper()
	down, regions := 0, map[string]bool{}
	i := p.nodes[p.names[0]].tr.byName[service]
	for _, site := range p.names {
		if Probed(p.nodes[site].doc, site)[i] && p.seen[[2]string{site, service}] == monitors.Down {
			down++
			regions[site[:2]] = true
		}
	}
	want := gslb.Up
	if down >= q.Agree && len(regions) >= q.Regions {
		want = gslb.Down
	}
	if b.State != want {
		p.t.Fatalf("%s, %+v, %s: %v (%s), want %v: %d see it DOWN", when, q, service, b.State, b.Reason, want, down)
	}
}
