package api

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fairlead/monitors"
	"fairlead/monitors/probe"
)

// monitorMetrics are how probes and load reads go, and what they say of each target.
func (r *resources) monitorMetrics() prometheus.Collector {
	g := &group{}
	results := g.counter("fairlead_probe_results_total", "Probes finished, by kind and by how they ended.", "type", "result")
	durations := g.add(prometheus.UntypedValue, "fairlead_probe_duration_seconds", "Time from the start of a probe to its end.", []string{"type"})
	reads := g.counter("fairlead_load_reads_total", "Reads of load sources, by kind and by how they ended.", "source", "result")
	failing := g.gauge("fairlead_load_source_failing", "1 when the last read of the service's load source failed.", "service")
	readAge := g.gauge("fairlead_load_source_age_seconds", "Time since the service's load source was last read well, or was pushed.", "service")
	up := g.gauge("fairlead_monitor_up", "1 while a monitor says that an address of a service is UP, 0 while it says DOWN; absent before.", "service", "monitor", "address")
	draining := g.gauge("fairlead_monitor_draining", "1 while a target that is UP asks to be drained.", "service", "monitor", "address")
	latency := g.gauge("fairlead_monitor_latency_seconds", "Time to the first byte of the last probe that got one.", "service", "monitor", "address")
	bounds := probe.DurationBounds()
	g.collect = func(out chan<- prometheus.Metric) {
		for _, k := range r.ProbeCounts() {
			for _, o := range probe.Outcomes() {
				results.send(out, float64(k.Outcomes[o]), string(k.Type), o.String())
			}
			durations.sendHistogram(out, k.Durations[:], bounds, k.Sum, string(k.Type))
		}
		for _, k := range r.LoadCounts() {
			reads.send(out, float64(k.Whole), string(k.Kind), "whole")
			reads.send(out, float64(k.Part), string(k.Kind), "part")
			reads.send(out, float64(k.Failures), string(k.Kind), "failed")
		}
		for _, service := range r.MonitoredServices() {
			for _, v := range r.Verdicts(service) {
				if v.State == monitors.Unknown {
					continue
				}
				address := v.Address.Addr().String()
				up.send(out, boolean(v.State == monitors.Up), v.Service, v.Monitor, address)
				draining.send(out, boolean(v.Draining), v.Service, v.Monitor, address)
				if v.Latency > 0 {
					latency.send(out, v.Latency.Seconds(), v.Service, v.Monitor, address)
				}
			}
		}
		st, err := r.state()
		if err != nil {
			return
		}
		for i := range st.Document.Services {
			name := st.Document.Services[i].Name
			if s, ok := r.LoadSource(name); ok {
				failing.send(out, boolean(s.Failure != ""), name)
				if age := ageOf(time.Now(), s.At); age != nil {
					readAge.send(out, *age, name)
				}
			}
		}
	}
	return g
}

// sendHistogram reports counts by bounds, the last of which is of what is above all.
func (f *family) sendHistogram(out chan<- prometheus.Metric, counts []uint64, bounds []time.Duration, sum time.Duration, labels ...string) {
	buckets := make(map[float64]uint64, len(bounds))
	var total uint64
	for i, n := range counts {
		total += n
		if i < len(bounds) {
			buckets[bounds[i].Seconds()] = total
		}
	}
	m, err := prometheus.NewConstHistogram(f.desc, total, sum.Seconds(), buckets, labels...)
	if err != nil {
		m = prometheus.NewInvalidMetric(f.desc, err)
	}
	out <- m
}
