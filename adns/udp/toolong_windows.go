package udp

import (
	"errors"

	"golang.org/x/sys/windows"
)

// messageTooLong says whether a send failed because the datagram does not fit into one packet.
func messageTooLong(err error) bool { return errors.Is(err, windows.WSAEMSGSIZE) }
