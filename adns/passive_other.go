//go:build !linux

package adns

import (
	"net"
	"time"
)

// connRTT knows nothing here.
func connRTT(net.Conn) (time.Duration, bool) { return 0, false }
