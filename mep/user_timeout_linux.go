package mep

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// mostUnsent is how many bytes the kernel takes that it cannot send yet.
const mostUnsent = 128 << 10

// setUserTimeout lets the kernel give a connection up when what was sent is not acknowledged for d (RFC 5482,
// TCP_USER_TIMEOUT in tcp(7)). It is a second net below the keepalive timeout, so failing to set it is no error.
//
// It also keeps what the kernel takes ahead of the network small (TCP_NOTSENT_LOWAT), so that what is urgent does not wait
// behind a large message.
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
	})
}
