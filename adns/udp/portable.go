package udp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const (
	maxDatagram   = 65535 // octets; no datagram is longer
	controlOctets = 128   // control data of one datagram
)

// portableSocket is one socket of package net, read by all workers.
type portableSocket struct {
	conn net.PacketConn
	udp  *net.UDPConn // nil: conn is something else
	// wildcard says that the socket must be told which address to answer from, else the routing table decides and the
	// client takes the answer for a forgery (RFC 2181 section 4).
	wildcard bool
	local    netip.AddrPort
	woken    sync.Once
	shut     sync.Once
	shutErr  error
}

// portableWorker moves one datagram at a time.
type portableWorker struct {
	*portableSocket
	waiting
	counters
	handler  Handler
	shorten  TooLarger // nil when the handler is none
	stopping *atomic.Bool
	in       []byte // read buffer; batch[0].Buf is its start
	control  []byte // of the last datagram
	source   []byte // control data that makes the response leave from where the datagram went to
	batch    [1]Packet
}

// openPortable opens the one socket.
func openPortable(ctx context.Context, s *Server, o *Options) error {
	listen := o.ListenPacket
	if listen == nil {
		var lc net.ListenConfig
		listen = lc.ListenPacket
	}
	network := "udp6" // takes IPv6 only, so that 0.0.0.0 and [::] can both be served
	if o.Addr.Addr().Is4() {
		network = "udp4"
	}
	conn, err := listen(ctx, network, o.Addr.String())
	if err != nil {
		return err
	}
	socket := &portableSocket{conn: conn, local: addrPort(conn.LocalAddr())}
	if err := socket.prepare(); err != nil {
		return errors.Join(err, conn.Close())
	}
	if socket.local.IsValid() {
		s.addr = socket.local
	}
	for i := range o.Workers {
		s.workers = append(s.workers, newPortableWorker(socket, o.NewHandler(i), s, o))
	}
	return nil
}

// prepare sets what package net leaves alone.
func (p *portableSocket) prepare() error {
	udp, ok := p.conn.(*net.UDPConn)
	if !ok {
		return nil
	}
	p.udp = udp
	_ = udp.SetReadBuffer(receiveBuffer) // a smaller buffer serves as well, only not as long a burst
	p.wildcard = p.local.Addr().IsUnspecified()
	if !p.wildcard {
		return nil
	}
	var err error
	if p.local.Addr().Is4() {
		err = ipv4.NewPacketConn(udp).SetControlMessage(ipv4.FlagDst, true)
	} else {
		err = ipv6.NewPacketConn(udp).SetControlMessage(ipv6.FlagDst, true)
	}
	if err != nil {
		return fmt.Errorf("learn the address of each datagram: %w; list the addresses one by one", err)
	}
	return nil
}

func newPortableWorker(socket *portableSocket, h Handler, s *Server, o *Options) *portableWorker {
	w := &portableWorker{
		portableSocket: socket, handler: h, stopping: &s.stopping,
		in: make([]byte, maxDatagram), control: make([]byte, controlOctets),
	}
	w.log = o.Logger
	w.idler, _ = h.(Idler)
	w.shorten, _ = h.(TooLarger)
	w.batch[0] = Packet{Buf: w.in[:BufferSize:BufferSize], Local: socket.local}
	return w
}

func (w *portableWorker) count() *counters { return &w.counters }

func (w *portableWorker) kernelDrops() uint64 { return 0 }

// wake ends the waits of all workers of the socket.
func (p *portableSocket) wake() {
	p.woken.Do(func() { _ = p.conn.SetReadDeadline(time.Unix(1, 0)) })
}

func (p *portableSocket) close() error {
	p.shut.Do(func() { p.shutErr = p.conn.Close() })
	return p.shutErr
}

// run serves until the server stops.
func (w *portableWorker) run() error {
	for !w.stopping.Load() {
		if w.idler != nil && w.udp != nil {
			_ = w.conn.SetReadDeadline(time.Now().Add(IdleInterval))
			if w.stopping.Load() { // the wake-up may have come before the deadline
				return nil
			}
		}
		err := w.read()
		var timeout interface{ Timeout() bool }
		switch {
		case err == nil:
			w.serve()
		case w.stopping.Load():
			return nil
		case errors.As(err, &timeout) && timeout.Timeout():
			w.idle(time.Now())
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("receive on UDP %s: %w", w.local, err)
		default:
			// An ICMP error of an earlier answer shows up here on some systems; it says nothing about the socket.
			w.failed(&w.counters, err)
		}
	}
	return nil
}

// read fills the packet.
func (w *portableWorker) read() error {
	p := &w.batch[0]
	var from netip.AddrPort
	n, controlled := 0, 0
	var err error
	switch {
	case w.wildcard:
		n, controlled, _, from, err = w.udp.ReadMsgUDPAddrPort(w.in, w.control)
	case w.udp != nil:
		n, from, err = w.udp.ReadFromUDPAddrPort(w.in)
	default:
		var a net.Addr
		n, a, err = w.conn.ReadFrom(w.in)
		from = addrPort(a)
	}
	if err != nil {
		return err
	}
	p.N, p.Cut, p.Out = min(n, BufferSize), n > BufferSize, nil
	p.From = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	if w.wildcard {
		w.learnSource(w.control[:controlled])
	}
	return nil
}

// learnSource turns the destination of a datagram into the source of its response. Without one the kernel chooses.
func (w *portableWorker) learnSource(control []byte) {
	w.source, w.batch[0].Local = nil, w.local
	var dst net.IP
	if w.local.Addr().Is4() {
		var got ipv4.ControlMessage
		if got.Parse(control) != nil || got.Dst == nil {
			return
		}
		dst, w.source = got.Dst, (&ipv4.ControlMessage{Src: got.Dst}).Marshal()
	} else {
		var got ipv6.ControlMessage
		if got.Parse(control) != nil || got.Dst == nil {
			return
		}
		answer := ipv6.ControlMessage{Src: got.Dst}
		if got.Dst.IsLinkLocalUnicast() {
			answer.IfIndex = got.IfIndex // the address alone is not unique
		}
		dst, w.source = got.Dst, answer.Marshal()
	}
	if addr, ok := netip.AddrFromSlice(dst); ok {
		w.batch[0].Local = netip.AddrPortFrom(addr.Unmap(), w.local.Port())
	}
}

// serve answers the packet.
func (w *portableWorker) serve() {
	p := &w.batch[0]
	w.packets.Add(1)
	w.batches.Add(1)
	if p.Cut {
		w.cut.Add(1)
	}
	w.handler.Serve(w.batch[:])
	response := p.response()
	if response == nil {
		return
	}
	err := w.write(response, p.From)
	if err != nil && messageTooLong(err) {
		w.tooLarge.Add(1)
		if w.shorten == nil {
			return
		}
		w.shorten.TooLarge(p)
		if shorter := p.response(); len(shorter) == 0 || len(shorter) >= len(response) {
			return
		}
		err = w.write(p.response(), p.From)
	}
	if err != nil {
		w.writeErrors.Add(1)
		return
	}
	w.sent.Add(1)
}

func (w *portableWorker) write(b []byte, to netip.AddrPort) (err error) {
	switch {
	case w.wildcard:
		_, _, err = w.udp.WriteMsgUDPAddrPort(b, w.source, to)
	case w.udp != nil:
		_, err = w.udp.WriteToUDPAddrPort(b, to)
	default:
		_, err = w.conn.WriteTo(b, net.UDPAddrFromAddrPort(to))
	}
	return err
}

// addrPort returns the address in a net.Addr, the zero AddrPort when there is none.
func addrPort(a net.Addr) netip.AddrPort {
	if u, ok := a.(*net.UDPAddr); ok {
		ap := u.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	if a == nil {
		return netip.AddrPort{}
	}
	parsed, _ := netip.ParseAddrPort(a.String())
	return parsed
}
