package mep

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
	// maxOrigins bounds the indexes of sites in a stream of Changes, maxParts the parts of one round, maxHops by how many sites what
	// is told of one is passed on.
	maxOrigins = 20_000
	maxParts   = 1024
	maxHops    = 8
	// MaxNode is the most bytes in a node's name.
	MaxNode = 127
)

// Limits of an Exchange.
const (
	// MaxPeers is the most sites an Exchange talks to: 255 others in the mesh, and a thousand children with room to spare.
	MaxPeers = 2048

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
	// So is one that tells more rounds than roundGap allows, twice over, each of which may have to be passed on, or changes its mind
	// about whom it reports to, or connects, all the time. A burst of rounds is what waits in buffers while this site is held up.
	roundRate  = 100 // rounds, or sets, a second
	roundBurst = 1000
	// Rounds of one peer take at most one part in paceShare of the time, or rest paceMost between two. Those that are taken in within
	// paceFrom cannot take more.
	paceShare   = 4
	paceMost    = time.Second
	paceFrom    = time.Second / roundRate / paceShare
	attachRate  = 1 // changes a second
	attachBurst = 20
	arriveRate  = 2 // connections that proved the same site, a second
	arriveBurst = 20

	// A set of services is split into frames of about servicesPart bytes. Sets are sent at least announceGap apart, and
	// no faster than announceRate bytes a second to one peer.
	servicesPart = 256 << 10
	announceGap  = 100 * time.Millisecond
	announceRate = 16 << 20
	// roundGap is the least time between two rounds: state changes that come within it are told together.
	roundGap = 20 * time.Millisecond
	// A receiver of Changes that is behind by more than maxBehind rounds, or by more than leastBehind that are together larger than all
	// records at recordSize octets, is told all anew.
	maxBehind   = 32
	leastBehind = 4
	recordSize  = 64
	// sectionSize is about how large a section of a Changes frame gets. writeAt is how much is gathered for one write.
	sectionSize = 32 << 10
	writeAt     = 64 << 10
	// Views that did not change are told viewsPerTimeout times within a keepalive timeout.
	viewsPerTimeout = 3
	// overridesInterval is the time between sets of overrides that did not change.
	overridesInterval = 5 * time.Second

	// Waits between attempts to dial start at backoffFirst, double, and end at backoffMost; each is shortened by up to
	// half at random. Accepting waits acceptPause after an error such as too many open files.
	backoffFirst = 250 * time.Millisecond
	backoffMost  = 5 * time.Second
	acceptPause  = 100 * time.Millisecond
	// A site that announced that it stops, or that closes at once while it does, is back soon: for leftFor the waits end at leftPause.
	leftPause = time.Second
	leftFor   = time.Minute
	// A site begins up to dialsAtOnce attempts at one moment, and then one in each dialGap, when it starts and when it has lost many
	// sessions: handshakes of thousands at once would be too slow for each, and leave nothing for DNS.
	dialsAtOnce = 64
	dialGap     = time.Millisecond

	// KeepAlive is sent keepalivesPerTimeout times within the shorter keepalive timeout of the two ends.
	keepalivesPerTimeout = 4
	minKeepaliveInterval = 100 * time.Millisecond

	// A receiver that holds something else than it was told asks for all at most once in resendPause, and is answered as often.
	resendPause = 10 * time.Second
	// documentGrace is for how long a site that speaks for others without leave is not refused after one end has another document: the
	// two do not follow it in the same moment.
	documentGrace = 5 * time.Second
	// forgetSetAfter is how long after nobody speaks for a site any more an older set of it counts again that was told before, or is of
	// the same instance.
	forgetSetAfter = time.Minute

	// The same rejection is logged once per logQuiet, and maxLogKeys of them are.
	logQuiet   = time.Minute
	maxLogKeys = 1024

	// keepBuffer is the largest buffer a session keeps between frames beyond what its sets need.
	keepBuffer = 16 << 10
	readChunk  = 64 << 10
	readBuffer = 1 << 10
)
