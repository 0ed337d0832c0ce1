package ldns

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// An echo request (RFC 792; RFC 4443 section 4.1) is 8 octets of header, then the token: identifiers and sequences are too short
// to tell forged answers.
//
//	0  1  type: 8, over IPv6 128; of the reply 0 and 129
//	1  1  code 0
//	2  2  checksum
//	4  2  identifier; the system chooses it on a socket for datagrams
//	6  2  sequence
//	8  8  token
const echoSize = 16

// pinger is a socket for ICMP. conn nil: there is none.
type pinger struct {
	conn *icmp.PacketConn
	raw  bool // addresses are *net.IPAddr
}

// openPing opens a family's socket: one for datagrams, which needs no privilege where the system allows it
// (net.ipv4.ping_group_range), else a raw one.
func (s *sockets) openPing(f int) {
	p := &s.ping[f]
	networks, wildcard := [2]string{"udp4", "ip4:icmp"}, "0.0.0.0"

	if f == 1 {
		networks, wildcard = [2]string{"udp6", "ip6:ipv6-icmp"}, "::"
	}
	var first, err error
	if p.conn, first = icmp.ListenPacket(networks[0], wildcard); first != nil {
		p.conn, err = icmp.ListenPacket(networks[1], wildcard)
		p.raw = true
	}
	if err != nil {
		p.conn = nil
		s.log.Warn("ldns.ping_unavailable", zap.String("family", [families]string{"IPv4", "IPv6"}[f]), zap.NamedError("datagram", first),
			zap.NamedError("raw", err), zap.String("then", "resolvers are measured by the other kinds of probe_order; allow the group in "+
				"net.ipv4.ping_group_range, or give the binary CAP_NET_RAW"))
		return
	}
	if f == 1 {
		var only ipv6.ICMPFilter
		only.SetAll(true)
		only.Accept(ipv6.ICMPTypeEchoReply)
		_ = p.conn.IPv6PacketConn().SetICMPFilter(&only) // a socket for datagrams gets nothing else anyway
	}
	conn := p.conn
	s.group.Go(func() { s.readPings(conn, f) })
}

func (s *sockets) sendPing(to netip.Addr, token uint64) error {
	f := familyOf(to.Is6())
	p := &s.ping[f]
	s.pings++
	s.out = appendEcho(s.out[:0], f, s.pings, token)
	ip := net.IP(to.AsSlice())
	var addr net.Addr = &net.UDPAddr{IP: ip}
	if p.raw {
		addr = &net.IPAddr{IP: ip}
	}
	if _, err := p.conn.WriteTo(s.out, addr); err != nil {
		return fmt.Errorf("ping %s: %w", to, err)
	}
	return nil
}

// appendEcho appends a request. The system puts in the checksum of IPv6, which covers addresses.
func appendEcho(b []byte, f int, sequence uint16, token uint64) []byte {
	kind := uint8(ipv4.ICMPTypeEcho)
	if f == 1 {
		kind = uint8(ipv6.ICMPTypeEchoRequest)
	}
	start := len(b)
	b = append(b, kind, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(token>>48))
	b = binary.BigEndian.AppendUint16(b, sequence)
	b = binary.BigEndian.AppendUint64(b, token)
	if f == 0 {
		binary.BigEndian.PutUint16(b[start+2:], checksum(b[start:]))
	}
	return b
}

// checksum is the Internet checksum (RFC 1071) of an even number of octets.
func checksum(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// readEcho returns the token of a reply; ok is false for all else.
func readEcho(b []byte, f int) (token uint64, ok bool) {
	kind := uint8(ipv4.ICMPTypeEchoReply)
	if f == 1 {
		kind = uint8(ipv6.ICMPTypeEchoReply)
	}
	if len(b) < echoSize || b[0] != kind || b[1] != 0 {
		return 0, false
	}
	return binary.BigEndian.Uint64(b[8:]), true
}

func (s *sockets) readPings(conn *icmp.PacketConn, f int) {
	b := make([]byte, readSize)
	for {
		n, from, err := conn.ReadFrom(b)
		at := time.Now()
		if err != nil {
			if s.rest(err) {
				continue
			}
			return
		}
		if token, ok := readEcho(b[:n], f); ok {
			s.prober.answered(Ping, unmapped(from), token, ^uint64(0), at, 0)
		}
	}
}
