//go:build unix

package doctor

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/user"
	"slices"
	"strconv"
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

// bindOnce binds a socket as a server would, and closes it: it never listens, so that nobody can connect to it. only6: it is to
// take IPv6 alone.
func bindOnce(network string, address netip.AddrPort, only6 bool) error {
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
	if family == unix.AF_INET6 && only6 {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
			return err
		}
	}
	var to unix.Sockaddr = &unix.SockaddrInet6{Port: int(address.Port()), Addr: address.Addr().As16()}
	if zone := address.Addr().Zone(); zone != "" {
		if i, err := net.InterfaceByName(zone); err == nil {
			to = &unix.SockaddrInet6{Port: int(address.Port()), Addr: address.Addr().As16(), ZoneId: uint32(i.Index)}
		}
	}
	if address.Addr().Is4() {
		to = &unix.SockaddrInet4{Port: int(address.Port()), Addr: address.Addr().As4()}
	}
	return unix.Bind(fd, to)
}

// strangeGroup names the group of a file, unless it is the service's: this user's own, that of the data directory, or another one of this user's by which
// alone it reads a file of somebody else.
func strangeGroup(info fs.FileInfo, dataDir string) (name string, strange bool) {
	st, known := info.Sys().(*syscall.Stat_t)
	if !known || int(st.Gid) == os.Getegid() {
		return "", false
	}
	if dir, err := os.Stat(dataDir); err == nil {
		if of, known := dir.Sys().(*syscall.Stat_t); known && of.Gid == st.Gid {
			return "", false
		}
	}
	if groups, err := os.Getgroups(); err == nil && slices.Contains(groups, int(st.Gid)) && int(st.Uid) != os.Geteuid() && os.Geteuid() != 0 {
		return "", false
	}
	name = strconv.FormatUint(uint64(st.Gid), 10)
	if g, err := user.LookupGroupId(name); err == nil {
		name = g.Name
	}
	return name, true
}

func taken(err error) bool      { return errors.Is(err, unix.EADDRINUSE) }
func notAllowed(err error) bool { return errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) }
func notHere(err error) bool    { return errors.Is(err, unix.EADDRNOTAVAIL) }
