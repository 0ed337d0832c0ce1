package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// hasRaw says that this system has the raw engine.
const hasRaw = true

// receiveBuffer is asked for per UDP socket, so that answers are not lost in the generator's own queue.
const receiveBuffer = 1 << 20

// How an idle worker waits: it looks at its sockets this many times, then sleeps in the kernel. Waking a sleeping
// generator costs the server, which would be measured; so sleep only when the server is slow or dead.
const (
	spins       = 200
	longestNap  = time.Millisecond
	shortestNap = 100 * time.Microsecond // what is due sooner is waited for by looking
	longestLook = 20 * time.Microsecond  // at all sockets once; more means that the thread did not run
)

// rawLane moves the messages of one lane over one raw socket.
type rawLane interface {
	// receive accepts what has arrived and reports whether there was anything.
	receive(w *worker, l *lane) bool
	// send sends up to n more queries, and what is left from before.
	send(w *worker, l *lane, n int, now time.Duration)
	// reopen reports whether the lane can be used, after trying to open it again if it was closed.
	reopen(ctx context.Context, w *worker, l *lane) bool
	descriptor() int
	close()
}

// runRaw runs a worker on raw non-blocking sockets. It keeps its thread.
func runRaw(ctx context.Context, w *worker) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var sockets []rawLane
	defer func() {
		for _, s := range sockets {
			s.close()
		}
	}()
	batch := newDatagrams(w.o.Batch)
	for range w.lanes {
		fd, err := dialRaw(ctx, w.o)
		if err != nil {
			return err
		}
		if w.o.Transport == TCP {
			sockets = append(sockets, newStream(fd, w.o.Outstanding))
		} else {
			sockets = append(sockets, &datagramLane{fd: fd, batch: batch})
		}
	}
	return spin(ctx, w, sockets)
}

// spin is the loop of a worker: it looks at each socket in turn, and sends as the mode allows.
func spin(ctx context.Context, w *worker, sockets []rawLane) error {
	idle, first := 0, 0
	for {
		now := w.now()
		sending := w.sending(now)
		w.sweep(now)
		busy, usable, before := false, 0, w.tally.allSent
		for i := range w.lanes {
			i = (i + first) % len(w.lanes)
			l, s := w.lanes[i], sockets[i]
			if l.out() > 0 && s.receive(w, l) {
				busy = true
			}
			if !sending {
				if s.descriptor() >= 0 {
					s.send(w, l, 0, now) // what a connection has not taken yet
				}
				continue
			}
			if !s.reopen(ctx, w, l) {
				continue
			}
			usable++
			s.send(w, l, w.allowance(l, now), now)
		}
		switch {
		case sending && usable == 0:
			return fmt.Errorf("%s over %s: no connection is left: the server closes them or refuses new ones", w.o.Target, w.o.Transport)
		case !sending && w.out() == 0:
			w.tally.publish()
			return nil
		case busy:
			idle = 0
		case w.tally.allSent == before:
			w.tally.idle += min(w.now()-now, longestLook)
			if idle++; idle > spins {
				nap(w, sockets, sending)
			}
		}
		first++
	}
}

// nap waits until a socket has something, a query is due, or a short time has passed.
func nap(w *worker, sockets []rawLane, sending bool) {
	wait := longestNap
	if sending && w.gap > 0 {
		wait = min(wait, w.nextDue()-w.now())
	}
	if wait < shortestNap {
		return
	}
	fds := make([]unix.PollFd, len(sockets))
	for i, s := range sockets {
		fds[i] = unix.PollFd{Fd: int32(s.descriptor()), Events: unix.POLLIN}
	}
	timeout := unix.NsecToTimespec(int64(wait))
	_, _ = unix.Ppoll(fds, &timeout, nil) // an error is only an early end of the nap
}

// dialRaw connects a socket and takes it out of the runtime's poller: being watched there would cost the server time with
// each answer.
func dialRaw(ctx context.Context, o *Options) (int, error) {
	d := net.Dialer{Timeout: dialTimeout}
	c, err := d.DialContext(ctx, string(o.Transport), o.Target.String())
	if err != nil {
		return 0, fmt.Errorf("connect to %s over %s: %w", o.Target, o.Transport, err)
	}
	defer c.Close()
	fd := -1
	rc, err := c.(syscall.Conn).SyscallConn()
	if err == nil {
		var dup error
		err = rc.Control(func(old uintptr) { fd, dup = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) })
		err = errors.Join(err, dup)
	}
	if err != nil {
		return 0, fmt.Errorf("take over the socket to %s: %w", o.Target, err)
	}
	if o.Transport == UDP {
		// Best effort: the default serves as well when the answers do not come in bursts.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	}
	return fd, nil
}
