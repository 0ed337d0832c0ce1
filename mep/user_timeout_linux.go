package mep

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// mostUnsent is how many bytes the kernel takes that it cannot send yet.
const mostUnsent = 128 << 10

// longestRetry is the longest wait between two attempts of the kernel to send again what was not acknowledged.
const longestRetry = time.Second

// setUserTimeout lets the kernel give a connection up when what was sent is not acknowledged for d (RFC 5482,
// TCP_USER_TIMEOUT in tcp(7)). It is a second net below the keepalive timeout, so failing to set it is no error.
//
// It also keeps what the kernel takes ahead of the network small (TCP_NOTSENT_LOWAT), so that what is urgent does not wait
// behind a large message.
//
// And it lets the kernel try again steadily, where it would double the wait between attempts each time (RFC 6298): after a
// link was dead for 7 seconds nothing would pass for up to 6 more, which is a session lost, with a keepalive timeout of 10.
func setUserTimeout(conn net.Conn, d time.Duration) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	sys, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = sys.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, mostUnsent)
		if unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_RTO_MAX_MS, int(longestRetry.Milliseconds())) != nil {
			// Before Linux 6.15, the next best: no doubling for the first six attempts, for streams with little on its way.
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_THIN_LINEAR_TIMEOUTS, 1)
		}
	})
}
