package api

import (
	"time"

	"fairlead/api/resource"
	"fairlead/monitors"
	"fairlead/monitors/metric"
	"fairlead/monitors/probe"
	"fairlead/monitors/trial"
)

// ShowTrial shows the runs of a monitor, without what is held.
func ShowTrial(t *trial.Trial, now time.Time) *resource.MonitorTest {
	out := &resource.MonitorTest{Monitor: t.Monitor.Name, Type: string(t.Monitor.Type), Passes: true, Runs: []resource.MonitorRun{}, LeftOut: t.LeftOut, At: now.UTC()}
	for i := range t.Runs {
		out.Runs = append(out.Runs, showRun(&t.Runs[i]))
		out.Passes = out.Passes && t.Runs[i].State == monitors.Up
	}
	return out
}

func showRun(r *trial.Run) resource.MonitorRun {
	out := resource.MonitorRun{Part: r.Part, Service: r.Service, Address: r.At.Addr(), Port: int(r.At.Port()), State: r.State.String(), Draining: r.Draining,
		Reason: r.Reason, LatencySeconds: r.Latency.Seconds(), TookSeconds: r.Took.Seconds(), Values: showValues(r.Values), Steps: showSteps(r.Steps)}
	if r.Monitor != nil {
		out.Monitor, out.Type = r.Monitor.Name, string(r.Monitor.Type)
	}
	for i := range r.Parts {
		out.Parts = append(out.Parts, showRun(&r.Parts[i]))
	}
	return out
}

func showValues(values []probe.Value) (out []resource.MonitorValue) {
	for _, v := range values {
		if number(v.Value) {
			out = append(out, resource.MonitorValue{Name: v.Name, Value: v.Value, Unit: v.Unit})
		}
	}
	return out
}

func showSteps(steps []probe.Step) []resource.TestStep {
	out := make([]resource.TestStep, len(steps))
	for i, s := range steps {
		out[i] = resource.TestStep{Name: s.Name, AtSeconds: s.At.Seconds(), Note: s.Note}
	}
	return out
}

// ShowRead shows what one read of a load source gave.
func ShowRead(r *trial.Read, now time.Time) *resource.LoadTest {
	out := &resource.LoadTest{Service: r.Service, Source: string(r.Source.Source), OK: r.Failure == "", TookSeconds: r.Took.Seconds(),
		Metrics: []resource.TestMetric{}, Steps: showSteps(r.Steps), Lacks: r.Lacks, Failure: r.Failure, At: now.UTC()}
	for _, m := range metric.All() {
		if v, ok := r.Metrics.Get(m); ok {
			out.Metrics = append(out.Metrics, resource.TestMetric{Name: m.String(), Value: v, Unit: m.Unit(), Total: m.Total()})
		}
	}
	for i, part := range r.Parts {
		if part.Told && i < len(r.Source.Custom) {
			out.Metrics = append(out.Metrics, resource.TestMetric{Name: "custom " + r.Source.Custom[i].Name, Value: part.Value})
		}
	}
	return out
}
