package icmp

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxQueued is how many errors wait to be told.
const maxQueued = 256

// tellErrors asks for the queue of errors (IP_RECVERR in ip(7)): without it a socket for datagrams is told of none.
func (s *Socket) tellErrors() {
	s.control(func(fd int) {
		if s.six {
			_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
		} else {
			_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_RECVERR, 1)
		}
	})
}

// control runs f with the descriptor.
func (s *Socket) control(f func(fd int)) {
	var conn any
	if s.six {
		conn = s.conn.IPv6PacketConn().PacketConn
	} else {
		conn = s.conn.IPv4PacketConn().PacketConn
	}
	c, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { f(int(fd)) })
}

// full reports whether half of what may wait to leave by this socket does. Sending goes on until all of it does, and then waits.
func (s *Socket) full() bool {
	full := false
	s.control(func(fd int) {
		ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		n, err := unix.Poll(ready, 0)
		full = err == nil && (n == 0 || ready[0].Revents&(unix.POLLOUT|unix.POLLNVAL|unix.POLLHUP) == 0)
	})
	return full
}

// readErrors takes what is in the queue of errors, and reports whether there was something. The caller holds the lock.
func (s *Socket) readErrors() bool {
	if s.raw {
		return false
	}
	before, request, oob := len(s.queue), make([]byte, headerSize+MaxSize), make([]byte, 512)
	s.control(func(fd int) {
		for len(s.queue) < maxQueued {
			n, oobn, _, to, err := unix.Recvmsg(fd, request, oob, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
			if err != nil {
				return
			}
			if e, ok := readError(s.six, request[:n], oob[:oobn], to); ok {
				s.queue = append(s.queue, e)
			}
		}
	})
	return len(s.queue) > before
}

// readError reads one error: the request that it is about, and what went wrong. An error that this machine found itself may have no
// type of ICMP.
func readError(six bool, request, oob []byte, to unix.Sockaddr) (Event, bool) {
	e := Event{At: time.Now()}
	switch to := to.(type) {
	case *unix.SockaddrInet4:
		e.From = netip.AddrFrom4(to.Addr)
	case *unix.SockaddrInet6:
		e.From = netip.AddrFrom16(to.Addr).Unmap()
	}
	var whole, ok bool
	if e.Echo, whole, ok = readQuoted(request, six); !ok {
		return e, false
	}
	e.Partial = !whole
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return e, false
	}
	for _, m := range messages {
		if m.Header.Type != unix.IP_RECVERR && m.Header.Type != unix.IPV6_RECVERR || len(m.Data) < int(unsafe.Sizeof(unix.SockExtendedErr{})) {
			continue
		}
		// struct sock_extended_err: errno (4), origin, type, code, pad, info (4), data (4)
		switch kind, code := m.Data[5], m.Data[6]; {
		case m.Data[4] == unix.SO_EE_ORIGIN_LOCAL:
			e.Failure = local(six, syscall.Errno(binary.NativeEndian.Uint32(m.Data)))
		case isFailure(kind, six): // and not a redirect or a source quench: they are told here, and the request went on
			e.Failure = &Unreachable{six: six, kind: kind, code: code}
		}
	}
	return e, e.Failure != nil
}

// local is an error of this machine, as the message of ICMP that says the same.
func local(six bool, errno syscall.Errno) *Unreachable {
	switch {
	case errno == unix.EMSGSIZE && six:
		return &Unreachable{six, typeTooBig6, 0}
	case errno == unix.EMSGSIZE:
		return &Unreachable{six, typeUnreachable4, 4}
	case six:
		return &Unreachable{six, typeUnreachable6, 3}
	}
	return &Unreachable{six, typeUnreachable4, 1}
}
