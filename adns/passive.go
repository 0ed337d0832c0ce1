package adns

import (
	"net"
	"net/netip"
	"time"
)

// passiveInterval is the least time between two looks at the round-trip time of one connection.
const passiveInterval = 30 * time.Second

// passive has the round-trip time of a connection told once answers were written to it, and now and then while it is used. The
// handshake has measured it, so nothing is sent for it.
func (c *stream) passive() {
	told := c.server.passiveRTT
	if told == nil || !c.looked.IsZero() && c.now.Sub(c.looked) < passiveInterval {
		return
	}
	c.looked = c.now
	if rtt, ok := connRTT(below(c.conn)); ok {
		told(c.client.addr, rtt)
	}
}

// below is the connection that TLS and others are on.
func below(conn net.Conn) net.Conn {
	for {
		switch c := conn.(type) {
		case *secureConn:
			conn = c.Conn
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return conn
		}
	}
}

// PassiveRTT is told how long a packet takes to a client of a connection and back, as the kernel measured it.
type PassiveRTT func(client netip.Addr, rtt time.Duration)
