//go:build !linux

package direct

import (
	"context"
	"net"
	"net/netip"
	"time"
)

func connect(ctx context.Context, to netip.AddrPort, deadline time.Time) (net.Conn, error) {
	return ordinary(ctx, to, deadline)
}
