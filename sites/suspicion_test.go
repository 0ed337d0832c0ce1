package sites

import (
	"fmt"
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

// outlook is a tracker of ams that watches services a1, a2 (ams), n1, n2 (nyc), l1, l2 (lax), each at one address, and u1
// of nyc without a monitor; and the sessions with nyc and lax.
type outlook struct {
	*scene
	logs *observer.ObservedLogs
}

func newOutlook(t *testing.T, services ...string) *outlook {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	owner := map[byte]string{'a': "ams", 'n': "nyc", 'l': "lax", 'u': "nyc"}
	s := newScene(t, "ams", func(d *config.Document) {
		d.Services, d.Sites = nil, d.Sites[:3]
		for i, name := range services {
			one := config.Service{Name: name, Site: owner[name[0]], Port: 80, State: config.ServiceEnabled,
				Addresses: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)})}}
			if name[0] != 'u' {
				one.Monitors = []config.MonitorBinding{{Monitor: "m", Weight: 1}}
			}
			d.Services = append(d.Services, one)
		}
	})
	s.tr.log = zap.New(core)
	o := &outlook{s, logs}
	for _, site := range []string{"nyc", "lax"} {
		s.tr.Peer(&mep.SessionUp{Peer: site, At: s.now}, noneHanded)
	}
	s.tr.Peer(&mep.ServicesReport{Peer: "nyc", ReceivedAt: s.now, Records: []mep.ServiceRecord{{Name: "u1", State: mep.StateUp}}}, noneHanded)
	o.probe(monitors.Up, services...)
	o.status()
	return o
}

func (o *outlook) probe(state monitors.State, services ...string) {
	for _, name := range services {
		if i, ok := o.tr.byName[name]; ok && name[0] != 'u' {
			a := netip.AddrPortFrom(o.doc.Services[i].Addresses[0], 80)
			o.tr.Verdict(monitors.Verdict{Service: name, Monitor: "m", Address: a, State: state, At: o.now, Reason: state.String()})
		}
	}
}

func (o *outlook) lose(sites ...string) {
	for _, site := range sites {
		o.tr.Peer(&mep.SessionDown{Peer: site, At: o.now}, noneHanded)
	}
}

func (o *outlook) status() *gslb.Status { return o.tr.Status(o.now, noneHanded) }

// play does things a second apart.
func (o *outlook) play(events ...func()) *gslb.Status {
	for _, event := range events {
		event()
		o.now = o.now.Add(time.Second)
		o.status()
	}
	return o.status()
}

// wantUp checks who is UP, and whether there is an alarm.
func (o *outlook) wantUp(what, want string, alarm bool) {
	o.t.Helper()
	st, up := o.status(), []string{}
	for i := range st.Services {
		if st.Services[i].State == gslb.Up {
			up = append(up, o.doc.Services[i].Name)
		}
		if alarm && st.Services[i].Doubt != gslb.DoubtSuspicion {
			o.t.Errorf("%s: doubt about %s is %q during an alarm", what, o.doc.Services[i].Name, st.Services[i].Doubt)
		}
	}
	if got := strings.Join(up, " "); got != want || (st.Alarm != "") != alarm {
		o.t.Errorf("%s: UP are %q, alarm %q; want %q, alarm %v", what, got, st.Alarm, want, alarm)
	}
}

func (o *outlook) wantEvents(want ...string) {
	o.t.Helper()
	var got []string
	for _, e := range o.logs.All() {
		if strings.HasPrefix(e.Message, "node.suspicion") {
			got = append(got, e.Message)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		o.t.Errorf("logged %v, want %v", got, want)
	}
}

var all = []string{"a1", "a2", "n1", "n2", "l1", "l2", "u1"}

func TestSuspicionFreezesAndEnds(t *testing.T) {
	o := newOutlook(t, all...)
	o.play(
		func() { o.probe(monitors.Down, "n1") },
		func() { o.probe(monitors.Down, "a1") },
		func() { o.lose("nyc") },
	)
	o.wantUp("three of eight are lost", "a2 n2 l1 l2", false)
	o.play(func() { o.probe(monitors.Down, "l1"); o.lose("lax") })
	o.wantUp("five of eight: all stays as it was, also what was lost first", "a1 a2 n1 n2 l1 l2 u1", true)
	if got := o.status().Services[0].Reason; !strings.Contains(got, "kept as it was") {
		t.Errorf("reason %q does not say why a1 is UP", got)
	}
	o.play(func() { o.probe(monitors.Down, "a2", "n2", "l2") })
	o.wantUp("all is lost", "a1 a2 n1 n2 l1 l2 u1", true)
	o.now = o.now.Add(5 * time.Minute)
	o.wantUp("five minutes later", "a1 a2 n1 n2 l1 l2 u1", true)
	o.play(func() { o.probe(monitors.Up, "a2", "n1", "n2", "l1", "l2") })
	o.wantUp("sight is regained: what still fails is believed; of u1 nobody can tell, as no site is heard", "a2 n1 n2 l1 l2 u1", false)
	o.wantEvents("node.suspicion.began", "node.suspicion.ended")
}

func TestSuspicionIsNotForEver(t *testing.T) {
	o := newOutlook(t, all...)
	o.play(func() { o.probe(monitors.Down, all...); o.lose("nyc", "lax") })
	o.wantUp("all is lost at once", "a1 a2 n1 n2 l1 l2 u1", true)
	o.now = o.now.Add(10*time.Minute - 2*time.Second)
	o.wantUp("just before the longest time is over", "a1 a2 n1 n2 l1 l2 u1", true)
	o.now = o.now.Add(2 * time.Second)
	o.wantUp("it is over; of u1 nobody can tell, as no site is heard", "u1", false)
	o.now = o.now.Add(time.Second)
	o.wantUp("and does not begin again", "u1", false)
	o.wantEvents("node.suspicion.began", "node.suspicion.ended")
}

// TestSuspicionIsNotForEverWithALongWindow: what was believed when it ended is no reason for the next one.
func TestSuspicionIsNotForEverWithALongWindow(t *testing.T) {
	o := newOutlook(t, all...)
	next := *o.doc
	next.Settings.Suspicion.Window = config.Duration(time.Hour)
	o.set(&next)
	o.play(func() { o.probe(monitors.Down, all...); o.lose("nyc", "lax") })
	o.wantUp("all is lost at once", "a1 a2 n1 n2 l1 l2 u1", true)
	o.now = o.now.Add(10 * time.Minute)
	o.wantUp("it is over; of u1 nobody can tell, as no site is heard", "u1", false)
	o.now = o.now.Add(time.Second)
	o.wantUp("and does not begin again", "u1", false)
}

func TestNoSuspicion(t *testing.T) {
	tests := []struct {
		name     string
		services []string
		story    func(o *outlook)
		want     string
	}{
		{"a service among few", []string{"a1", "n1"}, func(o *outlook) { o.probe(monitors.Down, "n1") }, "a1"},
		{"a whole site, however large", []string{"a1", "n1", "n2", "n3", "n4", "l1"}, func(o *outlook) {
			o.probe(monitors.Down, "n1", "n2", "n3", "n4")
			o.lose("nyc")
		}, "a1 l1"},
		{"a whole site, and a service elsewhere by chance", []string{"a1", "a2", "a3", "n1", "n2", "n3", "n4", "l1"}, func(o *outlook) {
			o.probe(monitors.Down, "n1", "n2", "n3", "n4", "a1")
			o.lose("nyc")
		}, "a2 a3 l1"},
		{"what operators took out before it was switched off", []string{"a1", "n1", "n2", "n3", "l1", "l2", "l3"}, func(o *outlook) {
			o.tr.opts.Overrides = NewOverrides(OverridesOptions{Site: "ams"})
			mustGive(o.t, o.tr.opts.Overrides, order(OfSite, "nyc", Disable), o.now)
			mustGive(o.t, o.tr.opts.Overrides, order(OfSite, "lax", Disable), o.now)
			o.status()
			o.probe(monitors.Down, "n1", "n2", "n3", "l1", "l2", "l3")
		}, "a1"},
		{"half", []string{"a1", "a2", "n1", "n2", "l1", "l2"}, func(o *outlook) { o.probe(monitors.Down, "n1", "n2", "l1", "a1") }, "a2 l2"},
		{"one after the other", all, func(o *outlook) {
			for _, name := range []string{"n1", "l1", "a1", "n2", "l2", "a2"} {
				o.now = o.now.Add(31 * time.Second)
				o.probe(monitors.Down, name)
				o.status()
			}
		}, "u1"},
		{"sites that announce that they stop", []string{"a1"}, func(o *outlook) {
			for _, site := range []string{"nyc", "lax"} {
				o.tr.Peer(&mep.PeerLeaving{Peer: site, At: o.now}, noneHanded)
			}
			o.lose("nyc", "lax")
		}, "a1"},
		{"a reload that takes most away", all, func(o *outlook) {
			next := *o.doc
			next.Services = o.doc.Services[:1]
			o.set(&next)
		}, "a1"},
		{"a reload that moves most", all, func(o *outlook) {
			next := *o.doc
			next.Services = append([]config.Service{}, o.doc.Services...)
			for i := range next.Services[:6] {
				next.Services[i].Addresses = []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(100 + i)})}
			}
			o.set(&next)
			o.probe(monitors.Down, all...)
		}, "u1"},
		{"fewer targets than it takes", []string{"a1", "n1"}, func(o *outlook) {
			next := *o.doc
			next.Settings.Suspicion.Targets = 5
			o.set(&next)
			o.probe(monitors.Down, "a1", "n1")
			o.lose("nyc", "lax")
		}, ""},
		{"it is off", all, func(o *outlook) {
			next := *o.doc
			next.Settings.Suspicion.Share = 0
			o.set(&next)
			o.probe(monitors.Down, "a1", "n1", "l1", "l2", "a2", "n2")
		}, "u1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := newOutlook(t, tt.services...)
			o.play(func() { tt.story(o) })
			o.wantUp("after it", tt.want, false)
		})
	}
}

// TestTheOwnersWordIsBelievedDuringSuspicion: who is heard can say that a service is DOWN.
func TestTheOwnersWordIsBelievedDuringSuspicion(t *testing.T) {
	o := newOutlook(t, all...)
	o.play(func() { o.probe(monitors.Down, "a1", "a2", "n1", "l1", "l2"); o.lose("lax") })
	o.wantUp("before", "a1 a2 n1 n2 l1 l2 u1", true)
	o.play(func() {
		o.tr.Peer(&mep.ServicesReport{Peer: "nyc", ReceivedAt: o.now, Records: []mep.ServiceRecord{{Name: "u1", State: mep.StateDown}}}, noneHanded)
	})
	o.wantUp("after", "a1 a2 n1 n2 l1 l2", true)
}

// TestASiteThatAnnouncedItsStopIsBelievedDuringSuspicion: it said so itself.
func TestASiteThatAnnouncedItsStopIsBelievedDuringSuspicion(t *testing.T) {
	o := newOutlook(t, all...)
	o.play(func() { o.probe(monitors.Down, "a1", "a2", "n1", "l1", "l2"); o.lose("lax") })
	o.wantUp("before", "a1 a2 n1 n2 l1 l2 u1", true)
	o.play(func() {
		o.tr.Peer(&mep.PeerLeaving{Peer: "nyc", At: o.now}, noneHanded)
		o.tr.Peer(&mep.SessionDown{Peer: "nyc", At: o.now, Left: true}, noneHanded)
	})
	o.wantUp("after", "a1 a2 n1 n2 l1 l2", true)
}

// TestSuspicionEndsWhenOneSiteIsLeft: a1 came back, so this node's network works, and nyc is lost.
func TestSuspicionEndsWhenOneSiteIsLeft(t *testing.T) {
	o := newOutlook(t, "a1", "n1", "n2", "n3")
	o.play(func() { o.probe(monitors.Down, "a1", "n1", "n2", "n3"); o.lose("nyc") })
	o.wantUp("two sites are lost", "a1 n1 n2 n3", true)
	o.play(func() { o.probe(monitors.Up, "a1") })
	o.wantUp("one is left", "a1", false)
	o.wantEvents("node.suspicion.began", "node.suspicion.ended")
}

// TestSuspicionTakesBackAHold: n1 is lost first, and its virtual server goes to its backup; a second later this node suspects itself.
func TestSuspicionTakesBackAHold(t *testing.T) {
	for _, tt := range []struct {
		name  string
		later time.Duration
		other bool // nyc latches it, too
		held  bool
	}{{"at once", 2 * time.Second, false, false}, {"long before", 31 * time.Second, false, true}, {"another site sees it, too", 2 * time.Second, true, true}} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOutlook(t, all...)
			next := *o.doc
			next.VirtualServers = []config.VirtualServer{
				{Name: "spare", Method: config.RoundRobin, BackupMethod: config.RoundRobin, MaxAnswers: 1},
				{Name: "web", Method: config.RoundRobin, BackupMethod: config.RoundRobin, MaxAnswers: 1, Backup: "spare", BackupHold: true,
					Members: []config.Member{{Service: "n1", Weight: 1, Order: 1}}},
			}
			o.set(&next)
			shared := NewOverrides(OverridesOptions{Site: "ams"})
			holds := NewHolds(shared)
			publish := func() {
				st := o.status()
				st.Held = holds.Held(o.doc, o.tr.plan)
				holds.Observe(o.doc, gslb.NewSnapshot(1, o.tr.plan, st, nil), o.now)
			}
			publish()
			o.probe(monitors.Down, "n1")
			if publish(); !shared.Held("web") {
				t.Fatal("not held, though its member is DOWN")
			}
			if tt.other {
				other := NewOverrides(OverridesOptions{Site: "nyc"})
				mustGive(t, other, order(OfVirtualServer, "web", Hold), o.now)
				shared.Merge(other.Records(o.now), 0, o.now)
			}
			o.now = o.now.Add(tt.later)
			o.probe(monitors.Down, "a1", "a2", "l1", "l2")
			o.lose("lax")
			publish()
			if o.status().Alarm == "" {
				t.Fatal("there is no alarm")
			}
			publish()
			if got := shared.Held("web"); got != tt.held {
				t.Errorf("held %v, want %v", got, tt.held)
			}
			if o.now = o.now.Add(11 * time.Minute); tt.held {
				return
			}
			if publish(); !shared.Held("web") {
				t.Error("it is lost after all, but not held")
			}
		})
	}
}

// TestSuspicionAndSlowStart: what is kept UP while this node suspects itself goes on with its slow start; what is kept DRAINING has one
// when it asks for that no longer.
func TestSuspicionAndSlowStart(t *testing.T) {
	o := newOutlook(t, all...)
	next := *o.doc
	next.Services, next.Settings.Damping.MinHold = slices.Clone(next.Services), 0
	for i := range next.Services {
		next.Services[i].SlowStart = config.Duration(time.Minute)
	}
	o.set(&next)
	drains := func(drains bool) {
		a := netip.AddrPortFrom(o.doc.Services[o.tr.byName["n1"]].Addresses[0], 80)
		o.tr.Verdict(monitors.Verdict{Service: "n1", Monitor: "m", Address: a, State: monitors.Up, Draining: drains, At: o.now})
	}
	o.play(
		func() { o.probe(monitors.Down, "n2") },
		func() { o.probe(monitors.Up, "n2"); drains(true) },
	)
	o.now = o.now.Add(19 * time.Second)
	want := func(what string, n1 gslb.State, share1, share2, others float64) {
		t.Helper()
		st := o.status()
		got1, got2, other := st.Services[o.tr.byName["n1"]], st.Services[o.tr.byName["n2"]], st.Services[o.tr.byName["l1"]]
		if got1.State != n1 || got1.Share != share1 || got2.Share != share2 || other.Share != others {
			t.Errorf("%s: n1 is %v with share %v, n2 has %v, l1 %v; want %v with %v, %v, %v", what, got1.State, got1.Share, got2.Share, other.Share, n1, share1, share2, others)
		}
	}
	want("before", gslb.Draining, 1, 5./16, 1)
	o.play(func() { o.probe(monitors.Down, "n1", "n2", "l1", "l2", "a1") })
	if o.status().Alarm == "" {
		t.Fatal("it does not suspect itself")
	}
	want("meanwhile", gslb.Draining, 1, 6./16, 1)
	o.play(func() { o.probe(monitors.Up, all...) })
	want("after", gslb.Up, 1./16, 6./16, 1)
}

// TestHearsayIsNoTarget: what owners tell of their services by load reports says nothing of this node's sight.
func TestHearsayIsNoTarget(t *testing.T) {
	for _, kind := range []config.MonitorType{config.MonitorPassive, config.MonitorTCP} {
		o := newOutlook(t, all...)
		next := *o.doc
		next.Monitors = []config.Monitor{{Name: "m", Type: kind}}
		o.set(&next)
		o.play(func() { o.probe(monitors.Up, all...) }, func() { o.probe(monitors.Down, "n1", "n2", "l1", "l2", "a1") })
		if alarm := o.status().Alarm != ""; alarm != (kind == config.MonitorTCP) {
			t.Errorf("monitors of type %s: the node suspects itself: %t", kind, alarm)
		}
	}
}
