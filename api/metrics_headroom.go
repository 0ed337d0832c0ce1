package api

import "github.com/prometheus/client_golang/prometheus"

// headroomMetrics are what the loss of each site would do, and what that rests on.
func (r *resources) headroomMetrics() prometheus.Collector {
	g := &group{}
	ratio := g.gauge("fairlead_site_headroom_ratio", "Part of its capacity that the fullest other service would have left if the site were lost; negative: exceeded by so much. Absent while no capacity or load is known.", "lost")
	worst := g.gauge("fairlead_site_headroom_worst_info", "Always 1; the label service is the fullest service if the site were lost.", "lost", "service")
	unanswered := g.gauge("fairlead_site_loss_unanswered_ratio", "Share of queries that would get no answer or a last resort if the site were lost, and get one now.", "lost")
	kinds := g.gauge("fairlead_sketch_entries", "Kinds of queries that are counted apart.")
	left := g.counter("fairlead_sketch_left_out_queries_total", "Queries that were not counted: they came too fast, or there were too many names.")
	g.collect = func(out chan<- prometheus.Metric) {
		for _, h := range r.Headroom() {
			if h.Ratio != nil {
				ratio.send(out, *h.Ratio, h.Lost)
				worst.send(out, 1, h.Lost, h.Worst)
			}
			unanswered.send(out, h.Unanswered, h.Lost)
		}
		size, leftOut := r.SketchSize()
		kinds.send(out, float64(size))
		left.send(out, float64(leftOut))
	}
	return g
}
