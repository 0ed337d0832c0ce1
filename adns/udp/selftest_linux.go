package udp

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// testTimeout is the receive time-out while the self-test waits for an interruption. The runtime interrupts who keeps a
	// processor for 10 ms, and looks every 10 ms; this leaves it time on a busy machine.
	testTimeout = 300 * time.Millisecond
	testTries   = 4
)

// testRaw tries on sockets of its own what raw workers live from. The error is a clause that says what does not work.
// It takes about 30 ms.
func testRaw() error {
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		return fmt.Errorf("it is made for amd64 and arm64, not for %s", runtime.GOARCH)
	}
	local := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	first, err := newTestWorker(netip.AddrPortFrom(local, 0), true)
	if err != nil { // a machine without IPv4
		first, err = newTestWorker(netip.AddrPortFrom(netip.IPv6Loopback(), 0), true)
	}
	if err != nil {
		return err
	}
	defer unix.Close(first.fd)
	second, err := newTestWorker(first.ring.local, false)
	if err != nil {
		return fmt.Errorf("a second socket of the same address: %w", err)
	}
	defer unix.Close(second.fd)
	if err := first.testInterrupt(); err != nil {
		return err
	}
	return first.testExchange(second)
}

// newTestWorker returns a worker with a socket and without a handler.
func newTestWorker(addr netip.AddrPort, first bool) (*batchWorker, error) {
	fd, bound, err := openSocket(socketOptions{addr: addr, timeout: testTimeout, first: first, group: true})
	if err != nil {
		return nil, err
	}
	return &batchWorker{ring: newRing(bound), fd: fd, stopping: new(atomic.Bool)}, nil
}

// testInterrupt waits for a datagram that never comes. Both ways out must exist: the runtime's signal (EINTR), without
// which the garbage collector waits for the next query, and the time-out.
func (w *batchWorker) testInterrupt() error {
	for range testTries {
		began := time.Now()
		_, errno := w.receive(unix.MSG_WAITFORONE)
		runtime.Gosched()
		switch {
		case errno == unix.EINTR:
			return nil
		case errno == 0: // somebody sent something
		case errno != unix.EAGAIN:
			return fmt.Errorf("recvmmsg with a time-out: %w", errno)
		case time.Since(began) < testTimeout/2:
			return errors.New("recvmmsg does not wait")
		}
	}
	return errors.New("the runtime does not interrupt a worker that waits (is GODEBUG=asyncpreemptoff=1 set?)")
}

// testExchange sends a datagram from another socket, and expects it with its sender.
func (w *batchWorker) testExchange(from *batchWorker) error {
	to, err := sockaddr(w.ring.local)
	if err != nil {
		return err
	}
	// With two sockets at the address the kernel chooses which one gets it.
	if err := unix.Sendto(from.fd, []byte("?"), 0, to); err != nil {
		return fmt.Errorf("send a datagram: %w", err)
	}
	for _, at := range []*batchWorker{w, from} {
		n, errno := at.receive(unix.MSG_DONTWAIT)
		if errno == unix.EAGAIN {
			continue
		}
		if errno != 0 {
			return fmt.Errorf("recvmmsg: %w", errno)
		}
		if n = at.ring.take(n); n != 1 {
			return fmt.Errorf("recvmmsg: %d datagrams instead of one", n)
		}
		p := &at.ring.packets[0]
		if p.From != w.ring.local || string(p.Buf[:p.N]) != "?" {
			return fmt.Errorf("recvmmsg: %q from %s", p.Buf[:p.N], p.From)
		}
		return at.testSend()
	}
	return errors.New("a datagram over loopback does not arrive")
}

// testSend sends the received datagram back with sendmmsg(2).
func (w *batchWorker) testSend() error {
	sends := w.ring.gather(1, &w.counters)
	if sends != 1 {
		return errors.New("the datagram cannot be answered")
	}
	if errno := w.sendAlone(0); errno != 0 {
		return fmt.Errorf("sendmmsg: %w", errno)
	}
	return nil
}
