//go:build unix

package doctor

import (
	"errors"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// modesCount says that permissions of files are those of POSIX.
const modesCount = true

// writable returns an error unless this user may make files in a directory. Nothing is made.
func writable(dir string) error { return unix.Access(dir, unix.W_OK|unix.X_OK) }

// descriptors is how many files this user's processes may have open; 0: it is not known.
func descriptors() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return uint64(limit.Cur)
}

// bindOnce binds a socket as a server would, and closes it: it never listens, so that nobody can connect to it.
func bindOnce(network string, address netip.AddrPort) error {
	family, kind := unix.AF_INET6, unix.SOCK_DGRAM
	if address.Addr().Is4() {
		family = unix.AF_INET
	}
	if network == "tcp" {
		kind = unix.SOCK_STREAM
	}
	fd, err := unix.Socket(family, kind, 0)
	if err != nil {
		return err
	}
	unix.CloseOnExec(fd)
	defer unix.Close(fd)
	if network == "tcp" {
		// Connections that ended lately are no hindrance to a server either.
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return err
		}
	}
	var to unix.Sockaddr = &unix.SockaddrInet6{Port: int(address.Port()), Addr: address.Addr().As16()}
	if address.Addr().Is4() {
		to = &unix.SockaddrInet4{Port: int(address.Port()), Addr: address.Addr().As4()}
	}
	return unix.Bind(fd, to)
}

func taken(err error) bool      { return errors.Is(err, unix.EADDRINUSE) }
func notAllowed(err error) bool { return errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) }
func notHere(err error) bool    { return errors.Is(err, unix.EADDRNOTAVAIL) }
