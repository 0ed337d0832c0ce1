package doctor

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// maxProcesses and maxSocketLines bound what is read of /proc to name who has a socket.
	maxProcesses   = 4096
	maxSocketLines = 65536
)

// freeSpace is how many octets this user can still write to the file system of a directory.
func freeSpace(dir string) (uint64, bool) {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return 0, false
	}
	return st.Bavail * uint64(st.Bsize), true
}

// grantedBuffer asks the kernel for a receive buffer, as the server does, and returns what it grants; 0: it is not known.
func grantedBuffer(octets int) int {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, octets) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, octets)
	}
	got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	if err != nil {
		return 0
	}
	return got / 2 // the kernel doubles it for its own bookkeeping
}

// clockState says whether something keeps the clock right, by what the kernel was told.
func clockState() (synchronised, known bool) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return false, false
	}
	return state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0, true
}

// holder names the process that has a socket bound; "" when that cannot be found out.
func holder(network string, address netip.AddrPort) string {
	for _, table := range []string{network, network + "6"} {
		if inode := boundInode("/proc/net/"+table, network, address); inode != "" {
			return processOf(inode)
		}
	}
	return ""
}

// boundInode finds the inode of a socket in a table of the kernel whose address is in the way of another.
func boundInode(table, network string, address netip.AddrPort) string {
	f, err := os.Open(table)
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 0; n < maxSocketLines && lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || network == "tcp" && fields[3] != "0A" { // TCP_LISTEN
			continue
		}
		bound, err := kernelAddress(fields[1])
		if err != nil || bound.Port() != address.Port() {
			continue
		}
		if a, b := bound.Addr().Unmap(), address.Addr().Unmap(); a == b || a.IsUnspecified() || b.IsUnspecified() {
			return fields[9]
		}
	}
	return ""
}

// kernelAddress reads an address as /proc/net/tcp writes it: words of 32 bits in the order of this machine, which is little-endian here, in hexadecimal.
func kernelAddress(text string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, err
	}
	for i := 0; i+4 <= len(raw); i += 4 {
		raw[i], raw[i+1], raw[i+2], raw[i+3] = raw[i+3], raw[i+2], raw[i+1], raw[i]
	}
	a, ok := netip.AddrFromSlice(raw)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("read %q: not an address", text)
	}
	return netip.AddrPortFrom(a, uint16(number)), nil
}

func processOf(inode string) string {
	d, err := os.Open("/proc")
	if err != nil {
		return ""
	}
	defer d.Close()
	names, _ := d.Readdirnames(maxProcesses)
	want := "socket:[" + inode + "]"
	for _, pid := range names {
		if _, err := strconv.Atoi(pid); err != nil {
			continue
		}
		links, _ := filepath.Glob("/proc/" + pid + "/fd/*")
		for _, link := range links {
			if to, err := os.Readlink(link); err == nil && to == want {
				name, _ := os.ReadFile("/proc/" + pid + "/comm")
				return fmt.Sprintf("%s (process %s)", strings.TrimSpace(string(name)), pid)
			}
		}
	}
	return ""
}
