package mep

import (
	"net/netip"
	"time"
)

// MaxSessionRecords is the most records in one Sessions frame.
const MaxSessionRecords = 2048

// SessionRecord is one persistence session: a client that stays on a service.
type SessionRecord struct {
	ID        uint32        // of the virtual server's persistence
	Client    netip.Addr    // masked
	Service   uint64        // hash of the service's name: XXH64 with seed 0
	Remaining time.Duration // until it ends, when the frame was made; whole milliseconds
}
