package adns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// Pauses after an accept that failed.
const (
	acceptRetryMin = 5 * time.Millisecond
	acceptRetryMax = time.Second
	// acceptLogInterval is the least time between two tellings that accepts fail: a client may be able to have them fail
	// and succeed by turns.
	acceptLogInterval = time.Minute
)

// TCPOptions are the limits of connections, over TCP, TLS and HTTPS together. Zero values are the defaults.
type TCPOptions struct {
	MaxConnections int           // 0: MaxTCPConnections
	MaxPerClient   int           // of one IPv4 address or IPv6 /64. 0: MaxTCPPerPrefix
	IdleTimeout    time.Duration // 0: TCPIdle. It shrinks as the table fills.
}

func (o TCPOptions) check() error {
	if o.MaxConnections < 0 || o.MaxPerClient < 0 || o.IdleTimeout < 0 {
		return errors.New("make DNS server: a limit of TCP is negative")
	}
	return nil
}

// within returns limits that leave a quarter of the process's file descriptors to the rest of it: monitors that cannot
// open a connection find every service down. 0 descriptors: it is not known how many there are.
func (o TCPOptions) within(descriptors int) TCPOptions {
	if o.MaxConnections == 0 {
		o.MaxConnections = MaxTCPConnections
	}
	if descriptors > 0 {
		o.MaxConnections = min(o.MaxConnections, max(1, descriptors-descriptors/4))
	}
	return o
}

// limitConnections makes the table of connections, and says so if it is smaller than was asked for.
func (s *Server) limitConnections(o TCPOptions, descriptors int) {
	asked, given := o.within(0), o.within(descriptors)
	s.admitted = newAdmission(given)
	if given.MaxConnections < asked.MaxConnections {
		s.log.Warn("dns.tcp.limit_lowered", zap.Int("from", asked.MaxConnections), zap.Int("to", given.MaxConnections),
			zap.Int("descriptors", descriptors),
			zap.String("why", "a quarter of the file descriptors is kept for monitors and the rest; raise their limit (LimitNOFILE, "+
				"ulimit -n), or lower dns.tcp.max_connections"))
	}
}

// serveTCP serves one listener until ctx ends, closes it, and returns when the last connection is done.
func (s *Server) serveTCP(ctx context.Context, listener net.Listener) error {
	return s.accept(ctx, listener, TCP, func(conn net.Conn, slot *slot) {
		defer s.admitted.leave(slot)
		defer conn.Close()
		_ = s.serveStream(ctx, conn, slot, TCP)
	})
}

// accept takes connections until ctx ends, closes the listener, and returns when serve has returned for the last one.
// serve must close the connection and leave the admission.
func (s *Server) accept(ctx context.Context, listener net.Listener, t Transport, serve func(net.Conn, *slot)) error {
	defer listener.Close()
	stop := context.AfterFunc(ctx, func() {
		listener.Close()
		s.admitted.drain()
	})
	defer stop()
	var connections sync.WaitGroup
	defer connections.Wait()
	counters := &s.counters.streams[t]
	retry := acceptRetry{server: s, transport: t}
	for {
		conn, err := listener.Accept()
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept DNS connections over %s: %w", t, err)
		default:
			counters.acceptErrors.Add(1)
			retry.failed(ctx, err)
			continue
		}
		retry.succeeded()
		slot, evicted := s.admitted.enter(conn, clientPrefix(addrPort(conn.RemoteAddr()).Addr()), time.Now())
		if evicted {
			counters.evicted.Add(1)
		}
		if slot == nil {
			counters.refused.Add(1)
			conn.Close()
			continue
		}
		counters.accepted.Add(1)
		counters.open.Add(1)
		connections.Go(func() {
			defer counters.open.Add(-1)
			serve(conn, slot)
		})
	}
}

// acceptRetry waits after accepts that failed, longer each time, and tells the first and the end, but not too often.
type acceptRetry struct {
	server    *Server
	transport Transport
	pause     time.Duration
	last      time.Time // when it was told that accepts fail
	told      bool      // and not yet that they do again
}

// failed waits. Most often file descriptors ran out: then an idle connection gives way. UDP goes on meanwhile.
func (r *acceptRetry) failed(ctx context.Context, err error) {
	if r.pause == 0 && (r.last.IsZero() || time.Since(r.last) >= acceptLogInterval) {
		r.last, r.told = time.Now(), true
		r.server.log.Warn("dns.tcp.accept_error", zap.Stringer("transport", r.transport), zap.Error(err))
	}
	if (errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)) && r.server.admitted.evict() {
		r.server.counters.streams[r.transport].evicted.Add(1)
	}
	r.pause = min(max(2*r.pause, acceptRetryMin), acceptRetryMax)
	pause(ctx, r.pause)
}

func (r *acceptRetry) succeeded() {
	r.pause = 0
	if r.told {
		r.told = false
		r.server.log.Info("dns.tcp.accept_recovered", zap.Stringer("transport", r.transport))
	}
}

// pause waits, or less when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
