package source

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The sock_diag protocol of netlink (sock_diag(7)) tells connections one by one, of which the kernel picks those with the right local
// port. Unlike /proc/net/tcp it neither prints nor sends the others.
const (
	diagByFamily   = 20 // SOCK_DIAG_BY_FAMILY
	diagHeader     = 16 // struct nlmsghdr
	diagRequest    = 56 // struct inet_diag_req_v2
	diagMessage    = 72 // struct inet_diag_msg
	diagByteCode   = 1  // INET_DIAG_REQ_BYTECODE
	diagPortAtMost = 3  // INET_DIAG_BC_S_LE
	diagPortLeast  = 2  // INET_DIAG_BC_S_GE
	// diagBuffer is what one read takes: the kernel fills up to 32 KiB.
	diagBuffer = 64 << 10
)

// littleEndian says how this machine stores words.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// askEstablished counts the TCP connections that have a local end.
func askEstablished(ctx context.Context, end *localEnd) (count int, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errNotAsked, err)
	}
	socket := os.NewFile(uintptr(fd), "netlink")
	defer socket.Close()
	stop := context.AfterFunc(ctx, func() { _ = socket.SetDeadline(time.Unix(1, 0)) }) // a closed one needs none
	defer stop()
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, err
	}
	buffer := make([]byte, diagBuffer)
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		n, err := askFamily(raw, family, end, buffer)
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if err != nil {
			return 0, err
		}
		count += n
	}
	return count, nil
}

func askFamily(raw syscall.RawConn, family uint8, end *localEnd, buffer []byte) (count int, err error) {
	request := diagQuestion(family, end.port)
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		failed = unix.Sendto(int(fd), request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		return !errors.Is(failed, unix.EAGAIN)
	})
	if err = errors.Join(err, failed); err != nil {
		return 0, fmt.Errorf("%w: %w", errNotAsked, err)
	}
	for {
		n, flags := 0, 0
		err = raw.Read(func(fd uintptr) bool {
			n, _, flags, _, failed = unix.Recvmsg(int(fd), buffer, nil, 0)
			return !errors.Is(failed, unix.EAGAIN) && !errors.Is(failed, unix.EINTR)
		})
		if err = errors.Join(err, failed); err != nil {
			return 0, err
		}
		if flags&unix.MSG_TRUNC != 0 {
			return 0, errors.New("netlink message is cut off")
		}
		found, done, err := countDiag(buffer[:n], end)
		if count += found; err != nil || done {
			return count, err
		}
	}
}

// diagQuestion asks for the established connections of a family with a local port.
func diagQuestion(family uint8, port uint16) []byte {
	const code = 4 + 16 // attribute: its header, and two instructions of two words each
	e, b := binary.NativeEndian, make([]byte, diagHeader+diagRequest+code)
	e.PutUint32(b[0:], uint32(len(b)))
	e.PutUint16(b[4:], diagByFamily)
	e.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	r := b[diagHeader:]
	r[0], r[1] = family, unix.IPPROTO_TCP
	e.PutUint32(r[4:], 1<<establishedState)
	a := r[diagRequest:]
	e.PutUint16(a[0:], code)
	e.PutUint16(a[2:], diagByteCode)
	// An instruction says by how much to go on when it holds and when it does not; who ends exactly behind the last one is taken.
	for i, op := range []uint8{diagPortLeast, diagPortAtMost} {
		o := a[4+8*i:]
		o[0], o[1] = op, 8
		e.PutUint16(o[2:], uint16(16-8*i+4))
		e.PutUint16(o[6:], port)
	}
	return b
}

// countDiag counts the connections with a local end in what the kernel sent. done: there is no more.
func countDiag(b []byte, end *localEnd) (count int, done bool, err error) {
	e := binary.NativeEndian
	for len(b) >= diagHeader {
		size, kind := int(e.Uint32(b)), e.Uint16(b[4:])
		if size < diagHeader || size > len(b) {
			return count, false, errors.New("netlink message has a wrong length")
		}
		body := b[diagHeader:size]
		switch kind {
		case unix.NLMSG_DONE:
			return count, true, nil
		case unix.NLMSG_ERROR:
			if len(body) < 4 {
				return count, false, errors.New("netlink error is cut off")
			}
			if errno := -int32(e.Uint32(body)); errno > 0 {
				return count, false, fmt.Errorf("%w: %w", errNotAsked, unix.Errno(errno))
			}
		case diagByFamily:
			if len(body) < diagMessage {
				return count, false, errors.New("netlink message is cut off")
			}
			if diagMatches(body, end) {
				count++
			}
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return count, false, nil
}

// diagMatches looks at one connection: struct inet_diag_msg has family, state, timer and retransmits, then the local port, the
// other one, and the local address, as they go over the wire.
func diagMatches(m []byte, end *localEnd) bool {
	if m[1] != establishedState || binary.BigEndian.Uint16(m[4:]) != end.port {
		return false
	}
	if m[0] == unix.AF_INET {
		return end.has(netip.AddrFrom4([4]byte(m[8:12])))
	}
	return end.has(netip.AddrFrom16([16]byte(m[8:24])))
}
