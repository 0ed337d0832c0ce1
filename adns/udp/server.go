package udp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

const (
	// MaxWorkers bounds Options.Workers.
	MaxWorkers = 256
	// IdleInterval is the shortest time between two calls of Idler.Idle.
	IdleInterval = 100 * time.Millisecond

	// receiveBuffer is what is asked of the kernel for datagrams that wait for a worker, in octets.
	receiveBuffer = 4 << 20
	// readRetry is the pause after a failed receive, so that a broken socket does not spin.
	readRetry        = 10 * time.Millisecond
	errorLogInterval = 10 * time.Second
)

// Options say what a Server is made of.
type Options struct {
	// Addr is the address to serve. The unspecified address serves all of its family (an IPv6 socket takes no IPv4);
	// responses are sent from the address that was asked. Port 0 takes a free one.
	Addr netip.AddrPort
	// Workers is the number of workers, 1 to MaxWorkers.
	Workers int
	// IO is how they wait.
	IO IO
	// Sockets is the number of sockets of all servers of the process together, for what Auto chooses. 0: Workers.
	Sockets int
	// NewHandler makes a worker's Handler; workers count from 0.
	NewHandler func(worker int) Handler
	// Logger gets transitions, never datagrams. Nil: none.
	Logger *zap.Logger
	// ListenPacket opens the socket. All workers share it, and it is served as Portable. Nil: the system's sockets.
	ListenPacket func(ctx context.Context, network, address string) (net.PacketConn, error)
}

// worker is one goroutine's share of the work.
type worker interface {
	run() error          // until the server stops
	wake()               // ends a wait; the server is stopping already
	close() error        // after run, or instead of it
	kernelDrops() uint64 // callable from everywhere until close
	count() *counters
}

// Server serves one UDP address. Listen, then Run once.
type Server struct {
	addr   netip.AddrPort
	choice Choice
	log    *zap.Logger

	stopping atomic.Bool

	mu      sync.Mutex // guards the rest
	workers []worker
	state   state
	final   uint64 // kernel drops of closed sockets
}

// state guards the order of Run and Close.
type state uint8

const (
	listening state = iota
	running
	closed
)

// Listen binds the sockets of all workers, or none. An address that another program serves is refused, also if that
// program would share it. Errors wrap the system's error number.
func Listen(ctx context.Context, o Options) (*Server, error) {
	switch {
	case !o.Addr.IsValid():
		return nil, errors.New("listen on UDP: Options.Addr is missing")
	case o.Workers < 1 || o.Workers > MaxWorkers:
		return nil, fmt.Errorf("listen on UDP %s: %d workers; give 1 to %d", o.Addr, o.Workers, MaxWorkers)
	case o.NewHandler == nil:
		return nil, fmt.Errorf("listen on UDP %s: Options.NewHandler is missing", o.Addr)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("listen on UDP %s: %w", o.Addr, context.Cause(ctx))
	}
	o.Addr = netip.AddrPortFrom(o.Addr.Addr().Unmap(), o.Addr.Port())
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	choice, err := choose(&o)
	if err != nil {
		return nil, fmt.Errorf("listen on UDP %s: %w", o.Addr, err)
	}
	s := &Server{addr: o.Addr, choice: choice, log: o.Logger}
	open := openBatches
	if choice.IO == Portable {
		open = openPortable
	}
	if err := open(ctx, s, &o); err != nil {
		return nil, fmt.Errorf("listen on UDP %s: %w", o.Addr, err)
	}
	return s, nil
}

// Addr returns the address that is served, with the port that was taken.
func (s *Server) Addr() netip.AddrPort { return s.addr }

// IO returns how the workers wait, and why so.
func (s *Server) IO() Choice { return s.choice }

// Run serves until ctx ends. The workers then answer what has arrived (a bounded number), all sockets are closed, and Run
// returns nil: within milliseconds, however idle the workers were. It returns an error when a socket cannot be used any
// more.
func (s *Server) Run(ctx context.Context) error {
	s.mu.Lock()
	if s.state != listening {
		s.mu.Unlock()
		return fmt.Errorf("serve UDP %s: it runs or ran already, or was closed", s.addr)
	}
	s.state = running
	workers := s.workers
	s.mu.Unlock()

	group, ctx := errgroup.WithContext(ctx)
	for _, w := range workers {
		group.Go(w.run)
	}
	// The wake-ups have ended before the sockets are closed: a number of a closed socket may be another's by then.
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		s.stopping.Store(true)
		for _, w := range workers {
			w.wake()
		}
	})
	err := group.Wait() // ends ctx, too
	if !stop() {
		<-woken
	}
	return errors.Join(err, s.shut())
}

// Close releases the sockets of a server that will not Run. A second call does nothing.
func (s *Server) Close() error {
	s.mu.Lock()
	state := s.state
	s.mu.Unlock()
	if state == running {
		return fmt.Errorf("close UDP %s: it is running; end the context of Run instead", s.addr)
	}
	return s.shut()
}

// shut closes all sockets once.
func (s *Server) shut() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == closed {
		return nil
	}
	s.state = closed
	var errs []error
	for _, w := range s.workers {
		s.final += w.kernelDrops()
		errs = append(errs, w.close())
	}
	return errors.Join(errs...)
}

// Stats returns the sums. Each is exact up to the batch that is being served; together they are not one moment's. Safe
// for concurrent use, also after Run.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{KernelDrops: s.final}
	for _, w := range s.workers {
		w.count().addTo(&st)
		if s.state != closed {
			st.KernelDrops += w.kernelDrops()
		}
	}
	return st
}

// waiting is what all workers do while there is nothing to serve.
type waiting struct {
	log    *zap.Logger
	idler  Idler // nil when the handler is none
	idled  time.Time
	logged time.Time
}

// idle lets the handler do what it has put off.
func (w *waiting) idle(now time.Time) {
	if w.idler != nil && now.Sub(w.idled) >= IdleInterval {
		w.idled = now
		w.idler.Idle()
	}
}

// failed counts a receive that failed, tells of it now and then, and waits a moment.
func (w *waiting) failed(c *counters, err error) {
	c.readErrors.Add(1)
	if now := time.Now(); w.logged.IsZero() || now.Sub(w.logged) >= errorLogInterval {
		w.logged = now
		w.log.Warn("dns.udp.read_error", zap.Error(err))
	}
	time.Sleep(readRetry)
}
