package api

import (
	"github.com/prometheus/client_golang/prometheus"

	"fairlead/monitors/ldns"
)

// ResolverExchange counts how resolvers were measured, and what sites told each other of them.
type ResolverExchange struct {
	Probes    ldns.Stats
	Limited   uint64 // resolvers that were wanted while responses to them were limited
	Passive   uint64 // measurements from resolvers' own connections
	Unchanged uint64 // measurements within the tolerance of the one before
	Told      uint64 // records that other sites were told, once however many there are
	Heard     uint64 // records that other sites told
	Wanted    uint64 // resolvers of them that were wanted
	Left      uint64 // records that could not be told: too many waited
	Excess    uint64 // records of other sites that were not taken in: too many came
}

// resolverMetrics are what is sent to resolvers, and what sites tell each other of them.
func (r *resources) resolverMetrics() prometheus.Collector {
	g := &group{}
	packets := g.counter("fairlead_ldns_probe_packets_total", "Packets that were to measure resolvers.", "kind")
	measured := g.counter("fairlead_ldns_measurements_total", "Round-trip times that this site measured, by how.", "kind")
	silent := g.counter("fairlead_ldns_silent_total", "Resolvers that answered no probe.")
	strays := g.counter("fairlead_ldns_stray_answers_total", "Answers to probes that came too late, or that nobody asked for.")
	refused := g.counter("fairlead_ldns_refused_total", "Resolvers that were wanted and not measured, by why.", "reason")
	queued := g.gauge("fairlead_ldns_probes_waiting", "Resolvers that wait for their probe.")
	unchanged := g.counter("fairlead_ldns_unchanged_total", "Measurements within the tolerance of the one before, which were not taken.")
	records := g.counter("fairlead_ldns_records_total", "Records of resolvers that sites told each other, by what became of them.", "result")
	g.collect = func(out chan<- prometheus.Metric) {
		if r.ResolverCounts == nil {
			return
		}
		c := r.ResolverCounts()
		for _, k := range []ldns.Kind{ldns.Ping, ldns.DNS, ldns.TCP} {
			packets.send(out, float64(c.Probes.Sent[k]), k.String())
			measured.send(out, float64(c.Probes.Measured[k]), k.String())
		}
		measured.send(out, float64(c.Passive), "passive")
		for _, why := range ldns.Refusals() {
			refused.send(out, float64(c.Probes.Refused[why]), why.String())
		}
		refused.send(out, float64(c.Limited), "limited")
		silent.send(out, float64(c.Probes.Silent))
		strays.send(out, float64(c.Probes.Strays))
		queued.send(out, float64(c.Probes.Waiting))
		unchanged.send(out, float64(c.Unchanged))
		records.send(out, float64(c.Told), "told")
		records.send(out, float64(c.Heard), "heard")
		records.send(out, float64(c.Left), "left")
		records.send(out, float64(c.Excess), "excess")
	}
	return g
}
