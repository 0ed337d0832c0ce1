package icmp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

// Event is what came back: the reply to a request, or an error about one.
type Event struct {
	// From is who replied; of an error, whom the request was for.
	From netip.Addr
	Echo Echo
	// Partial says that an error quotes too little of the request to have the token.
	Partial bool
	// Size is how many octets came after the header of a reply.
	Size int
	At   time.Time
	// Failure says why no reply will come; nil: this is one.
	Failure *Unreachable
}

// Unreachable is an ICMP error about a request, be it from a router, the target, or this machine.
type Unreachable struct {
	six        bool
	kind, code uint8
}

// Error says what the error means, in words of RFC 792 and RFC 4443.
func (u *Unreachable) Error() string {
	if word, ok := unreachable[unreachableKey{u.six, u.kind, u.code}]; ok {
		return word
	}
	switch {
	case u.kind == typeExceeded4 && !u.six, u.kind == typeExceeded6 && u.six:
		return "icmp time exceeded"
	case u.kind == typeTooBig6 && u.six:
		return "icmp packet too big"
	}
	return fmt.Sprintf("icmp unreachable (code %d)", u.code)
}

type unreachableKey struct {
	six        bool
	kind, code uint8
}

var unreachable = map[unreachableKey]string{
	{false, typeUnreachable4, 0}:  "icmp network unreachable",
	{false, typeUnreachable4, 1}:  "icmp host unreachable",
	{false, typeUnreachable4, 2}:  "icmp protocol unreachable",
	{false, typeUnreachable4, 3}:  "icmp port unreachable",
	{false, typeUnreachable4, 4}:  "icmp packet too big",
	{false, typeUnreachable4, 9}:  "icmp network prohibited",
	{false, typeUnreachable4, 10}: "icmp host prohibited",
	{false, typeUnreachable4, 13}: "icmp communication prohibited",
	{true, typeUnreachable6, 0}:   "icmp no route",
	{true, typeUnreachable6, 1}:   "icmp communication prohibited",
	{true, typeUnreachable6, 3}:   "icmp host unreachable",
	{true, typeUnreachable6, 4}:   "icmp port unreachable",
	{true, typeUnreachable6, 5}:   "icmp source address refused",
	{true, typeUnreachable6, 6}:   "icmp route rejected",
}

// readMessage reads a message that a socket got from somebody; false when it is neither a reply nor an error about a request.
func readMessage(b []byte, six bool, from netip.Addr, at time.Time) (Event, bool) {
	if e, ok := readReply(b, six); ok {
		return Event{From: from, Echo: e, Size: len(b) - headerSize, At: at}, true
	}
	if len(b) < headerSize || !isFailure(b[0], six) {
		return Event{}, false
	}
	to, quoted, ok := skipIP(b[headerSize:], six)
	if !ok {
		return Event{}, false
	}
	e, whole, ok := readQuoted(quoted, six)
	return Event{From: to, Echo: e, Partial: !whole, At: at, Failure: &Unreachable{six, b[0], b[1]}}, ok
}

func isFailure(kind uint8, six bool) bool {
	if six {
		return kind == typeUnreachable6 || kind == typeTooBig6 || kind == typeExceeded6
	}
	return kind == typeUnreachable4 || kind == typeExceeded4
}

// Of the headers that an error quotes.
const (
	headerSize6   = 40
	protocolICMP  = 1
	protocolICMP6 = 58
)

// skipIP takes the IP header off a quoted packet. Of IPv6, one with extension headers is not recognized: requests have none.
func skipIP(b []byte, six bool) (to netip.Addr, rest []byte, ok bool) {
	if six {
		if len(b) < headerSize6 || b[0]>>4 != 6 || b[6] != protocolICMP6 {
			return to, nil, false
		}
		return netip.AddrFrom16([16]byte(b[24:40])), b[headerSize6:], true
	}
	if len(b) < 20 || b[0]>>4 != 4 || b[9] != protocolICMP || binary.BigEndian.Uint16(b[6:])&0x1fff != 0 {
		return to, nil, false
	}
	size := int(b[0]&0xf) * 4
	if size < 20 || len(b) < size {
		return to, nil, false
	}
	return netip.AddrFrom4([4]byte(b[16:20])), b[size:], true
}
