package monitors

import (
	"context"
	"net/netip"
	"reflect"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/monitors/probe"
	"fairlead/monitors/schedule"
)

// DefaultConcurrency is how many probes run at once unless Options say otherwise.
const DefaultConcurrency = 2000

// Options are what a Scheduler needs.
type Options struct {
	// Prober runs the probes; nil: one that dials the network and knows no secrets.
	Prober *probe.Prober
	// Verdict is called after every finished probe, from several goroutines, for one target by one at a time. It must
	// not block long: the target's next probe waits for it. A call that has begun when SetTargets removes its target
	// is not waited for.
	Verdict func(Verdict)
	// Busy reports whether Verdict would wait. Then it is called by a goroutine that holds up no other probe; nil: it never waits.
	Busy func() bool
	// Concurrency is how many probes run at once; due ones wait beyond that. 0: DefaultConcurrency.
	Concurrency int
	// Schedule is shared with others that run at intervals; nil: one of its own.
	Schedule *schedule.Schedule
	Logger   *zap.Logger
	// Seed varies when targets are probed. With another one on each node, sites do not probe a target in step.
	Seed uint64
}

// Scheduler probes targets at their intervals. Safe for concurrent use.
type Scheduler struct {
	lane    *schedule.Lane
	prober  *probe.Prober
	verdict func(Verdict)
	busy    func() bool
	log     *zap.Logger
	seed    uint64

	mu         sync.Mutex
	targets    map[targetKey]*probed
	calculated map[targetKey]*derived
	// byService is what ProbeNow probes for a service, passive what Members tells of. Their lists are not written to.
	byService, passive map[string][]*probed
	calculatedOf       map[string][]*derived
}

type targetKey struct {
	service, monitor string
	address          netip.AddrPort
}

func keyOf(t *probe.Target) targetKey { return targetKey{t.Service, t.Monitor.Name, t.Address} }

// New returns a Scheduler without targets. It probes nothing until Run.
func New(o Options) *Scheduler {
	if o.Concurrency < 1 {
		o.Concurrency = DefaultConcurrency
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Prober == nil {
		o.Prober = probe.New(probe.Options{})
	}
	if o.Schedule == nil {
		o.Schedule = schedule.New()
	}
	if o.Busy == nil {
		o.Busy = func() bool { return false }
	}
	if o.Verdict == nil {
		o.Verdict = func(Verdict) {}
	}
	lane := o.Schedule.Lane(o.Concurrency)
	lane.StartTogether(o.Prober.Together)
	return &Scheduler{
		lane:    lane,
		prober:  o.Prober,
		verdict: o.Verdict,
		busy:    o.Busy,
		log:     o.Logger,
		seed:    o.Seed,
		targets: make(map[targetKey]*probed),
	}
}

// Run probes until ctx ends, then waits for the probes under way, whose results are dropped. It returns nil, or an error
// when it runs already. Targets and their states survive: Run may be called again.
func (s *Scheduler) Run(ctx context.Context) error {
	running, stop := context.WithCancel(ctx)
	var loop sync.WaitGroup
	defer loop.Wait()
	defer stop()
	loop.Go(func() {
		if err := s.prober.Run(running); err != nil {
			s.log.Warn("monitor.loop", zap.Error(err)) // probes cost more without it, and come to the same
		}
	})
	return s.lane.Run(ctx)
}

// SetTargets makes targets the ones to probe, and calculated those that are made of them. A target that was there with an equal
// monitor, quorum, labels and comment apart, keeps its state and its place in time; one whose monitor changed only in its timing (interval, down_interval, timeout, fall,
// rise, jitter) keeps its state, and is probed no later than it would have been. A new one is probed within a second. The running probe of one that is gone is cancelled and its
// result dropped. Of targets with the same key the first counts. Parts of calculated ones that are no targets are probed as well,
// and nobody is told of them. Targets of passive monitors are not probed: Members judges them.
func (s *Scheduler) SetTargets(targets []probe.Target, calculated ...Calculated) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := make(map[targetKey]*probed, len(targets))
	var out, in []*schedule.Job
	prepared := make(map[*config.Monitor]*probe.Prepared)
	add := func(t *probe.Target, unbound bool) {
		key := keyOf(t)
		if next[key] != nil || t.Monitor.Type == config.MonitorCalculated {
			return
		}
		p := s.next(t, key, unbound, prepared)
		if next[key] = p; p != s.targets[key] && p.job != nil {
			in = append(in, p.job)
		}
	}
	for i := range targets {
		add(&targets[i], false)
	}
	for i := range calculated {
		for _, part := range calculated[i].Parts {
			for j := range part.Targets {
				add(&part.Targets[j], true)
			}
		}
	}
	for key, old := range s.targets {
		if next[key] != old {
			old.retire()
			if old.tell(); old.job != nil {
				out = append(out, old.job)
			}
		}
	}
	hasten := s.setCalculated(calculated, next)
	s.targets = next
	s.index()
	s.lane.Replace(out, in)
	for _, p := range hasten {
		s.lane.Hasten(p.job)
	}
}

// next is what a target becomes: what it was if it is the same, else new, with what was known of it if it asks the same. Monitors that
// were prepared are in prepared.
func (s *Scheduler) next(t *probe.Target, key targetKey, unbound bool, prepared map[*config.Monitor]*probe.Prepared) *probed {
	old := s.targets[key]
	if old != nil && old.unbound == unbound && sameRun(old.target.Monitor, t.Monitor) {
		return old
	}
	p := &probed{target: *t, unbound: unbound}
	if old != nil && sameQuestion(old.target.Monitor, t.Monitor) {
		p.inherit(old)
	}
	if p.passive() {
		return p
	}
	if prepared[t.Monitor] == nil {
		prepared[t.Monitor] = probe.Prepare(t.Monitor)
	}
	p.target.Prepared = prepared[t.Monitor]
	p.job = s.newJob(p)
	if old != nil && old.unbound == unbound && p.tally.state != Unknown {
		// Nothing new is asked: there is no hurry. But what changed may be why the target is DOWN.
		p.job.Instead, p.job.Within = old.job, t.Monitor.Interval.Std()
	}
	return p
}

// index lists the targets by service.
func (s *Scheduler) index() {
	s.byService, s.passive = make(map[string][]*probed), make(map[string][]*probed)
	for key, p := range s.targets {
		if p.passive() {
			s.passive[key.service] = append(s.passive[key.service], p)
		} else {
			s.byService[key.service] = append(s.byService[key.service], p)
		}
	}
	s.calculatedOf = make(map[string][]*derived)
	type pair struct {
		service string
		of      *probed
	}
	listed := make(map[pair]bool)
	for key, d := range s.calculated {
		s.calculatedOf[key.service] = append(s.calculatedOf[key.service], d)
		for _, p := range d.probes() {
			if other := (pair{key.service, p}); p.target.Service != key.service && !listed[other] {
				listed[other] = true
				s.byService[key.service] = append(s.byService[key.service], p)
			}
		}
	}
}

// Stats are the numbers of the probes, or of the reads of load sources.
type Stats = schedule.Stats

// Stats returns the numbers of the moment.
func (s *Scheduler) Stats() Stats { return s.lane.Stats() }

func (s *Scheduler) newJob(p *probed) *schedule.Job {
	m := p.target.Monitor
	return &schedule.Job{
		ID:       keyOf(&p.target).hash(s.seed),
		Interval: intervalOf(m, p.tally.state),
		Jitter:   m.JitterPercent(),
		Work:     func(ctx context.Context) { s.probe(ctx, p) },
		Start:    func(ctx context.Context, finished func()) bool { return s.begin(ctx, p, finished) },
	}
}

// intervalOf is how often a target in that state is probed.
func intervalOf(m *config.Monitor, state State) time.Duration {
	if state == Down && m.DownInterval > 0 {
		return m.DownInterval.Std()
	}
	return m.Interval.Std()
}

func (s *Scheduler) probe(ctx context.Context, p *probed) {
	r := s.prober.Probe(ctx, p.target)
	if ctx.Err() == nil {
		s.conclude(p, r)
	}
}

// begin is probe without a goroutine, where that can be.
func (s *Scheduler) begin(ctx context.Context, p *probed, finished func()) bool {
	return s.prober.Begin(ctx, p.target, func(r probe.Result, cancelled bool) {
		switch {
		case cancelled:
			finished()
		case s.busy():
			go func() {
				s.conclude(p, r)
				finished() // who started it waits for that
			}()
		default:
			s.conclude(p, r)
			finished()
		}
	})
}

// conclude makes a result known.
func (s *Scheduler) conclude(p *probed, r probe.Result) {
	v, dependents, ok := p.judge(r)
	if !ok {
		return
	}
	if v.Changed {
		s.lane.Retime(p.job, intervalOf(p.target.Monitor, v.State))
	}
	s.hand(p, v, dependents)
	p.tell()
}

// hand hands a verdict on.
func (s *Scheduler) hand(p *probed, v Verdict, dependents []*derived) {
	s.logTurns(&v)
	if p.slows(&v) {
		s.log.Warn("monitor.slow", turnFields(&v)...)
	}
	if !p.unbound {
		s.verdict(v)
	}
	s.derive(dependents)
}

// probed is a target with its state.
type probed struct {
	target  probe.Target
	job     *schedule.Job // nil: it is not probed, but passive
	unbound bool          // only a part of what is calculated: nobody is told of it
	telling sync.Mutex    // of a passive one, whose reports may come from several goroutines

	mu         sync.Mutex
	tally      tally
	at         time.Time     // of the last result
	last       Verdict       // that followed from it
	dependents []*derived    // what is made of it
	told       chan struct{} // closed when the next result was told; nil: nobody awaits it
	slow       bool          // monitor.slow was told, and rise successes in a row did not follow yet
	retired    bool          // no longer a target: results count no more
}

func (p *probed) key() targetKey { return keyOf(&p.target) }

func (p *probed) holds() (Verdict, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last, p.last.State != Unknown
}

// inherit takes over what is known from the same target before SetTargets.
func (p *probed) inherit(old *probed) {
	p.tally = old.retire()
	old.mu.Lock()
	defer old.mu.Unlock()
	p.last, p.at = old.last, old.at
}

// judge takes in a result, and returns what is made of it besides; false when the target is retired.
func (p *probed) judge(r probe.Result) (Verdict, []*derived, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.retired {
		return Verdict{}, nil, false
	}
	m := p.target.Monitor
	before, drained := p.tally.state, p.last.Draining
	p.at = r.At
	p.tally = p.tally.next(r.At, r.OK, m.Fall, m.Rise)
	p.last = Verdict{
		Service:   p.target.Service,
		Monitor:   m.Name,
		Address:   p.target.Address,
		State:     p.tally.state,
		Since:     p.tally.since,
		At:        r.At,
		Reason:    r.Reason,
		Latency:   r.Latency,
		Draining:  r.Drain && p.tally.state == Up,
		Slow:      r.Slow,
		Values:    r.Values,
		Failures:  p.tally.failures,
		Successes: p.tally.successes,
		Changed:   p.tally.state != before,
	}
	if drained && !r.OK && p.last.State == Up {
		// What asked to be drained and then falls silent is going down: that is no reason to send it new clients meanwhile.
		p.last.Draining, p.last.Reason = true, p.last.Reason+"; it asked to be drained before"
	}
	p.last.DrainingChanged = p.last.Draining != drained
	return p.last, p.dependents, true
}

// retire drops what comes late and returns the state as it was.
func (p *probed) retire() tally {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retired = true
	return p.tally
}

// sameQuestion says that two monitors ask a target the same and differ at most in when and how often.
func sameQuestion(a, b *config.Monitor) bool {
	same := *a
	same.Interval, same.Timeout, same.Fall, same.Rise, same.Jitter, same.DownInterval = b.Interval, b.Timeout, b.Fall, b.Rise, b.Jitter, b.DownInterval
	return sameRun(&same, b)
}

// sameRun says that two monitors are run alike: they differ at most in what is for people, and for who weighs the verdicts.
func sameRun(a, b *config.Monitor) bool {
	if a == b {
		return true
	}
	same := *a
	same.Quorum, same.Labels, same.Comment = b.Quorum, b.Labels, b.Comment
	return reflect.DeepEqual(&same, b)
}

// hash is the same in every run of every version: places in the interval follow from it.
func (k targetKey) hash(seed uint64) uint64 {
	h := xxhash.NewWithSeed(seed)
	h.WriteString(k.service) // a Digest returns no errors
	h.WriteString("\x00")
	h.WriteString(k.monitor)
	h.WriteString("\x00")
	h.WriteString(k.address.String())
	return h.Sum64()
}
