package mep

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

// stream is what this site tells of services: rounds, encoded once for all receivers. The last few are kept; who is further
// behind is told everything as it is now, and none of what was between.
type stream struct {
	mu     sync.Mutex
	enc    *encoder
	recent []*roundFrames // at most maxBehind, oldest first, without gaps
	octets int            // of them
	anew   *roundFrames   // all, as of the newest round; nil: nobody has asked yet
}

// roundFrames is a round as it is sent. Immutable; the age in each part is filled in by a copy.
type roundFrames struct {
	number uint64
	taken  time.Time
	parts  [][]byte
	bytes  int
	anew   bool
}

func newRoundFrames(e *encoder, taken time.Time, parts [][]byte, anew bool) *roundFrames {
	r := &roundFrames{number: e.round, taken: taken, parts: parts, anew: anew}
	for _, p := range parts {
		r.bytes += headerSize + len(p)
	}
	return r
}

// since returns the rounds that a receiver lacks that has heard up to last, of which there may be none; 0: it has heard
// nothing.
func (st *stream) since(last uint64) []*roundFrames {
	st.mu.Lock()
	defer st.mu.Unlock()
	if len(st.recent) == 0 {
		return nil
	}
	newest := st.recent[len(st.recent)-1]
	if missing := newest.number - last; last != 0 && last <= newest.number && missing <= uint64(len(st.recent)) {
		return append([]*roundFrames(nil), st.recent[len(st.recent)-int(missing):]...)
	}
	if st.anew == nil {
		st.anew = newRoundFrames(st.enc, newest.taken, st.enc.all(), true)
	}
	return []*roundFrames{st.anew}
}

// takeRound makes a round of this site's services and of what is heard of those that report to it.
func (x *Exchange) takeRound(records []ServiceRecord, taken time.Time) *roundFrames {
	x.stream.mu.Lock()
	defer x.stream.mu.Unlock()
	if e := x.stream.enc; len(e.sites) >= maxOrigins { // most of them are gone
		x.stream.enc, x.stream.recent, x.stream.octets = newEncoder(x.opts.Site, x.opts.MetricsInterval), nil, 0
		x.stream.enc.round = e.round + 1 // one is left out, so that everybody is told all
	}
	e := x.stream.enc
	e.begin(taken.Sub(x.started))
	e.force = x.bump.Swap(false)
	e.reserved = max(len(e.own.records), len(records))
	for _, s := range x.attachedChildren() {
		s.mirror.relay(s, e)
	}
	e.own.round = e.round
	e.leave(x.reachOf)
	e.tell(e.own, &sight{x.opts.Incarnation, e.round, maxHops, records, noFloor}) // last: others may have to make room first
	e.refresh()
	r := newRoundFrames(e, taken, e.finish(), false)
	x.stream.keep(r, recordSize*e.records)
	return r
}

// keep adds a round, and drops old ones that nobody should be sent any more.
func (st *stream) keep(r *roundFrames, most int) {
	st.recent, st.octets, st.anew = append(st.recent, r), st.octets+r.bytes, nil
	for len(st.recent) > maxBehind || len(st.recent) > leastBehind && st.octets > most {
		st.octets -= st.recent[0].bytes
		st.recent[0] = nil
		st.recent = st.recent[1:]
	}
}

// attachedChildren returns the sessions of sites that report to this one.
func (x *Exchange) attachedChildren() []*session {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []*session
	for _, p := range x.peers {
		if p.session != nil && p.wish.Relation == RelationChild {
			out = append(out, p.session)
		}
	}
	return out
}

// fit returns the records that can be sent, as receivers will hold them. Others are left out, and logged.
func (x *Exchange) fit(records []ServiceRecord, now time.Time) []ServiceRecord {
	if len(records) > MaxServices {
		if !x.rejected.quiet("too many services", now) {
			x.log.Error("mep.services.left_out", zap.String("why", "a site has a limit"), zap.Int("services", len(records)), zap.Int("limit", MaxServices))
		}
		records = records[:MaxServices]
	}
	out := make([]ServiceRecord, 0, len(records))
	for i := range records {
		r := records[i]
		if !ValidServiceName(r.Name) {
			if !x.rejected.quiet("invalid service", now) {
				x.log.Error("mep.service.left_out", zap.String("why", "its name cannot be sent"), zap.String("service", r.Name))
			}
			continue
		}
		r.Reason = printableText(r.Reason, MaxReason)
		if r.Has &= knownFields; r.State > StateDraining {
			r.State = StateUnknown
		}
		out = append(out, r)
	}
	return out
}
