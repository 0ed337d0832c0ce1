package node

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"fairlead/api"
	"fairlead/config"
	"fairlead/gslb"
	"fairlead/mep"
)

const (
	// shareTick is how often there may be something to tell: what was dropped, or more of what is given back.
	shareTick = 100 * time.Millisecond
	// shareRate is the most octets a second that one site is told of sessions, and shareBurst the most at once.
	shareRate  = 256 << 10
	shareBurst = 128 << 10
	// sharedOctets is about what a session takes in a frame: it bounds how many changes are taken at a time.
	sharedOctets = 20
	// maxSharedFrames is how many frames with changes are kept for sites that are behind. Who is further behind is
	// given everything.
	maxSharedFrames = 512
	// sharedWalk is how many sessions are looked at without a break.
	sharedWalk = 16 << 10
)

// sharing tells other sites of the sessions of clients, and takes in theirs.
type sharing struct {
	site string // this one
	// serving returns what counts at this moment.
	serving func() (*config.Document, *gslb.Plan, *gslb.Sessions)
	tell    func(site string, f mep.SessionsFrame) (number uint64, ok bool)
	had     func(site string) uint64      // SessionsHeard
	wall    func(now time.Time) time.Time // what the clock shows, which may be set; intervals go by now
	log     *zap.Logger

	mu     sync.Mutex
	table  *gslb.Sessions
	rules  *sharedRules
	peers  map[string]*sharer // who had a session: at most mep.MaxPeers, by the exchange
	kept   []sharedFrame      // at most maxSharedFrames
	first  uint64             // number of the first one
	taken  time.Time          // when changes were taken last
	urgent bool               // some are left
}

// sharedFrame is changes that all sites are told.
type sharedFrame struct {
	mep.SessionsFrame
	passed bool // only those that report to this one
}

// sharedRules is what a document says of sessions and of who shares them.
type sharedRules struct {
	plan     *gslb.Plan
	ids      map[uint32]*gslb.SessionRule
	sites    map[string]bool // other sites that share; true: they report to this one
	below    bool            // there are such that report to this one
	interval time.Duration
	longest  time.Duration // of the time-outs
}

// sharer is another site. Fields but limits are guarded by sharing.mu.
type sharer struct {
	site        string
	up          bool
	incarnation uint64
	next        uint64 // number of the frame with changes that it is told next
	give        giving // what it is told beside them
	page        *heldPage
	unheard     []toldSessions // at most as many as the exchange lets be unconfirmed
	octets      *rate.Limiter

	hears limits
	api.SharedSessions
}

// giving is how far a site has been given all sessions.
type giving struct {
	on       bool
	rest     bool // the second time: those that end sooner
	position int
	room     int // of the table that position belongs to
}

// heldPage is sessions to be given that could not be told yet.
type heldPage struct {
	mep.SessionsFrame
	before toldSessions
}

// toldSessions is a frame that a site may not have received, and what would be told again then.
type toldSessions struct {
	number uint64 // of mep
	next   uint64
	give   giving
}

func newSharing(n *Node) *sharing {
	return &sharing{site: n.opts.Config.Site, serving: func() (*config.Document, *gslb.Plan, *gslb.Sessions) {
		st := n.State()
		return st.Document, st.Snapshot.GSLB.Plan, st.Snapshot.Learned.Sessions
	}, wall: func(now time.Time) time.Time { return now }, log: n.log, peers: map[string]*sharer{}, tell: n.exchange.TellSessions, had: n.exchange.SessionsHeard}
}

// newSharedRules reads a document.
func newSharedRules(doc *config.Document, plan *gslb.Plan, self string) *sharedRules {
	r := &sharedRules{plan: plan, ids: plan.SessionRules(), sites: map[string]bool{}, interval: doc.Settings.MEP.SessionInterval.Std()}
	for _, rule := range r.ids {
		r.longest = max(r.longest, time.Duration(rule.Timeout)*time.Second)
	}
	takesPart, relays := map[string]bool{}, doc.Relays()
	for i := range doc.Sites {
		if s := &doc.Sites[i]; s.Answers() {
			takesPart[s.Name] = true
			for _, above := range relays[s.Name] {
				takesPart[above] = true
			}
		}
	}
	if !takesPart[self] {
		return r
	}
	for i := range doc.Sites {
		if s := &doc.Sites[i]; s.Name != self && takesPart[s.Name] {
			r.sites[s.Name] = slices.Contains(s.Parents(), self)
			r.below = r.below || r.sites[s.Name]
		}
	}
	return r
}

// run tells until ctx ends.
func (h *sharing) run(ctx context.Context) error {
	tick := time.NewTicker(shareTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			h.turn(now)
		}
	}
}

// follow makes what is served what counts here. h.mu is held.
func (h *sharing) follow() {
	doc, plan, table := h.serving()
	h.table = table
	if h.rules == nil || h.rules.plan != plan {
		h.rules = newSharedRules(doc, plan, h.site)
		table.Share(len(h.rules.sites) > 0)
	}
}

// turn tells what there is to tell.
func (h *sharing) turn(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.follow()
	var up []*sharer
	for _, p := range h.peers {
		if _, shares := h.rules.sites[p.site]; shares && p.up {
			up = append(up, p)
		}
	}
	if len(up) == 0 {
		return // notes stay in the table
	}
	if h.table.Pressed() || h.urgent && now.Sub(h.taken) >= shareTick || now.Sub(h.taken) >= h.rules.interval {
		h.take(now)
	}
	for _, p := range up {
		h.tellOne(p, now)
	}
}

// take takes the changes since the last time, in frames for all.
func (h *sharing) take(now time.Time) {
	most := int(shareRate / sharedOctets * min(max(now.Sub(h.taken), shareTick), h.rules.interval) / time.Second)
	h.taken = now
	var all, passed []mep.SessionRecord
	h.urgent = h.table.EachNote(most, func(n gslb.SessionNote) {
		to := &all
		if n.Passed {
			to = &passed
		}
		if r, ok := h.record(n, now); ok {
			if *to = append(*to, r); len(*to) == mep.SessionRecordsTold {
				h.keep(*to, n.Passed, now)
				*to = (*to)[:0]
			}
		}
	})
	h.keep(all, false, now)
	h.keep(passed, true, now)
}

func (h *sharing) keep(records []mep.SessionRecord, passed bool, now time.Time) {
	if len(records) == 0 {
		return
	}
	h.kept = append(h.kept, sharedFrame{mep.NewSessionsFrame(records, now), passed})
	if len(h.kept) > maxSharedFrames {
		old := len(h.kept) - maxSharedFrames*3/4
		h.kept, h.first = slices.Delete(h.kept, 0, old), h.first+uint64(old)
	}
}

// record returns what is told of a session; not ok: it has ended, or the document has none like it.
func (h *sharing) record(n gslb.SessionNote, now time.Time) (r mep.SessionRecord, ok bool) {
	left := time.Unix(n.Until, 0).Sub(h.wall(now))
	if left < time.Millisecond || h.rules.ids[n.Key.ID] == nil {
		return r, false
	}
	return mep.SessionRecord{ID: n.Key.ID, Client: n.Key.Client, Service: n.Service, Remaining: left}, true
}

// tellOne tells a site changes, then more of what it is given, as much as it may be told now.
func (h *sharing) tellOne(p *sharer, now time.Time) {
	heard := h.had(p.site)
	for len(p.unheard) > 0 && p.unheard[0].number <= heard {
		p.unheard = p.unheard[1:]
	}
	if p.next < h.first {
		p.next, p.give = h.first+uint64(len(h.kept)), giving{on: true}
	}
	for p.next < h.first+uint64(len(h.kept)) {
		f := &h.kept[p.next-h.first]
		before := toldSessions{next: p.next, give: p.give}
		if p.next++; f.passed && !h.rules.sites[p.site] {
			continue
		}
		if !h.tellFrame(p, f.SessionsFrame, before, now) {
			p.next = before.next
			return
		}
	}
	for p.page != nil || p.give.on {
		if p.page == nil {
			p.page = &heldPage{before: toldSessions{next: p.next, give: p.give}}
			p.page.SessionsFrame = mep.NewSessionsFrame(h.page(&p.give, now), now)
		}
		n := p.page.Records()
		if n > 0 && !h.tellFrame(p, p.page.SessionsFrame, p.page.before, now) {
			return
		}
		if p.page = nil; n < mep.SessionRecordsTold {
			break // enough was looked at
		}
	}
	p.GivingBack = p.give.on
}

// tellFrame tells a frame if the site may be told so much now.
func (h *sharing) tellFrame(p *sharer, f mep.SessionsFrame, before toldSessions, now time.Time) bool {
	if p.octets.TokensAt(now) < float64(f.Size()) {
		return false
	}
	number, ok := h.tell(p.site, f)
	if !ok {
		return false
	}
	p.octets.AllowN(now, f.Size())
	before.number = number
	p.unheard = append(p.unheard, before)
	p.Told += uint64(f.Records())
	return true
}

// page returns the next sessions to be given, and moves on: first those with at least half of their time-out left, then the rest.
func (h *sharing) page(g *giving, now time.Time) (records []mep.SessionRecord) {
	if room := h.table.Stats().Max; g.room != room {
		*g = giving{on: true, room: room}
	}
	seen := 0
	g.position = h.table.WalkNotes(g.position, func(n gslb.SessionNote) bool {
		if r, ok := h.record(n, now); ok {
			long := 2*r.Remaining >= time.Duration(h.rules.ids[n.Key.ID].Timeout)*time.Second
			if long != g.rest {
				records = append(records, r)
			}
		}
		seen++
		return seen < sharedWalk && len(records) < mep.SessionRecordsTold
	})
	if g.position == 0 {
		g.on, g.rest = !g.rest, true
	}
	return records
}

// status says how sharing goes with each site, by name.
func (h *sharing) status() []api.SharedSessions {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]api.SharedSessions, 0, len(h.peers))
	for _, p := range h.peers {
		if h.rules == nil {
			break
		}
		if _, shares := h.rules.sites[p.site]; shares {
			out = append(out, p.SharedSessions)
		}
	}
	slices.SortFunc(out, func(a, b api.SharedSessions) int { return cmp.Compare(a.Site, b.Site) })
	return out
}

// sharedSessions is what is shown of the sharing; nothing where this node shares none.
func (n *Node) sharedSessions() []api.SharedSessions {
	if n.sharing == nil {
		return nil
	}
	return n.sharing.status()
}
