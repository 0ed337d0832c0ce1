package direct

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// conn is a socket as the file that it is: package net makes a connection of a socket that it did not open only by way of a second
// one. Its methods may be called at the same time, as those of every net.Conn.
type conn struct {
	fd     int // of file, until that is closed
	file   *os.File
	remote netip.AddrPort
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.file.Read(p)
	return n, c.failed("read", err)
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.file.Write(p)
	return n, c.failed("write", err)
}

func (c *conn) Close() error { return c.failed("close", c.file.Close()) }

func (c *conn) SetDeadline(t time.Time) error { return c.failed("set", c.file.SetDeadline(t)) }

func (c *conn) SetReadDeadline(t time.Time) error {
	return c.failed("set", c.file.SetReadDeadline(t))
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	return c.failed("set", c.file.SetWriteDeadline(t))
}

func (c *conn) SyscallConn() (syscall.RawConn, error) { return c.file.SyscallConn() }

func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

// LocalAddr returns this end's address; without one when the connection is closed.
func (c *conn) LocalAddr() net.Addr {
	var local netip.AddrPort
	if raw, err := c.file.SyscallConn(); err == nil {
		_ = raw.Control(func(uintptr) { local = c.local() })
	}
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
	if errors.Is(err, os.ErrClosed) {
		return net.ErrClosed
	}
	return err
}
