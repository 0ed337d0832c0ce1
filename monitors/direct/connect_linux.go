package direct

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// maxSelfConnects is how often a connection that met itself is opened again.
const maxSelfConnects = 2

// past is a deadline that is over.
var past = time.Unix(1, 0)

// connect spares what net.Dialer does besides: it does not ask for the names of both ends, and on a connection that is established at
// once, as on this machine, it waits for no event.
func connect(ctx context.Context, to netip.AddrPort, deadline time.Time) (net.Conn, error) {
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if to.Addr().Zone() != "" || !to.IsValid() {
		return ordinary(ctx, to, deadline) // knows the numbers of zones, and the words for errors
	}
	var err error
	for range maxSelfConnects + 1 {
		var c *conn
		if c, err = open(ctx, to, deadline); err == nil {
			if local := c.local(); local != to {
				return c, nil
			}
			// A port of this machine on which nobody listens may be met with itself as the source port.
			c.Close()
			err = os.NewSyscallError("connect", syscall.ECONNREFUSED)
		} else if !errors.Is(err, syscall.EADDRNOTAVAIL) { // a port that was taken meanwhile
			break
		}
	}
	return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(to), Err: err}
}

// open makes a socket and connects it.
func open(ctx context.Context, to netip.AddrPort, deadline time.Time) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	fd, err := newSocket(to)
	if err != nil {
		return nil, err
	}
	c := &conn{fd: fd, remote: to}
	peer := sockaddr(to)
	err = syscall.Connect(fd, peer)
	if err != nil && !pending(err) {
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("connect", err)
	}
	c.file = os.NewFile(uintptr(fd), "")
	_ = c.file.SetDeadline(deadline) // fails only once it is closed
	if err != nil {
		// Asked again, it says how far it came. Over loopback it is there already.
		if err = syscall.Connect(fd, peer); err != nil && pending(err) {
			err = c.await(ctx, peer)
		} else if errors.Is(err, syscall.EISCONN) {
			err = nil
		} else {
			err = os.NewSyscallError("connect", err)
		}
	}
	if err != nil {
		c.file.Close()
		return nil, err
	}
	return c, nil
}

func newSocket(to netip.AddrPort) (int, error) {
	family := syscall.AF_INET
	if to.Addr().Is6() {
		family = syscall.AF_INET6
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		_ = syscall.Close(fd)
		return 0, os.NewSyscallError("setsockopt", err)
	}
	return fd, nil
}

func sockaddr(to netip.AddrPort) syscall.Sockaddr {
	if to.Addr().Is6() {
		return &syscall.SockaddrInet6{Addr: to.Addr().As16(), Port: int(to.Port())}
	}
	return &syscall.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}
}

// pending reports whether a connection is on its way.
func pending(err error) bool {
	return errors.Is(err, syscall.EINPROGRESS) || errors.Is(err, syscall.EALREADY) || errors.Is(err, syscall.EINTR)
}

// await waits until the connection is established, or is not.
func (c *conn) await(ctx context.Context, peer syscall.Sockaddr) error {
	stop := context.AfterFunc(ctx, func() { _ = c.file.SetDeadline(past) })
	raw, err := c.file.SyscallConn()
	if err != nil {
		stop()
		return err
	}
	var outcome error
	err = raw.Write(func(fd uintptr) bool {
		outcome = syscall.Connect(int(fd), peer)
		return outcome == nil || !pending(outcome)
	})
	if !stop() && ctx.Err() != nil {
		return ctx.Err()
	}
	switch {
	case err != nil:
		return plain(err)
	case outcome == nil || errors.Is(outcome, syscall.EISCONN):
		return nil
	}
	return os.NewSyscallError("connect", outcome)
}
