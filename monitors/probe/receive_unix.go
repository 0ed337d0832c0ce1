//go:build unix

package probe

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// receive reads one datagram, which is valid until the next call and the end of the probe. While none comes no room is held for it:
// thousands of probes may wait for servers that are silent.
func (x *exchange) receive(conn net.Conn) ([]byte, error) {
	c, ok := conn.(*net.UDPConn)
	if !ok { // a network in memory
		x.takePacket()
		n, err := conn.Read(x.packet[:])
		return x.packet[:n], err
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	n, failed := 0, error(nil)
	x.givePacket()
	err = raw.Read(func(fd uintptr) bool {
		x.takePacket()
		n, failed = syscall.Read(int(fd), x.packet[:])
		for errors.Is(failed, syscall.EINTR) {
			n, failed = syscall.Read(int(fd), x.packet[:])
		}
		if errors.Is(failed, syscall.EAGAIN) {
			x.givePacket()
			return false
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, &net.OpError{Op: "read", Net: "udp", Addr: conn.RemoteAddr(), Err: os.NewSyscallError("read", failed)}
	}
	return x.packet[:n], nil
}
