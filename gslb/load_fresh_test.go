package gslb

import (
	"testing"
	"time"

	"fairlead/config"
)

// TestLoadFreshByWayOfRelays: a load that does not change is told with an age that each relay adds to. It is not aged for that.
func TestLoadFreshByWayOfRelays(t *testing.T) {
	w := newWorld().site("ams", "")
	for i, name := range []string{"x1", "x2", "x3"} {
		w.site(name, "")
		w.doc.Sites[i+1].Parent = w.doc.Sites[i].Name
	}
	for i := range w.doc.Sites {
		w.service("web-"+w.doc.Sites[i].Name, w.doc.Sites[i].Name, Up, "192.0.2.1")
		w.doc.Services[i].Load = &config.LoadSource{Source: config.LoadJSON, Interval: config.Duration(2 * time.Second)}
	}
	w.doc.Settings.MEP.MetricsInterval = config.Duration(time.Second)
	s, _ := w.snapshot(t)
	// The age of a load read every 2 s, as the last of the relays tells it by the bounds of mep, and how long until it is told again.
	for i, oldest := range []time.Duration{3 * time.Second, 7500 * time.Millisecond, 14250 * time.Millisecond, 24375 * time.Millisecond} {
		got := s.Plan.Service(ServiceIndex(i)).LoadFresh()
		if again := 2500 * time.Millisecond; got < oldest+again || got > oldest+2*again+4*time.Second {
			t.Errorf("behind %d relays: got %v, want a little more than %v", i, got, oldest+again)
		}
	}
}
