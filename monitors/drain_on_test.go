package monitors

import (
	"testing"
	"time"

	"fairlead/monitors/probe"
)

// TestDrainOn: the first answer that asks for it counts, and the first that passes without; what fails meanwhile goes on draining
// until it is DOWN.
func TestDrainOn(t *testing.T) {
	p := &probed{target: target("web", web4, tcpMonitor(time.Second, 3, 2))}
	results := map[string]probe.Result{"passes": {OK: true, Reason: "status 200"}, "drains": {OK: true, Drain: true, Reason: "status 503 drains"}, "fails": {Reason: "timed out"}}
	for i, tt := range []struct {
		result          string
		state           State
		draining, turns bool
	}{
		{"passes", Up, false, false},
		{"drains", Up, true, true},
		{"drains", Up, true, false},
		{"passes", Up, false, true},
		{"drains", Up, true, true},
		{"fails", Up, true, false},
		{"passes", Up, false, true},
		{"drains", Up, true, true},
		{"fails", Up, true, false},
		{"fails", Up, true, false},
		{"fails", Down, false, true},
		{"drains", Down, false, false},
		{"fails", Down, false, false},
		{"drains", Down, false, false},
		{"drains", Up, true, true},
		{"fails", Up, true, false},
		{"drains", Up, true, false},
	} {
		v, _, ok := p.judge(results[tt.result])
		if !ok || v.State != tt.state || v.Draining != tt.draining || v.DrainingChanged != tt.turns {
			t.Errorf("step %d, %s: %v, draining %t, changed %t (%s); want %v, %t, %t", i, tt.result, v.State, v.Draining, v.DrainingChanged, v.Reason, tt.state, tt.draining, tt.turns)
		}
	}
}
