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
	log     *zap.Logger
	seed    uint64

	mu      sync.Mutex
	targets map[targetKey]*probed
	// byService is the same. Its lists are not written to.
	byService map[string][]*probed
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
	if o.Verdict == nil {
		o.Verdict = func(Verdict) {}
	}
	return &Scheduler{
		lane:    o.Schedule.Lane(o.Concurrency),
		prober:  o.Prober,
		verdict: o.Verdict,
		log:     o.Logger,
		seed:    o.Seed,
		targets: make(map[targetKey]*probed),
	}
}

// Run probes until ctx ends, then waits for the probes under way, whose results are dropped. It returns nil, or an error
// when it runs already. Targets and their states survive: Run may be called again.
func (s *Scheduler) Run(ctx context.Context) error { return s.lane.Run(ctx) }

// SetTargets makes targets the ones to probe. A target that was there with an equal monitor keeps its state and its
// place in time; one whose monitor changed only in its timing (interval, down_interval, timeout, fall, rise, jitter) keeps its state. A
// new one is probed within a second. The running probe of one that is gone is cancelled and its result dropped. Of
// targets with the same key the first counts.
func (s *Scheduler) SetTargets(targets []probe.Target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, byService := make(map[targetKey]*probed, len(targets)), make(map[string][]*probed)
	var out, in []*schedule.Job
	for _, t := range targets {
		key := keyOf(&t)
		if _, twice := next[key]; twice {
			continue
		}
		old := s.targets[key]
		if old != nil && (old.target.Monitor == t.Monitor || reflect.DeepEqual(old.target.Monitor, t.Monitor)) {
			next[key] = old
			continue
		}
		p := &probed{target: t}
		if old != nil && sameQuestion(old.target.Monitor, t.Monitor) {
			p.tally = old.retire()
		}
		p.job = s.newJob(p)
		next[key] = p
		in = append(in, p.job)
	}
	for key, p := range next {
		byService[key.service] = append(byService[key.service], p)
	}
	for key, old := range s.targets {
		if next[key] != old {
			old.retire()
			old.tell()
			out = append(out, old.job)
		}
	}
	s.targets, s.byService = next, byService
	s.lane.Replace(out, in)
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
	if ctx.Err() != nil {
		return
	}
	v, ok := p.judge(r)
	if !ok {
		return
	}
	if v.Changed {
		s.logChange(v)
		s.lane.Retime(p.job, intervalOf(p.target.Monitor, v.State))
	}
	s.verdict(v)
	p.tell()
}

func (s *Scheduler) logChange(v Verdict) {
	fields := []zap.Field{
		zap.String("service", v.Service),
		zap.String("monitor", v.Monitor),
		zap.Stringer("address", v.Address),
		zap.String("reason", v.Reason),
	}
	if v.State == Up {
		s.log.Info("monitor.up", fields...)
		return
	}
	s.log.Warn("monitor.down", fields...)
}

// probed is a target with its state.
type probed struct {
	target probe.Target
	job    *schedule.Job

	mu      sync.Mutex
	tally   tally
	at      time.Time     // of the last result
	told    chan struct{} // closed when the next result was told; nil: nobody awaits it
	retired bool          // no longer a target: results count no more
}

// judge takes in a result; false when the target is retired.
func (p *probed) judge(r probe.Result) (Verdict, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.retired {
		return Verdict{}, false
	}
	m := p.target.Monitor
	before := p.tally.state
	p.at = r.At
	p.tally = p.tally.next(r.At, r.OK, m.Fall, m.Rise)
	return Verdict{
		Service:   p.target.Service,
		Monitor:   m.Name,
		Address:   p.target.Address,
		State:     p.tally.state,
		Since:     p.tally.since,
		At:        r.At,
		Reason:    r.Reason,
		Latency:   r.Latency,
		Draining:  r.Drain && p.tally.state == Up,
		Values:    r.Values,
		Failures:  p.tally.failures,
		Successes: p.tally.successes,
		Changed:   p.tally.state != before,
	}, true
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
