package node

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// maxAPIConnections is how many connections the interface has at once. When one more comes, one that does nothing is ended; without such a one, the
	// new one waits until another ends.
	maxAPIConnections = 256
	// mutePatience is how long a connection may say nothing before it counts as doing nothing.
	mutePatience = time.Second
)

// crowd is the connections of the interface. Those that do nothing are ended to make room: nobody who opens many and asks nothing keeps others out.
// Safe for concurrent use.
type crowd struct {
	net.Listener
	now func() time.Time

	mu     sync.Mutex
	guests map[net.Conn]*guest
	room   chan struct{} // capacity 1: somebody left, or became idle
	done   chan struct{}
	close  func() error // closes Listener, once
}

// guest is one connection.
type guest struct {
	state http.ConnState
	since time.Time // of the state
}

func newCrowd(l net.Listener) *crowd {
	c := &crowd{Listener: l, now: time.Now, guests: map[net.Conn]*guest{}, room: make(chan struct{}, 1), done: make(chan struct{})}
	c.close = sync.OnceValue(func() error {
		close(c.done)
		return l.Close()
	})
	return c
}

// Close ends Accept.
func (c *crowd) Close() error { return c.close() }

// Accept returns the next connection that there is room for.
func (c *crowd) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	for {
		if let := c.enter(conn); let != nil {
			return let, nil
		}
		again := time.NewTimer(mutePatience) // by then somebody may have said nothing for long enough
		select {
		case <-c.room:
			again.Stop()
		case <-again.C:
		case <-c.done:
			again.Stop()
			_ = conn.Close()
			return nil, net.ErrClosed
		}
	}
}

// enter finds a place for a connection; nil: there is none now.
func (c *crowd) enter(conn net.Conn) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.guests) >= maxAPIConnections && !c.endIdle() {
		return nil
	}
	c.guests[conn] = &guest{state: http.StateNew, since: c.now()}
	return &counted{Conn: conn, crowd: c}
}

// endIdle ends the connection that has done nothing for longest. c.mu is held.
func (c *crowd) endIdle() bool {
	var longest net.Conn
	now := c.now()
	for conn, g := range c.guests {
		idle := g.state == http.StateIdle || g.state == http.StateNew && now.Sub(g.since) >= mutePatience
		if idle && (longest == nil || g.since.Before(c.guests[longest].since)) {
			longest = conn
		}
	}
	if longest == nil {
		return false
	}
	c.forget(longest)
	_ = longest.Close()
	return true
}

// forget gives a place back. c.mu is held.
func (c *crowd) forget(conn net.Conn) {
	if c.guests[conn] != nil {
		delete(c.guests, conn)
		c.tell()
	}
}

func (c *crowd) tell() {
	select {
	case c.room <- struct{}{}:
	default:
	}
}

// observe is the server's ConnState.
func (c *crowd) observe(conn net.Conn, state http.ConnState) {
	if secured, is := conn.(*tls.Conn); is {
		conn = secured.NetConn()
	}
	if known, is := conn.(*counted); is {
		conn = known.Conn
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.guests[conn]; g != nil && state != http.StateNew {
		g.state, g.since = state, c.now()
		if state == http.StateIdle {
			c.tell()
		}
	}
}

// counted is a connection that gives its place back when it is closed.
type counted struct {
	net.Conn
	crowd *crowd
}

// Close closes the connection.
func (c *counted) Close() error {
	c.crowd.mu.Lock()
	c.crowd.forget(c.Conn)
	c.crowd.mu.Unlock()
	return c.Conn.Close()
}
