package mep

import (
	"net/netip"
	"time"
)

// MaxNetwork is the most records in one Network frame.
const MaxNetwork = 4096

// NetworkRecord is a resolver (LDNS) as one site measured it, or wants it to be measured.
type NetworkRecord struct {
	LDNS netip.Addr // address of the resolver, or first one of its prefix
	// Wanted says that queries come from it and that it was not measured lately: other sites may measure it, too. There is
	// then no RTT.
	Wanted bool
	RTT    time.Duration // whole microseconds
	Hops   uint8         // 0: not known
	Age    time.Duration // since it was measured, or asked; whole milliseconds, at most MaxAge
}
