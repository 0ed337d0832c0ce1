package udp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// datagram is one packet with the address of the far end.
type datagram struct {
	bytes string
	addr  net.Addr
	err   error // given to the reader instead
}

// memoryConn is a packet connection without a network.
type memoryConn struct {
	in, out  chan datagram
	deadline chan struct{} // closed when a read deadline in the past was set
}

func (m *memoryConn) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-m.in:
		return copy(b, d.bytes), d.addr, d.err
	case <-m.deadline:
		return 0, nil, os.ErrDeadlineExceeded
	}
}

func (m *memoryConn) WriteTo(b []byte, to net.Addr) (int, error) {
	m.out <- datagram{bytes: string(b), addr: to}
	return len(b), nil
}

func (m *memoryConn) SetReadDeadline(time.Time) error  { close(m.deadline); return nil }
func (m *memoryConn) SetWriteDeadline(time.Time) error { return nil }
func (m *memoryConn) SetDeadline(time.Time) error      { return nil }
func (m *memoryConn) LocalAddr() net.Addr              { return &net.UDPAddr{IP: net.IPv4(192, 0, 2, 53), Port: 53} }
func (m *memoryConn) Close() error                     { return nil }

func TestForeignSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		conn := &memoryConn{make(chan datagram), make(chan datagram), make(chan struct{})}
		h := &echo{}
		s, err := Listen(t.Context(), Options{
			Addr: netip.MustParseAddrPort("192.0.2.53:0"), Workers: 1, Logger: zap.New(core), NewHandler: func(int) Handler { return h },
			ListenPacket: func(_ context.Context, network, address string) (net.PacketConn, error) {
				if network != "udp4" || address != "192.0.2.53:0" {
					t.Errorf("asked to open %s %s", network, address)
				}
				return conn, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Addr().String(); got != "192.0.2.53:53" || s.IO().IO != Portable {
			t.Errorf("got %s, %s", got, s.IO())
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()

		asker := &net.UDPAddr{IP: net.IPv4(198, 51, 100, 7), Port: 4242}
		began := time.Now()
		for range 5 {
			conn.in <- datagram{err: errors.New("connection refused")}
		}
		conn.in <- datagram{bytes: "hello", addr: asker}
		if waited := time.Since(began); waited != 5*readRetry {
			t.Errorf("five errors took %v, want %v", waited, 5*readRetry)
		}
		synctest.Wait() // the worker holds an answer
		cancel()
		if got := <-conn.out; got.bytes != "hello" || got.addr.String() != asker.String() {
			t.Errorf("got %q to %s", got.bytes, got.addr)
		}
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if p := h.last(); p.From.String() != "198.51.100.7:4242" || p.Local.String() != "192.0.2.53:53" {
			t.Errorf("got from %s to %s", p.From, p.Local)
		}
		if st := s.Stats(); st.ReadErrors != 5 || st.Sent != 1 {
			t.Errorf("stats: got %+v", st)
		}
		if got := logs.FilterMessage("dns.udp.read_error").Len(); got != 1 {
			t.Errorf("logged %d times, want once", got)
		}
	})
}

func TestForeignSocketBreaks(t *testing.T) {
	conn := &memoryConn{make(chan datagram, 1), make(chan datagram), make(chan struct{})}
	s, err := Listen(t.Context(), Options{
		Addr: netip.MustParseAddrPort("192.0.2.53:53"), Workers: 2, NewHandler: func(int) Handler { return silent{} },
		ListenPacket: func(context.Context, string, string) (net.PacketConn, error) { return conn, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	conn.in <- datagram{err: net.ErrClosed} // one worker gets it, and the other must end as well
	if err := s.Run(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Run: got %v, want that the socket is closed", err)
	}
}
