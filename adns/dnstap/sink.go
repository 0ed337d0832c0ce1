package dnstap

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Limits.
const (
	MinQueue     = 1024    // messages
	MaxQueue     = 1 << 20 // messages
	DefaultQueue = 65536   // messages
	MaxIdentity  = 255     // octets; of Options.Version too

	writeInterval  = 100 * time.Millisecond
	dialTimeout    = 5 * time.Second
	writeTimeout   = 5 * time.Second // for a chunk; a collector that is slower is left
	goodbyeTimeout = time.Second     // for what is queued, STOP and FINISH, once the Sink ends
	retryMin       = 2 * time.Second
	retryMax       = time.Minute
	stable         = 10 * time.Second // a stream that lasted this long was no failure
)

// Options say what a Sink is made of. Exactly one of Socket, TCP and File names the output.
type Options struct {
	Socket string // path of a collector's Unix socket
	TCP    string // host:port of a collector
	File   string // path of a file to write
	// Queries and Responses choose the messages.
	Queries, Responses bool
	// Identity and Version are said in each message; at most MaxIdentity octets each. Empty: left out.
	Identity, Version string
	// Queue bounds the messages that wait to be written, and their memory to 512 octets each. 0: DefaultQueue.
	Queue int
	// Dial opens connections. Nil: the system's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Logger gets connections made and lost. Nil: none.
	Logger *zap.Logger
}

// Stats is sums since the Sink was made.
type Stats struct {
	Sent     uint64 // messages written
	Dropped  uint64 // messages that the queue had no room for, or that were lost with a connection
	Connects uint64 // streams opened: connections that a collector accepted, or files
	Bytes    uint64 // octets of frames written
}

// Sink writes messages to one output. Make Sources from it; Run it once.
type Sink struct {
	queries, responses bool
	envelope           []byte
	network, address   string // of a collector; empty: a file
	file               string
	dial               func(ctx context.Context, network, address string) (net.Conn, error)
	log                *zap.Logger

	queue  *queue
	reopen chan struct{}

	sent, dropped, connects, octets atomic.Uint64
}

// New returns a Sink that writes nothing until Run.
func New(o Options) (*Sink, error) {
	outputs := 0
	for _, s := range []string{o.Socket, o.TCP, o.File} {
		if s != "" {
			outputs++
		}
	}
	if o.Queue == 0 {
		o.Queue = DefaultQueue
	}
	switch {
	case outputs != 1:
		return nil, fmt.Errorf("make dnstap sink: %d outputs; give exactly one of Socket, TCP and File", outputs)
	case !o.Queries && !o.Responses:
		return nil, errors.New("make dnstap sink: neither queries nor responses are chosen")
	case o.Queue < MinQueue || o.Queue > MaxQueue:
		return nil, fmt.Errorf("make dnstap sink: a queue of %d messages; give %d to %d", o.Queue, MinQueue, MaxQueue)
	case len(o.Identity) > MaxIdentity || len(o.Version) > MaxIdentity:
		return nil, fmt.Errorf("make dnstap sink: identity has %d octets, version %d; at most %d each", len(o.Identity), len(o.Version), MaxIdentity)
	}
	s := &Sink{
		queries: o.Queries, responses: o.Responses, envelope: envelope(o.Identity, o.Version), file: o.File,
		dial: o.Dial, log: o.Logger, queue: newQueue(o.Queue), reopen: make(chan struct{}, 1),
	}
	if s.network, s.address = "unix", o.Socket; o.TCP != "" {
		s.network, s.address = "tcp", o.TCP
	}
	if s.dial == nil {
		s.dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	return s, nil
}

// Source returns an empty Source. Safe for concurrent use.
func (s *Sink) Source() *Source { return &Source{sink: s} }

// Stats returns the sums. Safe for concurrent use.
func (s *Sink) Stats() Stats {
	return Stats{Sent: s.sent.Load(), Dropped: s.dropped.Load(), Connects: s.connects.Load(), Bytes: s.octets.Load()}
}

// Reopen ends the file that is written and begins a new one. It does nothing for a collector. Safe for concurrent use.
func (s *Sink) Reopen() {
	if s.file == "" {
		return
	}
	select {
	case s.reopen <- struct{}{}:
	default: // it is asked already
	}
}

// errReopen ends a file because another one was asked for.
var errReopen = errors.New("a new file was asked for")

// Run writes until ctx ends, then writes what is queued, says goodbye and returns nil. A collector that cannot be reached
// or goes away, and a file that cannot be written, are tried again after 1 to 60 s.
func (s *Sink) Run(ctx context.Context) error {
	retry := retryMin
	down := false
	for ctx.Err() == nil {
		out, err := s.open(ctx)
		if err == nil {
			s.connects.Add(1)
			s.log.Info("dns.dnstap.up", zap.String("output", s.output()))
			down = false
			began := time.Now()
			err = errors.Join(s.pump(ctx, out), out.close())
			if time.Since(began) >= stable {
				retry = retryMin
			}
		}
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, errReopen) {
			continue
		}
		if !down {
			down = true
			s.log.Warn("dns.dnstap.down", zap.String("output", s.output()), zap.Error(err))
		}
		// Half of the pause is chance, so that the nodes of a site do not come back as one.
		pause(ctx, retry/2+rand.N(retry/2))
		retry = min(2*retry, retryMax)
	}
	for c := s.queue.take(); c != nil; c = s.queue.take() {
		s.dropped.Add(uint64(c.messages))
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// output names the output in the log.
func (s *Sink) output() string {
	if s.file != "" {
		return s.file
	}
	return s.network + ":" + s.address
}

// An output is an open stream: START is written.
type output interface {
	// write writes whole frames.
	write(frames []byte) error
	// gone is closed when the other end has left.
	gone() <-chan struct{}
	// full reports whether the output should be ended for a new one.
	full() bool
	// finish gives what follows, and a write under way, a time limit. Safe for concurrent use.
	finish()
	// close ends the stream, with STOP where it can.
	close() error
}

// open opens the output.
func (s *Sink) open(ctx context.Context) (output, error) {
	if s.file != "" {
		return openFile(s.file)
	}
	return s.connect(ctx)
}

// pump writes chunks as they fill, and what there is at each interval. It returns nil when ctx has ended and all is
// written.
func (s *Sink) pump(ctx context.Context, out output) error {
	ticker := time.NewTicker(writeInterval)
	defer ticker.Stop()
	// A slow collector must not hold up the end for the time of a whole queue.
	defer context.AfterFunc(ctx, out.finish)()
	for {
		var end error
		select {
		case <-ticker.C:
		case <-s.queue.wake:
		case <-out.gone():
			return errors.New("the collector closed the connection")
		case <-s.reopen:
			end = errReopen
		case <-ctx.Done():
			out.finish()
			return s.drain(out)
		}
		if err := s.drain(out); err != nil {
			return err
		}
		if end != nil || out.full() {
			return errReopen
		}
	}
}

// drain writes all that is queued at this moment, at most a queue's length.
func (s *Sink) drain(out output) error {
	for range s.queue.maxChunks {
		c := s.queue.take()
		if c == nil {
			return nil
		}
		err := out.write(c.data)
		if err != nil {
			s.dropped.Add(uint64(c.messages)) // some may have arrived; nobody knows
		} else {
			s.sent.Add(uint64(c.messages))
			s.octets.Add(uint64(len(c.data)))
		}
		s.queue.giveBack(c)
		if err != nil {
			return err
		}
	}
	return nil
}
