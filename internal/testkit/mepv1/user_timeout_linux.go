package mepv1

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// setUserTimeout lets the kernel give a connection up when what was sent is not acknowledged for d (RFC 5482,
// TCP_USER_TIMEOUT in tcp(7)). It is a second net below the keepalive timeout, so failing to set it is no error.
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
	})
}
