package api

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fairlead/api/resource"
	"fairlead/gslb"
)

// sessionCount is how the sessions of one use go.
type sessionCount struct {
	gslb.SessionUse
	gslb.SessionCensus
	created, honoured uint64
}

func (c *sessionCount) kind() string {
	if c.Spillover {
		return resource.SessionSpillover
	}
	return resource.SessionPersistence
}

// countSessions counts sessions by who keeps them. It reads the whole table.
func countSessions(st *State, uses []gslb.SessionUse) []sessionCount {
	l := st.Snapshot.Learned
	if l == nil || l.Sessions == nil || len(uses) == 0 {
		return nil
	}
	census, out := l.Sessions.Census(time.Now().Unix()), make([]sessionCount, len(uses))
	for i, u := range uses {
		c := &out[i]
		c.SessionUse, c.SessionCensus = u, census[u.ID]
		c.created, c.honoured = l.SessionCounts(&u)
	}
	return out
}

// sessionUseMetrics are sessions by who keeps them: there are at most two uses for each virtual server.
func (r *resources) sessionUseMetrics() prometheus.Collector {
	g := &group{}
	now := g.gauge("fairlead_virtual_server_sessions", "Sessions that have not ended, by who told of them last.", "virtual_server", "kind", "origin")
	created := g.counter("fairlead_virtual_server_sessions_created_total", "Sessions that queries began.", "virtual_server", "kind")
	honoured := g.counter("fairlead_virtual_server_sessions_honoured_total", "Answers given by a session.", "virtual_server", "kind")
	expired := g.counter("fairlead_virtual_server_sessions_expired_total", "Sessions that came to their end.", "virtual_server", "kind")
	g.collect = func(out chan<- prometheus.Metric) {
		st := r.State()
		if st == nil || st.Snapshot == nil || st.Snapshot.GSLB == nil {
			return
		}
		for _, c := range countSessions(st, st.Snapshot.GSLB.Plan.SessionUses()) {
			now.send(out, float64(c.Live-c.Heard), c.VirtualServer, c.kind(), "here")
			now.send(out, float64(c.Heard), c.VirtualServer, c.kind(), "peer")
			created.send(out, float64(c.created), c.VirtualServer, c.kind())
			honoured.send(out, float64(c.honoured), c.VirtualServer, c.kind())
			expired.send(out, float64(c.Expired), c.VirtualServer, c.kind())
		}
	}
	return g
}

// maxUsesListed bounds how many uses are listed with sessions.
const maxUsesListed = 256

// usesOf describes who keeps sessions.
func usesOf(st *State, uses []gslb.SessionUse) (out []resource.SessionUse, more bool) {
	for _, c := range countSessions(st, uses[:min(len(uses), maxUsesListed)]) {
		out = append(out, resource.SessionUse{VirtualServer: c.VirtualServer, Kind: c.kind(), ID: c.ID, Now: c.Live, FromPeers: c.Heard,
			Created: c.created, Honoured: c.honoured, Expired: c.Expired})
	}
	return out, len(uses) > maxUsesListed
}
