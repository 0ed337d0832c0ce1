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
		Sites: []config.Site{{Name: "ams", TriggerMonitors: config.TriggerAlways}, {Name: "nyc", TriggerMonitors: config.TriggerAlways}},
		Services: []config.Service{{Name: "svc", Site: owner, Port: 80, State: config.ServiceEnabled,
			Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}}},
	}
	doc.Settings.MEP.KeepaliveTimeout = config.Duration(10 * time.Second)
	doc.Settings.MEP.MetricsInterval = config.Duration(time.Second)
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
	case "mon4", "mon6", "other4":
		name, addr := "m", "192.0.2.1:80"
		if key == "mon6" {
			addr = "[2001:db8::1]:80"
		}
		if key == "other4" {
			name = "m2"
		}
		state := map[string]monitors.State{"up": monitors.Up, "down": monitors.Down}[value]
		s.tr.Verdict(monitors.Verdict{Service: "svc", Monitor: name, Address: netip.MustParseAddrPort(addr), State: state, At: s.now, Reason: value})
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

func trigger(tm config.TriggerMonitors) func(*config.Document) {
	return func(d *config.Document) {
		d.Services[0].Monitors = []config.MonitorBinding{{Monitor: "m", Weight: 1}}
		d.Sites[1].TriggerMonitors = tm
	}
}

func hold(d time.Duration) func(*config.Document) {
	return func(doc *config.Document) { doc.Settings.MEP.Hold = config.Duration(d) }
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
