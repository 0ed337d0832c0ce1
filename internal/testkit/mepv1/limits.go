package mepv1

import "time"

// Limits of the protocol: a frame or set beyond them ends the session.
const (
	// MaxPayload is the most bytes in a frame after its header.
	MaxPayload = 1 << 20
	// MaxHello is the most bytes in a Hello, the only frame read from a peer that has not introduced itself.
	MaxHello = 4096
	// MaxServices is the most records in one set of services, over all its frames.
	MaxServices = 100_000
	// MaxName is the most bytes in the name of a site or service.
	MaxName = 127
	// MaxReason is the most bytes in a record's reason and in a Leaving's text.
	MaxReason = 120
	// MaxNode is the most bytes in a node's name.
	MaxNode = 127
)

// Limits of an Exchange.
const (
	// MaxPeers is the most sites an Exchange talks to.
	MaxPeers = 1024

	// MinMetricsInterval, MaxMetricsInterval and MaxKeepaliveTimeout bound the intervals of Options. A keepalive timeout
	// is at least minKeepaliveIntervals metrics intervals: one lost frame must not look like a lost site.
	MinMetricsInterval    = 100 * time.Millisecond
	MaxMetricsInterval    = time.Minute
	MaxKeepaliveTimeout   = time.Hour
	minKeepaliveIntervals = 3

	// Connections that have not proved a site yet: in all (those from the address of a site do not need a place among
	// them), from one address, and how long one may take.
	maxHandshakes          = 64
	maxHandshakesPerSource = 8
	handshakeTimeout       = 5 * time.Second

	// farewellTimeout is how long the last frame of a session may take, and how long the peer has to close after it.
	farewellTimeout = time.Second

	// A peer that sends more than this is flooding. An honest sender stays below announceRate, in frames of about
	// servicesPart bytes, so there is an order of magnitude between the two.
	frameRate  = 1000 // frames a second
	frameBurst = 2000
	byteRate   = 64 << 20 // bytes a second
	byteBurst  = 128 << 20

	// A set of services is split into frames of about servicesPart bytes. Sets are sent at least announceGap apart, and
	// no faster than announceRate bytes a second to one peer.
	servicesPart = 256 << 10
	announceGap  = 100 * time.Millisecond
	announceRate = 16 << 20
	// overridesInterval is the time between sets of overrides that did not change.
	overridesInterval = 5 * time.Second

	// Waits between attempts to dial start at backoffFirst, double, and end at backoffMost; each is shortened by up to
	// half at random. Accepting waits acceptPause after an error such as too many open files.
	backoffFirst = 250 * time.Millisecond
	backoffMost  = 5 * time.Second
	acceptPause  = 100 * time.Millisecond

	// KeepAlive is sent keepalivesPerTimeout times within the shorter keepalive timeout of the two ends.
	keepalivesPerTimeout = 4
	minKeepaliveInterval = 100 * time.Millisecond

	// The same rejection is logged once per logQuiet, and maxLogKeys of them are.
	logQuiet   = time.Minute
	maxLogKeys = 1024

	// keepBuffer is the largest buffer a session keeps between frames beyond what its sets need.
	keepBuffer = 512 << 10
	readChunk  = 64 << 10
)
