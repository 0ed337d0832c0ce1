package sites

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
	"fairlead/monitors"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// scene is a Tracker of site ams with the service "svc" of site nyc, or of ams itself.
type scene struct {
	t   *testing.T
	tr  *Tracker
	doc *config.Document
	now time.Time
}

func newScene(t *testing.T, owner string, change func(*config.Document)) *scene {
	t.Helper()
	doc := &config.Document{
		Sites: []config.Site{{Name: "ams", TriggerMonitors: config.TriggerAlways}, {Name: "nyc", TriggerMonitors: config.TriggerAlways},
			{Name: "lax", TriggerMonitors: config.TriggerAlways}, {Name: "tyo", TriggerMonitors: config.TriggerAlways}},
		Services: []config.Service{{Name: "svc", Site: owner, Port: 80, State: config.ServiceEnabled,
			Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}}},
	}
	doc.Settings.MEP.KeepaliveTimeout = config.Duration(10 * time.Second)
	doc.Settings.MEP.MetricsInterval = config.Duration(time.Second)
	doc.Settings.Damping = config.DampingSettings{MinHold: config.Duration(2 * time.Second), HalfLife: config.Duration(time.Minute),
		Suppress: 3000, Reuse: 1000, MaxSuppress: config.Duration(5 * time.Minute)}
	doc.Settings.Suspicion = config.SuspicionSettings{Share: 50, Targets: 3, Window: config.Duration(30 * time.Second), Longest: config.Duration(10 * time.Minute)}
	if change != nil {
		change(doc)
	}
	s := &scene{t: t, tr: New(Options{Site: "ams"}), now: epoch}
	s.set(doc)
	return s
}

func (s *scene) set(doc *config.Document) {
	s.t.Helper()
	plan, err := gslb.Compile(doc, gslb.CompileOptions{})
	if err != nil {
		s.t.Fatalf("Compile: %v", err)
	}
	s.doc = doc
	s.tr.SetDocument(doc, plan, s.now)
}

func noneHanded(gslb.ServiceIndex) uint64 { return 0 }

// do plays one word of a story.
func (s *scene) do(word string) {
	s.t.Helper()
	key, value, _ := strings.Cut(word, "=")
	switch key {
	case "session":
		switch value {
		case "up":
			s.tr.Peer(&mep.SessionUp{Peer: "nyc", At: s.now}, noneHanded)
		case "down":
			s.tr.Peer(&mep.SessionDown{Peer: "nyc", At: s.now}, noneHanded)
		case "leaving":
			s.tr.Peer(&mep.PeerLeaving{Peer: "nyc", At: s.now}, noneHanded)
			s.tr.Peer(&mep.SessionDown{Peer: "nyc", Left: true, At: s.now}, noneHanded)
		}
	case "report":
		r := &mep.ServicesReport{Peer: "nyc", ReceivedAt: s.now}
		if state, ok := map[string]mep.State{"up": mep.StateUp, "down": mep.StateDown, "unknown": mep.StateUnknown,
			"disabled": mep.StateDisabled, "draining": mep.StateDraining}[value]; ok {
			r.Records = []mep.ServiceRecord{{Name: "svc", State: state}}
		}
		s.tr.Peer(r, noneHanded)
	case "mon4", "mon6", "other4", "third4":
		name, addr := map[string]string{"mon4": "m", "mon6": "m", "other4": "m2", "third4": "m3"}[key], "192.0.2.1:80"
		if key == "mon6" {
			addr = "[2001:db8::1]:80"
		}
		v := monitors.Verdict{Service: "svc", Monitor: name, Address: netip.MustParseAddrPort(addr), At: s.now, Reason: value}
		switch value {
		case "up", "failing", "draining":
			v.State, v.Draining = monitors.Up, value == "draining"
		case "down", "recovering":
			v.State = monitors.Down
		}
		v.Failures, v.Successes = map[string]int{"failing": 1, "down": 3}[value], map[string]int{"recovering": 1, "up": 3}[value]
		s.tr.Verdict(v)
	case "lax", "tyo": // joins, with what it sees of svc
		s.tr.Peer(&mep.SessionUp{Peer: key, At: s.now}, noneHanded)
		state := map[string]gslb.State{"up": gslb.Up, "down": gslb.Down, "unknown": gslb.Unknown, "draining": gslb.Draining, "disabled": gslb.Disabled}[value]
		s.tr.View(key, "svc", state, s.now, s.now)
	case "without":
		s.tr.Peer(&mep.SessionDown{Peer: value, At: s.now}, noneHanded)
	case "status":
		s.believed()
	case "wait":
		d, err := time.ParseDuration(value)
		if err != nil {
			s.t.Fatal(err)
		}
		s.now = s.now.Add(d)
	default:
		s.t.Fatalf("unknown word %q", word)
	}
}

func (s *scene) believed() gslb.ServiceStatus { return s.tr.Status(s.now, noneHanded).Services[0] }

func monitored(names ...string) func(*config.Document) {
	return func(d *config.Document) {
		for _, name := range names {
			d.Services[0].Monitors = append(d.Services[0].Monitors, config.MonitorBinding{Monitor: name, Weight: 1})
		}
	}
}

// threshold binds m, m2 and m3 with weights 1, 2 and 3, of which so much must pass, to a service with one address.
func threshold(least int) func(*config.Document) {
	return func(d *config.Document) {
		s := &d.Services[0]
		s.Addresses, s.MonitorThreshold = s.Addresses[:1], least
		s.Monitors = []config.MonitorBinding{{Monitor: "m", Weight: 1}, {Monitor: "m2", Weight: 2}, {Monitor: "m3", Weight: 3}}
	}
}

func trigger(tm config.TriggerMonitors) func(*config.Document) {
	return func(d *config.Document) {
		d.Services[0].Monitors = []config.MonitorBinding{{Monitor: "m", Weight: 1}}
		d.Sites[1].TriggerMonitors = tm
	}
}

func hold(d time.Duration) func(*config.Document) {
	return func(doc *config.Document) { doc.Settings.MEP.Hold = config.Duration(d) }
}

// passive makes the first of the names a passive monitor, and binds all to a service that has one address unless there is only that.
func passive(names ...string) func(*config.Document) {
	return func(d *config.Document) {
		d.Monitors = append(d.Monitors, config.Monitor{Name: names[0], Type: config.MonitorPassive})
		s := &d.Services[0]
		if len(names) > 1 {
			s.Addresses = s.Addresses[:1]
		}
		if len(s.Monitors) == 0 {
			monitored(names...)(d)
		}
	}
}

// TestBelief is the table of precedence, row by row.
func TestBelief(t *testing.T) {
	tests := []struct {
		name   string
		owner  string
		change func(*config.Document)
		story  string
		want   string // state, then the families that are out
		source string
	}{
		// The local site.
		{"local, no monitor", "ams", nil, "", "UP", "assumed"},
		{"local, no result yet", "ams", monitored("m"), "", "UNKNOWN", "monitor m"},
		{"local, monitor up", "ams", monitored("m"), "mon4=up mon6=up", "UP", "monitor m"},
		{"local, monitor down", "ams", monitored("m"), "mon4=down mon6=down", "DOWN", "monitor m"},
		{"local, one family fails", "ams", monitored("m"), "mon4=up mon6=down", "UP without6", "monitor m"},
		{"local, the other family fails", "ams", monitored("m"), "mon4=down mon6=up", "UP without4", "monitor m"},
		{"local, one fails and one is not known", "ams", monitored("m"), "mon4=down", "UNKNOWN", "monitor m"},
		{"local, all monitors must pass", "ams", monitored("m", "m2"), "mon4=up mon6=down other4=down", "DOWN", "monitor m2"},
		{"local, second monitor not known", "ams", monitored("m", "m2"), "mon4=up mon6=down", "UNKNOWN", "monitor m2"},

		// No monitor: the owner's word.
		{"never heard, learning", "nyc", nil, "wait=9s", "UNKNOWN", "mep nyc"},
		{"never heard", "nyc", nil, "wait=10s", "DOWN", "mep nyc"},
		{"heard, not reported", "nyc", nil, "session=up", "UNKNOWN", "mep nyc"},
		{"reported up", "nyc", nil, "session=up report=up", "UP", "mep nyc"},
		{"reported down", "nyc", nil, "session=up report=down", "DOWN", "mep nyc"},
		{"reported draining", "nyc", nil, "session=up report=draining", "DRAINING", "mep nyc"},
		{"reported disabled", "nyc", nil, "session=up report=disabled", "DISABLED", "mep nyc"},
		{"no longer reported", "nyc", nil, "session=up report=up report=none", "UNKNOWN", "mep nyc"},
		{"session lost, no hold", "nyc", nil, "session=up report=up session=down", "DOWN", "mep nyc"},
		{"session lost, hold", "nyc", hold(5 * time.Second), "session=up report=up session=down wait=4s", "UNKNOWN", "mep nyc"},
		{"session lost, hold over", "nyc", hold(5 * time.Second), "session=up report=up session=down wait=5s", "DOWN", "mep nyc"},
		{"leaving is not held", "nyc", hold(5 * time.Second), "session=up report=up session=leaving", "DOWN", "mep nyc"},
		{"back, told nothing yet", "nyc", nil, "session=up report=up session=down session=up", "UNKNOWN", "mep nyc"},
		{"session replaced without a gap", "nyc", nil, "session=up report=up session=up", "UP", "mep nyc"},

		// Monitor bound, always.
		{"always: session lost, monitor up", "nyc", trigger(config.TriggerAlways), "session=up report=up mon4=up mon6=up session=down", "UP", "monitor m"},
		{"always: monitor overrules an up", "nyc", trigger(config.TriggerAlways), "session=up report=up mon4=down mon6=down", "DOWN", "monitor m"},
		{"always: monitor overrules a down", "nyc", trigger(config.TriggerAlways), "session=up report=down mon4=up mon6=up", "UP", "monitor m"},

		// Monitor bound, mep-down.
		{"mep-down: report decides up", "nyc", trigger(config.TriggerMEPDown), "session=up report=up mon4=down mon6=down", "UP", "mep nyc"},
		{"mep-down: report decides down", "nyc", trigger(config.TriggerMEPDown), "session=up report=down mon4=up mon6=up", "DOWN", "mep nyc"},
		{"mep-down: session lost", "nyc", trigger(config.TriggerMEPDown), "session=up report=down mon4=up mon6=up session=down", "UP", "monitor m"},
		{"mep-down: not reported", "nyc", trigger(config.TriggerMEPDown), "session=up mon4=up mon6=up", "UP", "monitor m"},

		// Monitor bound, mep-down-or-service-down.
		{"or-service-down: report up decides", "nyc", trigger(config.TriggerMEPDownOrServiceDown), "session=up report=up mon4=down mon6=down", "UP", "mep nyc"},
		{"or-service-down: monitor checks a down", "nyc", trigger(config.TriggerMEPDownOrServiceDown), "session=up report=down mon4=up mon6=up", "UP", "monitor m"},
		{"or-service-down: monitor confirms a down", "nyc", trigger(config.TriggerMEPDownOrServiceDown), "session=up report=down mon4=down mon6=down", "DOWN", "monitor m"},
		{"or-service-down: session lost", "nyc", trigger(config.TriggerMEPDownOrServiceDown), "session=up report=up mon4=down mon6=down session=down", "DOWN", "monitor m"},

		// Indirect evidence: no monitor, the owner is not heard, others see it.
		{"others see it up", "nyc", nil, "session=up report=up lax=up tyo=up session=down", "UP", "other sites"},
		{"one other sees it", "nyc", nil, "session=up report=up lax=up session=down", "UP", "other sites"},
		{"others see it down", "nyc", nil, "session=up report=up lax=down tyo=down session=down", "DOWN", "other sites"},
		{"others do not agree", "nyc", nil, "session=up report=up lax=up tyo=down session=down", "DOWN", "mep nyc"},
		{"others see it draining", "nyc", nil, "session=up report=up lax=draining tyo=draining session=down", "DRAINING", "other sites"},
		{"others see it disabled", "nyc", nil, "session=up report=up lax=disabled tyo=disabled session=down", "DISABLED", "other sites"},
		{"others do not know", "nyc", nil, "session=up report=up lax=unknown session=down", "DOWN", "mep nyc"},
		{"who does not know has no vote", "nyc", nil, "session=up report=up lax=unknown tyo=up session=down", "UP", "other sites"},
		{"who is not heard has no vote", "nyc", nil, "session=up report=up lax=up tyo=down without=tyo session=down", "UP", "other sites"},
		{"hold comes first", "nyc", hold(5 * time.Second), "session=up report=up lax=down session=down wait=4s", "UNKNOWN", "mep nyc"},
		{"then the others", "nyc", hold(5 * time.Second), "session=up report=up lax=up session=down wait=5s", "UP", "other sites"},
		{"what others said long ago", "nyc", nil, "session=up report=up lax=up session=down wait=11s", "DOWN", "mep nyc"},
		{"never heard, others see it", "nyc", nil, "lax=up wait=10s", "UP", "other sites"},
		{"the owner's report comes before others", "nyc", nil, "session=up report=down lax=up tyo=up", "DOWN", "mep nyc"},
		{"a monitor comes before others", "nyc", trigger(config.TriggerAlways), "lax=up tyo=up mon4=down mon6=down", "DOWN", "monitor m"},
		{"leaving comes before others", "nyc", nil, "session=up report=up lax=up session=leaving", "DOWN", "mep nyc"},

		// Thresholds.
		{"enough weight", "ams", threshold(3), "mon4=down other4=down third4=up", "UP", "monitor m"},
		{"not enough weight", "ams", threshold(4), "mon4=down other4=down third4=up", "DOWN", "monitor m"},
		{"just enough weight", "ams", threshold(3), "mon4=up other4=up third4=down", "UP", "monitor m3"},
		{"missing results could be enough", "ams", threshold(4), "mon4=down third4=up", "UNKNOWN", "monitor m"},
		{"missing results cannot be enough", "ams", threshold(6), "mon4=down third4=up", "DOWN", "monitor m"},
		{"missing results are not needed", "ams", threshold(3), "third4=up", "UP", "monitor m"},
		{"more than all", "ams", threshold(7), "mon4=down other4=up third4=up", "DOWN", "monitor m"},

		// Draining, by a monitor.
		{"asks to be drained", "ams", monitored("m"), "mon4=draining mon6=draining", "DRAINING", "monitor m"},
		{"no longer", "ams", monitored("m"), "mon4=draining mon6=draining status mon4=up mon6=up", "UP", "monitor m"},
		{"one address asks", "ams", monitored("m"), "mon4=up mon6=draining", "DRAINING", "monitor m"},
		{"one asks, the other fails", "ams", monitored("m"), "mon4=draining mon6=down", "DRAINING without6", "monitor m"},
		{"one monitor asks, another fails", "ams", monitored("m", "m2"), "mon4=draining mon6=down other4=down", "DOWN", "monitor m2"},
		{"one monitor asks, another passes", "ams", monitored("m", "m2"), "mon4=up mon6=down other4=draining", "DRAINING without6", "monitor m2"},
		{"one monitor asks, another is not known", "ams", monitored("m", "m2"), "mon4=draining mon6=down", "UNKNOWN", "monitor m2"},
		{"it counts as passing", "ams", threshold(3), "mon4=draining other4=up third4=down", "DRAINING", "monitor m"},
		{"although enough others pass", "ams", threshold(3), "mon4=draining other4=up third4=up", "DRAINING", "monitor m"},
		{"not enough with it", "ams", threshold(4), "mon4=draining other4=up third4=down", "DOWN", "monitor m3"},
		{"asks while the owner reports UP", "nyc", trigger(config.TriggerAlways), "session=up report=up mon4=draining mon6=draining", "DRAINING", "monitor m"},
		{"mep-down: the report decides", "nyc", trigger(config.TriggerMEPDown), "session=up report=up mon4=draining mon6=draining", "UP", "mep nyc"},
		{"or-service-down: the monitor checks a down", "nyc", trigger(config.TriggerMEPDownOrServiceDown), "session=up report=down mon4=draining mon6=draining", "DRAINING", "monitor m"},
		{"draining by both", "ams", func(d *config.Document) {
			monitored("m")(d)
			d.Services[0].State = config.ServiceDraining
		}, "mon4=draining mon6=draining", "DRAINING", "operator"},
		{"disabled comes before", "ams", func(d *config.Document) {
			monitored("m")(d)
			d.Services[0].State = config.ServiceDisabled
		}, "mon4=draining mon6=draining", "DISABLED", "operator"},

		// Passive monitors.
		{"nothing told yet", "ams", passive("m"), "", "UP", "monitor m"},
		{"too few servers", "ams", passive("m"), "mon4=down mon6=down", "DOWN", "monitor m"},
		{"nothing told yet, another passes", "ams", passive("m", "m2"), "other4=up", "UP", "monitor m2"},
		{"nothing told yet, another fails", "ams", passive("m", "m2"), "other4=down", "DOWN", "monitor m2"},
		{"nothing told yet, another is not known", "ams", passive("m", "m2"), "", "UNKNOWN", "monitor m2"},
		{"too few servers, another passes", "ams", passive("m", "m2"), "mon4=down other4=up", "DOWN", "monitor m"},
		{"it counts as passing for a threshold", "ams", func(d *config.Document) { threshold(3)(d); passive("m")(d) }, "other4=up third4=down", "UP", "monitor m3"},
		{"the owner is heard", "nyc", passive("m"), "session=up report=up mon4=up mon6=up", "UP", "monitor m"},
		{"the owner is heard, too few servers", "nyc", passive("m"), "session=up report=up mon4=down mon6=down", "DOWN", "monitor m"},
		{"the owner is not heard: its word of before is no evidence", "nyc", passive("m"), "session=up report=up mon4=up mon6=up session=down wait=11s", "DOWN", "mep nyc"},
		{"the owner is not heard: others are", "nyc", passive("m"), "session=up report=up mon4=up mon6=up lax=up session=down", "UP", "other sites"},
		{"never heard", "nyc", passive("m"), "", "UNKNOWN", "mep nyc"},
		{"the owner is not heard, another monitor passes", "nyc", passive("m", "m2"), "session=up report=up mon4=up mon6=up other4=up session=down wait=11s", "UP", "monitor m"},

		// The operator.
		{"disabled", "ams", func(d *config.Document) { d.Services[0].State = config.ServiceDisabled }, "", "DISABLED", "operator"},
		{"draining", "ams", func(d *config.Document) { d.Services[0].State = config.ServiceDraining }, "", "DRAINING", "operator"},
		{"draining and down is down", "ams", func(d *config.Document) {
			d.Services[0].State, d.Services[0].Monitors = config.ServiceDraining, []config.MonitorBinding{{Monitor: "m", Weight: 1}}
		}, "mon4=down mon6=down", "DOWN", "monitor m"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, tt.owner, tt.change)
			for word := range strings.FieldsSeq(tt.story) {
				s.do(word)
			}
			b := s.believed()
			got := b.State.String()
			if b.Without4 {
				got += " without4"
			}
			if b.Without6 {
				got += " without6"
			}
			if got != tt.want || b.Source != tt.source {
				t.Errorf("got %q by %q (%s), want %q by %q", got, b.Source, b.Reason, tt.want, tt.source)
			}
			if b.Reason == "" {
				t.Error("no reason is given")
			}
		})
	}
}

var v4 = netip.MustParseAddrPort("192.0.2.1:80")
