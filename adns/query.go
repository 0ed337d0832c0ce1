package adns

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// maxScannedRecords bounds the walk over a message that the header already condemned: it is only walked to see whether
// it had an OPT, which the error then carries too.
const maxScannedRecords = 32

// query is a request taken apart. Slices point into the request.
type query struct {
	// question is the question section, bit for bit; nil if there is not exactly one question or it cannot be read.
	question []byte
	labels   *labels // of the question's name; the caller's to provide
	qtype    uint16
	qclass   uint16
	opt      opt
	// malformed says that the message cannot be trusted: something is cut, overruns, or is left over.
	malformed bool
}

// parse reads a request of at least headerOctets. It allocates nothing, follows no compression pointers, and
// reads as far as it can when something is wrong, because an error echoes question and OPT as far as they were read.
func (q *query) parse(request []byte) {
	var counts [4]int
	records := 0
	for i := range counts {
		counts[i] = int(binary.BigEndian.Uint16(request[4+2*i:]))
		records += counts[i]
	}
	if records > maxScannedRecords {
		q.malformed = true
		counts = [4]int{counts[0], 0, 0, 0}
		if counts[0] != 1 {
			counts[0] = 0
		}
	}
	off, ok := q.parseQuestions(request, counts[0])
	for section := 1; ok && section < len(counts); section++ {
		for range counts[section] {
			if off, ok = q.parseRecord(request, off, section == len(counts)-1); !ok {
				break
			}
		}
	}
	if !ok || off != len(request) {
		q.malformed = true
	}
}

// parseQuestions reads the question section and returns the offset behind it.
func (q *query) parseQuestions(request []byte, count int) (off int, ok bool) {
	off = headerOctets
	for range count {
		end, ok := skipQuestionName(request, off)
		if !ok || end+4 > len(request) {
			return off, false
		}
		if count == 1 {
			q.question = request[off : end+4]
			q.labels.parse(request[off:end:cap(request)])
			q.qtype = binary.BigEndian.Uint16(request[end:])
			q.qclass = binary.BigEndian.Uint16(request[end+2:])
		}
		off = end + 4
	}
	return off, true
}

// parseRecord reads one record and returns the offset behind it. Only OPT matters; it must be in the additional section,
// be owned by the root, and be alone (RFC 6891 section 6.1.1).
func (q *query) parseRecord(request []byte, off int, additional bool) (end int, ok bool) {
	fixed, ok := skipRecordName(request, off)
	if !ok || fixed+10 > len(request) {
		return off, false
	}
	end = fixed + 10 + int(binary.BigEndian.Uint16(request[fixed+8:]))
	if end > len(request) {
		return off, false
	}
	if binary.BigEndian.Uint16(request[fixed:]) != dns.TypeOPT {
		return end, true
	}
	if q.opt.present || !additional || request[off] != 0 {
		q.malformed = true
		q.opt.present = true
		return end, true
	}
	q.opt.parse(binary.BigEndian.Uint16(request[fixed+2:]), binary.BigEndian.Uint32(request[fixed+4:]), request[fixed+10:end])
	return end, true
}

// skipQuestionName returns the offset behind a name that must stand in full: a question comes first, so there is nothing
// a pointer could point at.
func skipQuestionName(b []byte, off int) (end int, ok bool) {
	start := off
	for off < len(b) {
		n := int(b[off])
		if n > maxLabelBytes {
			return off, false
		}
		off += 1 + n
		if off-start > maxNameOctets {
			return off, false
		}
		if n == 0 {
			return off, true
		}
	}
	return off, false
}

// skipRecordName returns the offset behind a name that may end in a pointer. The pointer is not followed.
func skipRecordName(b []byte, off int) (end int, ok bool) {
	start := off
	for off < len(b) && off-start < maxNameOctets {
		n := int(b[off])
		switch {
		case n == 0:
			return off + 1, true
		case n&0xC0 == 0xC0:
			return off + 2, off+2 <= len(b)
		case n > maxLabelBytes:
			return off, false
		}
		off += 1 + n
	}
	return off, false
}

// name returns the question's name in presentation form, in the case it was asked.
func (q *query) name() string {
	s, _, err := dns.UnpackDomainName(q.question, 0)
	if err != nil {
		return key(q.labels.suffix(0)).String()
	}
	return s
}
