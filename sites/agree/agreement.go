package agree

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"fairlead/mep"
)

const (
	// Interval is how often a site tells others what it answers.
	Interval = 10 * time.Second
	// tick is how often a site looks at itself, and compares.
	tick = time.Second
	// silence is after how long a site that tells nothing any more is not compared.
	silence = 3*Interval + tick
	// baseSettle and maxInterval bound how long a change may be on its way between sites: a metrics interval, and baseSettle.
	baseSettle  = 2 * time.Second
	maxInterval = 5 * time.Second
	// strikesToAsk is how many comparisons in a row must fail before the other site is asked, and strikesToSay how many before a
	// difference that it does not explain is told.
	strikesToAsk, strikesToSay = 2, 3
	// searchTimeout is how long asking may take, all in all.
	searchTimeout = 8 * time.Second
	// MaxSkew is how far two clocks may be apart.
	MaxSkew = 2 * time.Second
)

// Options are what an Agreement needs. All functions are required, and called from its goroutines.
type Options struct {
	Site string
	// View returns what this site answers by now; not ok: nothing yet.
	View func(now time.Time) (v View, ok bool)
	// Tell tells the peers that to chooses a digest.
	Tell func(d mep.DecisionsDigest, to func(site string) bool)
	// Ask asks a peer a question of Answer.
	Ask func(ctx context.Context, site string, body []byte) ([]byte, error)
	// Skew returns how far a peer's clock is ahead; not ok: not measured.
	Skew   func(site string) (ahead time.Duration, ok bool)
	Logger *zap.Logger // nil: none
}

// Agreement compares what this site answers with what others do. All methods are safe for concurrent use; Run is called once.
type Agreement struct {
	opts Options
	log  *zap.Logger

	mu        sync.Mutex
	face      *face // nil: there is none yet
	marks     []mark
	told      time.Time
	settle    time.Duration
	peers     map[string]*peer // by site: those of the document only
	searching bool             // one at a time
	searches  sync.WaitGroup
}

// mark is what this site would have told from one moment until the next mark.
type mark struct {
	from time.Time
	mep.DecisionsDigest
}

// peer is another site in the mesh that answers DNS.
type peer struct {
	report  *mep.DecisionsReport // the last one; nil: none
	new     bool                 // its session is: it was not told anything in it
	due     time.Time            // when it is compared; zero: it was
	strikes int                  // comparisons in a row that failed
	asked   time.Time            // when a search began last
	wanted  []topic              // to be searched as soon as no other search goes on; nil: none are
	skewed  int                  // comparisons in a row when the clocks were apart
	PeerStatus
}

// New returns an Agreement that has heard of nobody.
func New(o Options) *Agreement {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return &Agreement{opts: o, log: o.Logger, peers: map[string]*peer{}}
}

// Run tells and compares until ctx ends.
func (a *Agreement) Run(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	defer a.searches.Wait()
	a.turn(ctx, time.Now())
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			a.turn(ctx, now)
		}
	}
}

// Heard takes in what a peer tells. It does not block for long.
func (a *Agreement) Heard(r *mep.DecisionsReport) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p := a.peers[r.Peer]; p != nil {
		p.report = r
		if p.due.IsZero() { // else a flood would put it off for ever
			p.due = r.ReceivedAt.Add(a.settle)
		}
	}
}

// Met says that there is a session with a peer: it is told soon.
func (a *Agreement) Met(site string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p := a.peers[site]; p != nil {
		p.new = true
	}
}

// Lost says that the session with a peer has ended.
func (a *Agreement) Lost(site string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p := a.peers[site]; p != nil {
		p.forget(time.Now())
	}
}

// Status returns how this site compares with others, by name.
func (a *Agreement) Status() []PeerStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]PeerStatus, 0, len(a.peers))
	for _, p := range a.peers {
		s := p.PeerStatus
		s.Disagreements = make(map[Cause]uint64, len(p.Disagreements))
		for cause, n := range p.Disagreements {
			s.Disagreements[cause] = n
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(x, y PeerStatus) int {
		if x.Site < y.Site {
			return -1
		}
		return 1
	})
	return out
}

var errNothingYet = errors.New("this site does not compare its answers, or not yet")

// Answer answers a peer's question (docs/mep-protocol.md). What it costs is bounded, and nothing changes for it.
func (a *Agreement) Answer(body []byte) ([]byte, error) {
	q, err := decodeQuestion(body)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	f := a.face
	a.mu.Unlock()
	if f == nil {
		return nil, errNothingYet
	}
	out := []byte{messageVersion}
	for _, s := range q.spans {
		if q.mode == modeSums {
			sums := f.tables[q.topic].parts(s)
			out = appendSums(out, &sums)
			continue
		}
		items := f.items(q.topic, s)
		out = append(out, uint8(len(items)))
		for i := range items {
			out = items[i].append(out)
		}
	}
	return out, nil
}

// turn does what is to be done at now.
func (a *Agreement) turn(ctx context.Context, now time.Time) {
	v, ok := a.opts.View(now)
	if !ok {
		return
	}
	a.mu.Lock()
	a.follow(&v, now)
	prev, alone := a.face, len(a.peers) == 0
	if alone {
		a.face, a.marks = nil, nil
	}
	a.mu.Unlock()
	if alone {
		return
	}
	f := newFace(v, prev, now)
	d := f.digest()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.face = f
	a.note(d, now)
	a.tell(d, now)
	for _, p := range a.peers {
		switch {
		case p.report == nil:
		case now.Sub(p.report.ReceivedAt) > silence:
			p.forget(now)
		case !p.due.IsZero() && !now.Before(p.due):
			p.due = time.Time{}
			a.compare(p, now)
		}
	}
	a.searchNext(ctx, now)
}

// tell tells peers a digest: all when it is time, new ones at once. a.mu is held.
func (a *Agreement) tell(d mep.DecisionsDigest, now time.Time) {
	due := now.Sub(a.told) >= Interval-tick/2
	to := make(map[string]bool, len(a.peers))
	for site, p := range a.peers {
		if due || p.new {
			to[site], p.new = true, false
		}
	}
	if due {
		a.told = now
	}
	if len(to) > 0 {
		a.opts.Tell(d, func(site string) bool { return to[site] })
	}
}

// follow keeps those as peers who answer DNS in the mesh, by the document. a.mu is held.
func (a *Agreement) follow(v *View, now time.Time) {
	a.settle = baseSettle + min(v.Document.Settings.MEP.MetricsInterval.Std(), maxInterval)
	own := v.Document.Site(a.opts.Site)
	wanted := make(map[string]bool, len(v.Document.Sites))
	for i := range v.Document.Sites {
		s := &v.Document.Sites[i]
		if own == nil || !own.Answers() || own.Parent != "" || s.Name == a.opts.Site || !s.Answers() || s.Parent != "" {
			continue
		}
		wanted[s.Name] = true
		if a.peers[s.Name] == nil {
			a.peers[s.Name] = &peer{PeerStatus: PeerStatus{Site: s.Name, State: Unknown, Since: now, Disagreements: map[Cause]uint64{}}}
		}
	}
	for site := range a.peers {
		if !wanted[site] {
			delete(a.peers, site)
		}
	}
}

// note remembers what would be told now, for as long as another site may not have followed. a.mu is held.
func (a *Agreement) note(d mep.DecisionsDigest, now time.Time) {
	if n := len(a.marks); n == 0 || !equal(&a.marks[n-1].DecisionsDigest, &d) {
		a.marks = append(a.marks, mark{now, d})
	}
	// A report is compared settle after it came, with what was so settle before.
	for len(a.marks) > 1 && now.Sub(a.marks[1].from) > 2*a.settle+2*tick {
		a.marks = slices.Delete(a.marks, 0, 1)
	}
}

func equal(x, y *mep.DecisionsDigest) bool {
	return x.Document == y.Document && x.Decisions == y.Decisions && slices.Equal(x.Buckets, y.Buckets) && slices.Equal(x.Causes, y.Causes)
}

// differing are the topics that a report differs in from all that this site would have told about then. same is false when it
// never had the document.
func (a *Agreement) differing(r *mep.DecisionsReport) (list []topic, same bool) {
	at := func(digests []uint64, i int) uint64 {
		if i < len(digests) {
			return digests[i]
		}
		return 0
	}
	var found [topics][fan]bool
	for i := range a.marks {
		m := &a.marks[i]
		if m.Document != r.Document {
			continue
		}
		same = true
		for b := range fan {
			found[topicDecisions][b] = found[topicDecisions][b] || at(m.Buckets, b) == at(r.Buckets, b)
		}
		for t := topicServices; t < topics; t++ {
			// A site of a later version may tell more; one that tells less cannot be compared in the rest.
			found[t][0] = found[t][0] || int(t) > len(r.Causes) || m.Causes[t-topicServices] == r.Causes[t-topicServices]
		}
	}
	for t := range topic(topics) {
		parts := found[t][:1]
		if t == topicDecisions {
			parts = found[t][:]
		}
		if slices.Contains(parts, false) {
			list = append(list, t)
		}
	}
	return list, same
}

// compare compares a peer's report with this site. a.mu is held.
func (a *Agreement) compare(p *peer, now time.Time) {
	p.Compared, p.wanted = now, nil
	list, same := a.differing(p.report)
	if p.skewed++; a.skew(p.Site) == 0 {
		p.skewed = 0
	}
	if same && len(list) == 0 {
		p.strikes = 0
	} else {
		p.strikes++
	}
	switch {
	case p.strikes == 0 && p.skewed == 0:
		a.settleOn(p, nil, now)
	case !same && p.strikes >= strikesToAsk:
		a.settleOn(p, a.other(p), now)
	case p.strikes == 0 && p.skewed >= strikesToAsk:
		a.settleOn(p, a.clock(p.Site), now)
	case p.strikes >= strikesToAsk && same && now.Sub(p.asked) >= Interval-tick:
		p.wanted = list
	}
}

// searchNext begins a search if there is one to do and none goes on: for who waits longest. a.mu is held.
func (a *Agreement) searchNext(ctx context.Context, now time.Time) {
	var next *peer
	for _, p := range a.peers {
		if p.wanted != nil && (next == nil || p.asked.Before(next.asked)) {
			next = p
		}
	}
	if next == nil || a.searching {
		return
	}
	list, own := next.wanted, a.face
	next.asked, next.wanted, a.searching = now, nil, true
	a.searches.Go(func() { a.search(ctx, next, own, list) })
}

// skew returns how far the clocks are apart, if that is too far; else 0.
func (a *Agreement) skew(site string) time.Duration {
	if ahead, ok := a.opts.Skew(site); ok && ahead.Abs() > MaxSkew {
		return ahead
	}
	return 0
}

// settleOn makes findings those that hold for a peer. a.mu is held.
func (a *Agreement) settleOn(p *peer, findings []Finding, now time.Time) {
	state, before := Agrees, p.Findings
	if len(findings) > 0 {
		state = Differs
	}
	news := false
	for i := range findings {
		if !slices.ContainsFunc(before, func(f Finding) bool { return f.Cause == findings[i].Cause }) {
			news = true
			p.Disagreements[findings[i].Cause]++
		}
	}
	switch {
	case state == Differs && (news || p.State != Differs):
		f := &findings[0]
		a.log.Warn("agreement.differs", zap.String("peer", p.Site), zap.String("cause", string(f.Cause)), zap.String("what", f.Objects[0].Text),
			zap.Strings("causes", causesOf(findings)))
	case state == Agrees && p.State == Differs:
		a.log.Info("agreement.restored", zap.String("peer", p.Site), zap.Duration("after", now.Sub(p.Since)))
	}
	if p.Findings = findings; p.State != state {
		p.State, p.Since = state, now
	}
}

func causesOf(findings []Finding) (out []string) {
	for i := range findings {
		out = append(out, string(findings[i].Cause))
	}
	return out
}

// forget makes nothing known of a peer.
func (p *peer) forget(now time.Time) {
	p.report, p.due, p.strikes, p.skewed, p.wanted = nil, time.Time{}, 0, 0, nil
	if p.Findings = nil; p.State != Unknown {
		p.State, p.Since = Unknown, now
	}
}
