package querylog

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Limits.
const (
	MaxPerSecond        = 100_000
	DefaultMaxPerSecond = 1000
	// MinSample is one in a billion.
	MinSample = 1e-9

	queueEntries  = 4096 // entries that wait to be written
	bufferOctets  = 64 << 10
	flushInterval = time.Second
	retryInterval = 10 * time.Second // after a failure to open or write
)

// Options say what a Log is made of.
type Options struct {
	// Sample is the share of queries that is written, from MinSample to 1.
	Sample float64
	// File is the path of the file to append to. Empty: Logger gets an event for each entry.
	File string
	// MaxPerSecond bounds the entries of one second. 0: DefaultMaxPerSecond.
	MaxPerSecond int
	// FullAddresses writes clients' addresses. Else it is their network: /24, or /56 of IPv6.
	FullAddresses bool
	// Logger gets entries when there is no file, and failures to write. Nil: none.
	Logger *zap.Logger
}

// Stats is sums since the Log was made.
type Stats struct {
	Written uint64 // entries
	Dropped uint64 // entries above the limit, or that could not be written
}

// Log writes entries. Make Sources from it; Run it once.
type Log struct {
	scale  float64 // of the distances between chosen queries: -1/ln(1-sample)
	file   string
	limit  int64
	full   bool
	log    *zap.Logger
	queue  chan Entry
	reopen chan struct{}

	second  atomic.Int64 // of the limit
	taken   atomic.Int64 // entries in it
	written atomic.Uint64
	dropped atomic.Uint64
}

// New returns a Log that writes nothing until Run.
func New(o Options) (*Log, error) {
	if o.MaxPerSecond == 0 {
		o.MaxPerSecond = DefaultMaxPerSecond
	}
	switch {
	case !(o.Sample >= MinSample && o.Sample <= 1):
		return nil, fmt.Errorf("make query log: a sample of %v; give %v to 1", o.Sample, MinSample)
	case o.MaxPerSecond < 0 || o.MaxPerSecond > MaxPerSecond:
		return nil, fmt.Errorf("make query log: %d entries per second; give 1 to %d", o.MaxPerSecond, MaxPerSecond)
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return &Log{
		scale: -1 / math.Log1p(-o.Sample), file: o.File, limit: int64(o.MaxPerSecond),
		full: o.FullAddresses, log: o.Logger, queue: make(chan Entry, queueEntries), reopen: make(chan struct{}, 1),
	}, nil
}

// Source returns a Source that begins anywhere in an interval. Safe for concurrent use.
func (l *Log) Source() *Source {
	s := &Source{log: l, rand: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))}
	s.left = s.gap()
	return s
}

// Stats returns the sums. Safe for concurrent use.
func (l *Log) Stats() Stats { return Stats{Written: l.written.Load(), Dropped: l.dropped.Load()} }

// Reopen opens the file again, which may have been moved. Safe for concurrent use.
func (l *Log) Reopen() {
	select {
	case l.reopen <- struct{}{}:
	default: // it is asked already
	}
}

// record hands an entry to the writer.
func (l *Log) record(e *Entry) {
	// Workers are not in the same second for a moment; only a new one, or a clock that was set back, counts afresh.
	now, second := e.Time.Unix(), l.second.Load()
	if (now > second || now < second-1) && l.second.CompareAndSwap(second, now) {
		l.taken.Store(0)
	}
	if l.taken.Add(1) > l.limit {
		l.dropped.Add(1)
		return
	}
	select {
	case l.queue <- *e:
	default:
		l.dropped.Add(1)
	}
}

// Run writes until ctx ends, then what is queued, and returns nil. A file that cannot be written is tried again.
func (l *Log) Run(ctx context.Context) error {
	if l.file == "" {
		l.runEvents(ctx)
		return nil
	}
	failed := false
	for ctx.Err() == nil {
		err := l.runFile(ctx)
		if err == nil {
			failed = false
			continue
		}
		if !failed {
			failed = true
			l.log.Warn("dns.query_log.down", zap.Error(err))
		}
		l.discard(ctx, retryInterval)
	}
	return nil
}

// discard drops entries for a while.
func (l *Log) discard(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-l.queue:
			l.dropped.Add(1)
		case <-t.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// runFile writes into the file until ctx ends or the file is to be opened again.
func (l *Log) runFile(ctx context.Context) error {
	f, err := os.OpenFile(l.file, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return fmt.Errorf("open query log: %w", err)
	}
	w := bufio.NewWriterSize(f, bufferOctets)
	if err := errors.Join(l.writeLines(ctx, w), w.Flush(), f.Close()); err != nil {
		return fmt.Errorf("write query log %q: %w", l.file, err)
	}
	return nil
}

// writeLines writes entries until ctx ends, and then those that wait, or until the file is to be opened again.
func (l *Log) writeLines(ctx context.Context, w *bufio.Writer) error {
	ticker := time.NewTicker(flushInterval)
	defer ticker.Stop()
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for {
		var err error
		select {
		case e := <-l.queue:
			err = l.writeLine(encoder, &e)
		case <-ticker.C:
			err = w.Flush()
		case <-l.reopen:
			return nil
		case <-ctx.Done():
			for range len(l.queue) {
				e := <-l.queue
				err = errors.Join(err, l.writeLine(encoder, &e))
			}
			return err
		}
		if err != nil {
			return err
		}
	}
}

func (l *Log) writeLine(encoder *json.Encoder, e *Entry) error {
	if err := encoder.Encode(e.line(l.full)); err != nil {
		l.dropped.Add(1)
		return err
	}
	l.written.Add(1)
	return nil
}

// runEvents writes into the program's log until ctx ends.
func (l *Log) runEvents(ctx context.Context) {
	for {
		select {
		case e := <-l.queue:
			l.event(&e)
		case <-ctx.Done():
			for range len(l.queue) {
				e := <-l.queue
				l.event(&e)
			}
			return
		}
	}
}

func (l *Log) event(e *Entry) {
	line := e.line(l.full)
	fields := []zap.Field{
		zap.String("client", line.Client), zap.String("transport", line.Transport), zap.String("name", line.Name),
		zap.String("type", line.Type), zap.String("rcode", line.Rcode), zap.Uint16("answers", line.Answers),
		zap.Int64("microseconds", line.Microseconds), zap.String("time", line.Time),
	}
	if line.Subnet != "" {
		fields = append(fields, zap.String("subnet", line.Subnet))
	}
	if line.Listener != "" {
		fields = append(fields, zap.String("listener", line.Listener))
	}
	if line.Scope != nil {
		fields = append(fields, zap.Int16("scope", *line.Scope))
	}
	l.log.Info("dns.query", fields...)
	l.written.Add(1)
}
