package adns

import (
	"encoding/binary"
	"net/netip"

	"github.com/miekg/dns"
)

// The fixed header (RFC 1035 section 4.1.1): six 16-bit fields, big-endian.
//
//	0 ID   2 QR(1) OPCODE(4) AA TC RD | RA Z AD CD RCODE(4)   4 QDCOUNT   6 ANCOUNT   8 NSCOUNT   10 ARCOUNT
const (
	headerOctets = 12

	flagResponse         = 1 << 15
	flagAuthoritative    = 1 << 10
	flagTruncated        = 1 << 9
	flagRecursionDesired = 1 << 8
	opcodeShift          = 11
	opcodeMask           = 0xF
)

// Counts of a plausible query: one question, no answer, the SOA of an IXFR (RFC 1995 section 3), and OPT with TSIG.
const (
	maxAuthorityCount  = 1
	maxAdditionalCount = 2
)

// Types that are questions or marks but never data.
const (
	typeNXNAME        = 128 // RFC 9824 section 3.5
	firstQuestionType = 249 // TKEY, TSIG, IXFR, AXFR, MAILB, MAILA
	lastQuestionType  = 255 // ANY
)

// verdict is what a judge says. The zero verdict accepts.
type verdict struct {
	silent bool
	rcode  int
	ede    ExtendedError
}

// accepted reports whether the query goes on.
func (v verdict) accepted() bool { return !v.silent && v.rcode == dns.RcodeSuccess }

// refuse returns the verdict that answers with rcode, and with an extended error if code is not 0.
func refuse(rcode int, code uint16) verdict {
	return verdict{rcode: rcode, ede: ExtendedError{Code: code}}
}

// NotifyHandler answers a NOTIFY with the bytes of a response. Nil declines: the answer is NOTAUTH then. request is complete,
// has one question, and is valid until it returns; from is the address it came from, unmapped. It is called from many
// goroutines.
type NotifyHandler func(request []byte, from netip.AddrPort, transport Transport) []byte

// isNotify reports whether a request of at least headerOctets is a NOTIFY with one question.
func isNotify(request []byte) bool {
	return binary.BigEndian.Uint16(request[2:])>>opcodeShift&opcodeMask == dns.OpcodeNotify &&
		binary.BigEndian.Uint16(request[4:]) == 1
}

// asksForCookie reports whether a request that could be read to its end is a query without a question: with a COOKIE option
// it is answered with NOERROR and a cookie (RFC 7873 section 5.4).
func asksForCookie(request []byte) bool {
	return binary.BigEndian.Uint16(request[2:])>>opcodeShift&opcodeMask == dns.OpcodeQuery &&
		binary.BigEndian.Uint64(request[4:]) == 1 // no question, answer or authority; OPT
}

// judgeHeader is the first of the two functions that every transport's bytes pass: it looks at the fixed header and the
// counts before anything is unpacked. What is not a query gets no answer at all, else two servers could be made to
// answer each other for ever (RFC 8906 section 3.1).
func judgeHeader(request []byte) verdict {
	if len(request) < headerOctets {
		return verdict{silent: true}
	}
	flags := binary.BigEndian.Uint16(request[2:])
	if flags&flagResponse != 0 {
		return verdict{silent: true}
	}
	switch flags >> opcodeShift & opcodeMask {
	case dns.OpcodeQuery:
	case dns.OpcodeNotify:
		return refuse(dns.RcodeNotAuth, 0) // what NotifyHandler takes is not judged here
	case dns.OpcodeUpdate:
		return refuse(dns.RcodeRefused, 0) // no zone takes updates
	default:
		return refuse(dns.RcodeNotImplemented, 0)
	}
	switch {
	case binary.BigEndian.Uint16(request[4:]) != 1, // RFC 9619
		binary.BigEndian.Uint16(request[6:]) != 0,
		binary.BigEndian.Uint16(request[8:]) > maxAuthorityCount,
		binary.BigEndian.Uint16(request[10:]) > maxAdditionalCount:
		return refuse(dns.RcodeFormatError, 0)
	}
	return verdict{}
}

// judgeMessage is the second: policy on what was unpacked. What depends on the question alone is judgeQuestion's, which
// Resolve asks, so that explain hears the same.
func judgeMessage(q *query) verdict {
	switch {
	case q.malformed:
		return refuse(dns.RcodeFormatError, 0)
	case q.opt.present && q.opt.version != 0:
		return refuse(dns.RcodeBadVers, 0) // RFC 6891 section 6.1.3
	case q.opt.malformed:
		return refuse(dns.RcodeFormatError, 0)
	}
	return verdict{}
}

// readable reports whether the query's options can be trusted, so that the response may carry options, too.
func (q *query) readable() bool { return !q.malformed && !q.opt.malformed && q.opt.version == 0 }

// judgeQuestion is the part of policy that the question alone decides.
func judgeQuestion(qtype, qclass uint16) verdict {
	if qclass != dns.ClassINET {
		return refuse(dns.RcodeRefused, 0) // also version.bind and id.server in CH
	}
	switch qtype {
	case dns.TypeANY:
		return verdict{}
	case typeNXNAME:
		return refuse(dns.RcodeFormatError, edeInvalidType)
	case 0, dns.TypeOPT, dns.TypeTSIG:
		return refuse(dns.RcodeFormatError, 0)
	}
	if !isDataType(qtype) {
		return refuse(dns.RcodeRefused, edeNotSupported) // transfers, TKEY, MAILA, MAILB, 65535
	}
	return verdict{}
}
