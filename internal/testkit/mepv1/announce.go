package mepv1

import (
	"context"
	"encoding/binary"
	"slices"
	"time"

	"go.uber.org/zap"
)

// servicesSet is this site's services at one moment, encoded once for all peers. Immutable.
type servicesSet struct {
	number uint64
	taken  time.Time
	parts  [][]byte // payloads of Services frames; the age in each is filled in by a copy
	bytes  int
}

// announceLoop takes a set every metrics interval, and after Announce, and has all sessions send it. The steady rate does
// not depend on what happens, but for sets so large that announceRate keeps them apart.
func (x *Exchange) announceLoop(ctx context.Context) {
	next, ordered := time.Now(), time.Time{}
	for number := uint64(1); ctx.Err() == nil; number++ {
		set := x.takeSet(number)
		x.set.Store(set)
		if x.takeBundles(number, set.taken.Sub(ordered) >= overridesInterval) {
			ordered = set.taken
		}
		x.offerSet()
		for !next.After(set.taken) {
			next = next.Add(x.opts.MetricsInterval)
		}
		earliest := set.taken.Add(max(announceGap, time.Duration(set.bytes)*time.Second/announceRate))
		if next.Before(earliest) {
			next = earliest
		}
		if announced := waitUntil(ctx, next, x.announce); announced {
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

// offerSet wakes the writers of all sessions. A writer that is busy sends the newest set when it is done, and none of
// those between.
func (x *Exchange) offerSet() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range x.peers {
		if p.session != nil {
			signal(p.session.fresh)
		}
	}
}

// takeBundles encodes what this site tells besides its services. It reports whether overrides were among it, which they are
// when they are due or have changed.
func (x *Exchange) takeBundles(number uint64, due bool) bool {
	if x.opts.Views != nil {
		records := x.opts.Views()
		records = slices.DeleteFunc(records[:min(len(records), MaxViews)], func(r ViewRecord) bool { return !ValidServiceName(r.Name) })
		x.views.Store(newBundle(FrameViews, number, len(records), func(b []byte, i int) []byte { return records[i].append(b) }))
	}
	if changed := x.ordered.Swap(false); x.opts.Overrides == nil || !changed && !due {
		return false
	}
	records := x.opts.Overrides()
	records = slices.DeleteFunc(records[:min(len(records), MaxOverrides)], func(r OverrideRecord) bool { return !r.valid() })
	x.overrides.Store(newBundle(FrameOverrides, number, len(records), func(b []byte, i int) []byte { return records[i].append(b) }))
	return true
}

// takeSet encodes the services as they are now. Records that cannot be sent are left out, and logged.
func (x *Exchange) takeSet(number uint64) *servicesSet {
	records := x.opts.Services()
	set := &servicesSet{number: number, taken: time.Now()}
	if len(records) > MaxServices {
		if !x.rejected.quiet("too many services", set.taken) {
			x.log.Error("mep.services.left_out", zap.String("why", "a site has a limit"), zap.Int("services", len(records)), zap.Int("limit", MaxServices))
		}
		records = records[:MaxServices]
	}
	p := servicesPrefix{incarnation: x.opts.Incarnation, set: number, origin: x.opts.Site}
	for {
		part, rest := x.encodePart(p, records)
		set.parts = append(set.parts, part)
		set.bytes += headerSize + len(part)
		if len(rest) == 0 {
			return set
		}
		records = rest
		p.part++
	}
}

// encodePart encodes records until the part is full, and returns the rest of them.
func (x *Exchange) encodePart(p servicesPrefix, records []ServiceRecord) (part []byte, rest []ServiceRecord) {
	b := p.append(make([]byte, 0, min(servicesPart, 64*(1+len(records)))))
	for ; len(records) > 0 && len(b) < servicesPart; records = records[1:] {
		r := &records[0]
		if !ValidServiceName(r.Name) {
			if !x.rejected.quiet("invalid service", time.Now()) {
				x.log.Error("mep.service.left_out", zap.String("why", "its name cannot be sent"), zap.String("service", r.Name))
			}
			continue
		}
		b = r.append(b)
		p.records++
	}
	binary.BigEndian.PutUint32(b[servicesCountOffset:], p.records)
	return b, records
}
