package snmp

import (
	"fmt"
	"net"
	"slices"
)

// Limits of what is looked at to find the answer to a request.
const (
	maxAsked      = 8  // requests that an answer may still come to
	maxPassedOver = 64 // answers to something else
)

// heading is what an answer has in common with its request: anybody can send datagrams that look like an agent's. Of version 3 it is the
// identifier of the message (RFC 3412 section 7.2), of the others that of the request, and the community.
type heading struct {
	version, id int64
	community   string
}

// headingOf reads the heading of a message; ok is false for what has none.
func headingOf(message []byte) (h heading, ok bool) {
	const integer, octets, sequence = 0x02, 0x04, 0x30
	body, _, _, ok := element(message, sequence)
	version, rest, _, isVersion := element(body, integer)
	if h.version = number(version); !ok || !isVersion {
		return h, false
	}
	identified := rest
	if h.version != 3 {
		community, pdu, _, isCommunity := element(rest, octets)
		if !isCommunity || len(pdu) == 0 {
			return h, false
		}
		h.community, identified = string(community), pdu
	}
	inner, _, tag, ok := element(identified, 0)
	if !ok || h.version == 3 && tag != sequence {
		return h, false
	}
	id, _, _, ok := element(inner, integer)
	h.id = number(id)
	return h, ok && len(id) > 0
}

// element takes an element with this tag off b; 0 stands for any.
func element(b []byte, want byte) (value, rest []byte, tag byte, ok bool) {
	if len(b) < 2 || want != 0 && b[0] != want {
		return nil, nil, 0, false
	}
	length, header := uint64(b[1]), 2
	if length >= 0x80 {
		header += int(length & 0x7F)
		if header == 2 || header > 6 || len(b) < header {
			return nil, nil, 0, false
		}
		length = 0
		for _, octet := range b[2:header] {
			length = length<<8 | uint64(octet)
		}
	}
	if length > uint64(len(b)-header) {
		return nil, nil, 0, false
	}
	end := header + int(length)
	return b[header:end], b[end:], b[0], true
}

// number is the value of an integer; -1 for one that is no identifier.
func number(octets []byte) int64 {
	if len(octets) == 0 || len(octets) > 5 || octets[0] >= 0x80 {
		return -1
	}
	var n int64
	for _, octet := range octets {
		n = n<<8 | int64(octet)
	}
	return n
}

// Write sends a request and remembers what its answer must have.
func (b *bounded) Write(request []byte) (int, error) {
	if h, ok := headingOf(request); ok {
		b.asked = append(b.asked, h)
		b.asked = b.asked[max(0, len(b.asked)-maxAsked):]
	}
	return b.Conn.Write(request)
}

// Read passes over answers to what was not asked: the library takes some of them, such as those to request 0.
func (b *bounded) Read(p []byte) (int, error) {
	for range maxPassedOver {
		n, err := b.Conn.Read(p)
		if err != nil {
			return n, err
		}
		if h, ok := headingOf(p[:n]); !ok || slices.Contains(b.asked, h) {
			return n, nil
		}
	}
	return 0, &net.OpError{Op: "read", Net: "udp", Err: fmt.Errorf("%d answers, none to this request", maxPassedOver)}
}
