package sites

import (
	"time"

	"fairlead/gslb"
)

const (
	// staleRounds is how many intervals of a service's slowest monitor its evidence may be old before it is in doubt.
	staleRounds = 3
	// longestLook is the longest time between two looks of a site at its own services.
	longestLook = time.Second
)

// doubt says why what was weighed is uncertain, the gravest reason first; suspicion and flapping, which come before them,
// are added where they are known. Doubt takes nobody out: it shortens how long the answer is remembered.
func (t *Tracker) doubt(e *evidence, b belief, now time.Time) gslb.Reason {
	s := e.site
	silent := s.standing == standsTelling && !s.up && !e.sees()
	switch {
	case b.beyond:
		return "" // it is no business of this node's
	case b.doubt == gslb.DoubtLearning && b.state != gslb.Unknown:
		return b.doubt
	case silent && !s.since.IsZero():
		return gslb.DoubtPeerLost
	case silent, b.state == gslb.Unknown && b.doubt == "":
		return gslb.DoubtLearning
	case b.doubt != "":
		return b.doubt
	case !b.seen.IsZero() && now.Sub(b.seen) > t.staleAfter(e, b):
		return gslb.DoubtAged
	}
	return ""
}

// staleAfter is how old the evidence of b gets while nothing is wrong, with something to spare.
func (t *Tracker) staleAfter(e *evidence, b belief) time.Duration {
	slowest := time.Duration(0)
	for _, bound := range e.service.Monitors {
		if slowest = max(slowest, e.kinds.intervals[bound.Monitor]); e.kinds.passive[bound.Monitor] && e.service.Load != nil {
			slowest = max(slowest, e.service.Load.Interval.Std())
		}
	}
	m := &t.document.Settings.MEP
	after := m.KeepaliveTimeout.Std() + staleRounds*slowest
	if !b.reported {
		return after
	}
	// An age that a site tells rises up to a bound, of which there are so few that one is up to half above what it bounds; a relay
	// adds two intervals to it. What has not changed is handed out a few times within the keep-alive time-out.
	interval := m.MetricsInterval.Std()
	told := max(2*interval, slowest, longestLook) * 3 / 2
	for range e.site.hops(t.sites[e.site.via]) {
		told = (told + 2*interval) * 3 / 2
	}
	return max(after, told+m.KeepaliveTimeout.Std()/2+longestLook)
}

// hops is how many sites pass on at most what a site tells, by way of the one that this node hears it from.
func (s *site) hops(via *site) int {
	if via == nil || via == s {
		return 0
	}
	return max(1, s.depth-via.depth)
}
