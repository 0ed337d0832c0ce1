//go:build !unix

package doctor

import (
	"context"
	"io/fs"
	"net"
	"net/netip"
	"strings"
)

// modesCount says that permissions of files are those of POSIX.
const modesCount = false

func writable(string) error { return nil }

func strangeGroup(fs.FileInfo, string) (string, bool) { return "", false }

func descriptors() uint64 { return 0 }

// bindOnce binds a socket as a server would, and closes it.
func bindOnce(network string, address netip.AddrPort, _ bool) error {
	var c net.ListenConfig
	if network == "udp" {
		conn, err := c.ListenPacket(context.Background(), network, address.String())
		if err != nil {
			return err
		}
		return conn.Close()
	}
	l, err := c.Listen(context.Background(), network, address.String())
	if err != nil {
		return err
	}
	return l.Close()
}

func taken(err error) bool {
	return strings.Contains(err.Error(), "Only one usage of each socket address")
}
func notAllowed(err error) bool {
	return strings.Contains(err.Error(), "forbidden by its access permissions")
}
func notHere(err error) bool { return strings.Contains(err.Error(), "not valid in its context") }
