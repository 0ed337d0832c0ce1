package sites

import (
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
)

// TestViews: two sites that tell each other only what they see themselves do not keep a dead service alive.
func TestViews(t *testing.T) {
	ams, lax := newScene(t, "nyc", nil), newScene(t, "nyc", nil)
	lax.tr.opts.Site = "lax"
	lax.set(lax.doc)
	tell := func() {
		a, l := ams.tr.Views(ams.now), lax.tr.Views(lax.now)
		lax.tr.Peer(&mep.ViewsReport{Peer: "ams", Records: a, ReceivedAt: lax.now}, noneHanded)
		ams.tr.Peer(&mep.ViewsReport{Peer: "lax", Records: l, ReceivedAt: ams.now}, noneHanded)
	}
	step := func(d time.Duration) (a, l gslb.ServiceStatus) {
		ams.now, lax.now = ams.now.Add(d), lax.now.Add(d)
		ams.believed()
		lax.believed()
		tell()
		return ams.believed(), lax.believed()
	}
	ams.tr.Peer(&mep.SessionUp{Peer: "lax", At: ams.now}, noneHanded)
	lax.tr.Peer(&mep.SessionUp{Peer: "ams", At: lax.now}, noneHanded)
	for _, s := range []*scene{ams, lax} {
		s.do("session=up")
		s.do("report=up")
	}
	if a, l := step(time.Second); a.State != gslb.Up || l.State != gslb.Up {
		t.Fatalf("both hear nyc: %v and %v, want UP", a.State, l.State)
	}
	ams.do("session=down")
	for range 20 {
		lax.do("report=up")
		if a, _ := step(time.Second); a.State != gslb.Up || a.Source != "other sites" {
			t.Fatalf("lax hears nyc: %v by %s, want UP by other sites", a.State, a.Source)
		}
	}
	lax.do("session=down")
	if a, l := step(time.Second); a.State != gslb.Down || l.State != gslb.Down {
		t.Errorf("nobody hears nyc: %v (%s) and %v (%s), want DOWN at once", a.State, a.Reason, l.State, l.Reason)
	}
}

func TestWhatIsToldToOthers(t *testing.T) {
	s := newScene(t, "nyc", func(d *config.Document) {
		d.Services = append(d.Services, config.Service{Name: "ours", Site: "ams"},
			config.Service{Name: "watched", Site: "nyc", Monitors: []config.MonitorBinding{{Monitor: "m", Weight: 1}}})
	})
	s.tr.opts.Overrides = NewOverrides(OverridesOptions{Site: "ams"})
	mustGive(t, s.tr.opts.Overrides, order(OfService, "svc", Disable), s.now)
	s.do("session=up")
	s.do("report=up")
	s.believed()
	s.do("wait=2s")
	want := []mep.ViewRecord{
		{Kind: mep.ViewOfSite, State: mep.StateUp, Name: "nyc"}, {Kind: mep.ViewOfSite, State: mep.StateDown, Name: "lax"},
		{Kind: mep.ViewOfSite, State: mep.StateDown, Name: "tyo"},
		{Kind: mep.ViewOfService, State: mep.StateUp, Name: "svc", Age: 2 * time.Second}, // as reported, whatever operators want
	}
	got := s.tr.Views(s.now)
	if len(got) != len(want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("record %d: got %+v, want %+v", i, got[i], want[i])
		}
	}
}

// TestBetweenTheSessionAndTheReport: the owner is heard again, and has not told yet what it has; what other sites see still counts.
func TestBetweenTheSessionAndTheReport(t *testing.T) {
	s := newScene(t, "nyc", nil)
	s.tr.Peer(&mep.SessionUp{Peer: "lax", At: s.now}, noneHanded)
	tell := func() {
		s.tr.Peer(&mep.ViewsReport{Peer: "lax", Records: []mep.ViewRecord{{Kind: mep.ViewOfService, State: mep.StateUp, Name: "svc"}}, ReceivedAt: s.now}, noneHanded)
	}
	for _, step := range []struct{ words, want, source string }{
		{"session=up report=up", "UP", "mep nyc"},
		{"wait=1s session=down", "UP", "other sites"},
		{"wait=1s session=up", "UP", "other sites"},
		{"report=up", "UP", "mep nyc"},
		{"wait=1s report=none", "UNKNOWN", "mep nyc"}, // its own word
	} {
		for word := range strings.FieldsSeq(step.words) {
			s.do(word)
		}
		tell()
		if b := s.believed(); b.State.String() != step.want || b.Source != step.source {
			t.Errorf("%s: %v by %s (%s), want %s by %s", step.words, b.State, b.Source, b.Reason, step.want, step.source)
		}
	}
}
