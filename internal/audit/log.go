package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// MaxFileBytes is from which size on a new file is begun.
	MaxFileBytes = 64 << 20
	// KeptFiles is how many full files are kept beside the one that is written.
	KeptFiles = 10

	maxBatch   = 64   // entries that are written and synced at once
	maxWaiting = 4096 // entries that wait for that

	headInterval = time.Hour
)

// Errors of Append. All others are the disk's.
var (
	ErrClosed = errors.New("the audit log is closed")
	ErrBusy   = errors.New("too many changes wait for the audit log")
)

// Options say where the log is.
type Options struct {
	Path string // of the file that is written; its directory exists
	// MaxBytes and Keep are for tests. 0: MaxFileBytes and KeptFiles.
	MaxBytes int64
	Keep     int
	Logger   *zap.Logger // nil: none
}

// Log is an audit log that is written. Safe for concurrent use.
type Log struct {
	opts Options
	log  *zap.Logger

	writing chan struct{} // holds one token while somebody writes a batch

	mu      sync.Mutex
	pending []*waiting
	closed  bool
	end     end      // of what is on disk
	file    *os.File // nil: to be opened, and looked at, before the next line. Changed only by who writes.
}

// waiting is an entry whose line is not on disk yet.
type waiting struct {
	entry Entry
	done  chan error // with room for one
}

// Open opens the log, or makes it. A file that cannot be used is no error here, because a node serves without it: it is tried again with
// each Append, which fails as long.
func Open(o Options) (*Log, error) {
	if o.Path == "" {
		return nil, errors.New("open audit log: there is no path")
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = MaxFileBytes
	}
	if o.Keep <= 0 {
		o.Keep = KeptFiles
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	l := &Log{opts: o, log: o.Logger.Named("audit"), writing: make(chan struct{}, 1)}
	if err := l.ready(); err != nil {
		l.log.Error("audit.unusable", zap.String("file", o.Path), zap.Error(err))
	}
	return l, nil
}

// Append writes an entry. It returns nil once the line is on disk; several callers share one sync. When it fails nothing was written,
// and what the entry tells of must not be done. A context that ends does not take back what is being written.
func (l *Log) Append(ctx context.Context, e Entry) error {
	w := &waiting{entry: e, done: make(chan error, 1)}
	l.mu.Lock()
	switch {
	case l.closed:
		l.mu.Unlock()
		return ErrClosed
	case len(l.pending) >= maxWaiting:
		l.mu.Unlock()
		return ErrBusy
	}
	l.pending = append(l.pending, w)
	l.mu.Unlock()
	over := ctx.Done()
	for {
		select {
		case err := <-w.done:
			return err
		case l.writing <- struct{}{}:
			l.writeBatch()
			<-l.writing
		case <-over:
			if l.withdraw(w) {
				return context.Cause(ctx)
			}
			over = nil // it is being written: what comes of it is known in a moment
		}
	}
}

// withdraw takes an entry back that nobody has begun to write.
func (l *Log) withdraw(w *waiting) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.pending, w)
	if i >= 0 {
		l.pending = slices.Delete(l.pending, i, i+1)
	}
	return i >= 0
}

// writeBatch writes what waits. The caller holds the token of l.writing.
func (l *Log) writeBatch() {
	l.mu.Lock()
	n := min(len(l.pending), maxBatch)
	batch := slices.Clone(l.pending[:n])
	l.pending = slices.Delete(l.pending, 0, n)
	l.mu.Unlock()
	if n == 0 {
		return
	}
	entries := make([]Entry, n)
	for i, w := range batch {
		entries[i] = w.entry
	}
	err := l.ready()
	if err == nil {
		err = l.write(entries)
	}
	if err != nil {
		l.log.Error("audit.failed", zap.String("file", l.opts.Path), zap.Int("entries", n), zap.Error(err))
		err = fmt.Errorf("write audit log %q: %w", l.opts.Path, err)
	}
	for _, w := range batch {
		w.done <- err
	}
}

// ready opens the file when it has to be, and begins a new one when it is full.
func (l *Log) ready() error {
	if l.file == nil {
		f, e, put, err := recovered(l.opts.Path, time.Now())
		if err != nil {
			return err
		}
		l.mu.Lock()
		l.file, l.end = f, e
		l.mu.Unlock()
		if put != nil {
			l.log.Warn("audit.repaired", zap.String("file", l.opts.Path), zap.String("torn", put.file), zap.Int64("bytes", put.bytes))
			if err := l.write([]Entry{{Who: Who{Kind: "local"}, Action: "repair", Object: put.file, Outcome: Accepted,
				Reason: fmt.Sprintf("%d bytes of a line that was never finished were put aside; the chain goes on behind the last whole line", put.bytes)}}); err != nil {
				return err
			}
		}
	}
	if l.end.size < l.opts.MaxBytes {
		return nil
	}
	return l.rotate()
}

// write writes lines and syncs them. When that fails the file is as it was, or looked at again before the next line.
func (l *Log) write(entries []Entry) error {
	at := l.end
	var text []byte
	for i := range entries {
		if entries[i].Time.IsZero() {
			entries[i].Time = time.Now().UTC()
		}
		line, head, err := writeLine(&Line{Seq: at.seq + 1, Prev: at.head.String(), Entry: entries[i]})
		if err != nil {
			return err
		}
		text = append(text, line...)
		at.seq, at.head = at.seq+1, head
	}
	_, err := l.file.WriteAt(text, at.size)
	if err == nil {
		err = l.file.Sync()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		// After a sync that failed it is not known what is on disk.
		err = errors.Join(err, l.file.Truncate(at.size), l.file.Close())
		l.file = nil
		return err
	}
	at.size += int64(len(text))
	l.end = at
	return nil
}

// rotate gives the file its lasting name, begins a new one, and removes the oldest.
func (l *Log) rotate() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	full := olderName(l.opts.Path, l.end.seq)
	err := errors.Join(l.file.Close(), os.Rename(l.opts.Path, full), syncDirectory(l.opts.Path))
	l.file = nil
	if err != nil {
		return err
	}
	f, e, _, err := recovered(l.opts.Path, time.Now())
	if err != nil {
		return err
	}
	l.file, l.end = f, e
	files, err := Files(l.opts.Path)
	if err != nil {
		return err
	}
	var removed []string
	for i := 0; i < len(files)-1-l.opts.Keep; i++ {
		if err := os.Remove(files[i]); err != nil {
			l.log.Warn("audit.unusable", zap.String("file", files[i]), zap.Error(err)) // there is only one file more than wanted
			continue
		}
		removed = append(removed, files[i])
	}
	l.log.Info("audit.rotated", zap.String("file", full), zap.Uint64("seq", e.seq), zap.Stringer("head", e.head), zap.Strings("removed", removed))
	return nil
}

// Head is the end of the chain: who has noted it elsewhere sees whether lines were taken away since.
type Head struct {
	Seq  uint64 // of the last line; 0: there is none
	Hash string // of it, SHA-256 in hexadecimal
}

// Head returns the end of the chain.
func (l *Log) Head() Head {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Head{Seq: l.end.seq, Hash: l.end.head.String()}
}

// Run logs the end of the chain once an hour, and when ctx ends. Then it returns nil.
func (l *Log) Run(ctx context.Context) error {
	tick := time.NewTicker(headInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.noteHead()
		case <-ctx.Done():
			l.noteHead()
			return nil
		}
	}
}

func (l *Log) noteHead() {
	h := l.Head()
	l.log.Info("audit.head", zap.Uint64("seq", h.Seq), zap.String("head", h.Hash))
}

// Close ends the log: what waits is refused, what is being written is awaited.
func (l *Log) Close() error {
	l.writing <- struct{}{}
	defer func() { <-l.writing }()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	for _, w := range l.pending {
		w.done <- ErrClosed
	}
	l.pending = nil
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
