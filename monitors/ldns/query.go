package ldns

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"time"

	"go.uber.org/zap"
)

// A query is the root's NS records without RD (RFC 1035 section 4.1): servers of every kind have an answer to it, if only
// REFUSED, and resolvers do not ask others for it. The lower 16 bits of the token are its ID, the next ones choose the socket.
const (
	headerSize    = 12
	flagResponse  = 0x80 // in the third octet
	socketShift   = 16
	dnsTokenMask  = uint64(dnsSockets)<<socketShift - 1
	typeNS        = 2
	classInternet = 1
)

// openQueries opens a family's sockets; the first stays nil when that fails.
func (s *sockets) openQueries(f int) {
	network := [families]string{"udp4", "udp6"}[f]
	for i := range dnsSockets {
		conn, err := net.ListenUDP(network, nil)
		if err != nil {
			s.log.Warn("ldns.dns_unavailable", zap.String("family", network), zap.Error(err))
			return
		}
		s.queries[f][i] = conn
		s.group.Go(func() { s.readAnswers(conn, uint64(i)) })
	}
}

func (s *sockets) sendQuery(to netip.Addr, token uint64) error {
	conn := s.queries[familyOf(to.Is6())][token>>socketShift%dnsSockets]
	if conn == nil {
		return fmt.Errorf("query %s: no socket", to)
	}
	s.out = appendQuery(s.out[:0], uint16(token))
	if _, err := conn.WriteToUDPAddrPort(s.out, netip.AddrPortFrom(to, s.port)); err != nil {
		return fmt.Errorf("query %s: %w", to, err)
	}
	return nil
}

func appendQuery(b []byte, id uint16) []byte {
	b = binary.BigEndian.AppendUint16(b, id)
	b = append(b, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0) // a query, one question; and the root
	b = binary.BigEndian.AppendUint16(b, typeNS)
	return binary.BigEndian.AppendUint16(b, classInternet)
}

// readAnswer returns the ID of a response, whatever it says.
func readAnswer(b []byte) (id uint16, ok bool) {
	if len(b) < headerSize || b[2]&flagResponse == 0 {
		return 0, false
	}
	return binary.BigEndian.Uint16(b), true
}

func (s *sockets) readAnswers(conn *net.UDPConn, socket uint64) {
	b := make([]byte, readSize)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(b)
		at := time.Now()
		if err != nil {
			if s.rest(err) {
				continue
			}
			return
		}
		if id, ok := readAnswer(b[:n]); ok && from.Port() == s.port {
			s.prober.answered(DNS, from.Addr().Unmap(), uint64(id)|socket<<socketShift, dnsTokenMask, at, 0)
		}
	}
}
