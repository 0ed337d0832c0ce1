package dnstap

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"time"
)

// Protocol is dnstap's SocketProtocol.
type Protocol uint8

// Protocols.
const (
	UDP Protocol = 1
	TCP Protocol = 2
	DOT Protocol = 3 // RFC 7858
	DOH Protocol = 4 // RFC 8484
)

// messageType is dnstap's Message.Type.
type messageType uint8

const (
	authQuery    messageType = 1
	authResponse messageType = 2
)

// Message is one DNS message with what is known about it. It is copied, not kept.
type Message struct {
	Protocol Protocol
	Client   netip.AddrPort // unmapped
	Server   netip.AddrPort // the address that was asked; its parts are left out when it is not valid
	// QueryTime and ResponseTime are nanoseconds since 1970. A ResponseTime counts in responses only.
	QueryTime, ResponseTime int64
	Wire                    []byte // the message, without TCP's length; at most MaxWireOctets
	Zone                    []byte // the zone's name as on the wire; nil when there is none
}

// MaxWireOctets bounds Message.Wire. It is the limit of DNS itself.
const MaxWireOctets = 65535

// Fields of the Protocol Buffers messages of dnstap.proto, as tag bytes: number << 3 | wire type, which is 0 for a varint.
const (
	dnstapIdentity = 1<<3 | 2  // bytes
	dnstapVersion  = 2<<3 | 2  // bytes
	dnstapMessage  = 14<<3 | 2 // Message
	dnstapType     = 15 << 3   // 1: MESSAGE

	messageKind            = 1 << 3
	messageFamily          = 2 << 3 // 1: IPv4, 2: IPv6
	messageProtocol        = 3 << 3
	messageQueryAddress    = 4<<3 | 2
	messageResponseAddress = 5<<3 | 2
	messageQueryPort       = 6 << 3
	messageResponsePort    = 7 << 3
	messageQuerySec        = 8 << 3
	messageQueryNsec       = 9<<3 | 5 // fixed32
	messageQueryMessage    = 10<<3 | 2
	messageQueryZone       = 11<<3 | 2
	messageResponseSec     = 12 << 3
	messageResponseNsec    = 13<<3 | 5
	messageResponseMessage = 14<<3 | 2
)

// envelope is what all messages of a sink begin with: identity, version and type.
func envelope(identity, version string) []byte {
	var b []byte
	if identity != "" {
		b = appendText(b, dnstapIdentity, identity)
	}
	if version != "" {
		b = appendText(b, dnstapVersion, version)
	}
	return append(b, dnstapType, 1)
}

func appendText(b []byte, tag byte, s string) []byte {
	b = binary.AppendUvarint(append(b, tag), uint64(len(s)))
	return append(b, s...)
}

// appendFrame appends a data frame of Frame Streams: the length in four octets, and one Dnstap message.
func appendFrame(b, envelope []byte, kind messageType, m *Message) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	b = append(append(b, envelope...), dnstapMessage)
	b = binary.AppendUvarint(b, uint64(m.size(kind)))
	b = m.appendTo(b, kind)
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-frameLengthOctets))
	return b
}

// sizeUvarint is how many octets a varint has.
func sizeUvarint(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

// sizeBytes is how many octets a field of n octets has, with tag and length.
func sizeBytes(n int) int { return 1 + sizeUvarint(uint64(n)) + n }

// sizeTime is how many octets a time has.
func sizeTime(nanos int64) int { return 1 + sizeUvarint(seconds(nanos)) + 1 + 4 }

func seconds(nanos int64) uint64 { return uint64(max(nanos, 0) / int64(time.Second)) }

// size is how many octets appendTo appends.
func (m *Message) size(kind messageType) int {
	n := 2 + 2 // kind, protocol
	if m.Client.IsValid() {
		n += 2 + sizeBytes(m.Client.Addr().BitLen()/8) + 1 + sizeUvarint(uint64(m.Client.Port()))
	}
	if m.Server.IsValid() {
		n += sizeBytes(m.Server.Addr().BitLen()/8) + 1 + sizeUvarint(uint64(m.Server.Port()))
	}
	n += sizeTime(m.QueryTime) + sizeBytes(len(m.Wire))
	if m.Zone != nil {
		n += sizeBytes(len(m.Zone))
	}
	if kind == authResponse {
		n += sizeTime(m.ResponseTime)
	}
	return n
}

// appendTo appends the Message of dnstap.proto, its fields in order.
func (m *Message) appendTo(b []byte, kind messageType) []byte {
	b = append(b, messageKind, byte(kind))
	if m.Client.IsValid() {
		family := byte(1)
		if !m.Client.Addr().Is4() {
			family = 2
		}
		b = append(b, messageFamily, family)
	}
	b = append(b, messageProtocol, byte(m.Protocol))
	if m.Client.IsValid() {
		b = appendAddr(b, messageQueryAddress, m.Client.Addr())
	}
	if m.Server.IsValid() {
		b = appendAddr(b, messageResponseAddress, m.Server.Addr())
	}
	if m.Client.IsValid() {
		b = binary.AppendUvarint(append(b, messageQueryPort), uint64(m.Client.Port()))
	}
	if m.Server.IsValid() {
		b = binary.AppendUvarint(append(b, messageResponsePort), uint64(m.Server.Port()))
	}
	b = appendTime(b, messageQuerySec, messageQueryNsec, m.QueryTime)
	if kind == authQuery {
		b = appendBytes(b, messageQueryMessage, m.Wire)
	}
	if m.Zone != nil {
		b = appendBytes(b, messageQueryZone, m.Zone)
	}
	if kind == authResponse {
		b = appendTime(b, messageResponseSec, messageResponseNsec, m.ResponseTime)
		b = appendBytes(b, messageResponseMessage, m.Wire)
	}
	return b
}

func appendAddr(b []byte, tag byte, a netip.Addr) []byte {
	if a.Is4() {
		v4 := a.As4()
		return append(append(b, tag, byte(len(v4))), v4[:]...)
	}
	v6 := a.As16()
	return append(append(b, tag, byte(len(v6))), v6[:]...)
}

func appendTime(b []byte, sec, nsec byte, nanos int64) []byte {
	b = binary.AppendUvarint(append(b, sec), seconds(nanos))
	return binary.LittleEndian.AppendUint32(append(b, nsec), uint32(max(nanos, 0)%int64(time.Second)))
}

func appendBytes(b []byte, tag byte, v []byte) []byte {
	b = binary.AppendUvarint(append(b, tag), uint64(len(v)))
	return append(b, v...)
}
