package bench

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
)

// standIn is a server that answers each query with a record, or as answer says.
type standIn struct {
	address    netip.AddrPort
	received   atomic.Uint64
	closeEvery uint64                                   // TCP: the connection that has every nth query is closed; 0: none
	answer     func(number uint64, reply []byte) []byte // nil result: no answer
}

// reply turns a query into a response: a compressed A record after the question, no additional section.
func reply(query []byte) []byte {
	end := headerOctets
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	r := append([]byte(nil), query[:end+5]...)
	r[2] |= flagQR >> 8
	binary.BigEndian.PutUint16(r[6:], 1)
	binary.BigEndian.PutUint16(r[10:], 0)
	return append(r, 0xc0, headerOctets, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1)
}

func (s *standIn) respond(query []byte) []byte {
	n := s.received.Add(1)
	r := reply(query)
	if s.answer != nil {
		r = s.answer(n, r)
	}
	return r
}

// startStandIn serves UDP and TCP on one port until the test ends.
func startStandIn(t *testing.T, answer func(uint64, []byte) []byte) *standIn {
	t.Helper()
	var u *net.UDPConn
	var l net.Listener
	err := errors.New("not tried")
	for try := 0; err != nil && try < 10; try++ { // a port that is free for UDP may be taken for TCP
		if u, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
			continue
		}
		if l, err = net.Listen("tcp", u.LocalAddr().String()); err != nil {
			_ = u.Close()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = u.SetReadBuffer(4 << 20)
	s := &standIn{address: u.LocalAddr().(*net.UDPAddr).AddrPort(), answer: answer}
	t.Cleanup(func() { _ = u.Close(); _ = l.Close() })
	go func() {
		var buf [2048]byte
		for {
			n, from, err := u.ReadFromUDPAddrPort(buf[:])
			if err != nil {
				return
			}
			if r := s.respond(buf[:n]); r != nil {
				_, _ = u.WriteToUDPAddrPort(r, from)
			}
		}
	}()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.stream(c)
		}
	}()
	return s
}

func (s *standIn) stream(c net.Conn) {
	defer c.Close()
	var length [2]byte
	for {
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		r := s.respond(query)
		if s.closeEvery > 0 && s.received.Load()%s.closeEvery == 0 {
			return
		}
		if r != nil {
			if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(r))), r...)); err != nil {
				return
			}
		}
	}
}
