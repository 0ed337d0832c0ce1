package sites

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
)

func order(kind OverrideKind, name string, action OverrideAction) Order {
	return Order{Kind: kind, Name: name, Action: action, Owner: "kim", Reason: "patching", For: time.Hour}
}

func mustGive(t *testing.T, s *Overrides, o Order, now time.Time) Override {
	t.Helper()
	out, err := s.Give(o, now)
	if err != nil {
		t.Fatalf("Give(%+v): %v", o, err)
	}
	return out
}

// TestOverridesInBelief: an order beats the document for its time, a service's beats its site's, and none makes UP what
// monitors see DOWN.
func TestOverridesInBelief(t *testing.T) {
	documented := func(state config.ServiceState) func(*config.Document) {
		return func(d *config.Document) {
			d.Services[0].State = state
			d.Services[0].Monitors = []config.MonitorBinding{{Monitor: "m", Weight: 1}}
		}
	}
	tests := []struct {
		name     string
		document config.ServiceState
		orders   []Order
		story    string
		want     string
		source   string
	}{
		{"disabled", config.ServiceEnabled, []Order{order(OfService, "svc", Disable)}, "mon4=up", "DISABLED", "override kim"},
		{"draining", config.ServiceEnabled, []Order{order(OfService, "svc", Drain)}, "mon4=up mon6=up", "DRAINING", "override kim"},
		{"draining and down", config.ServiceEnabled, []Order{order(OfService, "svc", Drain)}, "mon4=down mon6=down", "DOWN", "monitor m"},
		{"enabled", config.ServiceDisabled, []Order{order(OfService, "svc", Enable)}, "mon4=up mon6=up", "UP", "monitor m"},
		{"enabled and down", config.ServiceDisabled, []Order{order(OfService, "svc", Enable)}, "mon4=down mon6=down", "DOWN", "monitor m"},
		{"enabled instead of draining", config.ServiceDraining, []Order{order(OfService, "svc", Enable)}, "mon4=up mon6=up", "UP", "monitor m"},
		{"by site", config.ServiceEnabled, []Order{order(OfSite, "ams", Disable)}, "mon4=up", "DISABLED", "override kim"},
		{"by another site", config.ServiceEnabled, []Order{order(OfSite, "nyc", Disable)}, "mon4=up mon6=up", "UP", "monitor m"},
		{"the service's comes first", config.ServiceEnabled, []Order{order(OfService, "svc", Enable), order(OfSite, "ams", Disable)}, "mon4=up mon6=up", "UP", "monitor m"},
		{"the last one counts", config.ServiceEnabled, []Order{order(OfService, "svc", Disable), order(OfService, "svc", Drain)}, "mon4=up mon6=up", "DRAINING", "override kim"},
		{"cleared", config.ServiceEnabled, []Order{order(OfService, "svc", Disable), order(OfService, "svc", Clear)}, "mon4=up mon6=up", "UP", "monitor m"},
		{"over", config.ServiceEnabled, []Order{order(OfService, "svc", Disable)}, "mon4=up mon6=up wait=1h", "UP", "monitor m"},
		{"not quite over", config.ServiceEnabled, []Order{order(OfService, "svc", Disable)}, "mon4=up mon6=up wait=3599s", "DISABLED", "override kim"},
		{"back to the document's", config.ServiceDisabled, []Order{order(OfService, "svc", Enable)}, "mon4=up mon6=up wait=1h", "DISABLED", "operator"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, "ams", documented(tt.document))
			s.tr.opts.Overrides = NewOverrides(OverridesOptions{Site: "ams"})
			for _, o := range tt.orders {
				mustGive(t, s.tr.opts.Overrides, o, s.now)
			}
			for word := range strings.FieldsSeq(tt.story) {
				s.do(word)
			}
			b := s.believed()
			if b.State.String() != tt.want || b.Source != tt.source {
				t.Errorf("got %v by %q (%s), want %s by %q", b.State, b.Source, b.Reason, tt.want, tt.source)
			}
			if strings.HasPrefix(tt.source, "override") && !strings.Contains(b.Reason, "patching") {
				t.Errorf("the reason %q does not give the operator's", b.Reason)
			}
		})
	}
}

// TestEnabledAgain: what monitors saw before a service was out, and was not probed, does not count when it is enabled.
func TestEnabledAgain(t *testing.T) {
	s := newScene(t, "ams", func(d *config.Document) {
		d.Services[0].State = config.ServiceDisabled
		d.Services[0].Monitors = []config.MonitorBinding{{Monitor: "m", Weight: 1}}
	})
	s.tr.opts.Overrides = NewOverrides(OverridesOptions{Site: "ams"})
	for _, step := range []struct {
		action OverrideAction
		words  string
		want   gslb.State
	}{
		{Enable, "mon4=up mon6=up", gslb.Up},
		{Clear, "wait=1h", gslb.Disabled},
		{Enable, "", gslb.Unknown},
		{Disable, "mon4=up mon6=up", gslb.Disabled},
		{Enable, "mon4=up mon6=up", gslb.Up},
	} {
		mustGive(t, s.tr.opts.Overrides, order(OfService, "svc", step.action), s.now)
		for word := range strings.FieldsSeq(step.words) {
			s.do(word)
		}
		if b := s.believed(); b.State != step.want {
			t.Errorf("%v %q: %v (%s), want %v", step.action, step.words, b.State, b.Reason, step.want)
		}
	}
}

func TestOrdersThatAreRefused(t *testing.T) {
	change := func(f func(*Order)) Order {
		o := order(OfService, "svc", Disable)
		f(&o)
		return o
	}
	tests := []struct {
		name  string
		order Order
		field string
	}{
		{"no reason", change(func(o *Order) { o.Reason = "" }), "reason"},
		{"no owner", change(func(o *Order) { o.Owner = "" }), "owner"},
		{"long reason", change(func(o *Order) { o.Reason = strings.Repeat("x", MaxOverrideText+1) }), "reason"},
		{"control characters", change(func(o *Order) { o.Owner = "kim\x1b[2J" }), "owner"},
		{"for ever", change(func(o *Order) { o.For = 0 }), "for"},
		{"backwards", change(func(o *Order) { o.For = -time.Hour }), "for"},
		{"too long", change(func(o *Order) { o.For = MaxOverride + 1 }), "for"},
		{"nothing to clear", order(OfService, "svc", Clear), "name"},
		{"nothing to release", order(OfVirtualServer, "web", Release), "name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := NewOverrides(OverridesOptions{Site: "ams"})
			_, err := s.Give(tt.order, epoch)
			var invalid *Invalid
			if !errors.As(err, &invalid) || invalid.Field != tt.field {
				t.Errorf("got %v, want it to be about %s", err, tt.field)
			}
			if got := s.List(epoch); len(got) != 0 {
				t.Errorf("refused, but there is %+v", got)
			}
		})
	}
}

// exchange lets every one of the sites hear all others, some seconds later, in the order given.
func exchange(now time.Time, all ...*Overrides) {
	for _, from := range all {
		records := from.Records(now)
		for _, to := range all {
			if to != from {
				to.Merge(records, 0, now)
			}
		}
	}
}

func said(s *Overrides, now time.Time) string {
	var out []string
	for _, o := range s.List(now) {
		out = append(out, fmt.Sprintf("%s %s by %s of %s until +%s", o.Action, o.Name, o.Owner, o.Site, o.Until.Sub(epoch)))
	}
	return strings.Join(out, ", ")
}

// TestOverridesAgree: sites that heard each other hold the same, whoever spoke, in whatever order it arrived.
func TestOverridesAgree(t *testing.T) {
	ams, nyc, lax := NewOverrides(OverridesOptions{Site: "ams"}), NewOverrides(OverridesOptions{Site: "nyc"}), NewOverrides(OverridesOptions{Site: "lax"})
	want := func(what, want string, now time.Time) {
		t.Helper()
		for _, s := range []*Overrides{ams, nyc, lax} {
			if got := said(s, now); got != want {
				t.Errorf("%s: site %s holds %q, want %q", what, s.opts.Site, got, want)
			}
		}
	}
	now := epoch
	mustGive(t, ams, order(OfService, "svc", Disable), now)
	exchange(now, ams, nyc, lax)
	want("told", "disable svc by kim of ams until +1h0m0s", now)

	now = now.Add(time.Minute)
	mustGive(t, nyc, order(OfService, "svc", Drain), now)
	exchange(now, ams, lax) // nyc is cut off
	exchange(now, lax, nyc, ams)
	want("the later order", "drain svc by kim of nyc until +1h1m0s", now)

	mustGive(t, ams, order(OfService, "svc", Enable), now) // both at once: the same revision
	mustGive(t, lax, order(OfService, "svc", Disable), now)
	exchange(now, nyc, ams, lax)
	exchange(now, lax, nyc, ams)
	want("at once: the greater name", "disable svc by kim of lax until +1h1m0s", now)

	mustGive(t, nyc, order(OfService, "svc", Clear), now)
	exchange(now, lax, ams, nyc) // the old one is told again first
	exchange(now, lax, ams, nyc)
	want("cleared, and it does not come back", "", now)

	mustGive(t, ams, order(OfService, "svc", Disable), now)
	exchange(now, ams, nyc, lax)
	later := now.Add(time.Hour)
	for _, s := range []*Overrides{ams, nyc, lax} {
		if !s.Expire(later) || len(s.List(later)) != 0 {
			t.Errorf("site %s: something is left after the end: %+v", s.opts.Site, s.List(later))
		}
	}
	forgotten := later.Add(MaxOverride)
	for _, s := range []*Overrides{ams, nyc, lax} {
		if s.Expire(forgotten); len(s.Records(forgotten)) != 0 {
			t.Errorf("site %s: something is remembered for ever: %+v", s.opts.Site, s.Records(forgotten))
		}
	}
}

// TestOverridesDoNotNeedClocks: the other site's clock is a day ahead, and the frame took a second.
func TestOverridesDoNotNeedClocks(t *testing.T) {
	ams, nyc := NewOverrides(OverridesOptions{Site: "ams"}), NewOverrides(OverridesOptions{Site: "nyc"})
	mustGive(t, ams, order(OfService, "svc", Disable), epoch)
	ahead := epoch.Add(24*time.Hour + time.Second)
	nyc.Merge(ams.Records(epoch), time.Second, ahead)
	got := nyc.List(ahead)
	if len(got) != 1 || got[0].Until.Sub(ahead) != time.Hour-time.Second || got[0].Set.Sub(ahead) != -time.Second {
		t.Errorf("got %+v, want one that ends in an hour less a second", got)
	}
}

func TestHostileOverrides(t *testing.T) {
	s := NewOverrides(OverridesOptions{Site: "ams"})
	for name, r := range map[string]mep.OverrideRecord{
		"unknown kind":      {Kind: 9, Action: 1, Name: "svc", Site: "nyc", Revision: 1, Remaining: time.Hour},
		"unknown action":    {Kind: 1, Action: 9, Name: "svc", Site: "nyc", Revision: 1, Remaining: time.Hour},
		"hold of a service": {Kind: 1, Action: 5, Name: "svc", Site: "nyc", Revision: 1, Remaining: time.Hour},
		"huge revision":     {Kind: 1, Action: 2, Name: "svc", Site: "nyc", Revision: 1 << 63, Remaining: time.Hour},
		"without end":       {Kind: 1, Action: 2, Name: "svc", Site: "nyc", Revision: 1},
	} {
		if s.Merge([]mep.OverrideRecord{r}, 0, epoch) {
			t.Errorf("%s was taken", name)
		}
	}
	s.Merge([]mep.OverrideRecord{{Kind: 1, Action: 2, Name: "svc", Site: "nyc", Revision: 1, Remaining: 300 * 24 * time.Hour}}, 0, epoch)
	if got := s.List(epoch); len(got) != 1 || got[0].Until.Sub(epoch) != MaxOverride {
		t.Errorf("got %+v, want one for %s", got, MaxOverride)
	}
	many := make([]mep.OverrideRecord, MaxOverrides+10)
	for i := range many {
		many[i] = mep.OverrideRecord{Kind: 1, Action: 2, Name: fmt.Sprintf("s%d", i), Site: "nyc", Revision: 2, Remaining: time.Hour}
	}
	s.Merge(many, 0, epoch)
	if got := len(s.List(epoch)); got != MaxOverrides {
		t.Errorf("there are %d, want the limit of %d", got, MaxOverrides)
	}
	if _, err := s.Give(order(OfService, "one-more", Disable), epoch); err == nil {
		t.Error("one above the limit was taken")
	}
}

func TestOverridesOutlastARestart(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	old := NewOverrides(OverridesOptions{Site: "ams"})
	mustGive(t, old, order(OfService, "svc", Disable), epoch)
	mustGive(t, old, Order{Kind: OfVirtualServer, Name: "web", Action: Hold, Owner: "fairlead", Reason: "down"}, epoch)
	mustGive(t, old, order(OfService, "other", Drain), epoch)
	mustGive(t, old, order(OfService, "other", Clear), epoch)
	var file bytes.Buffer
	if err := old.Save(&file); err != nil {
		t.Fatal(err)
	}
	text := file.String()
	restored := func(now time.Time) *Overrides {
		t.Helper()
		s := NewOverrides(OverridesOptions{Site: "ams", Logger: zap.New(core)})
		if err := s.Restore(strings.NewReader(text), now); err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := restored(epoch.Add(10 * time.Minute))
	if _, ok := s.For("svc", "", "ams", epoch.Add(59*time.Minute)); !ok || !s.Held("web") {
		t.Errorf("soon after: %+v, want the order and the hold", s.List(epoch))
	}
	if _, ok := s.For("svc", "", "ams", epoch.Add(time.Hour)); ok {
		t.Error("it lasts longer than it would have without the restart")
	}
	if o := mustGive(t, s, order(OfService, "svc", Enable), epoch); o.Revision != 5 {
		t.Errorf("revision %d, want it to go on after 4", o.Revision)
	}
	if s = restored(epoch.Add(2 * time.Hour)); len(s.List(epoch)) != 1 || !s.Held("web") {
		t.Errorf("long after: %+v, want the hold alone", s.List(epoch))
	}
	if s = restored(epoch.Add(-100 * 24 * time.Hour)); s.List(epoch)[0].Until.After(epoch.Add(-70 * 24 * time.Hour)) {
		t.Errorf("with the clock set back it lasts until %s", s.List(epoch)[0].Until)
	}
	for _, broken := range []string{"", "{", `{"version":2}`, `[]`} {
		if err := NewOverrides(OverridesOptions{}).Restore(strings.NewReader(broken), epoch); err == nil {
			t.Errorf("%q was read", broken)
		}
	}
	s = restored(epoch)
	s.Expire(epoch.Add(time.Hour))
	if got := logs.FilterMessage("override.expired").Len(); got != 1 {
		t.Errorf("logged %d ends, want 1: what was cleared ended before", got)
	}
}

// TestHolds plays a virtual server with backup_hold through failure, recovery and release.
func TestHolds(t *testing.T) {
	s := newScene(t, "ams", func(d *config.Document) {
		d.Services[0].Monitors = []config.MonitorBinding{{Monitor: "m", Weight: 1}}
		d.VirtualServers = []config.VirtualServer{
			{Name: "spare", Method: config.RoundRobin, BackupMethod: config.RoundRobin, MaxAnswers: 1},
			{Name: "web", Method: config.RoundRobin, BackupMethod: config.RoundRobin, MaxAnswers: 1, Backup: "spare", BackupHold: true,
				Members: []config.Member{{Service: "svc", Weight: 1, Order: 1}}},
		}
	})
	shared := NewOverrides(OverridesOptions{Site: "ams"})
	holds := NewHolds(shared)
	publish := func(words string) bool {
		for word := range strings.FieldsSeq(words) {
			s.do(word)
		}
		st := s.tr.Status(s.now, noneHanded)
		st.Held = holds.Held(s.doc, s.tr.plan)
		holds.Observe(s.doc, gslb.NewSnapshot(1, s.tr.plan, st, nil), s.now)
		return shared.Held("web")
	}
	for _, step := range []struct {
		what, words string
		want        bool
	}{
		{"starts, nothing is known", "", false},
		{"starts, and it is DOWN", "mon4=down mon6=down", false},
		{"UP", "mon4=up mon6=up", false},
		{"DOWN", "wait=1m mon4=down mon6=down", true},
		{"UP again", "wait=1m mon4=up mon6=up", true},
	} {
		if got := publish(step.words); got != step.want {
			t.Errorf("%s: held %v, want %v", step.what, got, step.want)
		}
	}
	if got := holds.Held(s.doc, s.tr.plan); len(got) != 2 || got[0] || !got[1] {
		t.Errorf("Held is %v, want the second one", got)
	}
	mustGive(t, shared, order(OfVirtualServer, "web", Release), s.now)
	if publish("") || holds.Held(s.doc, s.tr.plan) != nil {
		t.Error("released, but held")
	}
	if publish("wait=1s"); !publish("wait=1m mon4=down mon6=down") {
		t.Error("DOWN again, but not held")
	}
}
