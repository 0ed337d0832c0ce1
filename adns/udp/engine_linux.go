package udp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// haveBatches says whether Raw and Netpoll exist here.
	haveBatches = true
	// receiveTimeout is what makes a raw wait interruptible; it ends with the server by other means.
	receiveTimeout = 100 * time.Millisecond
	// quietAfter is how long a raw worker keeps its processor while nothing comes. After it the worker waits like everybody
	// else until the next datagram: that one takes some microseconds longer, and an idle server costs next to nothing.
	quietAfter = time.Second
	// quietTimeout is the receive time-out from then on. Each time that a wait ends the runtime looks for work for a while,
	// and that is what an idle server would spend most on.
	quietTimeout = time.Second
	// drainBatches bounds what a worker still answers when the server stops.
	drainBatches = 8
)

// batchWorker serves one socket in batches.
type batchWorker struct {
	waiting
	counters
	ring     *ring
	handler  Handler
	shorten  TooLarger // nil when the handler is none
	stopping *atomic.Bool
	fd       int
	sentNow  uint64 // responses of this batch that the kernel took

	served bool      // since the last time that nothing came
	since  time.Time // when nothing came for the first time
	quiet  bool      // for quietAfter nothing came

	// With Netpoll only; the socket is conn's then.
	conn      net.PacketConn
	readable  syscall.RawConn
	ready     func(fd uintptr) bool // receives; made once, so that waiting allocates nothing
	got       int                   // what it received
	gotErrno  syscall.Errno
	deadlined bool
}

// openBatches opens one socket for each worker.
func openBatches(_ context.Context, s *Server, o *Options) error {
	addr := o.Addr
	for i := range o.Workers {
		so := socketOptions{addr: addr, first: i == 0, group: o.Workers > 1}
		if s.choice.IO == Raw {
			so.timeout = receiveTimeout
		}
		fd, bound, err := openSocket(so)
		if err == nil {
			addr = bound
			var w *batchWorker
			if w, err = newBatchWorker(fd, addr, s, o); err == nil {
				w.adopt(o.NewHandler(i))
				s.workers = append(s.workers, w)
				continue
			}
		}
		return errors.Join(err, s.shut())
	}
	s.addr = addr
	return nil
}

// newBatchWorker takes the socket over.
func newBatchWorker(fd int, addr netip.AddrPort, s *Server, o *Options) (*batchWorker, error) {
	w := &batchWorker{ring: newRing(addr), stopping: &s.stopping, fd: fd}
	w.log = o.Logger
	if s.choice.IO == Raw {
		return w, nil
	}
	file := os.NewFile(uintptr(fd), "udp")
	defer file.Close() // conn has a descriptor of its own
	conn, err := net.FilePacketConn(file)
	if err != nil {
		return nil, fmt.Errorf("hand the socket to the poller: %w", err)
	}
	w.conn = conn
	if w.readable, err = conn.(*net.UDPConn).SyscallConn(); err == nil {
		err = w.readable.Control(func(fd uintptr) { w.fd = int(fd) })
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reach the socket of the poller: %w", err), conn.Close())
	}
	w.ready = func(uintptr) bool {
		w.got, w.gotErrno = w.receive(unix.MSG_DONTWAIT)
		return w.gotErrno != unix.EAGAIN
	}
	return w, nil
}

// adopt sets the handler.
func (w *batchWorker) adopt(h Handler) {
	w.handler = h
	w.idler, _ = h.(Idler)
	w.shorten, _ = h.(TooLarger)
}

func (w *batchWorker) count() *counters { return &w.counters }

func (w *batchWorker) kernelDrops() uint64 { return socketDrops(w.fd) }

// wake ends a wait. A UDP socket that is not connected reports an error for shutdown(2), and wakes who waits all the same.
func (w *batchWorker) wake() {
	if w.conn != nil {
		_ = w.conn.SetReadDeadline(time.Unix(1, 0))
		return
	}
	_ = unix.Shutdown(w.fd, unix.SHUT_RD)
}

func (w *batchWorker) close() error {
	if w.conn != nil {
		return w.conn.Close()
	}
	return os.NewSyscallError("close", unix.Close(w.fd))
}

// run serves until the server stops.
func (w *batchWorker) run() error {
	w.since = time.Now()
	for !w.stopping.Load() {
		n, errno := w.wait()
		switch errno {
		case 0:
			w.serve(n)
		case unix.EAGAIN, unix.EINTR:
			w.nothing()
		case unix.EBADF, unix.ENOTSOCK:
			return fmt.Errorf("receive on UDP %s: %w", w.ring.local, errno)
		default:
			w.failed(&w.counters, errno)
		}
	}
	for range drainBatches {
		n, errno := w.receive(unix.MSG_DONTWAIT)
		if errno != 0 || !w.serve(n) {
			break
		}
	}
	return nil
}

// nothing is what to do when nothing came. Yielding lets the collector and others have their turn.
func (w *batchWorker) nothing() {
	now := time.Now()
	if w.served {
		w.served, w.since = false, now
	}
	if !w.quiet {
		runtime.Gosched()
		w.setQuiet(now.Sub(w.since) >= quietAfter)
	}
	w.idle(now)
}

// setQuiet begins or ends waiting like everybody else. The others do so all the time.
func (w *batchWorker) setQuiet(quiet bool) {
	if w.conn != nil || w.quiet == quiet {
		return
	}
	timeout := receiveTimeout
	if quiet {
		timeout = quietTimeout
	}
	if setTimeout(w.fd, timeout) == nil {
		w.quiet = quiet
	}
}

// wait receives a batch, and blocks until there is at least one datagram.
func (w *batchWorker) wait() (int, syscall.Errno) {
	if w.quiet {
		return w.receiveQuietly()
	}
	if w.conn == nil {
		return w.receive(unix.MSG_WAITFORONE)
	}
	if w.idler != nil && !w.deadlined {
		w.deadlined = true
		_ = w.conn.SetReadDeadline(time.Now().Add(IdleInterval))
		if w.stopping.Load() { // the wake-up may have come before the deadline
			return 0, unix.EAGAIN
		}
	}
	if err := w.readable.Read(w.ready); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			w.deadlined = false
			return 0, unix.EAGAIN
		}
		return 0, unix.EBADF
	}
	return w.got, w.gotErrno
}

// receive is recvmmsg(2). It does not tell the scheduler, also when it blocks: the package comment says what that needs.
func (w *batchWorker) receive(flags uintptr) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVMMSG, uintptr(w.fd), uintptr(unsafe.Pointer(&w.ring.in)), BatchSize, flags, 0, 0)
	return int(n), errno
}

// receiveQuietly waits and tells the scheduler, which gives the worker's processor to others.
func (w *batchWorker) receiveQuietly() (int, syscall.Errno) {
	n, _, errno := syscall.Syscall6(unix.SYS_RECVMMSG, uintptr(w.fd), uintptr(unsafe.Pointer(&w.ring.in)), BatchSize, unix.MSG_WAITFORONE, 0, 0)
	return int(n), errno
}

// serve answers a batch. It returns false when there was none.
func (w *batchWorker) serve(n int) bool {
	n = w.ring.take(n)
	if n == 0 {
		return false
	}
	w.served = true
	batch := w.ring.packets[:n]
	w.batches.Add(1)
	w.packets.Add(uint64(n))
	for i := range batch {
		if batch[i].Cut {
			w.cut.Add(1)
		}
	}
	w.handler.Serve(batch)
	w.send(n)
	w.sent.Add(w.sentNow)
	w.sentNow = 0
	w.setQuiet(false)
	return true
}
