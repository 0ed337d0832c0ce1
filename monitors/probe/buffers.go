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
		b = &buffers{r: bufio.NewReader(nil), w: bufio.NewWriter(nil)}
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

// takePacket sees to it that there is room for a datagram, until givePacket or the end of the probe.
func (x *exchange) takePacket() {
	if x.packet != nil {
		return
	}
	x.packet, _ = x.Prober.packets.Get().(*[maxHeard]byte)
	if x.packet == nil {
		x.packet = new([maxHeard]byte)
	}
}

func (x *exchange) givePacket() {
	if x.packet != nil {
		x.Prober.packets.Put(x.packet)
		x.packet = nil
	}
}
