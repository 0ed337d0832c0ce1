package icmp

import (
	"encoding/binary"
)

// An echo request is 8 octets of header, then the token, then octets that count up to the size that is wanted.
//
//	0  1  type: 8, over IPv6 128; of the reply 0 and 129
//	1  1  code 0
//	2  2  checksum
//	4  2  identifier; the system chooses it on a socket for datagrams
//	6  2  sequence
//	8  8  token
const (
	headerSize = 8
	// MinSize and MaxSize bound what a request carries after its header, in octets.
	MinSize = 8
	MaxSize = 1400
)

// Types of messages.
const (
	typeReply4, typeUnreachable4, typeRequest4, typeExceeded4              = 0, 3, 8, 11
	typeUnreachable6, typeTooBig6, typeExceeded6, typeRequest6, typeReply6 = 1, 2, 3, 128, 129
)

// Echo is what identifies one request.
type Echo struct {
	Identifier uint16 // of a raw socket; the system replaces it on one for datagrams
	Sequence   uint16
	Token      uint64
}

// appendRequest appends a request with size octets after its header. The system puts in the checksum of IPv6, which covers addresses.
func appendRequest(b []byte, six bool, e Echo, size int) []byte {
	kind := uint8(typeRequest4)
	if six {
		kind = typeRequest6
	}
	start := len(b)
	b = append(b, kind, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, e.Identifier)
	b = binary.BigEndian.AppendUint16(b, e.Sequence)
	b = binary.BigEndian.AppendUint64(b, e.Token)
	for i := MinSize; i < size; i++ {
		b = append(b, byte(i))
	}
	if !six {
		binary.BigEndian.PutUint16(b[start+2:], checksum(b[start:]))
	}
	return b
}

// checksum is the Internet checksum (RFC 1071).
func checksum(b []byte) uint16 {
	sum := uint32(0)
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// readReply reads an echo reply; ok is false for all else.
func readReply(b []byte, six bool) (e Echo, ok bool) {
	kind := uint8(typeReply4)
	if six {
		kind = typeReply6
	}
	if len(b) < headerSize+MinSize || b[0] != kind || b[1] != 0 {
		return Echo{}, false
	}
	return Echo{binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:]), binary.BigEndian.Uint64(b[8:])}, true
}

// readQuoted reads a request that an error quotes. Routers may cut it off after the header (RFC 792): whole says that the token is there.
func readQuoted(b []byte, six bool) (e Echo, whole, ok bool) {
	kind := uint8(typeRequest4)
	if six {
		kind = typeRequest6
	}
	if len(b) < headerSize || b[0] != kind || b[1] != 0 {
		return Echo{}, false, false
	}
	e = Echo{Identifier: binary.BigEndian.Uint16(b[4:]), Sequence: binary.BigEndian.Uint16(b[6:])}
	if len(b) >= headerSize+MinSize {
		e.Token, whole = binary.BigEndian.Uint64(b[8:]), true
	}
	return e, whole, true
}
