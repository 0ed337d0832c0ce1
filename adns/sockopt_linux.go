package adns

import (
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ignorePathMTU makes the kernel forget path MTU discovery for this socket: a forged ICMP message can then not make it
// send tiny fragments. Responses are at most maxUDPPayload octets, so that they pass unfragmented anyway. Best effort:
// a kernel without the option serves as well.
func ignorePathMTU(network, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		if strings.HasSuffix(network, "6") {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_OMIT)
			return
		}
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_OMIT)
	})
}
