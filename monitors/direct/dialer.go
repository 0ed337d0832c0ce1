package direct

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// Dialer opens connections. The zero value is ready; it is safe for concurrent use.
type Dialer struct{}

// Connect opens a connection over TCP on which everything ends at the deadline, connecting included. It returns soon after ctx ends,
// whose own deadline is not looked at before. Errors are like those of net.Dialer: a *net.OpError of "dial". Keepalives are not
// sent, and what is written is sent at once.
func (Dialer) Connect(ctx context.Context, to netip.AddrPort, deadline time.Time) (net.Conn, error) {
	return connect(ctx, to, deadline)
}

// ordinary connects as the standard library does.
func ordinary(ctx context.Context, to netip.AddrPort, deadline time.Time) (net.Conn, error) {
	limited, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	d := net.Dialer{KeepAlive: -1}
	conn, err := d.DialContext(limited, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(deadline) // fails only once it is closed
	return conn, nil
}
