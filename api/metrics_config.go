package api

import "github.com/prometheus/client_golang/prometheus"

// DocumentCounts are counts of revisions since the start.
type DocumentCounts struct {
	Written, Merged, Undone, Refused, Quarantined uint64
	Lies, Dropped                                 uint64 // messages of other sites that no site sends that keeps to the protocol, and those for which there was no room
}

// configMetrics are how the document is written and shared. No label names an object or a revision.
func (r *resources) configMetrics() prometheus.Collector {
	g := &group{}
	revisions := g.counter("fairlead_config_revisions_total", "Revisions: written here, merged from other sites, undone for want of a confirmation, refused here, or quarantined.", "result")
	messages := g.counter("fairlead_config_messages_refused_total", "Messages about documents from other sites that broke the protocol, or for which there was no room.", "reason")
	conflicts := g.gauge("fairlead_config_conflicts", "Objects that were changed at several sites at once, and that nobody has settled.")
	inert := g.gauge("fairlead_config_inert", "Parts of the document that have no effect, since a merge made them wrong.")
	waiting := g.gauge("fairlead_config_quarantine", "Revisions that were heard and are not taken.")
	ahead := g.gauge("fairlead_config_peer_ahead", "Revisions that this site has and the other one has not, as it told last.", "peer")
	behind := g.gauge("fairlead_config_peer_behind", "Revisions that the other site has and this one has not.", "peer")
	stored := g.gauge("fairlead_config_store_available", "1 while revisions can be stored, 0 while the disk is full or read-only, or etcd is not reached.")
	substitute := g.gauge("fairlead_config_substitute", "1 while something else is served in place of the document, because that could not be at the start.")
	g.collect = func(out chan<- prometheus.Metric) {
		if r.DocumentCounts != nil {
			c := r.DocumentCounts()
			revisions.send(out, float64(c.Written), "written")
			revisions.send(out, float64(c.Merged), "merged")
			revisions.send(out, float64(c.Undone), "undone")
			revisions.send(out, float64(c.Refused), "refused")
			revisions.send(out, float64(c.Quarantined), "quarantined")
			messages.send(out, float64(c.Lies), "malformed")
			messages.send(out, float64(c.Dropped), "no-room")
		}
		if r.Documents == nil {
			return
		}
		s := r.Documents.Sync()
		conflicts.send(out, float64(s.Conflicts))
		inert.send(out, float64(len(s.Inert)))
		waiting.send(out, float64(len(s.Quarantine)))
		for i := range s.Peers {
			ahead.send(out, float64(s.Peers[i].Ahead), s.Peers[i].Site)
			behind.send(out, float64(s.Peers[i].Behind), s.Peers[i].Site)
		}
		if v := r.Documents.Current(); v != nil {
			substitute.send(out, boolean(v.NotServed != ""))
		}
		stored.send(out, boolean(s.Unavailable == ""))
	}
	return g
}
