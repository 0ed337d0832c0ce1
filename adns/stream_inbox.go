package adns

import (
	"encoding/binary"
	"errors"
	"sync/atomic"
)

// Sizes of what a connection reads into. It begins with octets of its own, borrows a buffer when those do not suffice,
// and gives it back when nothing came for a tick, so that a connection that waits holds nothing.
const (
	inboxOwn  = 512
	inboxLent = 4096
	// inboxLong holds the longest message. Such buffers are lent to messages whose header is that of a query, and only to
	// so many at once: a query is never that long, but padding may be (RFC 7830).
	inboxLong    = lengthOctets + maxWireOctets
	maxInboxLong = 256
)

// errNoBuffer ends a connection that sends a long message while too many do.
var errNoBuffer = errors.New("too many long messages at once")

// inbox holds what was read from a connection and is not yet answered.
type inbox struct {
	have  int // octets read
	taken int // octets of them that next has returned
	lent  *[]byte
	full  bool // the last read filled all there was
	own   [inboxOwn]byte
}

// lender has the buffers of all connections.
type lender struct {
	lent, long freeList
	longs      atomic.Int64 // long buffers that are lent
}

func (in *inbox) buf() []byte {
	if in.lent != nil {
		return *in.lent
	}
	return in.own[:]
}

// room returns where to read to: never empty.
func (in *inbox) room(s *Server) ([]byte, error) {
	if in.have < len(in.buf()) && (in.lent != nil || !in.full) {
		return in.buf()[in.have:], nil
	}
	larger, err := s.lender.borrow(len(in.buf()))
	if err != nil {
		return nil, err
	}
	copy(*larger, in.buf()[:in.have])
	s.lender.giveBack(in.lent)
	in.lent = larger
	return (*larger)[in.have:], nil
}

// read notes that n octets were read into the room.
func (in *inbox) read(n int) {
	in.have += n
	in.full = in.have == len(in.buf())
}

// next returns the next message that is complete, nil if there is none. It stays valid until the next read.
func (in *inbox) next() ([]byte, error) {
	rest := in.buf()[in.taken:in.have]
	if len(rest) < lengthOctets {
		return nil, nil
	}
	length := int(binary.BigEndian.Uint16(rest))
	if length < headerOctets {
		return nil, errNotDNS
	}
	if total := lengthOctets + length; len(rest) >= total {
		in.taken += total
		return rest[lengthOctets:total], nil
	}
	// The header decides before anything is allocated for the rest: what an HTTP or TLS client says is a long message.
	if length > inboxLent-lengthOctets && len(rest) >= lengthOctets+headerOctets && !judgeHeader(in.header()).accepted() {
		return nil, errCondemned
	}
	return nil, nil
}

// header returns the header of the message that next did not return.
func (in *inbox) header() []byte {
	return in.buf()[in.taken+lengthOctets:][:headerOctets]
}

// compact forgets what next has returned.
func (in *inbox) compact() {
	if in.taken > 0 {
		in.have = copy(in.buf(), in.buf()[in.taken:in.have])
		in.taken = 0
	}
}

// rest gives a borrowed buffer back that is not needed while nothing comes, and reports whether it did.
func (in *inbox) rest(s *Server) bool {
	if in.lent == nil || in.have > inboxOwn-1 {
		return false
	}
	copy(in.own[:], (*in.lent)[:in.have])
	in.giveBack(s)
	return true
}

// giveBack gives a borrowed buffer back.
func (in *inbox) giveBack(s *Server) {
	s.lender.giveBack(in.lent)
	in.lent = nil
}

// borrow lends a buffer that is larger than size octets.
func (l *lender) borrow(size int) (*[]byte, error) {
	switch {
	case size < inboxLent:
		return l.lent.get(inboxLent), nil
	case size >= inboxLong:
		return nil, errNotDNS // cannot be: a buffer of this size holds any message
	case l.longs.Add(1) > maxInboxLong:
		l.longs.Add(-1)
		return nil, errNoBuffer
	}
	return l.long.get(inboxLong), nil
}

// giveBack takes a buffer back. Nil is none.
func (l *lender) giveBack(b *[]byte) {
	switch {
	case b == nil:
	case len(*b) == inboxLong:
		l.longs.Add(-1)
		l.long.put(b)
	default:
		l.lent.put(b)
	}
}
