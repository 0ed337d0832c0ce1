package monitors

import (
	"sync/atomic"
	"time"

	"fairlead/config"
	"fairlead/monitors/metric"
	"fairlead/monitors/reason"
	"fairlead/monitors/source"
)

// SourceStatus is how reading a load source goes.
type SourceStatus struct {
	Kind config.LoadKind
	At   time.Time // of the last read that went well, or of what was pushed last; zero: there was none
	// Lacks is what the last answer lacks, Failure why the last read failed; empty: nothing, and it did not.
	Lacks, Failure string
}

// Source tells how reading the load source of a service goes; false when none is read here, and nothing is pushed.
func (l *Loads) Source(service string) (SourceStatus, bool) {
	l.mu.Lock()
	src := l.sources[service]
	l.mu.Unlock()
	if src == nil {
		return SourceStatus{}, false
	}
	src.mu.Lock()
	defer src.mu.Unlock()
	out := src.status
	out.Kind = src.target.Source.Source
	if src.job == nil {
		out.At = src.pushed
	}
	return out, true
}

// note takes in how a read went.
func (s *read) note(got *Load, lacks error) outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Lacks, s.status.Failure = "", ""
	now := outcomeOf(got.Err, lacks)
	if now == notRead {
		s.status.Failure = got.Err.Error()
		return now
	}
	s.status.At = got.At
	if now == readPart {
		s.status.Lacks = reason.Printable(lacks.Error())
	}
	return now
}

// ReadCounts are the numbers of one kind of load sources.
type ReadCounts struct {
	Kind                  config.LoadKind
	Whole, Part, Failures uint64
}

// readCounts counts reads by kind. Kinds are added with it and never later.
type readCounts struct {
	kinds map[config.LoadKind]*[notRead + 1]atomic.Uint64
}

func newReadCounts() *readCounts {
	c := &readCounts{kinds: make(map[config.LoadKind]*[notRead + 1]atomic.Uint64)}
	for _, word := range config.LoadKind("").Enum() {
		c.kinds[config.LoadKind(word)] = new([notRead + 1]atomic.Uint64)
	}
	return c
}

func (c *readCounts) add(kind config.LoadKind, o outcome) {
	if k := c.kinds[kind]; k != nil {
		k[o].Add(1)
	}
}

// Counts returns the numbers of all kinds of which something was read, in no order.
func (l *Loads) Counts() []ReadCounts {
	var out []ReadCounts
	for kind, k := range l.counts.kinds {
		one := ReadCounts{Kind: kind, Whole: k[readWhole].Load(), Part: k[readPart].Load(), Failures: k[notRead].Load()}
		if one.Whole+one.Part+one.Failures > 0 {
			out = append(out, one)
		}
	}
	return out
}

// ReadOnce makes of one read of a source what it tells by itself: the custom load of its parts too, but no rates of totals.
func ReadOnce(t *source.Target, told source.Reading) metric.Metrics {
	m := told.Metrics
	if len(t.Source.Custom) > 0 {
		m.Take(metric.CustomLoad)
		if load, err := customLoad(t.Source.Custom, &m, told.Parts); err == nil {
			m.Set(metric.CustomLoad, load)
		}
	}
	return m
}
