package mep

import (
	"encoding/binary"
	"net/netip"
)

// Announcement is what a site says of a service that the document need not name: where it is, and what it is one of. It is not
// changed once it is part of a record.
//
// Layout, behind a variable-length integer that tells its length:
//
//	0  1  flags: 1 an IPv4 address follows, 2 an IPv6 address follows; unknown bits are ignored
//	1  4  IPv4 address
//	  16  IPv6 address
//	   2  port, big-endian
//	   1  weight
//	   1  length of the label (1 to MaxName), then the label
//	      later versions may append fields, which are ignored
//
// Nothing is said here of which addresses and weights make sense: that is for who takes the service in.
type Announcement struct {
	Label  string     // as a name
	IPv4   netip.Addr // invalid: none
	IPv6   netip.Addr // invalid: none
	Port   uint16     // 0: not told
	Weight uint8      // share among those of the label
}

const (
	announcesIPv4 uint8 = 1 << 0
	announcesIPv6 uint8 = 1 << 1

	// hasAnnouncement is the bit of a record's fields, behind those of the bounds.
	hasAnnouncement Fields = (knownFields + 1) << 2
)

// equal reports whether both say the same; nil is nothing.
func (a *Announcement) equal(b *Announcement) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// sendable reports whether the receiver can read it.
func (a *Announcement) sendable() bool { return a != nil && ValidName(a.Label) }

// append appends the announcement with its length.
func (a *Announcement) append(b []byte) []byte {
	four, six := a.IPv4.Unmap(), a.IPv6
	body := make([]byte, 1, 1+4+16+2+1+1+MaxName)
	if four.Is4() {
		body[0] |= announcesIPv4
		body = append(body, four.AsSlice()...)
	}
	if six.Is6() {
		body[0] |= announcesIPv6
		raw := six.As16()
		body = append(body, raw[:]...)
	}
	body = append(binary.BigEndian.AppendUint16(body, a.Port), a.Weight)
	body = appendText(body, a.Label)
	return append(binary.AppendUvarint(b, uint64(len(body))), body...)
}

// readAnnouncement reads an announcement with its length. before is returned without a copy if it is the same.
func readAnnouncement(c *cursor, before *Announcement) *Announcement {
	n := c.uvarint()
	b := c.take(int(min(n, MaxPayload+1)))
	if c.err != nil {
		return nil
	}
	in := cursor{what: c.what, b: b, base: c.base + c.at - len(b)}
	var a Announcement
	flags := in.u8()
	if flags&announcesIPv4 != 0 {
		if b := in.take(4); b != nil {
			a.IPv4 = netip.AddrFrom4([4]byte(b))
		}
	}
	if flags&announcesIPv6 != 0 {
		if b := in.take(16); b != nil {
			a.IPv6 = netip.AddrFrom16([16]byte(b))
		}
	}
	a.Port, a.Weight = in.u16(), in.u8()
	label := in.take(int(in.u8()))
	switch {
	case in.err != nil:
	case before != nil && string(label) == before.Label:
		if a.Label = before.Label; a == *before {
			return before
		}
	case !validName(label):
		in.failf("%q is not a label: 1 to %d letters, digits, '-', '_' or '.'", label, MaxName)
	default:
		a.Label = string(label)
	}
	c.err = in.err
	return &a
}
