package sites

import (
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fairlead/config"
	"fairlead/gslb"
)

func isolated(t *testing.T, change func(*config.Document), children ...string) (*world, *observer.ObservedLogs) {
	t.Helper()
	w := newWorld(t, "p3", change, children...)
	core, logs := observer.New(zap.InfoLevel)
	w.tr.log = zap.New(core)
	return w, logs
}

// TestIsolation: a node that hears nobody keeps what only others could tell it, and lets go of it as they come back.
func TestIsolation(t *testing.T) {
	w, logs := isolated(t, nil, "c", "only")
	w.begin(mesh + "tell=c@p1 tell=only@p1")
	w.do("wait=1s tell=p1 tell=p2 down=p1 wait=3s")
	w.want("one is lost", "p1", gslb.Down, gslb.DoubtPeerLost)
	w.told = nil
	w.do("down=p2 status")
	if w.status().Isolated == "" {
		t.Fatal("it hears nobody, and does not say so")
	}
	for _, name := range []string{"p1", "p2", "only"} {
		w.want("cut off", name, gslb.Up, gslb.DoubtPeerLost)
	}
	w.do("wait=3h")
	for _, name := range []string{"p1", "p2", "c", "only"} {
		w.want("for hours", name, gslb.Up, gslb.DoubtPeerLost)
	}
	w.do("up=p1")
	w.want("the session is back", "p1", gslb.Up, gslb.DoubtLearning)
	w.do("wait=1s tells=p1 tell=c@p1")
	w.want("and tells", "p1", gslb.Down, "")
	w.want("not back yet", "p2", gslb.Up, gslb.DoubtPeerLost)
	w.do("wait=5s up=p2 wait=1s tell=p2 tell=c@p1")
	w.want("back in time", "p2", gslb.Up, "")
	if st := w.status(); st.Isolated != "" {
		t.Errorf("isolated: %q", st.Isolated)
	}
	w.do("wait=10s tell=p1 tell=p2 tell=c@p1")
	w.want("whom nobody tells of", "only", gslb.Down, gslb.DoubtPeerLost)
	w.wantTold("all of it", "p1 UP", "only UP", "p1 DOWN", "only DOWN", "p1 UP")
	var events []string
	for _, e := range logs.All() {
		if e.Message == "sites.isolated" || e.Message == "sites.rejoined" {
			events = append(events, e.Message)
		}
	}
	if len(events) != 2 || events[0] != "sites.isolated" || events[1] != "sites.rejoined" {
		t.Errorf("events %v", events)
	}
}

// TestNoIsolation: what is no isolation fails over as ever.
func TestNoIsolation(t *testing.T) {
	two := func(d *config.Document) { d.Sites, d.Services = d.Sites[1:], d.Services[1:] }
	for _, tt := range []struct {
		name   string
		change func(*config.Document)
		story  string
		alarm  bool
	}{
		{"two sites", two, "up=p2 tell=p2 status wait=1s down=p2 wait=1s", false},
		{"the other one was never heard", nil, "up=p2 tell=p2 status down=p2 wait=1s", false},
		{"and after a while that is told", nil, "up=p2 tell=p2 wait=20s down=p2 wait=1s", true},
		{"both stopped as planned", nil, mesh + "status leaving=p1 leaving=p2 wait=1s", false},
		{"one stopped as planned", nil, mesh + "status leaving=p1 wait=1s down=p2 wait=1s", false},
		{"nobody was ever heard", nil, "wait=11s", true},
	} {
		w, _ := isolated(t, tt.change)
		w.do(tt.story)
		w.want(tt.name, "p2", gslb.Down, doubtOf(w, "p2"))
		if got := w.status().Isolated != ""; got != tt.alarm {
			t.Errorf("%s: isolated %v, want %v", tt.name, got, tt.alarm)
		}
	}
}

// TestNoExchange: a node that exchanges nothing hears nobody, as it is meant to.
func TestNoExchange(t *testing.T) {
	w, _ := isolated(t, nil)
	w.tr.opts.Alone = true
	w.do("wait=1m")
	if st := w.status(); st.Isolated != "" {
		t.Errorf("isolated: %q", st.Isolated)
	}
}

func doubtOf(w *world, service string) gslb.Reason {
	return w.status().Services[w.index[service]].Doubt
}

// TestIsolationKeepsWhatMonitorsSee: monitors go on to count, and so does a suspicion, which comes first.
func TestIsolationKeepsWhatMonitorsSee(t *testing.T) {
	w, _ := isolated(t, func(d *config.Document) { d.Settings.Suspicion.Share = 0 })
	next := *w.doc
	next.Services = append([]config.Service(nil), w.doc.Services...)
	next.Services[0].Monitors = []config.MonitorBinding{{Monitor: "m", Weight: 1}}
	w.adopt(&next)
	w.begin(mesh)
	w.do("wait=1s down=p1 down=p2 wait=1s")
	w.want("probed, no result", "p1", gslb.Unknown, gslb.DoubtLearning)
	w.want("not probed", "p2", gslb.Up, gslb.DoubtPeerLost)
	if since := w.tr.isolation.since; !since.Equal(epoch.Add(2 * time.Second)) {
		t.Errorf("isolated since %v, want when both were lost", since)
	}
}
