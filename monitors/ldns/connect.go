package ldns

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// connect measures a handshake. That a connection is refused takes as long as that it is accepted.
func (s *sockets) connect(to netip.Addr, token uint64) {
	defer func() { <-s.slots }()
	ctx, cancel := context.WithTimeout(s.ctx, silence)
	defer cancel()
	began := time.Now()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", netip.AddrPortFrom(to, s.port).String())
	at := time.Now()
	if err == nil {
		if c, ok := conn.(*net.TCPConn); ok {
			_ = c.SetLinger(0) // one RST, and no state is left at either end
		}
		_ = conn.Close()
	}
	switch {
	case err == nil, errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		s.prober.answered(TCP, to, token, ^uint64(0), at, at.Sub(began))
	case ctx.Err() == nil: // what is out of time ends by itself
		s.prober.failed(TCP, to, token)
	}
}
