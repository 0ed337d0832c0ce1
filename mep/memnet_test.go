package mep

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// memNet is a network in memory for synctest bubbles, where real sockets would keep the clock from moving. Connections
// are buffered like TCP's, can stall (nothing arrives, nobody is told) and be cut (both ends get an error).
type memNet struct {
	mu        sync.Mutex
	listeners map[string]*memListener
	conns     []*memConn
	port      uint16
	dials     int
	refuse    bool
	latency   time.Duration // of connecting; set before use
}

const memBuffer = 64 << 10

func newMemNet() *memNet { return &memNet{listeners: map[string]*memListener{}, port: 40000} }

// host returns a view of the network from one address, as ListenFunc and DialFunc.
type memHost struct {
	n  *memNet
	ip string
}

func (h memHost) listen(_ context.Context, _, address string) (net.Listener, error) {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	l := &memListener{n: h.n, addr: address, queue: make(chan net.Conn, 64), closed: make(chan struct{})}
	h.n.listeners[address] = l
	return l, nil
}

func (h memHost) dial(ctx context.Context, _, address string) (net.Conn, error) {
	if h.n.latency > 0 {
		select {
		case <-time.After(h.n.latency):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	h.n.mu.Lock()
	h.n.dials++
	h.n.port++
	l, local, refuse := h.n.listeners[address], netip.AddrPortFrom(netip.MustParseAddr(h.ip), h.n.port), h.n.refuse
	h.n.mu.Unlock()
	if l == nil || refuse {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	remote := netip.MustParseAddrPort(address)
	ab, ba := newMemHalf(), newMemHalf()
	near := &memConn{in: ba, out: ab, local: net.TCPAddrFromAddrPort(local), remote: net.TCPAddrFromAddrPort(remote)}
	far := &memConn{in: ab, out: ba, local: near.remote, remote: near.local}
	select {
	case l.queue <- far:
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	h.n.conns = append(h.n.conns, near, far)
	return near, nil
}

// each calls f for every connection's near and far end, also closed ones.
func (n *memNet) each(f func(*memConn)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		f(c)
	}
}

func (n *memNet) stall() {
	n.each(func(c *memConn) { c.in.set(func(h *memHalf) { h.stalled = true }) })
}
func (n *memNet) cut() {
	n.each(func(c *memConn) { c.in.set(func(h *memHalf) { h.broken = syscall.ECONNRESET }) })
}
func (n *memNet) down(refuse bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refuse = refuse
}

type memListener struct {
	n      *memNet
	addr   string
	queue  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	l.n.mu.Lock()
	defer l.n.mu.Unlock()
	if l.n.listeners[l.addr] == l {
		delete(l.n.listeners, l.addr)
	}
	return nil
}

func (l *memListener) Addr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(l.addr))
}

// memHalf is one direction.
type memHalf struct {
	mu      sync.Mutex
	cond    *sync.Cond
	buf     []byte
	closed  bool // by the writer
	stalled bool
	broken  error
}

func newMemHalf() *memHalf {
	h := &memHalf{}
	h.cond = sync.NewCond(&h.mu)
	return h
}

func (h *memHalf) set(f func(*memHalf)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(h)
	h.cond.Broadcast()
}

type memConn struct {
	in, out       *memHalf
	local, remote *net.TCPAddr
	mu            sync.Mutex
	closed        bool
	readBy        time.Time
	writeBy       time.Time
}

func (c *memConn) state() (closed bool, readBy, writeBy time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed, c.readBy, c.writeBy
}

func past(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

func (c *memConn) Read(b []byte) (int, error) {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	for {
		closed, by, _ := c.state()
		switch {
		case closed:
			return 0, net.ErrClosed
		case c.in.broken != nil:
			return 0, c.in.broken
		case past(by):
			return 0, os.ErrDeadlineExceeded
		case len(c.in.buf) > 0 && !c.in.stalled:
			n := copy(b, c.in.buf)
			c.in.buf = c.in.buf[n:]
			c.in.cond.Broadcast()
			return n, nil
		case c.in.closed && !c.in.stalled:
			return 0, io.EOF
		}
		c.in.cond.Wait()
	}
}

func (c *memConn) Write(b []byte) (done int, err error) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	for {
		closed, _, by := c.state()
		switch {
		case closed:
			return done, net.ErrClosed
		case c.out.broken != nil:
			return done, c.out.broken
		case past(by):
			return done, os.ErrDeadlineExceeded
		}
		n := min(len(b), memBuffer-len(c.out.buf))
		c.out.buf = append(c.out.buf, b[:n]...)
		c.out.cond.Broadcast()
		if done, b = done+n, b[n:]; len(b) == 0 {
			return done, nil
		}
		c.out.cond.Wait()
	}
}

func (c *memConn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.out.set(func(h *memHalf) { h.closed = true })
	c.in.set(func(h *memHalf) {
		if !h.stalled {
			h.broken = errors.Join(syscall.EPIPE) // what is written to a closed end is answered with a reset
		}
	})
	return nil
}

func (c *memConn) LocalAddr() net.Addr  { return c.local }
func (c *memConn) RemoteAddr() net.Addr { return c.remote }

func (c *memConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *memConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	c.readBy = t
	c.mu.Unlock()
	return c.arm(c.in, t)
}

func (c *memConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	c.writeBy = t
	c.mu.Unlock()
	return c.arm(c.out, t)
}

func (c *memConn) arm(h *memHalf, t time.Time) error {
	if !t.IsZero() {
		time.AfterFunc(time.Until(t), func() { h.set(func(*memHalf) {}) })
	}
	h.set(func(*memHalf) {})
	return nil
}

func TestMemNetMovesBytesBothWays(t *testing.T) {
	n := newMemNet()
	l, _ := memHost{n, "10.0.0.1"}.listen(t.Context(), "tcp", "10.0.0.1:3009")
	a, err := memHost{n, "10.0.0.2"}.dial(t.Context(), "tcp", "10.0.0.1:3009")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := l.Accept()
	for _, c := range [][2]net.Conn{{a, b}, {b, a}} {
		if _, err := c[0].Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 4)
		if _, err := io.ReadFull(c[1], got); err != nil || string(got) != "ping" {
			t.Errorf("got %q, %v; want ping", got, err)
		}
	}
	_ = a.Close()
	if _, err := b.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read after close: got %v, want EOF", err)
	}
	_ = b.Close()
	_ = l.Close()
}
