package adns

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// datagram is one packet with the address of the far end.
type datagram struct {
	bytes []byte
	addr  net.Addr
	err   error // given to the reader instead
}

// memoryPacketConn is a packet connection without a network.
type memoryPacketConn struct {
	in, out  chan datagram
	deadline chan struct{} // closed when a read deadline in the past was set
}

func newMemoryPacketConn() *memoryPacketConn {
	return &memoryPacketConn{in: make(chan datagram), out: make(chan datagram), deadline: make(chan struct{})}
}

func (m *memoryPacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-m.in:
		return copy(b, d.bytes), d.addr, d.err
	case <-m.deadline:
		return 0, nil, os.ErrDeadlineExceeded
	}
}

func (m *memoryPacketConn) WriteTo(b []byte, to net.Addr) (int, error) {
	m.out <- datagram{bytes: append([]byte(nil), b...), addr: to}
	return len(b), nil
}

func (m *memoryPacketConn) SetReadDeadline(time.Time) error  { close(m.deadline); return nil }
func (m *memoryPacketConn) SetWriteDeadline(time.Time) error { return nil }
func (m *memoryPacketConn) SetDeadline(time.Time) error      { return nil }
func (m *memoryPacketConn) LocalAddr() net.Addr {
	return &net.UDPAddr{IP: net.IPv4(192, 0, 2, 53), Port: 53}
}
func (m *memoryPacketConn) Close() error { return nil }

func TestUDPWithoutNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		conn := newMemoryPacketConn()
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.serveUDP(ctx, conn) }()

		conn.in <- datagram{bytes: []byte("short"), addr: net.UDPAddrFromAddrPort(asker)} // no answer
		conn.in <- datagram{bytes: plainQuery(www()), addr: net.UDPAddrFromAddrPort(asker)}
		synctest.Wait() // a worker holds an answer
		cancel()
		got := <-conn.out
		if m := unpack(t, got.bytes); len(m.Answer) != 1 || got.addr.String() != asker.String() {
			t.Errorf("got %v to %v", m, got.addr)
		}
		if err := <-done; err != nil {
			t.Errorf("serveUDP: %v", err)
		}
		if st := s.Stats(); st.Dropped != 1 || st.Rcodes[dns.RcodeSuccess] != 1 {
			t.Errorf("stats: got %+v", st)
		}
	})
}

func TestUDPReadErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		s := newServer(t, func(o *Options) { o.Workers, o.Logger = 1, zap.New(core) })
		conn := newMemoryPacketConn()
		done := make(chan error, 1)
		go func() { done <- s.serveUDP(t.Context(), conn) }()
		begin := time.Now()
		for range 5 {
			conn.in <- datagram{err: errors.New("connection refused")}
		}
		conn.in <- datagram{err: net.ErrClosed}
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Errorf("serveUDP: got %v", err)
		}
		if waited := time.Since(begin); waited != 5*readRetry {
			t.Errorf("five errors took %v, want %v", waited, 5*readRetry)
		}
		if got := s.Stats().ReadErrors; got != 5 {
			t.Errorf("read errors: got %d", got)
		}
		if got := logs.FilterMessage("dns.udp.read_error").Len(); got != 1 {
			t.Errorf("logged %d times, want once", got)
		}
	})
}
