//go:build unix

package udp

import (
	"errors"
	"syscall"
)

// messageTooLong says whether a send failed because the datagram does not fit into one packet.
func messageTooLong(err error) bool { return errors.Is(err, syscall.EMSGSIZE) }
