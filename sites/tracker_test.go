package sites

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/monitors"
)

func TestASiteSpeaksForItselfOnly(t *testing.T) {
	s := newScene(t, "ams", monitored("m"))
	s.do("mon4=down")
	s.do("mon6=down")
	s.do("session=up")
	s.do("report=up")
	if b := s.believed(); b.State != gslb.Down {
		t.Errorf("nyc's report about a service of ams made it %v, want DOWN", b.State)
	}
}

func TestTransitionsAreToldOnce(t *testing.T) {
	var told []Transition
	s := newScene(t, "ams", monitored("m"))
	s.tr.opts.Transition = func(tr Transition) { told = append(told, tr) }
	s.do("mon4=up")
	s.do("mon6=up")
	s.believed()
	s.do("wait=1s")
	s.believed()
	s.do("mon4=down")
	s.do("mon6=down")
	if b := s.believed(); !b.Since.Equal(epoch.Add(time.Second)) {
		t.Errorf("since %v, want the time of the change", b.Since)
	}
	if len(told) != 2 || told[0].To != gslb.Up || told[1].From != gslb.Up || told[1].To != gslb.Down {
		t.Errorf("told %+v, want UNKNOWN to UP, UP to DOWN", told)
	}
}

func TestSetDocumentKeepsEvidence(t *testing.T) {
	s := newScene(t, "ams", monitored("m"))
	s.do("mon4=up")
	s.do("mon6=up")
	s.believed()
	next := *s.doc
	next.Services = append([]config.Service{{Name: "new", Site: "ams", Port: 1, Monitors: []config.MonitorBinding{{Monitor: "m", Weight: 1}},
		Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.9")}}}, s.doc.Services...)
	s.set(&next)
	st := s.tr.Status(s.now, noneHanded)
	if st.Services[0].State != gslb.Unknown || st.Services[1].State != gslb.Up {
		t.Errorf("new %v, svc %v; want UNKNOWN, UP", st.Services[0].State, st.Services[1].State)
	}
	moved := next
	moved.Services = []config.Service{next.Services[1]}
	moved.Services[0].Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.77")}
	s.set(&moved)
	if got := s.tr.Status(s.now, noneHanded).Services[0].State; got != gslb.Unknown {
		t.Errorf("after its address changed the service is %v, want UNKNOWN: the verdict was about the old one", got)
	}
	if s.tr.Verdict(monitors.Verdict{Service: "svc", Monitor: "m", Address: netip.MustParseAddrPort("192.0.2.1:80"), State: monitors.Up}) {
		t.Error("a late verdict about the old address changed belief")
	}
}

// TestANewMonitorDoesNotInterrupt binds other monitors to services that are UP, and that are not: who was UP stays so
// until the first result.
func TestANewMonitorDoesNotInterrupt(t *testing.T) {
	for _, before := range []func(*config.Document){nil, monitored("m")} {
		s := newScene(t, "ams", before)
		up := before == nil
		bind := func(name string) {
			next := *s.doc
			next.Monitors = append([]config.Monitor{{Name: name, Type: config.MonitorTCP}}, next.Monitors...)
			next.Services = []config.Service{s.doc.Services[0]}
			next.Services[0].Monitors = []config.MonitorBinding{{Monitor: name, Weight: 1}}
			s.set(&next)
		}
		want := func(when string, state gslb.State) {
			t.Helper()
			if got := s.believed(); got.State != state {
				t.Errorf("unmonitored before %v, %s: %v, want %v (%s)", up, when, got.State, state, got.Reason)
			}
		}
		s.believed()
		bind("n")
		if !up {
			want("another monitor where there was no result", gslb.Unknown)
			continue
		}
		want("first monitor", gslb.Up)
		bind("o")
		want("another monitor before a result", gslb.Up)
		for _, a := range s.doc.Services[0].Addresses {
			s.tr.Verdict(monitors.Verdict{Service: "svc", Monitor: "o", Address: netip.AddrPortFrom(a, uint16(s.doc.Services[0].Port)),
				State: monitors.Down, At: s.now})
		}
		want("its first result is that it fails", gslb.Down)
		bind("p")
		want("another monitor while it is DOWN", gslb.Unknown)
	}
}

// TestASiteAddedLaterIsLearned: a site that a reload brings has as much time to be heard as those of the start had.
func TestASiteAddedLaterIsLearned(t *testing.T) {
	s := newScene(t, "ams", nil)
	s.do("wait=1h")
	next := *s.doc
	next.Sites = append(slices.Clone(s.doc.Sites), config.Site{Name: "sgp"})
	next.Services = []config.Service{{Name: "new", Site: "sgp", Port: 80, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.9")}}}
	s.set(&next)
	s.do("wait=9s")
	if got := s.believed().State; got != gslb.Unknown {
		t.Errorf("after 9 s: %v, want UNKNOWN", got)
	}
	s.do("wait=1s")
	if got := s.believed().State; got != gslb.Down {
		t.Errorf("after the keep-alive time-out: %v, want DOWN", got)
	}
}

func TestRemoteLoad(t *testing.T) {
	s := newScene(t, "nyc", func(d *config.Document) { d.Services[0].Load = &config.LoadSource{Source: config.LoadJSON} })
	s.do("session=up")
	handed := uint64(0)
	count := func(gslb.ServiceIndex) uint64 { return handed }
	report := func(active uint64, age time.Duration) gslb.Load {
		s.tr.Peer(&mep.ServicesReport{Peer: "nyc", ReceivedAt: s.now, Records: []mep.ServiceRecord{{Name: "svc", State: mep.StateUp,
			Has: mep.HasActiveConnections | mep.HasLoadAge, ActiveConnections: active, LoadAge: age}}}, count)
		return s.believed().Load
	}
	l := report(7, 300*time.Millisecond)
	if l.Active != 7 || !l.At.Equal(epoch.Add(-300*time.Millisecond)) || l.Source != "mep nyc" || l.PerAnswer != 1 {
		t.Errorf("first report: %+v", l)
	}
	handed = 10
	s.do("wait=1s")
	if again := report(7, 1300*time.Millisecond); again != l {
		t.Errorf("the same measurement repeated: %+v, want %+v", again, l)
	}
	if l = report(27, 0); l.Active != 27 || l.Handed != 10 || l.PerAnswer <= 1.1 {
		t.Errorf("new measurement after 10 answers and 20 connections: %+v, want handed 10 and more than one connection per answer", l)
	}
}

func TestLocalLoadNeedsASource(t *testing.T) {
	s := newScene(t, "ams", nil)
	s.tr.Load(monitors.Load{Service: "svc", Active: 3, At: epoch}, noneHanded)
	if l := s.believed().Load; !l.At.IsZero() {
		t.Errorf("load of a service without a source was taken: %+v", l)
	}
}

func TestRecords(t *testing.T) {
	s := newScene(t, "ams", func(d *config.Document) {
		d.Services = append(d.Services, config.Service{Name: "theirs", Site: "nyc"})
		d.Services[0].Load = &config.LoadSource{Source: config.LoadPush}
	})
	s.tr.Load(monitors.Load{Service: "svc", Active: 3, At: epoch, Source: "push"}, noneHanded)
	snapshot := gslb.NewSnapshot(1, s.tr.plan, s.tr.Status(epoch, noneHanded), nil)
	got := Records(snapshot, "ams", epoch.Add(2*time.Second))
	if len(got) != 1 {
		t.Fatalf("got %d records, want the one service of this site", len(got))
	}
	r := got[0]
	if r.Name != "svc" || r.State != mep.StateUp || r.ActiveConnections != 3 || r.LoadAge != 2*time.Second || r.EvidenceAge != 2*time.Second ||
		r.Has != mep.HasActiveConnections|mep.HasLoadAge|mep.HasEvidenceAge {
		t.Errorf("record %+v", r)
	}
}

// TestAReloadKeepsWhatIsKnown: a reload is no reason to forget a report, a verdict's DOWN or since when a state holds, nor
// to tell of a change that there was none.
func TestAReloadKeepsWhatIsKnown(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*config.Document)
		words  []string
		want   gslb.State
	}{
		{"a peer's report", nil, []string{"session=up", "report=up"}, gslb.Up},
		{"monitors that passed", monitored("m"), []string{"mon4=up", "mon6=up"}, gslb.Up},
		{"monitors that failed", monitored("m"), []string{"mon4=down", "mon6=down"}, gslb.Down},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, "nyc", tt.change)
			for _, w := range tt.words {
				s.do(w)
			}
			before := s.believed()
			if before.State != tt.want {
				t.Fatalf("before: %v, want %v", before.State, tt.want)
			}
			s.tr.opts.Transition = func(tr Transition) { t.Errorf("told %+v", tr) }
			s.do("wait=1s")
			next := *s.doc
			s.set(&next)
			if got := s.believed(); got.State != tt.want || !got.Since.Equal(before.Since) || got.Reason != before.Reason {
				t.Errorf("after: %v since %v (%s), want as before: %v since %v (%s)", got.State, got.Since, got.Reason, before.State, before.Since, before.Reason)
			}
		})
	}
}

// TestAReportIsOfItsSite: when a service moves to another site, what the old one said of it is void.
func TestAReportIsOfItsSite(t *testing.T) {
	s := newScene(t, "nyc", func(d *config.Document) { d.Sites = append(d.Sites, config.Site{Name: "sgp"}) })
	s.do("session=up")
	s.tr.Peer(&mep.SessionUp{Peer: "lax", At: s.now}, noneHanded)
	s.do("report=up")
	next := *s.doc
	next.Services = slices.Clone(s.doc.Services)
	next.Services[0].Site = "lax"
	s.set(&next)
	if got := s.believed(); got.State == gslb.Up {
		t.Errorf("%v (%s by %s), want it not to be UP by the report of nyc", got.State, got.Reason, got.Source)
	}
}

// TestPeerSaysWhenBeliefMayChange: the node publishes at once then, and otherwise with the next round.
func TestPeerSaysWhenBeliefMayChange(t *testing.T) {
	s := newScene(t, "nyc", nil)
	s.do("session=up")
	report := func(r mep.ServiceRecord) bool {
		r.Name = "svc"
		return s.tr.Peer(&mep.ServicesReport{Peer: "nyc", ReceivedAt: s.now, Records: []mep.ServiceRecord{r}}, noneHanded)
	}
	for i, tt := range []struct {
		record mep.ServiceRecord
		want   bool
	}{
		{mep.ServiceRecord{State: mep.StateUp}, true},
		{mep.ServiceRecord{State: mep.StateUp}, false},
		{mep.ServiceRecord{State: mep.StateUp, Without4: true}, true},
		{mep.ServiceRecord{State: mep.StateUp, Without6: true}, true},
		{mep.ServiceRecord{State: mep.StateDown}, true},
	} {
		if got := report(tt.record); got != tt.want {
			t.Errorf("report %d: got %t, want %t", i, got, tt.want)
		}
	}
	s.tr.Peer(&mep.ServicesReport{Peer: "nyc", ReceivedAt: s.now, Age: time.Second, Records: []mep.ServiceRecord{
		{Name: "svc", State: mep.StateUp, EvidenceAge: 2 * time.Second}}}, noneHanded)
	if got, want := s.believed().Seen, s.now.Add(-3*time.Second); !got.Equal(want) {
		t.Errorf("evidence of 2 s in a report of 1 s: seen %v, want %v", got, want)
	}
	none := &mep.ServicesReport{Peer: "nyc", ReceivedAt: s.now}
	if first, again := s.tr.Peer(none, noneHanded), s.tr.Peer(none, noneHanded); !first || again {
		t.Errorf("a report without the service: got %t, then %t; want true, false", first, again)
	}
	if s.tr.Peer(&mep.SessionUp{Peer: "nowhere", At: s.now}, noneHanded) || s.tr.Verdict(monitors.Verdict{Service: "nothing"}) {
		t.Error("a site or service that is not in the document changed belief")
	}
}
