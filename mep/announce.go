package mep

import (
	"context"
	"encoding/binary"
	"slices"
	"time"
)

// servicesSet is this site's services at one moment, encoded once for all peers that speak version 1. Immutable.
type servicesSet struct {
	number uint64
	taken  time.Time
	parts  [][]byte // payloads of Services frames; the age in each is filled in by a copy
	bytes  int
}

// announceLoop takes a round every metrics interval, and after Announce, and has all sessions send it. The steady rate does
// not depend on what happens, but for rounds so large that announceRate keeps them apart.
func (x *Exchange) announceLoop(ctx context.Context) {
	next := time.Now()
	var b bundles
	for ctx.Err() == nil {
		taken := time.Now()
		records := x.fit(x.opts.Services(), taken)
		round := x.takeRound(records, taken)
		held := x.takeSet(round.number, records, taken)
		x.offer(x.takeBundles(&b, round.number, taken))
		for !next.After(taken) {
			next = next.Add(x.opts.MetricsInterval)
		}
		earliest := taken.Add(max(roundGap, time.Duration(round.bytes)*time.Second/announceRate))
		at := next
		if !held.IsZero() && held.Before(at) {
			at = held
		}
		if at.Before(earliest) {
			at = earliest
		}
		if announced := waitUntil(ctx, at, x.announce); announced {
			waitUntil(ctx, earliest, nil)
		}
	}
}

// waitUntil waits for a time or the end of ctx, and returns false; or true when early comes first.
func waitUntil(ctx context.Context, at time.Time, early <-chan struct{}) bool {
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-early:
		return true
	case <-t.C:
	case <-ctx.Done():
	}
	return false
}

// offer wakes the writers of sessions whose peers are told of services, or of all. A writer that is busy sends the newest
// round when it is done.
func (x *Exchange) offer(all bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range x.peers {
		if p.session != nil && (all || p.wish.Relation != RelationChild) {
			signal(p.session.wake)
		}
	}
}

// bundles is what was told last besides services.
type bundles struct {
	ordered, viewed time.Time
	views           []ViewRecord
}

// takeBundles encodes what this site tells besides its services, each when it changed or is due. It reports whether overrides
// were among it.
func (x *Exchange) takeBundles(b *bundles, number uint64, now time.Time) bool {
	if x.opts.Views != nil {
		records := x.opts.Views()
		records = slices.DeleteFunc(records[:min(len(records), MaxViews)], func(r ViewRecord) bool { return !ValidServiceName(r.Name) })
		due := now.Sub(b.viewed) >= x.opts.KeepaliveTimeout/viewsPerTimeout
		same := slices.EqualFunc(b.views, records, func(a, b ViewRecord) bool {
			a.Age, b.Age = 0, 0
			return a == b
		})
		old := x.old.Load() > 0
		var set *bundle
		if due || !same || old {
			set = newBundle(FrameViews, number, len(records), func(b []byte, i int) []byte { return records[i].append(b) })
		}
		if due || !same {
			x.views.Store(set)
			b.viewed, b.views = now, append(b.views[:0], records...)
		}
		if old {
			x.oldViews.Store(set)
		}
	}
	due := now.Sub(b.ordered) >= overridesInterval
	if changed := x.ordered.Swap(false); x.opts.Overrides == nil || !changed && !due {
		return false
	}
	b.ordered = now
	records := x.opts.Overrides()
	records = slices.DeleteFunc(records[:min(len(records), MaxOverrides)], func(r OverrideRecord) bool { return !r.valid() })
	x.overrides.Store(newBundle(FrameOverrides, number, len(records), func(b []byte, i int) []byte { return records[i].append(b) }))
	return true
}

// takeSet encodes the services for peers that speak version 1, if there are any. Their sets are at least announceGap apart: held is
// when one has to be taken that could not be now.
func (x *Exchange) takeSet(number uint64, records []ServiceRecord, now time.Time) (held time.Time) {
	if x.old.Load() == 0 {
		return time.Time{}
	}
	if last := x.set.Load(); last != nil {
		gap := max(announceGap, time.Duration(last.bytes)*time.Second/announceRate)
		if ready := last.taken.Add(gap); now.Before(ready) {
			return ready
		}
	}
	set := &servicesSet{number: number, taken: now}
	p := servicesPrefix{incarnation: x.opts.Incarnation, set: number, origin: x.opts.Site}
	for {
		part, rest := encodePart(p, records)
		set.parts = append(set.parts, part)
		set.bytes += headerSize + len(part)
		if len(rest) == 0 {
			break
		}
		records = rest
		p.part++
	}
	x.set.Store(set)
	return time.Time{}
}

// encodePart encodes records until the part is full, and returns the rest of them.
func encodePart(p servicesPrefix, records []ServiceRecord) (part []byte, rest []ServiceRecord) {
	b := p.append(make([]byte, 0, min(servicesPart, 64*(1+len(records)))))
	for ; len(records) > 0 && len(b) < servicesPart; records = records[1:] {
		b = records[0].append(b)
		p.records++
	}
	binary.BigEndian.PutUint32(b[servicesCountOffset:], p.records)
	return b, records
}
