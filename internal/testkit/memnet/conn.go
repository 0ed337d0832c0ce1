package memnet

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// maxBuffered is how much one direction holds before writing waits. keptBuffer is the largest buffer kept while it is empty.
const (
	maxBuffered = 64 << 10
	keptBuffer  = 512
)

// half is one direction of a connection.
type half struct {
	mu      sync.Mutex
	changed sync.Cond
	buf     []byte
	at      int // read up to here

	ended   bool  // by the writer: there will be nothing more
	left    bool  // by the reader
	stalled bool  // nothing arrives
	broken  error // for both
	reading deadline
	writing deadline
}

func newHalf() *half {
	h := new(half)
	h.changed.L = &h.mu
	return h
}

func (h *half) set(f func(*half)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(h)
	h.changed.Broadcast()
}

// deadline is a time, and a timer that fires then or before. Most deadlines are moved on long before they come, so the timer is
// set again only when it has fired.
type deadline struct {
	by    time.Time
	timer *time.Timer
	at    time.Time // at which the timer fires; zero: it does not
}

func (d *deadline) passed() bool { return !d.by.IsZero() && !time.Now().Before(d.by) }

// move sets the deadline. h.mu is held.
func (h *half) move(d *deadline, by time.Time) {
	d.by = by
	h.changed.Broadcast()
	if by.IsZero() || d.passed() || !d.at.IsZero() && !by.Before(d.at) {
		return
	}
	d.at = by
	if d.timer != nil {
		d.timer.Reset(time.Until(by))
		return
	}
	d.timer = time.AfterFunc(time.Until(by), func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		d.at = time.Time{}
		h.move(d, d.by)
	})
}

// Conn is one end of a connection.
type Conn struct {
	in, out       *half
	local, remote *net.TCPAddr
	host, other   *Host
}

// Read is net.Conn.Read.
func (c *Conn) Read(b []byte) (int, error) {
	h := c.in
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.left:
			return 0, net.ErrClosed
		case h.broken != nil:
			return 0, h.broken
		case h.reading.passed():
			return 0, os.ErrDeadlineExceeded
		case h.at < len(h.buf) && !h.stalled:
			n := copy(b, h.buf[h.at:])
			if h.at += n; h.at == len(h.buf) {
				if h.at = 0; cap(h.buf) > keptBuffer {
					h.buf = nil
				}
				h.buf = h.buf[:0]
			}
			h.changed.Broadcast()
			return n, nil
		case h.ended && !h.stalled:
			return 0, io.EOF
		}
		h.changed.Wait()
	}
}

// Write is net.Conn.Write.
func (c *Conn) Write(b []byte) (done int, err error) {
	h := c.out
	h.mu.Lock()
	defer h.mu.Unlock()
	c.host.out.add(len(b))
	c.other.in.add(len(b))
	for {
		switch {
		case h.ended:
			return done, net.ErrClosed
		case h.broken != nil:
			return done, h.broken
		case h.writing.passed():
			return done, os.ErrDeadlineExceeded
		}
		n := min(len(b), maxBuffered-(len(h.buf)-h.at))
		if h.at > 0 && n > 0 {
			h.buf, h.at = h.buf[:copy(h.buf, h.buf[h.at:])], 0
		}
		h.buf = append(h.buf, b[:n]...)
		h.changed.Broadcast()
		if done, b = done+n, b[n:]; len(b) == 0 {
			return done, nil
		}
		h.changed.Wait()
	}
}

// Close is net.Conn.Close: what was written still arrives, and what the other end writes from then on is answered with an error.
func (c *Conn) Close() error {
	c.host.remove(c)
	c.out.set(func(h *half) {
		h.ended = true
		h.writing.stop()
	})
	c.in.set(func(h *half) {
		h.left = true
		h.reading.stop()
		if !h.stalled && h.broken == nil {
			h.broken = syscall.EPIPE
		}
	})
	return nil
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
}

// LocalAddr is net.Conn.LocalAddr.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is net.Conn.RemoteAddr.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline is net.Conn.SetDeadline.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline is net.Conn.SetReadDeadline.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	if !c.in.left {
		c.in.move(&c.in.reading, t)
	}
	return nil
}

// SetWriteDeadline is net.Conn.SetWriteDeadline.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if !c.out.ended {
		c.out.move(&c.out.writing, t)
	}
	return nil
}
