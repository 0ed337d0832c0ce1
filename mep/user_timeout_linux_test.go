package mep

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestKernelTriesAgainSteadily: after an outage the kernel sends again within a second, however long the outage was.
func TestKernelTriesAgainSteadily(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	setUserTimeout(conn, 10*time.Second)
	sys, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	option := func(name int) (value int, err error) {
		if control := sys.Control(func(fd uintptr) { value, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, name) }); control != nil {
			t.Fatal(control)
		}
		return value, err
	}
	if got, err := option(unix.TCP_USER_TIMEOUT); err != nil || got != 10_000 {
		t.Errorf("TCP_USER_TIMEOUT is %d (%v), want 10000", got, err)
	}
	longest, err := option(unix.TCP_RTO_MAX_MS)
	if linear, _ := option(unix.TCP_THIN_LINEAR_TIMEOUTS); err != nil && linear != 1 {
		t.Errorf("this kernel has no TCP_RTO_MAX_MS (%v), and TCP_THIN_LINEAR_TIMEOUTS is %d, want 1", err, linear)
	}
	if err == nil && longest != 1000 {
		t.Errorf("TCP_RTO_MAX_MS is %d, want 1000", longest)
	}
}
