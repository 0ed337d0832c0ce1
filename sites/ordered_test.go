package sites

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
)

// TestOverridesOfGroups: an order about one service beats that about its group, and that beats the one about their site.
func TestOverridesOfGroups(t *testing.T) {
	tests := []struct {
		name   string
		group  string
		orders []Order
		want   string
	}{
		{"of the group", "web", []Order{order(OfServiceGroup, "web", Disable)}, "DISABLED"},
		{"of another group", "db", []Order{order(OfServiceGroup, "web", Disable)}, "UP"},
		{"of a service of no group", "", []Order{order(OfServiceGroup, "web", Disable)}, "UP"},
		{"of a group named as the service", "", []Order{order(OfServiceGroup, "svc", Disable)}, "UP"},
		{"the service's comes first", "web", []Order{order(OfService, "svc", Enable), order(OfServiceGroup, "web", Disable)}, "UP"},
		{"the group's comes before the site's", "web", []Order{order(OfServiceGroup, "web", Drain), order(OfSite, "ams", Disable)}, "DRAINING"},
		{"cleared", "web", []Order{order(OfServiceGroup, "web", Drain), order(OfServiceGroup, "web", Clear), order(OfSite, "ams", Disable)}, "DISABLED"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, "ams", func(d *config.Document) {
				d.Services[0].Group = tt.group
				d.Services[0].Monitors = []config.MonitorBinding{{Monitor: "m", Weight: 1}}
			})
			orders := NewOverrides(OverridesOptions{Site: "ams"})
			s.tr.opts.Overrides = orders
			for _, o := range tt.orders {
				mustGive(t, orders, o, s.now)
			}
			for word := range strings.FieldsSeq("mon4=up mon6=up") {
				s.do(word)
			}
			b := s.believed()
			if b.State.String() != tt.want {
				t.Errorf("got %v by %q (%s), want %s", b.State, b.Source, b.Reason, tt.want)
			}
			if o, ok := orders.For("svc", tt.group, "ams", s.now); ok != strings.HasPrefix(b.Reason, o.Action.String()+" by kim") && o.Action != Enable {
				t.Errorf("For says %+v, %v; the reason is %q", o, ok, b.Reason)
			}
		})
	}
}

// usedAndHeld is a scene whose second virtual server has a backup, and is held on it when it is lost.
func usedAndHeld(t *testing.T) *scene {
	t.Helper()
	return newScene(t, "ams", func(d *config.Document) {
		d.Services[0].Monitors = []config.MonitorBinding{{Monitor: "m", Weight: 1}}
		d.VirtualServers = []config.VirtualServer{
			{Name: "spare", Method: config.RoundRobin, BackupMethod: config.RoundRobin, MaxAnswers: 1},
			{Name: "web", Method: config.RoundRobin, BackupMethod: config.RoundRobin, MaxAnswers: 1, Backup: "spare", BackupHold: true,
				Members: []config.Member{{Service: "svc", Weight: 1, Order: 1}}},
		}
	})
}

// TestOverridesOfVirtualServers: the last order counts, it ends, outlasts a restart, and leaves a hold on the backup alone.
func TestOverridesOfVirtualServers(t *testing.T) {
	s := usedAndHeld(t)
	orders := NewOverrides(OverridesOptions{Site: "ams"})
	mustGive(t, orders, Order{Kind: OfVirtualServer, Name: "web", Action: Hold, Owner: "fairlead", Reason: "down"}, s.now)
	for _, step := range []struct {
		order Order
		want  gslb.State
	}{
		{order(OfVirtualServerUse, "web", Disable), gslb.Disabled},
		{order(OfVirtualServerUse, "web", Drain), gslb.Draining},
		{order(OfVirtualServerUse, "web", Enable), gslb.Unknown},
		{order(OfVirtualServerUse, "web", Disable), gslb.Disabled},
		{order(OfVirtualServerUse, "web", Clear), gslb.Unknown},
		{order(OfVirtualServerUse, "gone", Disable), gslb.Unknown},
		{order(OfVirtualServerUse, "web", Drain), gslb.Draining},
	} {
		mustGive(t, orders, step.order, s.now)
		var got gslb.Ordered
		if all := orders.Ordered(s.doc, s.tr.plan, s.now); all != nil {
			got = all[1]
		}
		if got.State != step.want || got.State != gslb.Unknown && !strings.Contains(got.Reason, "by kim until ") {
			t.Errorf("%s %s: got %+v, want %v by kim", step.order.Action, step.order.Name, got, step.want)
		}
		if !orders.Held("web") {
			t.Errorf("%s ended the hold", step.order.Action)
		}
	}
	if got := orders.Ordered(s.doc, s.tr.plan, s.now.Add(time.Hour)); got != nil {
		t.Errorf("when it is over there is %+v", got)
	}
	var file bytes.Buffer
	if err := orders.Save(&file); err != nil {
		t.Fatal(err)
	}
	again := NewOverrides(OverridesOptions{Site: "ams"})
	if err := again.Restore(&file, s.now); err != nil {
		t.Fatal(err)
	}
	if got := again.Ordered(s.doc, s.tr.plan, s.now); len(got) != 2 || got[1].State != gslb.Draining || !again.Held("web") {
		t.Errorf("after a restart: %+v, held %v", got, again.Held("web"))
	}
}

// TestOutOfUseIsNoLoss: a virtual server with backup_hold that an operator disables is not held on its backup for that.
func TestOutOfUseIsNoLoss(t *testing.T) {
	s := usedAndHeld(t)
	shared := NewOverrides(OverridesOptions{Site: "ams"})
	holds := NewHolds(shared)
	publish := func(words string) bool {
		for word := range strings.FieldsSeq(words) {
			s.do(word)
		}
		st := s.tr.Status(s.now, noneHanded)
		st.Held, st.Ordered = holds.Held(s.doc, s.tr.plan), shared.Ordered(s.doc, s.tr.plan, s.now)
		holds.Observe(s.doc, gslb.NewSnapshot(1, s.tr.plan, st, nil), s.now)
		return shared.Held("web")
	}
	publish("mon4=up mon6=up")
	mustGive(t, shared, order(OfVirtualServerUse, "web", Disable), s.now)
	if publish("") {
		t.Error("disabled, and held")
	}
	mustGive(t, shared, order(OfVirtualServerUse, "web", Clear), s.now)
	if publish("") {
		t.Error("in use again, and held")
	}
	if !publish("wait=1m mon4=down mon6=down") {
		t.Error("DOWN, but not held")
	}
}

// TestKindsThatAPeerDoesNotKnow: what a release does not know of a set is left, and the rest of it counts, wherever it stands.
func TestKindsThatAPeerDoesNotKnow(t *testing.T) {
	ams := NewOverrides(OverridesOptions{Site: "ams"})
	for _, o := range []Order{order(OfService, "svc", Disable), order(OfServiceGroup, "web", Drain), order(OfVirtualServerUse, "www", Disable)} {
		mustGive(t, ams, o, epoch)
	}
	strange := func(kind OverrideKind, action OverrideAction, name string) mep.OverrideRecord {
		return mep.OverrideRecord{Kind: uint8(kind), Action: uint8(action), Name: name, Site: "ams", Revision: 9, Remaining: time.Hour}
	}
	records := slices.Insert(ams.Records(epoch), 1, strange(77, Disable, "svc"), strange(OfServiceGroup, Hold, "web"), strange(OfVirtualServer, Disable, "www"))
	nyc := NewOverrides(OverridesOptions{Site: "nyc"})
	nyc.Merge(records, 0, epoch)
	if got, want := said(nyc, epoch), said(ams, epoch); got != want {
		t.Errorf("nyc holds %q, want %q", got, want)
	}
}
