package probe

import (
	"bufio"
	"io"
)

// buffers are what an exchange is read and written through. At thousands of probes a second they would be most of the garbage.
type buffers struct {
	r *bufio.Reader
	w *bufio.Writer
}

// borrow returns buffers over a connection, until the probe is over.
func (x *exchange) borrow(w io.Writer, r io.Reader) *buffers {
	b, ok := x.Prober.buffers.Get().(*buffers)
	if !ok {
		b = &buffers{bufio.NewReader(nil), bufio.NewWriter(nil)}
	}
	b.r.Reset(r)
	b.w.Reset(w)
	x.closing(func() {
		b.r.Reset(nil)
		b.w.Reset(nil)
		x.Prober.buffers.Put(b)
	})
	return b
}

// packet returns room for one datagram, until the probe is over.
func (x *exchange) packet() []byte {
	b, ok := x.Prober.packets.Get().(*[maxHeard]byte)
	if !ok {
		b = new([maxHeard]byte)
	}
	x.closing(func() { x.Prober.packets.Put(b) })
	return b[:]
}
