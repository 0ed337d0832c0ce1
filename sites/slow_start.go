package sites

import (
	"time"

	"fairlead/gslb"
)

// shareSteps is in how many steps the weight of a service that came UP grows. Steps, because every change of a share is a
// new rotation.
const shareSteps = 16

// ramp remembers when a service came UP after it was out, so that its weight grows from there. A service that is UP when it
// is first seen is not starting: this node is. Nor is one that was only not heard. One that joins a group starts.
type ramp struct {
	out  bool // it was DOWN, DISABLED or DRAINING, by evidence, and has not been UP since
	from time.Time
}

// groups lists the groups that have services.
func (t *Tracker) groups() map[string]bool {
	out := make(map[string]bool)
	for i := range t.services {
		if g := t.services[i].service.Group; g != "" {
			out[g] = true
		}
	}
	return out
}

// settle takes in the belief about a service as of now. What is kept UP was not out, whatever was seen of it meanwhile, and goes on as before.
func (r *ramp) settle(b belief, now time.Time) {
	switch {
	case b.state == gslb.Up && b.kept:
		r.out = false
	case b.state == gslb.Up && r.out:
		r.out, r.from = false, now
	case b.state == gslb.Disabled, b.state == gslb.Draining, b.state == gslb.Down && !b.blind:
		r.out, r.from = true, time.Time{}
	}
}

// share is the part of the weight that counts at now: 1/16 at first, all of it after slowStart.
func (r *ramp) share(slowStart time.Duration, now time.Time) float64 {
	since := now.Sub(r.from)
	if slowStart <= 0 || r.from.IsZero() || since >= slowStart {
		return 1
	}
	return float64(1+max(0, int64(since))*(shareSteps-1)/int64(slowStart)) / shareSteps
}
