package bench

import (
	"bytes"
	"encoding/binary"
)

// fault is what is wrong with an answer.
type fault uint8

const (
	right          fault = iota
	notResponse          // QR is not set, or the opcode is not QUERY
	truncated            // TC over UDP
	wrongRcode           // another rcode than expected
	wrongQuestion        // the question does not come back octet for octet
	noAnswer             // no record in the answer section
	malformedReply       // sections that the message has no room for
	faultCount
)

// faultNames are the names in the JSON result.
var faultNames = [faultCount]string{
	notResponse: "not_response", truncated: "truncated", wrongRcode: "rcode", wrongQuestion: "question",
	noAnswer: "no_answer", malformedReply: "malformed",
}

// Bits of the header's second word (RFC 1035, 4.1.1).
const (
	flagQR     = 1 << 15
	maskOpcode = 0xf << 11
	flagTC     = 1 << 9
	maskRcode  = 0xf
)

const rcodeNXDomain = 3

// minRecordOctets is the least that a record takes: root name, type, class, TTL, length.
const minRecordOctets = 11

// Expectation is what a right answer looks like.
type Expectation struct {
	Rcode    uint8 // low four bits, as in the header
	Negative bool  // NXDOMAIN, and answers without a record, are right as well
}

// judge checks an answer to a question. The caller has found the query by the answer's ID, so answer has a header.
func (e Expectation) judge(answer, question []byte) fault {
	flags := binary.BigEndian.Uint16(answer[2:])
	rcode := uint8(flags & maskRcode)
	counts := binary.BigEndian.Uint64(answer[4:]) // QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT
	records := int(uint16(counts>>32)) + int(uint16(counts>>16)) + int(uint16(counts))
	switch {
	case flags&flagQR == 0 || flags&maskOpcode != 0:
		return notResponse
	case flags&flagTC != 0:
		return truncated
	case rcode != e.Rcode && !(e.Negative && rcode == rcodeNXDomain):
		return wrongRcode
	case counts>>48 != 1 || !bytes.HasPrefix(answer[headerOctets:], question):
		return wrongQuestion
	case len(answer) < headerOctets+len(question)+records*minRecordOctets:
		return malformedReply
	case uint16(counts>>32) == 0 && rcode == 0 && !e.Negative:
		return noAnswer
	}
	return right
}
