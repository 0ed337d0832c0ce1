package etcdstore

import (
	"sync/atomic"

	"fairlead/config/replica"
)

// counters are what Stats says.
type counters struct{ written, merged, undone, refused, quarantined atomic.Uint64 }

// Stats returns counts since the start: a revision is merged when another node wrote it. There are no messages: their counts stay zero.
func (e *Engine) Stats() replica.Stats {
	c := &e.stats
	return replica.Stats{Written: c.written.Load(), Merged: c.merged.Load(), Undone: c.undone.Load(), Refused: c.refused.Load(), Quarantined: c.quarantined.Load()}
}
