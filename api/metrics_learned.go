package api

import (
	"github.com/prometheus/client_golang/prometheus"

	"fairlead/gslb"
)

// learnedMetrics are the tables that queries write.
func (r *resources) learnedMetrics() prometheus.Collector {
	g := &group{}
	sessions := g.gauge("fairlead_sessions", "Sessions of persistence and spillover.")
	room := g.gauge("fairlead_sessions_max", "Most sessions.")
	gone := g.counter("fairlead_sessions_evictions_total", "Sessions that gave way before their end.")
	octets := g.gauge("fairlead_sessions_bytes", "Memory of the sessions.")
	ldns := g.gauge("fairlead_ldns_entries", "Resolvers with measured round-trip times.")
	ldnsRoom := g.gauge("fairlead_ldns_max_entries", "Most resolvers.")
	ldnsGone := g.counter("fairlead_ldns_evictions_total", "Resolvers that gave way.")
	waiting := g.gauge("fairlead_ldns_waiting", "Resolvers that wait to be measured.")
	wanted := g.counter("fairlead_ldns_wanted_total", "Resolvers that asked without being measured, by whether they were queued.", "result")
	pushed := g.gauge("fairlead_pushed_prefixes", "Prefixes of clients with pushed measurements.")
	pushedRoom := g.gauge("fairlead_pushed_prefixes_max", "Most prefixes of clients with pushed measurements.")
	g.collect = func(out chan<- prometheus.Metric) {
		st := r.State()
		if st == nil || st.Snapshot == nil || st.Snapshot.Learned == nil {
			return
		}
		if t := st.Snapshot.Learned.Pushed; t != nil {
			pushed.send(out, float64(t.Len()))
			pushedRoom.send(out, gslb.MaxPushedPrefixes)
		}
		if t := st.Snapshot.Learned.Sessions; t != nil {
			s := t.Stats()
			sessions.send(out, float64(s.Entries))
			room.send(out, float64(s.Max))
			gone.send(out, float64(s.Evictions))
			octets.send(out, float64(s.Bytes))
		}
		if t := st.Snapshot.Learned.Resolvers; t != nil {
			s := t.Stats()
			ldns.send(out, float64(s.Entries))
			ldnsRoom.send(out, float64(s.Max))
			ldnsGone.send(out, float64(s.Evictions))
			waiting.send(out, float64(s.Waiting))
			wanted.send(out, float64(s.Wanted), "queued")
			wanted.send(out, float64(s.Refused), "refused")
		}
	}
	return g
}
