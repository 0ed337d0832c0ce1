package sites

import (
	"time"

	"fairlead/gslb"
)

// staleRounds is how many intervals of a service's slowest monitor its evidence may be old before it is in doubt.
const staleRounds = 3

// doubt says why what was weighed is uncertain, the gravest reason first; suspicion and flapping, which come before them,
// are added where they are known. Doubt takes nobody out: it shortens how long the answer is remembered.
func (t *Tracker) doubt(e *evidence, b belief, now time.Time) gslb.Reason {
	s := e.site
	silent := s.standing == standsTelling && !s.up && !e.watched()
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
	case !b.seen.IsZero() && now.Sub(b.seen) > t.staleAfter(e):
		return gslb.DoubtAged
	}
	return ""
}

// staleAfter is how old the evidence of a service gets while nothing is wrong, with something to spare.
func (t *Tracker) staleAfter(e *evidence) time.Duration {
	slowest := time.Duration(0)
	for _, bound := range e.service.Monitors {
		slowest = max(slowest, t.intervals[bound.Monitor])
	}
	return t.document.Settings.MEP.KeepaliveTimeout.Std() + staleRounds*slowest
}
