package node

import (
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"fairlead/api"
	"fairlead/gslb"
	"fairlead/mep"
)

// Limits of what one other site may do to the sessions here. It is believed that its clients got what it tells, but no more of
// that than an honest site tells.
const (
	// hearRate is the most sessions a second that are taken of one site, about twice what is told at shareRate, and hearBurst
	// the most at once.
	hearRate  = 32 << 10
	hearBurst = 128 << 10
	// replaceRate is how many a second of them may be of clients that have another service here, and replaceBurst at once.
	replaceRate  = 4 << 10
	replaceBurst = 64 << 10
	// roomShare of sessionParts of the table is the most that one of several other sites fills in the longest time-out.
	roomShare, sessionParts = 3, 4
	// leastSlack and mostSlack bound, in seconds, how much later an end may come to be by telling it: see gslb.Hearing. Between
	// them it is slackPart of the time-out.
	leastSlack, mostSlack, slackPart = 1, 30, 8
)

// limits of one site. They belong to whoever tells of its events, which is one at a time.
type limits struct {
	all, replaced *rate.Limiter
	// room taken since began, and in the time before that.
	began      time.Time
	now, early int
}

// peer takes in an event of the exchange. It reports whether that was for nobody else.
func (h *sharing) peer(e mep.Event) bool {
	switch e := e.(type) {
	case *mep.SessionUp:
		h.up(e)
	case *mep.SessionDown:
		h.mu.Lock()
		defer h.mu.Unlock()
		if p := h.peers[e.Peer]; p != nil {
			p.up = false
			p.rewind()
		}
	case *mep.SessionsReport:
		h.hear(e)
		return true
	}
	return false
}

// up begins to tell a site: what it may have missed when it is the same as before, else everything.
func (h *sharing) up(e *mep.SessionUp) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.peers[e.Peer]
	if p == nil {
		p = &sharer{site: e.Peer, SharedSessions: api.SharedSessions{Site: e.Peer}, octets: rate.NewLimiter(shareRate, shareBurst),
			hears: limits{all: rate.NewLimiter(hearRate, hearBurst), replaced: rate.NewLimiter(replaceRate, replaceBurst)}}
		h.peers[e.Peer] = p
	}
	p.rewind()
	if p.up = true; p.incarnation != e.Hello.Incarnation {
		p.incarnation, p.next, p.give = e.Hello.Incarnation, h.first+uint64(len(h.kept)), giving{on: true}
	}
	p.GivingBack = p.give.on
}

// rewind goes back to what the site is not known to have received.
func (p *sharer) rewind() {
	switch {
	case len(p.unheard) > 0:
		p.next, p.give = p.unheard[0].next, p.unheard[0].give
	case p.page != nil:
		p.give = p.page.before.give
	}
	p.unheard, p.page = nil, nil
}

// hear takes in sessions of another site.
func (h *sharing) hear(e *mep.SessionsReport) {
	h.mu.Lock()
	h.follow()
	p, rules, table := h.peers[e.Peer], h.rules, h.table
	h.mu.Unlock()
	if p == nil {
		return
	}
	below, shares := rules.sites[e.Peer]
	var counts api.HeardSessions
	switch {
	case !shares:
		counts.Refused = uint64(len(e.Records))
	case !p.hears.all.AllowN(e.ReceivedAt, len(e.Records)):
		counts.Limited = uint64(len(e.Records))
	default:
		room := p.hears.room(e.ReceivedAt, rules.longest, table.Stats().Max, len(rules.sites))
		wall := h.wall(e.ReceivedAt)
		for i := range e.Records {
			r := &e.Records[i]
			heard := gslb.Hearing{All: below, Passes: rules.below, NoRoom: room <= 0}
			if !rules.hearing(&heard, r, wall, e.Age) {
				counts.Refused++
				continue
			}
			heard.NoChange = p.hears.replaced.TokensAt(e.ReceivedAt) < 1
			before := table.Len()
			what := table.Hear(&heard)
			if table.Len() > before {
				room--
				p.hears.now++
			}
			counts.Count(what)
			if what == gslb.HeardReplaced || what == gslb.HeardKept {
				p.hears.replaced.AllowN(e.ReceivedAt, 1)
			}
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if counts.Limited > 0 && p.Heard.Limited == 0 {
		h.log.Warn("sessions.limited", zap.String("peer", e.Peer), zap.String("why", "it tells of more sessions than an honest site does"))
	}
	p.Heard.Add(&counts)
}

// hearing reads a record. It reports whether the document can have such a session.
func (r *sharedRules) hearing(to *gslb.Hearing, record *mep.SessionRecord, received time.Time, age time.Duration) bool {
	rule := r.ids[record.ID]
	if rule == nil || !rule.Allows(record.Client, record.Service) {
		return false
	}
	to.SessionKey, to.Service = gslb.SessionKey{ID: record.ID, Client: record.Client}, record.Service
	to.At, to.Timeout = received.Unix(), rule.Timeout
	// Rounded down: what is told back and forth does not grow.
	to.Until = min(received.Add(record.Remaining-age).Unix(), to.At+rule.Timeout)
	to.Slack = min(max(rule.Timeout/slackPart, leastSlack), mostSlack)
	return true
}

// room returns how many more sessions a site may add.
func (l *limits) room(now time.Time, longest time.Duration, most, others int) int {
	switch since := now.Sub(l.began); {
	case since >= 2*longest:
		l.began, l.early, l.now = now, 0, 0
	case since >= longest:
		l.began, l.early, l.now = now, l.now, 0
	}
	if others > 1 {
		most = most / sessionParts * roomShare
	}
	return most - l.now - l.early
}
