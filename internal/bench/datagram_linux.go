package bench

import (
	"context"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// datagramOctets is the room for one UDP message: more than servers send to a client that offers payloadOctets.
const datagramOctets = 2048

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr    unix.Msghdr
	length uint32
}

// datagrams are the buffers of a batch in each direction. The sockets of one worker share them.
type datagrams struct {
	in, out []mmsghdr
	vectors []unix.Iovec
	arena   []byte
	sent    [][]byte // of out
}

func newDatagrams(batch int) *datagrams {
	d := &datagrams{
		in: make([]mmsghdr, batch), out: make([]mmsghdr, batch), vectors: make([]unix.Iovec, 2*batch),
		arena: make([]byte, 2*batch*datagramOctets), sent: make([][]byte, batch),
	}
	for i := range d.vectors {
		d.vectors[i].Base = &d.arena[i*datagramOctets]
		d.vectors[i].SetLen(datagramOctets)
		h := &d.in[i%batch].hdr
		if i >= batch {
			h = &d.out[i-batch].hdr
		}
		h.Iov = &d.vectors[i]
		h.SetIovlen(1)
	}
	return d
}

// incoming returns the buffer of the i-th message received.
func (d *datagrams) incoming(i int) []byte {
	return d.arena[i*datagramOctets : i*datagramOctets+int(d.in[i].length)]
}

// outgoing returns the buffer of the i-th message to send.
func (d *datagrams) outgoing(i int) []byte {
	at := (len(d.in) + i) * datagramOctets
	return d.arena[at : at+datagramOctets]
}

// datagramLane is a connected UDP socket.
type datagramLane struct {
	fd    int
	batch *datagrams
}

func (s *datagramLane) descriptor() int { return s.fd }

func (s *datagramLane) close() { _ = unix.Close(s.fd) }

func (s *datagramLane) reopen(context.Context, *worker, *lane) bool { return true }

func (s *datagramLane) receive(w *worker, l *lane) bool {
	d := s.batch
	n, _, errno := syscall.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&d.in[0])), uintptr(len(d.in)),
		unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 || n == 0 {
		// ECONNREFUSED tells of a query that nobody took: it times out, as if it had been lost.
		return false
	}
	now := w.now()
	for i := range int(n) {
		w.accept(l, d.incoming(i), now)
	}
	return true
}

func (s *datagramLane) send(w *worker, l *lane, n int, now time.Duration) {
	if n == 0 {
		return
	}
	d := s.batch
	for i := range n {
		b := d.outgoing(i)
		length := w.compose(l, b, now)
		d.vectors[len(d.in)+i].SetLen(length)
		d.sent[i] = b[:length]
	}
	done, _, errno := syscall.RawSyscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&d.out[0])), uintptr(n),
		unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		done = 0
		if errno != unix.EAGAIN {
			w.tally.sendErrors++
		}
	}
	if int(done) < n {
		w.revoke(l, d.sent[done:n])
	}
}
