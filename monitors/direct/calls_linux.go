//go:build !386

package direct

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"
)

// The calls of this file do not tell the scheduler that they leave for the kernel: on sockets that never wait they are back after
// microseconds. Told, it wakes its watch thread, and when there is more to run it takes the processor away from a call that is not back
// soon. With thousands of probes a second that costs more than the calls.

// peer is an address as the kernel has it.
type peer struct {
	octets [syscall.SizeofSockaddrInet6]byte // sockaddr_in or sockaddr_in6
	length uintptr
}

func newPeer(to netip.AddrPort) *peer {
	p := new(peer)
	binary.BigEndian.PutUint16(p.octets[2:], to.Port())
	if to.Addr().Is6() {
		binary.NativeEndian.PutUint16(p.octets[:], syscall.AF_INET6)
		address := to.Addr().As16() // after port (2) and flow (4)
		copy(p.octets[8:], address[:])
		p.length = syscall.SizeofSockaddrInet6
		return p
	}
	binary.NativeEndian.PutUint16(p.octets[:], syscall.AF_INET)
	address := to.Addr().As4()
	copy(p.octets[4:], address[:])
	p.length = syscall.SizeofSockaddrInet4
	return p
}

// connectTo begins to connect a socket, or, asked again, says how far it came. 0: it is connected.
func connectTo(fd uintptr, to *peer) syscall.Errno {
	_, _, errno := syscall.RawSyscall(syscall.SYS_CONNECT, fd, uintptr(unsafe.Pointer(&to.octets)), to.length)
	return errno
}

// read reads what is there.
func read(fd uintptr, p []byte) (int, syscall.Errno) { return transfer(syscall.SYS_READ, fd, p) }

// write writes as much as there is room for.
func write(fd uintptr, p []byte) (int, syscall.Errno) { return transfer(syscall.SYS_WRITE, fd, p) }

func transfer(call, fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		switch errno {
		case 0:
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}

// wait returns what has happened in an epoll set. It does not wait for it.
func wait(epoll int, events []syscall.EpollEvent) int {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// control adds a socket to an epoll set, or takes it out.
func control(epoll, call, fd int, event *syscall.EpollEvent) syscall.Errno {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_CTL, uintptr(epoll), uintptr(call), uintptr(fd), uintptr(unsafe.Pointer(event)), 0, 0)
	return errno
}

// metItself reports whether a socket is connected with itself: its own address is that of the other end.
func metItself(fd int, to *peer) bool {
	var own peer
	size := uint32(len(own.octets))
	_, _, errno := syscall.RawSyscall(syscall.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&own.octets)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return false
	}
	if to.length == syscall.SizeofSockaddrInet6 {
		own.octets[4], own.octets[5], own.octets[6], own.octets[7] = 0, 0, 0, 0 // flow
		return own.octets == to.octets
	}
	return [8]byte(own.octets[:8]) == [8]byte(to.octets[:8])
}

// shut closes a socket.
func shut(fd int) { _, _, _ = syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(fd), 0, 0) }
