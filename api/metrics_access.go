package api

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// accessMetrics are requests that were refused for who sent them.
func (r *resources) accessMetrics() prometheus.Collector {
	g := &group{}
	refused := g.counter("fairlead_api_refused_total", "Requests to the API that were refused for who sent them or under which name, by reason.", "reason")
	reasons := slices.Sorted(maps.Keys(r.refusals))
	g.collect = func(out chan<- prometheus.Metric) {
		for _, reason := range reasons {
			refused.send(out, float64(r.refusals[reason].Load()), reason)
		}
	}
	return g
}
