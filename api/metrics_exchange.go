package api

import (
	"github.com/prometheus/client_golang/prometheus"

	"fairlead/mep"
)

// exchangeMetrics are how things stand with other sites.
func (r *resources) exchangeMetrics() prometheus.Collector {
	g := &group{}
	up := g.gauge("fairlead_mep_session_up", "1 while there is a session with the site.", "peer")
	sessions := g.counter("fairlead_mep_sessions_total", "Sessions with the site so far.", "peer")
	attached := g.gauge("fairlead_mep_attached", "Of parents: 1 for the one that this site reports to.", "peer")
	rtt := g.gauge("fairlead_mep_rtt_seconds", "Smoothed round trip time; absent until it was measured.", "peer")
	skew := g.gauge("fairlead_mep_clock_skew_seconds", "How far the site's clock is ahead of this node's; absent until it was measured.", "peer")
	octets := g.counter("fairlead_mep_bytes_total", "Octets of frames in the current session, else in the last one; starts again with each session.", "peer", "direction")
	rejections := g.counter("fairlead_mep_rejections_total", "Connections and sessions ended for something the other end did.", "reason")
	ends := g.counter("fairlead_mep_session_ends_total", "Sessions that ended, by why.", "reason")
	g.collect = func(out chan<- prometheus.Metric) {
		for _, p := range r.Peers() {
			up.send(out, boolean(p.State == mep.PeerUp), p.Site)
			if p.Relation == mep.RelationParent {
				attached.send(out, boolean(p.Attached), p.Site)
			}
			sessions.send(out, float64(p.Sessions), p.Site)
			octets.send(out, float64(p.BytesIn), p.Site, "in")
			octets.send(out, float64(p.BytesOut), p.Site, "out")
			if p.Measured {
				rtt.send(out, p.RTT.Seconds(), p.Site)
				skew.send(out, p.ClockSkew.Seconds(), p.Site)
			}
		}
		ended := r.MEPEndings()
		for _, why := range mep.Endings() {
			ends.send(out, float64(ended[why]), string(why))
		}
		for reason, n := range r.MEPRejections() {
			rejections.send(out, float64(n), string(reason))
		}
	}
	return g
}
