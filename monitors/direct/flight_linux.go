//go:build !386

package direct

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"
)

// stage is what an exchange waits for.
type stage uint8

const (
	connecting stage = iota
	sending
	awaiting // an answer
)

// What is told of a socket: once for all that has happened since it was told of last.
const (
	edge        = 1 << 31 // EPOLLET, which package syscall has as a negative number
	whenAnswers = syscall.EPOLLIN | syscall.EPOLLRDHUP | edge
	whenRoom    = whenAnswers | syscall.EPOLLOUT
)

// flight is how far an exchange has come. It belongs to the loop's goroutine.
type flight struct {
	fd      int
	stage   stage
	under   bool // way: it has a slot
	watched bool // the socket is in the epoll set
	slot    int32
	number  int32 // of the use of the slot, by which events of the one before are told apart
	place   int   // among the deadlines
	young   bool  // it is in that list, since:
	waits   time.Time
	elder   *Exchange // next to it there
	younger *Exchange
	hears   int
	peer    peer
	held    []byte // came, and does not tell yet
	release func() bool
}

// Reusable reports, once the Exchange is over, whether it may become another one: nothing refers to it any more.
func (f *flight) Reusable() bool { return f.release == nil }

// suits reports whether addresses like that are for a loop.
func suits(to netip.AddrPort) bool { return to.IsValid() && to.Addr().Zone() == "" }

// begin opens the connection. Over loopback it stands at once.
func (l *Loop) begin(e *Exchange) {
	if e.Context.Err() != nil {
		l.landed()
		e.Party.Drop()
		return
	}
	to := netip.AddrPortFrom(e.To.Addr().Unmap(), e.To.Port())
	if e.peer, e.Began = *newPeer(to), time.Now(); e.Deadline.IsZero() {
		e.Deadline = e.Began.Add(e.Within)
	}
	outcome, err := syscall.Errno(0), error(nil)
	for range maxSelfConnects + 1 {
		if e.fd, err = newSocket(to); err != nil {
			l.landed()
			e.Party.Done(e.failed("dial", err))
			return
		}
		if outcome = connectTo(uintptr(e.fd), &e.peer); outcome != syscall.EADDRNOTAVAIL {
			break
		}
		shut(e.fd) // a port that was taken meanwhile
	}
	if outcome == syscall.EADDRNOTAVAIL {
		l.landed()
		e.Party.Done(e.failed("dial", os.NewSyscallError("connect", outcome)))
		return
	}
	l.board(e)
	if outcome != 0 && !pending(outcome) {
		l.refused(e, outcome)
		return
	}
	l.proceed(e)
}

// board gives an exchange its place among those under way.
func (l *Loop) board(e *Exchange) {
	if len(l.free) == 0 {
		l.free = append(l.free, int32(len(l.slots)))
		l.slots = append(l.slots, nil)
	}
	last := len(l.free) - 1
	e.slot = l.free[last]
	l.free = l.free[:last]
	l.slots[e.slot] = e
	l.uses++
	e.number, e.under, e.place = l.uses, true, notQueued
}

// over closes the connection of an exchange and forgets it.
func (l *Loop) over(e *Exchange) {
	l.forget(e)
	// In order, even if the other end has closed before. A reset would spare two packets, but one that has closed only its half, as a proxy
	// does for the server behind it, takes it for a client that went away.
	shut(e.fd) // which takes it out of the epoll set, too
}

func (l *Loop) forget(e *Exchange) {
	e.under = false
	l.slots[e.slot] = nil
	l.free = append(l.free, e.slot)
	l.deadlines.remove(e)
	l.young.remove(e)
	if e.release != nil {
		e.release()
	}
	l.landed()
}

// happened takes in an event.
func (l *Loop) happened(event *syscall.EpollEvent) {
	if e := l.slots[event.Fd]; e != nil && e.number == event.Pad {
		l.proceed(e)
	}
}

// proceed goes as far as there is no need to wait.
func (l *Loop) proceed(e *Exchange) {
	if e.stage == connecting && !l.connected(e) || e.stage == sending && !l.sent(e) {
		return
	}
	l.hear(e)
}

// connected goes on with what is connecting. It reports whether it stands, and the request, if there is any, is on its way.
func (l *Loop) connected(e *Exchange) bool {
	var outcome syscall.Errno
	n := 0
	if len(e.Request) > 0 { // whether it can be sent tells whether the connection stands
		n, outcome = write(uintptr(e.fd), e.Request[:min(len(e.Request), maxTransfer)])
	} else if outcome = connectTo(uintptr(e.fd), &e.peer); pending(outcome) {
		outcome = syscall.EAGAIN
	} else if outcome == syscall.EISCONN {
		outcome = 0
	}
	switch outcome {
	case 0:
	case syscall.EAGAIN:
		l.watch(e, whenRoom)
		return false
	case syscall.ECONNRESET, syscall.EPIPE: // only of what stood
		e.SendErr = e.failed("write", os.NewSyscallError("write", outcome))
	default:
		l.refused(e, outcome)
		return false
	}
	if len(e.Request) == 0 && l.foundItself(e) {
		return false
	}
	e.Written, e.stage = n, sending
	return true
}

// foundItself ends an exchange whose socket is connected with itself (see connect), and reports whether it was. It takes a call, which is
// spared an exchange with a request, unless that hears its own words or listens to nothing.
func (l *Loop) foundItself(e *Exchange) bool {
	found := metItself(e.fd, &e.peer)
	if found {
		l.refused(e, syscall.ECONNREFUSED)
	}
	return found
}

// refused ends what never stood.
func (l *Loop) refused(e *Exchange, why syscall.Errno) {
	l.over(e)
	e.Party.Done(e.failed("dial", os.NewSyscallError("connect", why)))
}

// sent goes on sending. It reports whether an answer is awaited now.
func (l *Loop) sent(e *Exchange) bool {
	for e.SendErr == nil && e.Written < len(e.Request) {
		n, outcome := write(uintptr(e.fd), e.Request[e.Written:min(len(e.Request), e.Written+maxTransfer)])
		switch e.Written += n; outcome {
		case 0:
		case syscall.EAGAIN:
			l.watch(e, whenRoom)
			return false
		default:
			e.SendErr = e.failed("write", os.NewSyscallError("write", outcome))
		}
	}
	return l.listens(e)
}

// listens has the party say whether it awaits an answer, and ends the exchange if not.
func (l *Loop) listens(e *Exchange) bool {
	e.stage = awaiting
	if !e.Party.Sent() {
		if len(e.Request) > 0 && l.foundItself(e) {
			return false
		}
		l.over(e)
		e.Party.Done(nil)
		return false
	}
	return true
}

// hear reads what is there.
func (l *Loop) hear(e *Exchange) {
	if !e.watched && e.SendErr == nil {
		l.watch(e, whenAnswers) // nothing can be there yet, and what comes meanwhile is told of
		return
	}
	for {
		n, outcome := read(uintptr(e.fd), l.heard[:])
		switch {
		case outcome == syscall.EAGAIN:
			l.watch(e, whenAnswers)
			return
		case outcome != 0:
			l.ended(e, e.failed("read", os.NewSyscallError("read", outcome)))
			return
		case n == 0:
			l.ended(e, io.EOF)
			return
		}
		came := l.heard[:n]
		if e.hears == 0 && bytes.HasPrefix(e.Request, came) && l.foundItself(e) {
			return
		}
		if len(e.held) > 0 {
			came = append(e.held, came...)
		}
		e.hears++
		switch want := e.Party.Hear(came, nil); {
		case want == Enough:
			l.over(e)
			e.Party.Done(nil)
			return
		case want == Leave || len(came) >= maxHeld || e.hears >= maxHears:
			l.leave(e, came)
			return
		}
		if len(e.held) == 0 {
			came = slices.Clone(came) // from what is read into next
		}
		e.held = came
	}
}

// ended has the party judge what there is.
func (l *Loop) ended(e *Exchange, why error) {
	e.Party.Hear(e.held, why)
	l.over(e)
	e.Party.Done(nil)
}

// leave hands a connection over to its party.
func (l *Loop) leave(e *Exchange, came []byte) {
	came = slices.Clone(came)
	if e.watched {
		control(l.epoll, syscall.EPOLL_CTL_DEL, e.fd, new(syscall.EpollEvent))
	}
	l.forget(e)
	c, err := newConn(e.fd, netip.AddrPortFrom(e.To.Addr().Unmap(), e.To.Port()))
	if err != nil { // the poller takes no more
		e.Party.Hear(came, e.failed("read", err))
		e.Party.Done(nil)
		return
	}
	c.wrote.Store(true)
	_ = c.SetDeadline(e.Deadline) // fails only once it is closed
	e.Party.Take(c, came)
}

// late ends an exchange at its deadline.
func (l *Loop) late(e *Exchange) {
	if e.stage == connecting {
		l.over(e)
		e.Party.Done(e.failed("dial", os.ErrDeadlineExceeded))
		return
	}
	if e.stage == sending {
		if e.SendErr = e.failed("write", os.ErrDeadlineExceeded); !l.listens(e) {
			return
		}
	}
	l.ended(e, e.failed("read", os.ErrDeadlineExceeded))
}

// watch has the loop told of a socket, and, at once or when it took some time, of the end of its exchange.
func (l *Loop) watch(e *Exchange, what uint32) {
	if e.watched {
		return // for all that it may wait for
	}
	event := syscall.EpollEvent{Events: what, Fd: e.slot, Pad: e.number}
	if why := control(l.epoll, syscall.EPOLL_CTL_ADD, e.fd, &event); why != 0 {
		l.refused(e, why)
		return
	}
	if e.watched = true; e.Deadline.Sub(l.now) > youngFor {
		l.young.add(e, l.now)
		return
	}
	l.book(e)
}

// book has the loop told of the end of an exchange by its deadline or its context.
func (l *Loop) book(e *Exchange) {
	l.deadlines.add(e)
	e.release = context.AfterFunc(e.Context, func() { l.drop(e) })
}

// failed is an error as those of package net.
func (e *Exchange) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(e.To.Addr().Unmap(), e.To.Port())), Err: err}
}
