package api

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// transferMetrics are zones that go out and come in. No label names a zone: there may be a hundred thousand of them, and
// /v1/status/secondaries tells which ones fail.
func (r *resources) transferMetrics() prometheus.Collector {
	g := &group{}
	transfers := g.counter("fairlead_transfers_total", "Requests of other servers for zones, by how they ended.", "result")
	notify := g.counter("fairlead_notify_total", "NOTIFY to other servers, by whether they answered.", "result")
	zones := g.gauge("fairlead_secondary_zones", "Zones from primaries, by whether there is data that did not expire.", "state")
	failing := g.gauge("fairlead_secondary_zones_failing", "Zones from primaries whose last refresh failed, served or not.")
	oldest := g.gauge("fairlead_secondary_oldest_confirmation_age_seconds",
		"Of the zones that a primary ever confirmed, how long ago that was for the one for which it is longest.")
	g.collect = func(out chan<- prometheus.Metric) {
		s := r.TransferStats()
		transfers.send(out, float64(s.Whole), "whole")
		transfers.send(out, float64(s.Incremental), "differences")
		transfers.send(out, float64(s.Current), "current")
		transfers.send(out, float64(s.Refused), "refused")
		transfers.send(out, float64(s.Failed), "failed")
		notify.send(out, float64(s.Notified), "answered")
		notify.send(out, float64(s.Unanswered), "unanswered")

		all := r.Secondaries()
		c := countSecondaries(all)
		zones.send(out, float64(c.Served), "served")
		zones.send(out, float64(c.Unserved), "unserved")
		failing.send(out, float64(c.Failing))
		var first time.Time
		for i := range all {
			if at := all[i].Confirmed; !at.IsZero() && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
		if age := ageOf(time.Now(), first); age != nil {
			oldest.send(out, *age)
		}
	}
	return g
}
