package udp

import "net/netip"

const (
	// BufferSize is the length of Packet.Buf in octets. What a datagram has beyond it is lost, and Packet.Cut says so.
	BufferSize = 4096
	// BatchSize is how many datagrams Handler.Serve gets at most. More gain nothing: the cost of the calls is spread thin
	// enough, and 32 buffers stay in the processor's cache.
	BatchSize = 32
)

// Packet is one datagram, and the response to it. It belongs to the worker: nothing of it may be kept after
// Handler.Serve or Handler.TooLarge returned.
type Packet struct {
	// Buf has length and capacity BufferSize and must not be replaced. Buf[:N] is the datagram, then the response.
	Buf []byte
	// N is the length of the datagram (0: an empty one), then of the response. 0 sends nothing.
	N int
	// From is the sender; IPv4 addresses are not mapped. A link-local address has its zone.
	From netip.AddrPort
	// Local is the address that the datagram was sent to, and that the response is sent from.
	Local netip.AddrPort
	// Cut says that the datagram was longer than Buf.
	Cut bool
	// Out is sent instead of Buf[:N] if it is not empty: a response that lies elsewhere. It must not change until the
	// next call of the Handler.
	Out []byte
}

// response is what is to be sent; empty for silence.
func (p *Packet) response() []byte {
	if len(p.Out) > 0 {
		return p.Out
	}
	if p.N <= 0 || p.N > len(p.Buf) {
		return nil
	}
	return p.Buf[:p.N]
}

// Handler answers datagrams. Each worker has one, and calls it from one goroutine.
type Handler interface {
	// Serve answers a batch of 1 to BatchSize datagrams in place. It should not block: what arrives meanwhile waits in
	// the socket's buffer.
	Serve(batch []Packet)
}

// TooLarger is a Handler that can shorten a response.
type TooLarger interface {
	// TooLarge is called when the kernel refuses a response because it does not fit into one packet of the interface
	// (EMSGSIZE). Buf, N and Out are as Serve left them. What they are afterwards is sent if it is shorter, once.
	TooLarge(p *Packet)
}

// Idler is a Handler that has something to do when nothing arrives, such as to publish counters.
type Idler interface {
	// Idle is called when no datagram was waiting, at most every IdleInterval, and about once a second when nothing has come
	// for a second. A worker that always has something to do never calls it, and neither does one with a socket that
	// Options.ListenPacket opened and that is no *net.UDPConn.
	Idle()
}
