package adns

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// connRTT asks the kernel for the least round-trip time of the last minutes, which no delayed acknowledgement is in, else for
// the smoothed one.
func connRTT(conn net.Conn) (time.Duration, bool) {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return 0, false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false
	}
	micro := uint32(0)
	err = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		switch {
		case err != nil:
		case info.Min_rtt > 0 && info.Min_rtt != ^uint32(0):
			micro = info.Min_rtt
		default:
			micro = info.Rtt
		}
	})
	return time.Duration(micro) * time.Microsecond, err == nil && micro > 0
}
