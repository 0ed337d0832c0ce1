package node

import (
	"net/netip"
	"time"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/time/rate"

	"fairlead/gslb"
	"fairlead/mep"
)

// hear takes in what another site tells of resolvers: what it measured, and which ones it wants. What a site tells that reports to
// this one is passed on. Safe for concurrent use.
func (w *resolverWatch) hear(e *mep.NetworkReport) {
	records, known := w.accept(e)
	if !known {
		return
	}
	table, site := w.table(), xxhash.Sum64String(e.Site)
	timeout := table.Options().Timeout
	for i := range records {
		r := &records[i]
		switch at := e.ReceivedAt.Add(-r.Age); {
		case r.Wanted:
			w.hearWish(e.Peer, r, e.ReceivedAt)
		case r.Age >= timeout:
		case table.MeasuredBy(r.LDNS, site, r.RTT, at.Unix(), gslb.RTTSource(min(r.Source, maxSource))):
			w.pass(e, *r, at)
		}
	}
}

// maxSource is the greatest source that the table can hold.
const maxSource = 15

// accept returns the records that a peer may still tell in this second, and whether the site is one of the document's others.
func (w *resolverWatch) accept(e *mep.NetworkReport) ([]mep.NetworkRecord, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.settings.sites[e.Site] || e.Site == w.site {
		return nil, false
	}
	limit := w.limits[e.Peer]
	if limit == nil {
		limit = rate.NewLimiter(heardRate, heardBurst)
		w.limits[e.Peer] = limit
	}
	if !limit.AllowN(e.ReceivedAt, len(e.Records)) {
		w.counts.Excess += uint64(len(e.Records))
		return nil, false
	}
	w.counts.Heard += uint64(len(e.Records))
	return e.Records, true
}

// pass notes a measurement of a site that reports to this one, for those that this one reports to.
func (w *resolverWatch) pass(e *mep.NetworkReport, r mep.NetworkRecord, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if kin := &w.settings.relatives; kin.under[e.Site] && e.Hops > 0 && len(kin.above) > 0 {
		w.told.measured(e.Site, e.Hops-1, r, at)
	}
}

// hearWish has a resolver measured that another site wants, unless this one has just done so, and passes the wish on: that of a
// parent or a site of the mesh to children, that of a child to all.
func (w *resolverWatch) hearWish(peer string, r *mep.NetworkRecord, now time.Time) {
	a := r.LDNS.Unmap()
	if !a.IsValid() {
		return
	}
	m, ok := w.ownTime(w.table(), a, now)
	w.mu.Lock()
	kin := &w.settings.relatives
	u := untold{record: mep.NetworkRecord{LDNS: a, Wanted: true, Proven: r.Proven}, at: now, down: len(kin.below) > 0, up: kin.below[peer] && len(kin.above) > 0}
	if u.down || u.up {
		w.told.wants(u, w.wishTime())
	}
	fresh := ok && w.isFresh(m.At, now)
	if !fresh {
		w.offer(a)
	}
	w.mu.Unlock()
	if !fresh {
		w.prober.Want(a, r.Proven)
	}
}

// wish notes that a resolver asks here, for all others. w.mu is held.
func (w *resolverWatch) wish(a netip.Addr, proven bool, now time.Time) {
	if w.told.wants(untold{record: mep.NetworkRecord{LDNS: a, Wanted: true, Proven: proven}, at: now, up: true, down: true}, w.wishTime()) {
		w.counts.Wanted++
	}
}
