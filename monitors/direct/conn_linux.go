//go:build !386

package direct

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// maxTransfer is how much is read or written with one call.
const maxTransfer = 64 << 10

// conn is a socket as the file that it is: package net makes a connection of a socket that it did not open only by way of a second
// one. Its methods may be called at the same time, as those of every net.Conn.
type conn struct {
	fd     int // of file, until that is closed
	file   *os.File
	raw    syscall.RawConn // of file
	remote netip.AddrPort
	closed atomic.Bool
	wrote  atomic.Bool // once at least
	atOnce atomic.Bool // TCP_NODELAY is set
}

func (c *conn) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	var errno syscall.Errno
	err = c.raw.Read(func(fd uintptr) bool {
		n, errno = read(fd, p[:min(len(p), maxTransfer)])
		return errno != syscall.EAGAIN
	})
	switch {
	case err != nil:
		return 0, c.failed("read", err)
	case errno != 0:
		return 0, c.failed("read", errno)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func (c *conn) Write(p []byte) (done int, err error) {
	if c.wrote.Swap(true) {
		c.sendAtOnce()
	}
	var errno syscall.Errno
	err = c.raw.Write(func(fd uintptr) bool {
		for errno = 0; done < len(p) && errno == 0; {
			var n int
			n, errno = write(fd, p[done:min(len(p), done+maxTransfer)])
			done += n
		}
		return errno != syscall.EAGAIN
	})
	if err == nil && errno != 0 {
		err = errno
	}
	return done, c.failed("write", err)
}

// sendAtOnce has what is written next not wait until the other end has acknowledged what was written before. Most probes write once:
// nothing comes before that.
func (c *conn) sendAtOnce() {
	if c.atOnce.Swap(true) {
		return
	}
	_ = c.raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1) // without it all comes, later
	})
}

func (c *conn) Close() error {
	c.closed.Store(true)
	return c.failed("close", c.file.Close())
}

func (c *conn) SetDeadline(t time.Time) error { return c.failed("set", c.file.SetDeadline(t)) }

func (c *conn) SetReadDeadline(t time.Time) error {
	return c.failed("set", c.file.SetReadDeadline(t))
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	return c.failed("set", c.file.SetWriteDeadline(t))
}

func (c *conn) SyscallConn() (syscall.RawConn, error) { return c.raw, nil }

func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

// LocalAddr returns this end's address; without one when the connection is closed.
func (c *conn) LocalAddr() net.Addr {
	var local netip.AddrPort
	_ = c.raw.Control(func(uintptr) { local = c.local() })
	return net.TCPAddrFromAddrPort(local)
}

// local asks for this end's address. The socket must be open.
func (c *conn) local() netip.AddrPort {
	name, _ := syscall.Getsockname(c.fd)
	switch a := name.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port))
	}
	return netip.AddrPort{}
}

// failed has errors look as those of package net.
func (c *conn) failed(op string, err error) error {
	if err == nil || err == io.EOF { // as it is, for those who compare it
		return err
	}
	err = plain(err)
	if c.closed.Load() {
		err = net.ErrClosed // files have another word for it
	}
	if errno, ok := err.(syscall.Errno); ok {
		err = os.NewSyscallError(op, errno)
	}
	return &net.OpError{Op: op, Net: "tcp", Addr: net.TCPAddrFromAddrPort(c.remote), Err: err}
}

// plain is an error of a file without what is about files.
func plain(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	return err
}
