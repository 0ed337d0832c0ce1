package adns

import "sync/atomic"

// StreamStats is sums over the connections of one transport. Open alone is a gauge.
type StreamStats struct {
	Accepted        uint64 // connections taken
	Refused         uint64 // connections closed at once: a limit was reached and all others were busy
	Evicted         uint64 // idle connections, of any transport, closed to make room for one of this
	Timeouts        uint64 // connections closed because a message took too long to come or to go
	AcceptErrors    uint64 // accepts that failed, for example for want of file descriptors
	HandshakeErrors uint64 // TLS handshakes that failed or took too long
	Open            uint64 // connections open now
}

// streamCounters is where StreamStats comes from.
type streamCounters struct {
	accepted, refused, evicted, timeouts, acceptErrors, handshakeErrors atomic.Uint64

	open atomic.Int64
}

func (c *streamCounters) stats() StreamStats {
	return StreamStats{
		Accepted: c.accepted.Load(), Refused: c.refused.Load(), Evicted: c.evicted.Load(), Timeouts: c.timeouts.Load(),
		AcceptErrors: c.acceptErrors.Load(), HandshakeErrors: c.handshakeErrors.Load(), Open: uint64(max(0, c.open.Load())),
	}
}
