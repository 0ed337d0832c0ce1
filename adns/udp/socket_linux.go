package udp

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendBuffer is what is asked of the kernel for responses that wait for the interface, in octets.
const sendBuffer = 1 << 20

// socketOptions say what one socket is like.
type socketOptions struct {
	addr    netip.AddrPort
	timeout time.Duration // of a receive; 0: none
	// first says that nobody else may have the address. The others of a group join the first.
	first, group bool
}

// openSocket returns a bound, blocking socket and its address.
func openSocket(o socketOptions) (fd int, bound netip.AddrPort, err error) {
	family := unix.AF_INET6
	if o.addr.Addr().Is4() {
		family = unix.AF_INET
	}
	fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, bound, fmt.Errorf("open a socket: %w", err)
	}
	if err := prepareSocket(fd, o); err != nil {
		_ = unix.Close(fd)
		return -1, bound, err
	}
	bound, err = bindSocket(fd, o)
	if err != nil {
		_ = unix.Close(fd)
		return -1, bound, err
	}
	return fd, bound, nil
}

// prepareSocket sets what must be set before binding.
func prepareSocket(fd int, o socketOptions) error {
	set := func(what string, level, option int) error {
		if err := unix.SetsockoptInt(fd, level, option, 1); err != nil {
			return fmt.Errorf("set %s: %w", what, err)
		}
		return nil
	}
	v4, wildcard := o.addr.Addr().Is4(), o.addr.Addr().IsUnspecified()
	var err error
	switch {
	case !v4:
		err = set("IPV6_V6ONLY", unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		if err == nil && wildcard {
			err = set("IPV6_RECVPKTINFO", unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO)
		}
	case wildcard:
		err = set("IP_PKTINFO", unix.IPPROTO_IP, unix.IP_PKTINFO)
	}
	if err == nil && o.group && !o.first {
		err = set("SO_REUSEPORT", unix.SOL_SOCKET, unix.SO_REUSEPORT)
	}
	if err != nil {
		return err
	}
	if o.timeout > 0 {
		if err := setTimeout(fd, o.timeout); err != nil {
			return err
		}
	}
	growBuffer(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, receiveBuffer)
	growBuffer(fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, sendBuffer)
	forbidFragments(fd, v4)
	return nil
}

// setTimeout bounds a receive that blocks.
func setTimeout(fd int, timeout time.Duration) error {
	tv := unix.NsecToTimeval(int64(timeout))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		return fmt.Errorf("set SO_RCVTIMEO: %w", err)
	}
	return nil
}

// growBuffer asks for a buffer: with CAP_NET_ADMIN it is granted, else the kernel cuts it to net.core.rmem_max or
// wmem_max. A smaller one serves as well, only not as long a burst.
func growBuffer(fd, force, ask, octets int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, octets) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, ask, octets)
	}
}

// forbidFragments makes the kernel ignore what others claim about the path's MTU (a forged ICMP message could make it send
// tiny fragments), and refuse what is larger than the interface's MTU instead of fragmenting it (RFC 9715). IPv4 packets
// carry DF then, which spares the kernel the search for an identification, too. A kernel without the option serves as well.
func forbidFragments(fd int, v4 bool) {
	if v4 {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE)
		return
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE)
}

// bindSocket binds. The first of a group is bound without SO_REUSEPORT, so that it fails when anybody else has the address,
// and opened to the others afterwards: two servers can then not share an address unknowingly.
func bindSocket(fd int, o socketOptions) (netip.AddrPort, error) {
	sa, err := sockaddr(o.addr)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if err := unix.Bind(fd, sa); err != nil {
		return netip.AddrPort{}, os.NewSyscallError("bind", err)
	}
	if o.group && o.first {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return netip.AddrPort{}, fmt.Errorf("set SO_REUSEPORT: %w; one worker needs no such socket", err)
		}
	}
	if o.addr.Port() != 0 {
		return o.addr, nil
	}
	got, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, os.NewSyscallError("getsockname", err)
	}
	port := 0
	switch got := got.(type) {
	case *unix.SockaddrInet4:
		port = got.Port
	case *unix.SockaddrInet6:
		port = got.Port
	}
	return netip.AddrPortFrom(o.addr.Addr(), uint16(port)), nil
}

// sockaddr returns the address as the system wants it.
func sockaddr(addr netip.AddrPort) (unix.Sockaddr, error) {
	ip := addr.Addr()
	if ip.Is4() {
		return &unix.SockaddrInet4{Port: int(addr.Port()), Addr: ip.As4()}, nil
	}
	sa := &unix.SockaddrInet6{Port: int(addr.Port()), Addr: ip.As16()}
	if zone := ip.Zone(); zone != "" {
		index, err := strconv.ParseUint(zone, 10, 32)
		if err != nil {
			ifi, err := net.InterfaceByName(zone)
			if err != nil {
				return nil, fmt.Errorf("find interface %q: %w", zone, err)
			}
			index = uint64(ifi.Index)
		}
		sa.ZoneId = uint32(index)
	}
	return sa, nil
}

// zoneName returns the name of an interface, or its number when it has none.
func zoneName(index uint32) string {
	if ifi, err := net.InterfaceByIndex(int(index)); err == nil {
		return ifi.Name
	}
	return strconv.FormatUint(uint64(index), 10)
}

// socketDrops returns how many datagrams found the receive buffer full; 0 when the kernel does not tell.
func socketDrops(fd int) uint64 {
	var info [unix.SK_MEMINFO_VARS]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 || size < uint32(unsafe.Sizeof(info)) {
		return 0
	}
	return uint64(info[unix.SK_MEMINFO_DROPS])
}
