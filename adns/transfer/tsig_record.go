package transfer

import (
	"encoding/binary"
	"errors"
	"hash"

	"github.com/miekg/dns"
)

// Sizes of the wire format (RFC 1035 section 4.1).
const (
	headerOctets      = 12
	questionOctets    = 4  // after the name
	recordOctets      = 10 // type, class, TTL, length; after the name
	offsetAdditionals = 10 // of ARCOUNT in the header
)

// tsigRecord is a TSIG record taken apart (RFC 8945 section 4.2):
//
//	name | TSIG | ANY | TTL 0 | length | algorithm name | time 48 bits | fudge 16 | MAC length 16 | MAC
//	     | original ID 16 | error 16 | other length 16 | other data
type tsigRecord struct {
	start      int    // offset of the record in the message; what comes before is signed
	name       string // of the key, lower case
	algorithm  string // lower case
	time       uint64 // seconds since 1970, 48 bits
	fudge      uint16 // seconds
	mac        []byte
	originalID uint16
	err        uint16
	other      []byte
}

var (
	errMessageCut = errors.New("the message is cut or malformed")
	errTSIGPlace  = errors.New("a TSIG record is malformed, or not the last record")
)

// findTSIG returns the TSIG of a message, nil when there is none. A TSIG that is not the very last thing, that stands
// twice or is malformed is an error (RFC 8945 section 5.1). It walks the message once and follows no pointer.
func findTSIG(msg []byte) (*tsigRecord, error) {
	if len(msg) < headerOctets {
		return nil, errMessageCut
	}
	off, ok := headerOctets, true
	for range binary.BigEndian.Uint16(msg[4:]) {
		if off, ok = skipName(msg, off); !ok || off+questionOctets > len(msg) {
			return nil, errMessageCut
		}
		off += questionOctets
	}
	records := 0
	for i := 6; i <= offsetAdditionals; i += 2 {
		records += int(binary.BigEndian.Uint16(msg[i:]))
	}
	additionals := int(binary.BigEndian.Uint16(msg[offsetAdditionals:]))
	for left := records; left > 0; left-- {
		start := off
		fixed, ok := skipName(msg, off)
		if !ok || fixed+recordOctets > len(msg) {
			return nil, errMessageCut
		}
		off = fixed + recordOctets + int(binary.BigEndian.Uint16(msg[fixed+8:]))
		if off > len(msg) {
			return nil, errMessageCut
		}
		if binary.BigEndian.Uint16(msg[fixed:]) != dns.TypeTSIG {
			continue
		}
		if left != 1 || additionals == 0 || off != len(msg) {
			return nil, errTSIGPlace
		}
		return readTSIG(msg, start, fixed)
	}
	return nil, nil
}

// readTSIG reads the record whose fixed part is at fixed and which ends with the message.
func readTSIG(msg []byte, start, fixed int) (*tsigRecord, error) {
	t := &tsigRecord{start: start}
	name, _, err := dns.UnpackDomainName(msg, start)
	if err != nil || binary.BigEndian.Uint16(msg[fixed+2:]) != dns.ClassANY || binary.BigEndian.Uint32(msg[fixed+4:]) != 0 {
		return nil, errTSIGPlace
	}
	algorithm, off, err := dns.UnpackDomainName(msg, fixed+recordOctets)
	if err != nil || off+10 > len(msg) {
		return nil, errTSIGPlace
	}
	t.name, t.algorithm = keyName(name), keyName(algorithm)
	t.time = uint64(binary.BigEndian.Uint16(msg[off:]))<<32 | uint64(binary.BigEndian.Uint32(msg[off+2:]))
	t.fudge = binary.BigEndian.Uint16(msg[off+6:])
	macEnd := off + 10 + int(binary.BigEndian.Uint16(msg[off+8:]))
	if macEnd+6 > len(msg) {
		return nil, errTSIGPlace
	}
	t.mac = msg[off+10 : macEnd]
	t.originalID = binary.BigEndian.Uint16(msg[macEnd:])
	t.err = binary.BigEndian.Uint16(msg[macEnd+2:])
	t.other = msg[macEnd+6:]
	if int(binary.BigEndian.Uint16(msg[macEnd+4:])) != len(t.other) {
		return nil, errTSIGPlace
	}
	return t, nil
}

// skipName returns the offset behind a name, which may end in a pointer.
func skipName(b []byte, off int) (end int, ok bool) {
	for start := off; off < len(b) && off-start < maxNameOctets; {
		n := int(b[off])
		switch {
		case n == 0:
			return off + 1, true
		case n&0xC0 == 0xC0:
			return off + 2, off+2 <= len(b)
		case n&0xC0 != 0:
			return off, false
		}
		off += 1 + n
	}
	return off, false
}

// append writes the record behind a message and counts it. The names are k's.
func (t *tsigRecord) append(msg, nameWire, algoWire []byte) []byte {
	additionals := binary.BigEndian.Uint16(msg[offsetAdditionals:])
	binary.BigEndian.PutUint16(msg[offsetAdditionals:], additionals+1)
	msg = append(msg, nameWire...)
	msg = binary.BigEndian.AppendUint16(msg, dns.TypeTSIG)
	msg = binary.BigEndian.AppendUint16(msg, dns.ClassANY)
	msg = binary.BigEndian.AppendUint32(msg, 0)
	msg = binary.BigEndian.AppendUint16(msg, uint16(len(algoWire)+16+len(t.mac)+len(t.other)))
	msg = append(msg, algoWire...)
	msg = t.appendTimers(msg)
	msg = binary.BigEndian.AppendUint16(msg, uint16(len(t.mac)))
	msg = append(msg, t.mac...)
	msg = binary.BigEndian.AppendUint16(msg, t.originalID)
	msg = binary.BigEndian.AppendUint16(msg, t.err)
	msg = binary.BigEndian.AppendUint16(msg, uint16(len(t.other)))
	return append(msg, t.other...)
}

// appendTimers writes time and fudge.
func (t *tsigRecord) appendTimers(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(t.time>>32))
	b = binary.BigEndian.AppendUint32(b, uint32(t.time))
	return binary.BigEndian.AppendUint16(b, t.fudge)
}

// digestPrior adds the MAC of the message before (RFC 8945 section 5.4.1).
func digestPrior(h hash.Hash, prior []byte) {
	if len(prior) > 0 {
		h.Write(binary.BigEndian.AppendUint16(nil, uint16(len(prior))))
		h.Write(prior)
	}
}

// digestMessage adds a message as it was before its TSIG was appended: with its own ID and one additional record less.
func (t *tsigRecord) digestMessage(h hash.Hash, msg []byte) {
	var header [headerOctets]byte
	copy(header[:], msg)
	binary.BigEndian.PutUint16(header[:], t.originalID)
	if len(msg) > t.start {
		binary.BigEndian.PutUint16(header[offsetAdditionals:], binary.BigEndian.Uint16(header[offsetAdditionals:])-1)
	}
	h.Write(header[:])
	h.Write(msg[headerOctets:t.start])
}

// digestVariables adds the record itself (RFC 8945 section 4.3.3), or the timers alone in a message that follows another
// signed one (section 5.3.1).
func (t *tsigRecord) digestVariables(h hash.Hash, k *Key, timersOnly bool) {
	if timersOnly {
		h.Write(t.appendTimers(nil))
		return
	}
	b := append([]byte(nil), k.nameWire...)
	b = binary.BigEndian.AppendUint16(b, dns.ClassANY)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = append(b, k.algoWire...)
	b = t.appendTimers(b)
	b = binary.BigEndian.AppendUint16(b, t.err)
	b = binary.BigEndian.AppendUint16(b, uint16(len(t.other)))
	h.Write(append(b, t.other...))
}
