package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// errCut is what dialling over a cut link gives.
var errCut = errors.New("the link is cut")

// link is the network between the sites, which can be cut and joined. On a cut, connections fall silent in both directions
// as they do when a router dies: what is written vanishes and nothing arrives, the end of the connection included, so that
// each side finds out by its own time-outs. New connections are refused. Connections that were silent die when the link is
// joined: bytes are missing. Safe for concurrent use.
type link struct {
	mu    sync.Mutex
	cut   bool
	conns map[*linkConn]struct{} // whose sockets are open; bounded by what the two ends open
}

func newLink() *link { return &link{conns: make(map[*linkConn]struct{})} }

// Cut silences the link.
func (l *link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	for c := range l.conns {
		c.silent = true
	}
}

// Join makes the link work again, for new connections. It also releases the sockets that a cut left behind.
func (l *link) Join() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = false
	for c := range l.conns {
		if c.silent {
			delete(l.conns, c)
			_ = c.Conn.Close()
		}
	}
}

// Dial opens a connection over the link.
func (l *link) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if l.isCut() {
		return nil, fmt.Errorf("dial %s: %w", address, errCut)
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return l.adopt(conn)
}

// Listen accepts connections that come over the link.
func (l *link) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	inner, err := new(net.ListenConfig).Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &linkListener{Listener: inner, link: l}, nil
}

func (l *link) isCut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut
}

// adopt puts a connection on the link, or closes it when the link is cut.
func (l *link) adopt(conn net.Conn) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return nil, errors.Join(errCut, conn.Close())
	}
	c := &linkConn{Conn: conn, link: l}
	l.conns[c] = struct{}{}
	return c, nil
}

// linkListener refuses while the link is cut.
type linkListener struct {
	net.Listener
	link *link
}

// Accept returns the next connection that the link lets through.
func (l *linkListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c, err := l.link.adopt(conn); err == nil {
			return c, nil
		}
	}
}

// linkConn is one end of a connection over the link. Deadlines work also while it is silent.
type linkConn struct {
	net.Conn
	link *link

	// Both guarded by link.mu, and for good once set.
	silent bool
	closed bool
}

func (c *linkConn) state() (silent, closed bool) {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	return c.silent, c.closed
}

// Read returns what arrives; what arrives while the connection is silent is dropped.
func (c *linkConn) Read(p []byte) (int, error) {
	for {
		if _, closed := c.state(); closed {
			return 0, net.ErrClosed
		}
		n, err := c.Conn.Read(p)
		silent, closed := c.state()
		switch {
		case closed:
			return 0, net.ErrClosed
		case !silent:
			return n, err
		case err != nil:
			return 0, err
		}
	}
}

// Write sends p, or loses it while the connection is silent.
func (c *linkConn) Write(p []byte) (int, error) {
	switch silent, closed := c.state(); {
	case closed:
		return 0, net.ErrClosed
	case silent:
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// Close ends the connection. Behind a cut the other end must not learn of it, so its socket stays until the link is joined.
func (c *linkConn) Close() error {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.closed = true
	if c.silent && c.link.cut {
		return c.Conn.SetDeadline(time.Unix(1, 0)) // wakes a Read under way
	}
	delete(c.link.conns, c)
	return c.Conn.Close()
}
