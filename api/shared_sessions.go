package api

import (
	"github.com/prometheus/client_golang/prometheus"

	"fairlead/api/resource"
	"fairlead/gslb"
)

// SharedSessions is how sharing the sessions of clients goes with another site.
type SharedSessions struct {
	Site       string
	GivingBack bool   // it is being told of all sessions
	Told       uint64 // sessions, since this node started
	Heard      HeardSessions
}

// HeardSessions counts what another site told of sessions, by what became of it.
type HeardSessions struct {
	Taken    uint64 // sessions more, or later ends
	Known    uint64 // nothing new
	Replaced uint64 // another service's place was taken
	Kept     uint64 // another service stayed, and was told
	NoRoom   uint64
	Refused  uint64 // the document has none like it
	Limited  uint64 // the site told of too many
}

// Count counts one.
func (h *HeardSessions) Count(what gslb.Heard) {
	switch what {
	case gslb.HeardKnown:
		h.Known++
	case gslb.HeardTaken:
		h.Taken++
	case gslb.HeardReplaced:
		h.Replaced++
	case gslb.HeardKept:
		h.Kept++
	case gslb.HeardNoRoom:
		h.NoRoom++
	case gslb.HeardRefused:
		h.Limited++
	}
}

// Add adds what another one counted.
func (h *HeardSessions) Add(o *HeardSessions) {
	h.Taken += o.Taken
	h.Known += o.Known
	h.Replaced += o.Replaced
	h.Kept += o.Kept
	h.NoRoom += o.NoRoom
	h.Refused += o.Refused
	h.Limited += o.Limited
}

func (h *HeardSessions) byResult() []resource.SessionsHeard {
	return []resource.SessionsHeard{
		{Result: "taken", Sessions: h.Taken}, {Result: "known", Sessions: h.Known}, {Result: "replaced", Sessions: h.Replaced},
		{Result: "kept", Sessions: h.Kept}, {Result: "no-room", Sessions: h.NoRoom}, {Result: "refused", Sessions: h.Refused},
		{Result: "limited", Sessions: h.Limited},
	}
}

func (r *resources) shared() []SharedSessions {
	if r.SharedSessions == nil {
		return nil
	}
	return r.SharedSessions()
}

// sharedResources is what GET /v1/sessions tells of sharing.
func (r *resources) sharedResources() (out []resource.SharedSessions) {
	for _, p := range r.shared() {
		out = append(out, resource.SharedSessions{Site: p.Site, GivingBack: p.GivingBack, Told: p.Told, Heard: p.Heard.byResult()})
	}
	return out
}

// sharedMetrics are of sessions that sites tell each other.
func (r *resources) sharedMetrics() prometheus.Collector {
	g := &group{}
	told := g.counter("fairlead_sessions_told_total", "Sessions that the site was told of.", "peer")
	heard := g.counter("fairlead_sessions_heard_total", "Sessions that the site told of, by what became of them.", "peer", "result")
	giving := g.gauge("fairlead_sessions_giving_back", "1 while the site is told of all sessions.", "peer")
	g.collect = func(out chan<- prometheus.Metric) {
		for _, p := range r.shared() {
			told.send(out, float64(p.Told), p.Site)
			giving.send(out, boolean(p.GivingBack), p.Site)
			for _, h := range p.Heard.byResult() {
				heard.send(out, float64(h.Sessions), p.Site, h.Result)
			}
		}
	}
	return g
}
