package monitors

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/monitors/metric"
	"fairlead/monitors/reason"
	"fairlead/monitors/schedule"
	"fairlead/monitors/source"
)

// Limits of load sources.
const (
	// DefaultLoadConcurrency is how many load reads run at once unless LoadOptions say otherwise.
	DefaultLoadConcurrency = 256
)

// Errors of Push.
var (
	// ErrNotPushed: the service has no load source of kind push, or is not known here.
	ErrNotPushed = errors.New("service has no load source of kind push")
	// ErrOutdated: a later report was pushed before.
	ErrOutdated = errors.New("a later load report was pushed before")
	// ErrNothingTold: a report without any metric.
	ErrNothingTold = errors.New("load report tells nothing")
)

// Load is one report of how busy a service is, or of the failure to learn it.
type Load struct {
	Service string
	Active  uint64 // active connections, at most MaxActive; only without Err
	// WithoutActive says that the source did not tell active connections, only some of Metrics.
	WithoutActive bool
	// Metrics is what else the source told. It holds neither Active nor totals.
	Metrics metric.Metrics
	// At is when the answer arrived, or what Push was told.
	At     time.Time
	Source string // the kind of source, as the document has it: "haproxy", "push" and so on
	// Err says why the read failed. The load reported before then ages; it says nothing about being up.
	Err error
}

// LoadOptions are what Loads need.
type LoadOptions struct {
	// Reader reads the sources; nil: one that dials the network and knows no secrets.
	Reader *source.Reader
	// Load is called after every read, also a failed one, and by Push: from several goroutines, for one service by one
	// at a time as far as reads go. It must not block long. A call that has begun when SetTargets removes its service
	// is not waited for.
	Load func(Load)
	// Concurrency is how many reads run at once; due ones wait beyond that. 0: DefaultLoadConcurrency.
	Concurrency int
	// Schedule is shared with others that run at intervals; nil: one of its own.
	Schedule *schedule.Schedule
	Logger   *zap.Logger
	// Seed varies when sources are read, as Options.Seed does for probes.
	Seed uint64
}

// Loads reads load sources at their intervals and takes in pushed reports. Safe for concurrent use.
type Loads struct {
	lane   *schedule.Lane
	reader *source.Reader
	load   func(Load)
	log    *zap.Logger
	seed   uint64

	counts *readCounts

	mu      sync.Mutex
	sources map[string]*read
}

// NewLoads returns Loads without targets. It reads nothing until Run; Push works at once.
func NewLoads(o LoadOptions) *Loads {
	if o.Concurrency < 1 {
		o.Concurrency = DefaultLoadConcurrency
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Schedule == nil {
		o.Schedule = schedule.New()
	}
	if o.Reader == nil {
		o.Reader = source.New(source.Options{})
	}
	if o.Load == nil {
		o.Load = func(Load) {}
	}
	return &Loads{
		lane:    o.Schedule.Lane(o.Concurrency),
		reader:  o.Reader,
		load:    o.Load,
		log:     o.Logger,
		seed:    o.Seed,
		counts:  newReadCounts(),
		sources: make(map[string]*read),
	}
}

// Run reads until ctx ends, then waits for the reads under way, whose results are dropped, and closes the connections it
// kept. It returns nil, or an error when it runs already. Run may be called again.
func (l *Loads) Run(ctx context.Context) error {
	defer l.reader.Close()
	return l.lane.Run(ctx)
}

// SetTargets makes targets the services whose load is read here. One that was there with an equal source keeps its place
// in time; a new one is read within a second. The running read of one that is gone is cancelled and its result dropped.
// Of targets with the same service the first counts.
func (l *Loads) SetTargets(targets []source.Target) {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := make(map[string]*read, len(targets))
	var out, in []*schedule.Job
	for _, t := range targets {
		if _, twice := next[t.Service]; twice {
			continue
		}
		if old := l.sources[t.Service]; old != nil && reflect.DeepEqual(old.target, t) {
			next[t.Service] = old
			continue
		}
		src := &read{target: t, rates: newRates(pushedGap), mean: newMeanTime(pushedGap)}
		next[t.Service] = src
		if t.Source.Source != config.LoadPush {
			src.rates = newRates(3 * t.Source.Interval.Std())
			src.mean = newMeanTime(3 * t.Source.Interval.Std())
			src.job = l.newJob(src)
			in = append(in, src.job)
		}
	}
	for service, old := range l.sources {
		if next[service] != old && old.job != nil {
			out = append(out, old.job)
		}
	}
	l.sources = next
	l.lane.Replace(out, in)
}

// Push takes in a report for a service whose source is push and hands it on before it returns. at is when the report was
// made. It is the whole of what is known then: a metric that it does not tell goes on ageing. Totals become rates over
// RateWindow. The errors wrap ErrNotPushed, ErrOutdated, metric.ErrRange or ErrNothingTold.
func (l *Loads) Push(service string, told metric.Metrics, at time.Time) error {
	l.mu.Lock()
	src := l.sources[service]
	l.mu.Unlock()
	if src == nil || src.target.Source.Source != config.LoadPush {
		return fmt.Errorf("push load of service %q: %w", service, ErrNotPushed)
	}
	if told.Empty() {
		return fmt.Errorf("push load of service %q: %w", service, ErrNothingTold)
	}
	if err := told.Check(); err != nil {
		return fmt.Errorf("push load of service %q: %w", service, err)
	}
	got, ok := src.advance(source.Reading{Metrics: told}, at)
	if !ok {
		return fmt.Errorf("push load of service %q: %w", service, ErrOutdated)
	}
	l.load(got)
	return nil
}

// Stats returns the numbers of the moment; push sources are not counted.
func (l *Loads) Stats() Stats { return l.lane.Stats() }

func (l *Loads) newJob(src *read) *schedule.Job {
	h := xxhash.NewWithSeed(l.seed)
	h.WriteString(src.target.Service) // a Digest returns no errors
	return &schedule.Job{
		ID:       h.Sum64(),
		Interval: src.target.Source.Interval.Std(),
		Jitter:   config.DefaultJitter,
		Work:     func(ctx context.Context) { l.read(ctx, src) },
	}
}

func (l *Loads) read(ctx context.Context, src *read) {
	t := src.target
	timeout := source.Timeout(&t.Source)
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	told, err := l.reader.Read(limited, &t)
	if ctx.Err() != nil {
		return
	}
	got := src.take(told, time.Now())
	if err != nil {
		got.Err = fmt.Errorf("read load of service %q from %s: %s", t.Service, t.Source.Source,
			reason.Describe(err, got.At, timeout))
	}
	l.counts.add(t.Source.Source, src.note(&got, told.Lacks))
	if src.changed(outcomeOf(got.Err, told.Lacks)) {
		l.logChange(got, told.Lacks)
	}
	l.load(got)
}

// outcome is how a read went.
type outcome uint8

const (
	neverRead outcome = iota
	readWhole
	readPart // something that was looked for is not in the answer
	notRead
)

func outcomeOf(err, lacks error) outcome {
	switch {
	case err != nil:
		return notRead
	case lacks != nil:
		return readPart
	}
	return readWhole
}

func (l *Loads) logChange(got Load, lacks error) {
	fields := []zap.Field{zap.String("service", got.Service), zap.String("source", got.Source)}
	switch {
	case got.Err != nil:
		l.log.Warn("load.failed", append(fields, zap.Error(got.Err))...)
	case lacks != nil:
		l.log.Warn("load.incomplete", append(fields, zap.Error(lacks))...)
	default:
		l.log.Info("load.read", append(fields, zap.Uint64("active", got.Active))...)
	}
}

// read is a target with what is remembered of it.
type read struct {
	target source.Target
	job    *schedule.Job // nil for push

	mu     sync.Mutex
	rates  *rates
	mean   meanTime
	pushed time.Time // latest report
	last   outcome
	status SourceStatus
}

// advance takes in a pushed report; false when a later one was there before.
func (s *read) advance(told source.Reading, at time.Time) (Load, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.Before(s.pushed) {
		return Load{}, false
	}
	s.pushed = at
	return s.resolve(told, at), true
}

// take makes a load of what a read told.
func (s *read) take(told source.Reading, at time.Time) Load {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resolve(told, at)
}

// resolve makes rates of totals, and the custom load of its parts.
func (s *read) resolve(told source.Reading, at time.Time) Load {
	t := &s.target
	m := told.Metrics
	s.mean.resolve(&m, at)
	s.rates.resolve(&m, told.Narrow, at)
	if len(t.Source.Custom) > 0 && (told.Parts != nil || !m.Empty()) {
		m.Take(metric.CustomLoad) // the document says what it is made of
		if load, err := customLoad(t.Source.Custom, &m, told.Parts); err == nil {
			m.Set(metric.CustomLoad, load)
		}
	}
	active, ok := m.Take(metric.Active)
	return Load{Service: t.Service, Active: uint64(math.Round(active)), WithoutActive: !ok, Metrics: m, At: at,
		Source: string(t.Source.Source)}
}

// changed takes in how a read went and says whether that is news.
func (s *read) changed(now outcome) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := s.last != now
	s.last = now
	return news
}
