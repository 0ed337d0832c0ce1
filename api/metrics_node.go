package api

import "github.com/prometheus/client_golang/prometheus"

// nodeMetrics are what runs, and which document it serves.
func (r *resources) nodeMetrics() prometheus.Collector {
	g := &group{}
	node := g.gauge("fairlead_node_info", "Always 1; the labels say what runs.", "site", "version")
	generation := g.gauge("fairlead_snapshot_generation", "Number of the snapshot that queries are answered from; grows while the process runs.")
	document := g.gauge("fairlead_document_info", "Always 1; the label is the identity of the document in use.", "id")
	since := g.gauge("fairlead_document_since_timestamp_seconds", "When the document in use came into use.")
	failed := g.gauge("fairlead_document_last_reload_failed", "1 while the last document that was to be loaded was refused.")
	g.collect = func(out chan<- prometheus.Metric) {
		node.send(out, 1, r.Site, r.Version)
		st, err := r.state()
		if err != nil {
			return
		}
		generation.send(out, float64(st.Snapshot.Generation))
		document.send(out, 1, r.documentID(st.DocumentID))
		since.send(out, float64(st.Since.UnixMilli())/1e3)
		failed.send(out, boolean(st.LastError != ""))
	}
	return g
}
