package node

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"fairlead/gslb"
	"fairlead/mep"
)

const (
	// maxBacklog is how many measurements a site with a new session is told at most: the newest.
	maxBacklog = 1 << 16
	// newcomersAtOnce is how many such sites are told at a time; the others wait.
	newcomersAtOnce = 16
	// backlogFor is how long what was gathered for one of them does for others.
	backlogFor = 10 * time.Second
)

// backlog is what this site knew at a moment that others may not: its own measurements and those of sites that report to it.
// It is not written to any more.
type backlog struct {
	made    time.Time
	records []known
}

type known struct {
	site   string
	record mep.NetworkRecord
	at     int64
}

// newcomer is a site with a new session, and how far it was told.
type newcomer struct {
	from *backlog // nil: nothing was told yet
	at   int
}

// meet notes sessions that begin and end. A site that is told measurements gets those that are known already.
func (w *resolverWatch) meet(e mep.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := e.(type) {
	case *mep.SessionUp:
		if w.settings.relatives.above[e.Peer] {
			w.newcomers[e.Peer] = &newcomer{}
		}
	case *mep.SessionDown:
		delete(w.newcomers, e.Peer)
		delete(w.limits, e.Peer)
	}
}

// tellNewcomers tells those with a new session a part of what is known, the newest first.
func (w *resolverWatch) tellNewcomers(now time.Time, most int) {
	standby := w.returned()
	for _, site := range w.waiting() {
		if standby[site] {
			continue // until this site reports to it
		}
		w.mu.Lock()
		n := w.newcomers[site]
		under := w.settings.relatives.under
		w.mu.Unlock()
		if n == nil {
			continue // its session ended
		}
		if n.from == nil {
			if w.backlog == nil || now.Sub(w.backlog.made) > backlogFor {
				w.backlog = w.gather(under, now)
			}
			n.from = w.backlog
		}
		end := min(n.at+most, len(n.from.records))
		told := w.send(sectionsOf(n.from.records[n.at:end], now), func(peer string) bool { return peer == site })
		n.at = end
		w.mu.Lock()
		w.counts.Told += told
		if end == len(n.from.records) && w.newcomers[site] == n {
			delete(w.newcomers, site)
		}
		w.mu.Unlock()
	}
	if w.backlog != nil && now.Sub(w.backlog.made) > backlogFor {
		w.backlog = nil
	}
}

// returned notes which parent this site reports to. One that it changed to is a newcomer although its session is not new. It returns
// the parents on standby.
func (w *resolverWatch) returned() map[string]bool {
	standby, now := make(map[string]bool), ""
	up := false
	for _, p := range w.peers() {
		switch {
		case p.Relation != mep.RelationParent:
		case p.Attached:
			now, up = p.Site, p.State == mep.PeerUp
		default:
			standby[p.Site] = true
		}
	}
	if now == w.attached {
		return standby
	}
	w.attached, w.backlog = now, nil // what was told to the other one since is in none
	w.mu.Lock()
	defer w.mu.Unlock()
	if up && w.newcomers[now] == nil {
		w.newcomers[now] = &newcomer{}
	}
	return standby
}

// waiting lists some of the newcomers.
func (w *resolverWatch) waiting() (out []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for site := range w.newcomers {
		if len(out) == newcomersAtOnce {
			break
		}
		out = append(out, site)
	}
	return out
}

// gather looks through the table.
func (w *resolverWatch) gather(under map[string]bool, now time.Time) *backlog {
	sites := map[uint64]string{w.hash: w.site}
	for site := range under {
		sites[xxhash.Sum64String(site)] = site
	}
	table := w.table()
	from := now.Unix() - int64(table.Options().Timeout/time.Second)
	b := &backlog{made: now}
	table.Each(func(network netip.Prefix, _ int64, rtts []gslb.SiteRTT) bool {
		for _, m := range rtts {
			if site, ok := sites[m.Site]; ok && m.At > from {
				b.records = append(b.records, known{site, mep.NetworkRecord{LDNS: network.Addr(), RTT: m.RTT, Source: uint8(m.By)}, m.At})
			}
		}
		return true
	})
	slices.SortFunc(b.records, func(x, y known) int { return cmp.Compare(y.at, x.at) })
	if len(b.records) > maxBacklog {
		b.records = slices.Clone(b.records[:maxBacklog])
	}
	return b
}

// sectionsOf sorts records by their sites.
func sectionsOf(records []known, now time.Time) (out []mep.NetworkSection) {
	index := map[string]int{}
	for _, k := range records {
		i, ok := index[k.site]
		if !ok {
			i = len(out)
			index[k.site] = i
			out = append(out, mep.NetworkSection{Site: k.site, Hops: networkHops})
		}
		r := k.record
		r.Age = max(now.Sub(time.Unix(k.at, 0)), 0)
		out[i].Records = append(out[i].Records, r)
	}
	return out
}
