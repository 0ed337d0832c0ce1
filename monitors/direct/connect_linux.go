//go:build !386

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
	peer := newPeer(to)
	first := connectTo(uintptr(fd), peer)
	c, err := newConn(fd, to)
	if err != nil {
		return nil, err
	}
	_ = c.SetDeadline(deadline) // fails only once it is closed
	if pending(first) {
		// Asked again, it says how far it came. Over loopback it is there already.
		if first = connectTo(uintptr(fd), peer); pending(first) {
			first, err = c.await(ctx, peer)
		}
	}
	if err == nil && first != 0 && first != syscall.EISCONN {
		err = os.NewSyscallError("connect", first)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// newConn makes a connection of a socket, which it owns.
func newConn(fd int, to netip.AddrPort) (*conn, error) {
	c := &conn{fd: fd, file: os.NewFile(uintptr(fd), ""), remote: to}
	var err error
	if c.raw, err = c.file.SyscallConn(); err != nil {
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
	return fd, nil
}

// pending reports whether a connection is on its way.
func pending(e syscall.Errno) bool {
	return e == syscall.EINPROGRESS || e == syscall.EALREADY || e == syscall.EINTR
}

// await waits until the connection is established, or is not.
func (c *conn) await(ctx context.Context, to *peer) (outcome syscall.Errno, err error) {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(past) })
	err = c.raw.Write(func(fd uintptr) bool {
		outcome = connectTo(fd, to)
		return !pending(outcome)
	})
	if !stop() {
		return outcome, ctx.Err()
	}
	return outcome, plain(err)
}
