//go:build !linux

package mepv1

import (
	"net"
	"time"
)

// setUserTimeout does nothing where the kernel has no such option: the keepalive timeout alone ends a session.
func setUserTimeout(net.Conn, time.Duration) {}
