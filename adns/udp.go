package adns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sync/errgroup"
)

const (
	// maxWireOctets is the largest message of any transport; a datagram is never cut when it is read.
	maxWireOctets = 65535
	udpOutOctets  = 4096 // an uncompressed answer that is larger is allocated
	controlOctets = 128  // control data of one datagram

	// readRetry is the pause after a failed read, so that a broken socket does not spin.
	readRetry        = 10 * time.Millisecond
	errorLogInterval = 10 * time.Second
)

// packetSocket reads datagrams and answers each from the address that it was sent to.
type packetSocket interface {
	// read fills b and returns the sender; control is opaque and goes to write with the answer.
	read(b, control []byte) (n int, from netip.AddrPort, answerWith []byte, err error)
	write(b []byte, to netip.AddrPort, answerWith []byte) error
}

// serveUDP reads one socket with all workers until ctx ends, and closes it.
func (s *Server) serveUDP(ctx context.Context, conn net.PacketConn) error {
	defer conn.Close()
	socket, err := newPacketSocket(conn)
	if err != nil {
		return err
	}
	// Workers are woken by the deadline, answer what they have read, and only then is the socket closed.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var group errgroup.Group
	for range s.workers {
		group.Go(func() error { return s.readUDP(ctx, socket) })
	}
	return group.Wait()
}

// readUDP is one worker.
func (s *Server) readUDP(ctx context.Context, socket packetSocket) error {
	in, out, control := make([]byte, maxWireOctets), make([]byte, udpOutOctets), make([]byte, controlOctets)
	var logged every
	for ctx.Err() == nil {
		n, from, answerWith, err := socket.read(in, control)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("read DNS queries over UDP: %w", err)
		default:
			// An ICMP error of an earlier answer shows up here; it says nothing about the socket.
			s.counters.readErrors.Add(1)
			if logged.allow(time.Now().UnixNano(), errorLogInterval) {
				s.log.Warn("dns.udp.read_error", zap.Error(err))
			}
			pause(ctx, readRetry)
			continue
		}
		response := s.Handle(in[:n], from, UDP, out)
		if response == nil {
			continue
		}
		if err := socket.write(response, from, answerWith); err != nil {
			s.counters.writeErrors.Add(1)
		}
	}
	return nil
}

// pause waits, or less when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// newPacketSocket picks the way to answer. A socket bound to one address answers from it by itself; one bound to the
// wildcard must be told, else the routing table decides and the client takes the answer for a forgery (RFC 2181
// section 4).
func newPacketSocket(conn net.PacketConn) (packetSocket, error) {
	udp, ok := conn.(*net.UDPConn)
	if !ok {
		return anySocket{conn}, nil
	}
	local := addrPort(udp.LocalAddr()).Addr()
	if !local.IsUnspecified() {
		return udpSocket{udp}, nil
	}
	var err error
	if local.Is4() {
		err = ipv4.NewPacketConn(udp).SetControlMessage(ipv4.FlagDst, true)
	} else {
		err = ipv6.NewPacketConn(udp).SetControlMessage(ipv6.FlagDst, true)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for DNS on UDP %s: learn the address of each query: %w; list the addresses one by one",
			udp.LocalAddr(), err)
	}
	return wildcardSocket{udp, local.Is4()}, nil
}

// udpSocket is bound to one address.
type udpSocket struct{ conn *net.UDPConn }

func (u udpSocket) read(b, _ []byte) (int, netip.AddrPort, []byte, error) {
	n, from, err := u.conn.ReadFromUDPAddrPort(b)
	return n, from, nil, err
}

func (u udpSocket) write(b []byte, to netip.AddrPort, _ []byte) error {
	_, err := u.conn.WriteToUDPAddrPort(b, to)
	return err
}

// wildcardSocket is bound to all addresses of one family.
type wildcardSocket struct {
	conn *net.UDPConn
	v4   bool
}

func (w wildcardSocket) read(b, control []byte) (int, netip.AddrPort, []byte, error) {
	n, controlled, _, from, err := w.conn.ReadMsgUDPAddrPort(b, control)
	if err != nil {
		return 0, netip.AddrPort{}, nil, err
	}
	return n, from, w.sourceFrom(control[:controlled]), nil
}

// sourceFrom turns the destination of a query into the source of its answer. Without one the kernel chooses.
func (w wildcardSocket) sourceFrom(control []byte) []byte {
	if w.v4 {
		var got ipv4.ControlMessage
		if got.Parse(control) != nil || got.Dst == nil {
			return nil
		}
		return (&ipv4.ControlMessage{Src: got.Dst}).Marshal()
	}
	var got ipv6.ControlMessage
	if got.Parse(control) != nil || got.Dst == nil {
		return nil
	}
	answer := ipv6.ControlMessage{Src: got.Dst}
	if got.Dst.IsLinkLocalUnicast() {
		answer.IfIndex = got.IfIndex // the address alone is not unique
	}
	return answer.Marshal()
}

func (w wildcardSocket) write(b []byte, to netip.AddrPort, source []byte) error {
	_, _, err := w.conn.WriteMsgUDPAddrPort(b, source, to)
	return err
}

// anySocket is any other packet connection.
type anySocket struct{ conn net.PacketConn }

func (a anySocket) read(b, _ []byte) (int, netip.AddrPort, []byte, error) {
	n, from, err := a.conn.ReadFrom(b)
	if err != nil {
		return 0, netip.AddrPort{}, nil, err
	}
	return n, addrPort(from), nil, nil
}

func (a anySocket) write(b []byte, to netip.AddrPort, _ []byte) error {
	_, err := a.conn.WriteTo(b, net.UDPAddrFromAddrPort(to))
	return err
}
