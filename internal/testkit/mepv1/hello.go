package mepv1

import (
	"encoding/binary"
	"time"
)

// Protocol versions this package speaks, offered in Hello.
const (
	VersionMin = 1
	VersionMax = 1
)

// Role is what a site is to its peer.
type Role uint8

// Roles. Child is reserved.
const (
	RoleMesh  Role = 0 // speaks for its own site, answers DNS
	RoleChild Role = 1 // reserved
)

// Hello is how a site introduces itself: the first frame of each direction, and never sent again.
//
// Layout, big-endian:
//
//	 0  4  magic "FLMP"
//	 4  1  lowest version spoken
//	 5  1  highest version spoken
//	 6  1  role
//	 7  1  reserved: 0 when sent, ignored when received
//	 8  8  incarnation
//	16  8  connection
//	24  8  clock, nanoseconds since 1970-01-01 UTC, signed
//	32  4  metrics interval, milliseconds
//	36  4  keepalive timeout, milliseconds
//	40 32  document digest
//	72  1  length of the site's name, then the name
//	    1  length of the node's name (0 to MaxNode), then the name
//	       fields until the end of the payload: 2 id, 2 length, value; unknown ids are skipped
type Hello struct {
	Site string
	Node string // for logs and status only; may be empty
	// VersionMin and VersionMax are the range of versions spoken.
	VersionMin, VersionMax uint8
	Role                   Role
	// Incarnation grows with every start of the site's process.
	Incarnation uint64
	// Connection grows with every Hello of the incarnation.
	Connection uint64
	// Clock is the sender's wall clock, for status only.
	Clock time.Time
	// MetricsInterval and KeepaliveTimeout are the sender's, in whole milliseconds.
	MetricsInterval, KeepaliveTimeout time.Duration
	// Digest identifies the sender's GSLB document.
	Digest [32]byte
}

const helloMagic = "FLMP"

func (h *Hello) append(b []byte) []byte {
	b = append(b, helloMagic...)
	b = append(b, h.VersionMin, h.VersionMax, uint8(h.Role), 0)
	b = binary.BigEndian.AppendUint64(b, h.Incarnation)
	b = binary.BigEndian.AppendUint64(b, h.Connection)
	b = binary.BigEndian.AppendUint64(b, uint64(h.Clock.UnixNano()))
	b = binary.BigEndian.AppendUint32(b, uint32(h.MetricsInterval.Milliseconds()))
	b = binary.BigEndian.AppendUint32(b, uint32(h.KeepaliveTimeout.Milliseconds()))
	b = append(b, h.Digest[:]...)
	b = appendText(b, h.Site)
	return appendText(b, h.Node)
}

func decodeHello(payload []byte) (Hello, error) {
	c := cursor{what: "Hello", b: payload}
	if magic := c.take(4); c.err == nil && string(magic) != helloMagic {
		c.at = 0
		c.failf("magic is %q, want %q (not a Fairlead site?)", magic, helloMagic)
	}
	var h Hello
	h.VersionMin, h.VersionMax, h.Role = c.u8(), c.u8(), Role(c.u8())
	c.u8()
	if c.err == nil && (h.VersionMin == 0 || h.VersionMin > h.VersionMax) {
		c.failf("version range %d to %d is empty", h.VersionMin, h.VersionMax)
	}
	h.Incarnation, h.Connection = c.u64(), c.u64()
	h.Clock = time.Unix(0, int64(c.u64()))
	h.MetricsInterval = time.Duration(c.u32()) * time.Millisecond
	h.KeepaliveTimeout = time.Duration(c.u32()) * time.Millisecond
	copy(h.Digest[:], c.take(len(h.Digest)))
	h.Site = c.name()
	h.Node = c.text(MaxNode, "")
	for c.err == nil && c.at < len(payload) {
		c.u16() // id: none is defined yet
		c.take(int(c.u16()))
	}
	return h, c.err
}

// agree returns the version that both ends speak.
func agree(ours, theirs Hello) (uint8, error) {
	v := min(ours.VersionMax, theirs.VersionMax)
	if v < max(ours.VersionMin, theirs.VersionMin) {
		return 0, refusef(RejectVersion, "agree on a version with site %q: it speaks %d to %d, this site %d to %d; upgrade the older one",
			theirs.Site, theirs.VersionMin, theirs.VersionMax, ours.VersionMin, ours.VersionMax)
	}
	return v, nil
}
