package node

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"fairlead/api"
	"fairlead/config"
)

const (
	// maxAsking is how many groups are asked for at once.
	maxAsking = 8
	// longestInterval is the longest time between two questions, whatever TTL an answer has.
	longestInterval = 24 * time.Hour
	// failedInterval is the longest time to the next question when nothing was answered, whatever the interval is.
	failedInterval = 30 * time.Second
	// firstAnswers is how long a start, or a new document, waits for what groups resolve to that were never resolved.
	firstAnswers = 3 * time.Second
	// gatherAnswers is how long a change waits for others that come with it.
	gatherAnswers = 100 * time.Millisecond
)

// autoscale follows the DNS names of autoscaled groups: one goroutine for all of them.
type autoscale struct {
	log *zap.Logger
	// ask finds the addresses of both families. It is called from many goroutines.
	ask func(context.Context, *config.Autoscale) (four, six familyAnswer)
	// changed is called by run, when what a group resolves to is another set.
	changed func()
	// announced has the members of groups that are announced; nil: there are none.
	announced *announced
	path      string               // of the file that keeps what is known; empty: there is none
	kept      map[string]keptGroup // by group, as that file had it at the start

	mu     sync.Mutex
	groups map[string]*autoscaled // of the document in use
	wake   chan struct{}          // capacity 1
}

// autoscaled is one group. What was resolved last stays while the name cannot be resolved.
type autoscaled struct {
	settings  config.Autoscale
	four, six []netip.Addr             // as the last good answers had them
	live      []netip.Addr             // both families, sorted, at most settings.Max
	leaving   map[netip.Addr]time.Time // gone from the answers, and until when they are draining
	leftOut   int                      // addresses above settings.Max

	answered bool      // since this start
	resolved time.Time // of the last answer with addresses; zero: never
	failure  string    // of the last question; empty: it was answered
	failed   time.Time
	failures uint64

	due    time.Time
	asking bool
}

// resolution is the answer to one question for a group.
type resolution struct {
	group, name, resolver string
	four, six             familyAnswer
}

func newAutoscale(log *zap.Logger, changed func()) *autoscale {
	return &autoscale{log: log, changed: changed, ask: (&asker{resolvConf: systemResolvers}).addresses, groups: map[string]*autoscaled{}, wake: make(chan struct{}, 1)}
}

// adopt follows the groups of a document, as it is written, from now on. What is known of groups that stay is kept.
func (a *autoscale) adopt(doc *config.Document) {
	a.mu.Lock()
	groups := make(map[string]*autoscaled)
	for i := range doc.ServiceGroups {
		g := &doc.ServiceGroups[i]
		if g.Autoscale == nil {
			continue
		}
		s := a.groups[g.Name]
		switch {
		case s == nil || s.settings.Name != g.Autoscale.Name:
			s = a.restored(g)
		case s.settings != *g.Autoscale:
			s.settings, s.due = *g.Autoscale, time.Time{}
			s.takeIn(nil, time.Now())
		}
		groups[g.Name] = s
	}
	a.groups = groups
	a.mu.Unlock()
	a.rouse()
}

// rouse makes run look at what is due.
func (a *autoscale) rouse() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// expanded is a document with its groups' services as they are now. Addresses that are gone are draining until their delay
// has passed. A group that the document in use does not have, or under another DNS name, has what was kept of it; one with
// other settings there has what it will have when the document is adopted.
func (a *autoscale) expanded(doc *config.Document) *config.Document {
	resolved := make(map[string][]netip.Addr)
	draining := make(map[string]bool) // by service
	a.mu.Lock()
	for i := range doc.ServiceGroups {
		g := &doc.ServiceGroups[i]
		if g.Autoscale == nil {
			continue
		}
		s := a.groups[g.Name]
		switch {
		case s == nil || s.settings.Name != g.Autoscale.Name:
			s = a.restored(g)
		case s.settings != *g.Autoscale:
			s = s.under(g.Autoscale)
		}
		leaving := s.draining()
		resolved[g.Name] = slices.Concat(s.live, leaving)
		for _, address := range leaving {
			draining[config.GroupService(g.Name, address)] = true
		}
	}
	a.mu.Unlock()
	out := doc.ExpandedWith(resolved, a.announced.members(doc))
	for i := range out.Services {
		if s := &out.Services[i]; s.Group != "" && draining[s.Name] && s.State == config.ServiceEnabled {
			s.State = config.ServiceDraining // out was made just now, and nobody has it yet
		}
	}
	return out
}

// under is a group as it will be under other settings.
func (s *autoscaled) under(settings *config.Autoscale) *autoscaled {
	next := &autoscaled{settings: *settings, four: s.four, six: s.six, live: s.live, leaving: maps.Clone(s.leaving)}
	next.takeIn(nil, time.Now())
	return next
}

// draining lists the addresses that are gone, as far as there is room beside those that are not: those that left last.
func (s *autoscaled) draining() []netip.Addr {
	leaving := s.byDeparture()
	leaving = leaving[:min(len(leaving), s.settings.Max-len(s.live))]
	slices.SortFunc(leaving, netip.Addr.Compare)
	return leaving
}

// byDeparture lists the addresses that are gone, those first that left last.
func (s *autoscaled) byDeparture() []netip.Addr {
	return slices.SortedFunc(maps.Keys(s.leaving), func(x, y netip.Addr) int {
		return cmp.Or(s.leaving[y].Compare(s.leaving[x]), x.Compare(y))
	})
}

// first asks for groups that were not resolved since this start, and waits for the answers, but not long: a name without members would
// be answered with nothing, and resolvers would remember that.
func (a *autoscale) first(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, firstAnswers)
	defer cancel()
	var asked sync.WaitGroup
	var changed atomic.Bool
	room := make(chan struct{}, maxAsking)
	// run may be asking for some of them already: their answers are waited for all the same.
	for _, q := range a.start(time.Now(), config.MaxGroups, func(s *autoscaled) bool { return !s.answered }) {
		room <- struct{}{}
		asked.Go(func() {
			r := a.resolve(ctx, q)
			<-room
			if a.note(r, time.Now()) {
				changed.Store(true)
			}
		})
	}
	asked.Wait()
	if changed.Load() {
		a.keep()
	}
	a.rouse() // run leaves groups alone that are being asked for, and does not know when to ask for these again
}

// unasked reports whether first would ask for a group that nobody has asked for: of one that failed to answer nothing is known that a document could wait for.
func (a *autoscale) unasked() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	for _, s := range a.groups {
		if !s.answered && s.failures == 0 && !s.due.After(now) {
			return true
		}
	}
	return false
}

// unanswered lists the groups that neither answered nor failed to since this start.
func (a *autoscale) unanswered() (groups []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, s := range a.groups {
		if !s.answered && s.failures == 0 {
			groups = append(groups, name)
		}
	}
	slices.Sort(groups)
	return groups
}

// question is a group that is to be asked for.
type question struct {
	group    string
	settings config.Autoscale
}

// start marks at most so many groups that are due and wanted as being asked for, and returns them.
func (a *autoscale) start(now time.Time, most int, wanted func(*autoscaled) bool) []question {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []question
	for name, s := range a.groups {
		if len(out) == most {
			break
		}
		if !s.due.After(now) && wanted(s) {
			s.asking = true
			out = append(out, question{group: name, settings: s.settings})
		}
	}
	return out
}

func (a *autoscale) resolve(ctx context.Context, q question) resolution {
	r := resolution{group: q.group, name: q.settings.Name, resolver: q.settings.Resolver}
	r.four, r.six = a.ask(ctx, &q.settings)
	return r
}

// run asks for each group when it is due, until ctx ends.
func (a *autoscale) run(ctx context.Context) error {
	results := make(chan resolution, maxAsking)
	var asking sync.WaitGroup
	defer asking.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	under, changed, dirty := 0, false, false
	var rest time.Time // not before then are changes told
	for {
		now := time.Now()
		for _, q := range a.start(now, maxAsking-under, func(s *autoscaled) bool { return !s.asking }) {
			under++
			asking.Go(func() { results <- a.resolve(ctx, q) })
		}
		changed = a.sweep(now) || changed
		if changed && !dirty {
			dirty, rest = true, latest(rest, now.Add(gatherAnswers))
		}
		changed = false
		if dirty && !now.Before(rest) {
			a.changed()
			a.keep()
			dirty, rest = false, time.Now().Add(min((arrivalShare-1)*time.Since(now), maxArrivalRest))
		}
		timer.Reset(a.wait(waiting{dirty: dirty, rest: rest, room: under < maxAsking}))
		select {
		case <-ctx.Done():
			return nil
		case <-a.wake:
		case <-timer.C:
		case r := <-results:
			under--
			if ctx.Err() == nil {
				changed = a.note(r, time.Now())
			}
		}
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// waiting is what run waits with: whether a set is to be served when the rest is over, and whether there is room for
// further questions.
type waiting struct {
	dirty bool
	rest  time.Time
	room  bool
}

// wait is how long nothing is to be done.
func (a *autoscale) wait(w waiting) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := time.Now().Add(longestInterval)
	earlier := func(t time.Time) {
		if t.Before(next) {
			next = t
		}
	}
	if w.dirty {
		earlier(w.rest)
	}
	for _, s := range a.groups {
		if !s.asking && w.room {
			earlier(s.due)
		}
		for _, until := range s.leaving {
			earlier(until)
		}
	}
	return max(time.Until(next), 0)
}

// sweep removes addresses whose delay has passed. It reports whether there were any.
func (a *autoscale) sweep(now time.Time) (changed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, s := range a.groups {
		for address, until := range s.leaving {
			if !until.After(now) {
				delete(s.leaving, address)
				changed = true
				a.log.Info("group.removed", zap.String("group", name), zap.Stringer("address", address))
			}
		}
	}
	return changed
}

// note takes in an answer. It reports whether the group has other services now.
func (a *autoscale) note(r resolution, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.groups[r.group]
	if s == nil || s.settings.Name != r.name {
		return false // the document changed meanwhile
	}
	s.asking = false
	if s.settings.Resolver != r.resolver {
		return false // the one that is to be asked now is asked at once
	}
	interval := s.settings.Interval.Std()
	err := errors.Join(r.four.err, r.six.err)
	four, six := r.four.addresses, r.six.addresses
	if r.four.err != nil {
		four = s.four
	}
	if r.six.err != nil {
		six = s.six
	}
	if len(four)+len(six) == 0 && err == nil {
		err = errors.New("the name has no addresses")
	}
	if err != nil {
		s.due = now.Add(interval)
		a.fail(r.group, s, err, now)
	}
	if len(four)+len(six) == 0 || r.four.err != nil && r.six.err != nil {
		s.due = now.Add(min(interval, failedInterval))
		return false // what was resolved last stays
	}
	s.answered, s.resolved = true, now
	if err == nil {
		if s.failure != "" {
			a.log.Info("group.recovered", zap.String("group", r.group), zap.String("name", r.name))
		}
		s.failure = ""
		s.due = now.Add(min(max(interval, leastTTL(r.four, r.six)), longestInterval))
	}
	s.four, s.six = four, six
	before, leftOut := s.live, s.leftOut
	changed := s.takeIn(slices.Concat(four, six), now)
	if changed {
		a.log.Info("group.resolved", zap.String("group", r.group), zap.String("name", r.name), zap.Stringers("addresses", s.live), zap.Int("before", len(before)))
	}
	if s.leftOut > 0 && s.leftOut != leftOut {
		a.log.Warn("group.left_out", zap.String("group", r.group), zap.Int("addresses", s.leftOut), zap.Int("max", s.settings.Max))
	}
	return changed
}

// fail notes why a question was not answered. The log tells it once, not each time.
func (a *autoscale) fail(group string, s *autoscaled, err error, now time.Time) {
	if s.failure == "" {
		a.log.Warn("group.failing", zap.String("group", group), zap.String("name", s.settings.Name), zap.Error(err),
			zap.Int("addresses", len(s.live)), zap.String("then", "what was resolved last stays"))
	}
	s.failure, s.failed = err.Error(), now
	s.failures++
}

// takeIn makes addresses the group's; nil: those that it has, by settings that may have changed. It reports whether its
// services are others.
func (s *autoscaled) takeIn(addresses []netip.Addr, now time.Time) bool {
	if addresses == nil {
		addresses = slices.Concat(s.four, s.six)
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	s.leftOut = max(0, len(addresses)-s.settings.Max)
	live := addresses[:len(addresses)-s.leftOut]
	if slices.Equal(live, s.live) {
		return false
	}
	for _, address := range s.live {
		if _, stays := slices.BinarySearchFunc(live, address, netip.Addr.Compare); !stays && s.settings.Delay > 0 {
			if s.leaving == nil {
				s.leaving = make(map[netip.Addr]time.Time)
			}
			s.leaving[address] = now.Add(s.settings.Delay.Std())
		}
	}
	for _, address := range live {
		delete(s.leaving, address)
	}
	s.live = live
	if gone := s.byDeparture(); len(gone) > s.settings.Max {
		for _, address := range gone[s.settings.Max:] {
			delete(s.leaving, address)
		}
	}
	return true
}

// leastTTL is the shorter TTL of the families that have addresses.
func leastTTL(four, six familyAnswer) time.Duration {
	switch {
	case len(four.addresses) == 0:
		return six.ttl
	case len(six.addresses) == 0:
		return four.ttl
	}
	return min(four.ttl, six.ttl)
}

// status tells how each group's name resolves, by the name of the group.
func (a *autoscale) status() []api.GroupStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]api.GroupStatus, 0, len(a.groups))
	for _, name := range slices.Sorted(maps.Keys(a.groups)) {
		s := a.groups[name]
		out = append(out, api.GroupStatus{
			Group: name, Name: s.settings.Name, Addresses: s.live, Draining: s.draining(), LeftOut: s.leftOut,
			Resolved: s.resolved, Failure: s.failure, FailedAt: s.failed, Failures: s.failures,
		})
	}
	return out
}
