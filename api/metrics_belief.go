package api

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fairlead/sites"
)

// beliefMetrics are how sure this node is of what it believes, and what operators want instead.
func (r *resources) beliefMetrics() prometheus.Collector {
	g := &group{}
	suspicion := g.gauge("fairlead_suspicion", "1 while this node suspects itself: it lost sight of most targets at once, and they stay as they were.")
	doubts := g.gauge("fairlead_services_in_doubt", "Services whose state is uncertain, by why.", "reason")
	overrides := g.gauge("fairlead_overrides", "Overrides of operators that have an effect, by what they are about.", "kind")
	isolated := g.gauge("fairlead_mep_isolated", "1 while this node hears none of several other sites, and what only they could tell it stays as it was.")
	leftOut := g.gauge("fairlead_mep_views_left_out", "What this node sees of others and could not tell them, for want of room.", "kind")
	reach := g.gauge("fairlead_sites", "Sites of the document, by how they are heard.", "reach")
	held := g.gauge("fairlead_virtual_server_held", "1 while a virtual server with backup_hold stays on its backup.", "virtual_server")
	g.collect = func(out chan<- prometheus.Metric) {
		st, err := r.state()
		if err != nil {
			return
		}
		s := st.Snapshot.GSLB.Status
		suspicion.send(out, boolean(s.Alarm != ""))
		isolated.send(out, boolean(s.Isolated != ""))
		leftOut.send(out, float64(st.ViewsLeftOut.Votes), "votes")
		leftOut.send(out, float64(st.ViewsLeftOut.Services), "services")
		leftOut.send(out, float64(st.ViewsLeftOut.Sites), "sites")
		for how, n := range reaches(st.Sites) {
			reach.send(out, n, string(how))
		}
		count := map[string]float64{}
		for i := range s.Services {
			if doubt := s.Services[i].Doubt; doubt != "" {
				count[string(doubt)]++
			}
		}
		for reason, n := range count {
			doubts.send(out, n, reason)
		}
		for i := range st.Document.VirtualServers {
			if v := &st.Document.VirtualServers[i]; v.BackupHold {
				held.send(out, boolean(i < len(s.Held) && s.Held[i]), v.Name)
			}
		}
		kinds := map[sites.OverrideKind]float64{}
		for _, o := range r.Overrides.List(time.Now()) {
			kinds[o.Kind]++
		}
		for _, kind := range []sites.OverrideKind{sites.OfService, sites.OfServiceGroup, sites.OfSite, sites.OfVirtualServerUse} {
			overrides.send(out, kinds[kind], kind.String())
		}
	}
	return g
}

// reaches counts sites by how they are heard.
func reaches(list []sites.SiteStatus) map[sites.SiteReach]float64 {
	out := make(map[sites.SiteReach]float64)
	if len(list) == 0 {
		return out
	}
	for _, how := range sites.SiteReaches() {
		out[how] = 0
	}
	for i := range list {
		out[list[i].Reach]++
	}
	return out
}
