package api

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fairlead/gslb"
)

// serviceMetrics are what is believed of services and what follows for virtual servers.
func (r *resources) serviceMetrics() prometheus.Collector {
	g := &group{}
	state := g.gauge("fairlead_service_state", "1 for the state that the service is believed to be in, 0 for the others.", "service", "site", "state")
	active := g.gauge("fairlead_service_active_connections", "Active connections by the last load report; absent until there was one.", "service", "site")
	age := g.gauge("fairlead_service_load_age_seconds", "Age of the last load report, of whichever metric was told last; absent until there was one.", "service", "site")
	var others [len(shownMeasures)]*family
	for i := range others {
		others[i] = g.gauge(shownMeasures[i].exported, shownMeasures[i].help+" However old; absent until there was one.", "service", "site")
	}
	usable := g.gauge("fairlead_virtual_server_usable", "1 while a member of the virtual server may be picked.", "virtual_server")
	states := []gslb.State{gslb.Up, gslb.Down, gslb.Unknown, gslb.Disabled, gslb.Draining}
	g.collect = func(out chan<- prometheus.Metric) {
		st, err := r.state()
		if err != nil {
			return
		}
		s := st.Snapshot.GSLB
		for i := range s.Status.Services {
			service, status := s.Plan.Service(gslb.ServiceIndex(i)), &s.Status.Services[i]
			for _, one := range states {
				state.send(out, boolean(status.State == one), service.Name, service.Site, one.String())
			}
			if !status.Load.At.IsZero() {
				active.send(out, float64(status.Load.Active), service.Name, service.Site)
			}
			newest := status.Load.At
			eachMeasure(status.Measures, func(i int, m *gslb.Measure) {
				others[i].send(out, m.Value, service.Name, service.Site)
				if m.At.After(newest) {
					newest = m.At
				}
			})
			if old := ageOf(time.Now(), newest); old != nil {
				age.send(out, *old, service.Name, service.Site)
			}
		}
		for i := range s.Plan.VirtualServers() {
			v := gslb.VirtualServerIndex(i)
			usable.send(out, boolean(s.Usable(v)), s.Plan.VirtualServerName(v))
		}
	}
	return g
}
