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
