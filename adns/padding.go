package adns

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// paddingBlock is what the size of a padded response is a multiple of (RFC 8467 section 4.1).
const paddingBlock = 468

// pad fills a response up to a multiple of paddingBlock, with zeros. Its last record must be o, whose last option must be an
// empty PADDING. What would be too large for a message is filled up to that.
func pad(wire []byte, o *dns.OPT) []byte {
	n := min((paddingBlock-len(wire)%paddingBlock)%paddingBlock, maxWireOctets-len(wire))
	if n <= 0 {
		return wire
	}
	// The option's length is the last field; the record's is behind its owner, type, class and TTL.
	binary.BigEndian.PutUint16(wire[len(wire)-2:], uint16(n))
	record := wire[len(wire)-dns.Len(o)+9:]
	binary.BigEndian.PutUint16(record, binary.BigEndian.Uint16(record)+uint16(n))
	return append(wire, make([]byte, n)...)
}
