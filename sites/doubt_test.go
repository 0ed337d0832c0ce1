package sites

import (
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/gslb"
	"fairlead/monitors"
)

func TestDoubt(t *testing.T) {
	interval := func(d *config.Document) {
		d.Monitors = []config.Monitor{{Name: "m", Interval: config.Duration(5 * time.Second)}}
	}
	both := func(a, b func(*config.Document)) func(*config.Document) {
		return func(d *config.Document) { a(d); b(d) }
	}
	tests := []struct {
		name   string
		owner  string
		change func(*config.Document)
		story  string
		want   string // state and doubt
	}{
		{"certain", "ams", monitored("m"), "mon4=up mon6=up", "UP"},
		{"assumed", "ams", nil, "", "UP"},
		{"certainly down", "ams", monitored("m"), "mon4=down mon6=down", "DOWN"},
		{"some probes fail", "ams", monitored("m"), "mon4=up mon6=failing", "UP failing"},
		{"some probes pass", "ams", monitored("m"), "mon4=recovering mon6=down", "DOWN recovering"},
		{"some monitors fail", "ams", threshold(3), "mon4=up other4=up third4=down", "UP failing"},
		{"a probe of another monitor fails", "ams", threshold(0), "mon4=up other4=failing third4=up", "UP failing"},
		{"down, whatever else fails", "ams", threshold(0), "mon4=failing other4=down third4=failing", "DOWN"},
		{"enough pass, none fails", "ams", threshold(3), "mon4=up other4=up third4=up", "UP"},
		{"no result yet", "ams", monitored("m"), "", "UNKNOWN learning"},
		{"site not heard yet", "nyc", nil, "", "UNKNOWN learning"},
		{"site not heard any more", "nyc", hold(5 * time.Second), "session=up report=up session=down", "UNKNOWN peer-lost"},
		{"others speak for it", "nyc", nil, "session=up report=up lax=up session=down", "UP peer-lost"},
		{"site not heard, monitors decide", "nyc", monitored("m"), "mon4=up mon6=up session=up session=down", "UP"},
		{"report", "nyc", nil, "session=up report=up", "UP"},
		{"old report", "nyc", nil, "session=up report=up wait=11s", "UP stale"},
		{"old verdict", "ams", both(monitored("m"), interval), "mon4=up mon6=up wait=26s", "UP stale"},
		{"verdict not yet old", "ams", both(monitored("m"), interval), "mon4=up mon6=up wait=25s", "UP"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, tt.owner, tt.change)
			for word := range strings.FieldsSeq(tt.story) {
				s.do(word)
			}
			b := s.believed()
			if got := strings.TrimSpace(b.State.String() + " " + string(b.Doubt)); got != tt.want {
				t.Errorf("got %q (%s), want %q", got, b.Reason, tt.want)
			}
		})
	}
}

// TestDoubtIsToldAtOnce: a failure that does not count yet changes belief, and the publisher has to know.
func TestDoubtIsToldAtOnce(t *testing.T) {
	s := newScene(t, "ams", monitored("m"))
	s.do("mon4=up")
	v := monitors.Verdict{Service: "svc", Monitor: "m", Address: v4, State: monitors.Up, At: s.now, Failures: 1}
	if !s.tr.Verdict(v) {
		t.Error("the first failure of an UP target changes nothing")
	}
	if v.Failures = 2; s.tr.Verdict(v) {
		t.Error("the second one does")
	}
}

func TestSlowStart(t *testing.T) {
	slow := func(d *config.Document) {
		d.Services[0].SlowStart = config.Duration(16 * time.Second)
		d.Services[0].Monitors = []config.MonitorBinding{{Monitor: "m", Weight: 1}}
	}
	tests := []struct {
		name, story string
		want        float64
	}{
		{"UP when first seen", "mon4=up mon6=up", 1},
		{"asked to be drained, and no longer", "mon4=up mon6=up status mon4=draining status wait=5s mon4=up status", 1. / 16},
		{"draining when first seen", "mon4=draining mon6=draining status wait=5s mon4=up mon6=up status wait=8s", 8. / 16},
		{"came UP", "mon4=down mon6=down status wait=5s mon4=up", 1. / 16},
		{"a while ago", "mon4=down mon6=down status wait=5s mon4=up status wait=8s", 8. / 16},
		{"nearly there", "mon4=down mon6=down status wait=5s mon4=up status wait=15999ms", 15. / 16},
		{"long ago", "mon4=down mon6=down status wait=5s mon4=up status wait=16s", 1},
		{"again", "mon4=up status mon4=down mon6=down status wait=5s mon4=up status", 1. / 16},
		{"reload while it starts", "mon4=down mon6=down status wait=5s mon4=up status wait=8s reload", 8. / 16},
		{"reload while it is UP", "mon4=up mon6=up status wait=5s reload", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, "ams", slow)
			for word := range strings.FieldsSeq(tt.story) {
				if word == "reload" {
					next := *s.doc
					s.set(&next)
					continue
				}
				s.do(word)
			}
			if got := s.believed().Share; got != tt.want {
				t.Errorf("share is %v, want %v", got, tt.want)
			}
		})
	}
}

// TestJoiningAGroupStartsSlowly: an address that a group did not have grows into its share; those of a new group need not.
func TestJoiningAGroupStartsSlowly(t *testing.T) {
	slow := func(name, group string) config.Service {
		service := newScene(t, "ams", nil).doc.Services[0]
		service.Name, service.Group, service.SlowStart = name, group, config.Duration(16*time.Second)
		return service
	}
	s := newScene(t, "ams", func(d *config.Document) { d.Services = append(d.Services, slow("pods:a", "pods")) })
	s.do("status")
	s.do("wait=1s")
	next := *s.doc
	next.Services = append(slices.Clone(next.Services), slow("pods:b", "pods"), slow("new:a", "new"), slow("alone", ""))
	s.set(&next)
	s.do("status")
	s.do("wait=8s")
	status := s.tr.Status(s.now, noneHanded)
	for name, want := range map[string]float64{"pods:a": 1, "pods:b": 8. / 16, "new:a": 1, "alone": 1} {
		at := slices.IndexFunc(s.doc.Services, func(s config.Service) bool { return s.Name == name })
		if got := status.Services[at]; got.State != gslb.Up || got.Share != want {
			t.Errorf("%s is %v with share %v, want UP with %v", name, got.State, got.Share, want)
		}
	}
}

// TestASiteThatWasNotHeardDoesNotStartSlowly: its services went on working meanwhile.
func TestASiteThatWasNotHeardDoesNotStartSlowly(t *testing.T) {
	s := newScene(t, "nyc", func(d *config.Document) { d.Services[0].SlowStart = config.Duration(time.Minute) })
	for word := range strings.FieldsSeq("session=up report=up status session=down status wait=10s session=up report=up") {
		s.do(word)
	}
	if b := s.believed(); b.State != gslb.Up || b.Share != 1 {
		t.Errorf("got %v, share %v; want UP, 1", b.State, b.Share)
	}
}
