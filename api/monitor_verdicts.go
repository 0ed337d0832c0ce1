package api

import (
	"math"
	"time"

	"fairlead/api/resource"
	"fairlead/config"
	"fairlead/monitors"
)

// monitorTypes returns the kinds of a document's monitors, by name.
func monitorTypes(d *config.Document) map[string]config.MonitorType {
	out := make(map[string]config.MonitorType, len(d.Monitors))
	for i := range d.Monitors {
		out[d.Monitors[i].Name] = d.Monitors[i].Type
	}
	return out
}

func showVerdict(v *monitors.Verdict, types map[string]config.MonitorType, now time.Time) resource.MonitorVerdict {
	return resource.MonitorVerdict{
		Monitor: v.Monitor, Type: string(types[v.Monitor]), Address: v.Address.Addr(), Port: int(v.Address.Port()), State: v.State.String(),
		Draining: v.Draining, Reason: v.Reason, SinceAgeSeconds: ageOf(now, v.Since), AgeSeconds: ageOf(now, v.At), LatencySeconds: v.Latency.Seconds(),
		Failures: v.Failures, Successes: v.Successes, Values: showValues(v.Values),
	}
}

// number reports whether JSON has a word for it.
func number(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// verdicts shows what the monitors of this node say of a service.
func (v *serviceView) verdicts(service string) (out []resource.MonitorVerdict) {
	for _, one := range v.held(service) {
		if v.types == nil {
			v.types = monitorTypes(v.state.Document)
		}
		out = append(out, showVerdict(&one, v.types, v.now))
		v.listed += 1 + len(one.Values)
	}
	return out
}

// loadSource shows how reading a load source goes; nil: it is not read here.
func (v *serviceView) loadSource(service string) *resource.LoadSourceStatus {
	s, ok := v.sources(service)
	if !ok {
		return nil
	}
	return &resource.LoadSourceStatus{Source: string(s.Kind), AgeSeconds: ageOf(v.now, s.At), Lacks: s.Lacks, Failure: s.Failure}
}
