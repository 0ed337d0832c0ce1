package api

import "github.com/prometheus/client_golang/prometheus"

// probeMetrics are how the monitors' probes are run.
func (r *resources) probeMetrics() prometheus.Collector {
	g := &group{}
	done := g.counter("fairlead_probes_total", "Probes finished.")
	late := g.counter("fairlead_probes_late_total", "Probes started more than a tenth of their interval after they were due.")
	pauses := g.counter("fairlead_probe_pauses_total", "Times when the process stood still and the probes were moved by the length of the pause.")
	targets := g.gauge("fairlead_probe_targets", "Targets that are probed: each monitor of each address of a service.")
	running := g.gauge("fairlead_probes_running", "Probes under way.")
	waiting := g.gauge("fairlead_probes_waiting", "Probes that are due and wait for others to end.")
	lateness := g.gauge("fairlead_probe_lateness_seconds", "How long after they were due probes of the last minute were started. Quantile 1 is the longest.", "quantile")
	g.collect = func(out chan<- prometheus.Metric) {
		s := r.ProbeStats()
		done.send(out, float64(s.Done))
		late.send(out, float64(s.Late))
		pauses.send(out, float64(s.Pauses))
		targets.send(out, float64(s.Targets))
		running.send(out, float64(s.Running))
		waiting.send(out, float64(s.Waiting))
		lateness.send(out, s.Lateness.P50.Seconds(), "0.5")
		lateness.send(out, s.Lateness.P99.Seconds(), "0.99")
		lateness.send(out, s.Lateness.Max.Seconds(), "1")
	}
	return g
}
