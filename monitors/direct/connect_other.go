//go:build !linux || 386

package direct

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// Linux on 386 has one call for all that is done with sockets.
func connect(ctx context.Context, to netip.AddrPort, deadline time.Time) (net.Conn, error) {
	return ordinary(ctx, to, deadline)
}
