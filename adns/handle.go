package adns

import (
	"encoding/binary"
	"net/netip"
	"runtime/debug"

	"github.com/miekg/dns"
	"go.uber.org/zap"
)

// Transport is how a request came.
type Transport uint8

// Transports.
const (
	UDP   Transport = iota
	TCP             // RFC 7766
	TLS             // RFC 7858
	HTTPS           // RFC 8484
	numTransports
)

// String returns the transport's name in lower case.
func (t Transport) String() string {
	switch t {
	case TCP:
		return "tcp"
	case TLS:
		return "tls"
	case HTTPS:
		return "https"
	}
	return "udp"
}

// encrypted reports whether nobody on the path can read the messages.
func (t Transport) encrypted() bool { return t == TLS || t == HTTPS }

// response is what is sent back, before it is bytes.
type response struct {
	rcode     int
	reserve   int  // octets that the message must leave free
	truncated bool // TC is set though everything fits: the client is to come back over TCP
	answer    Answer
	opt       optReply
}

// Handle answers one request: the bytes of one message, without TCP's length. A nil result means silence. The result
// lies in out if out's capacity is large enough, else it is allocated; request and out must not overlap, and request is
// not kept. A panic becomes SERVFAIL. Safe for concurrent use, also before Run and after it.
func (s *Server) Handle(request []byte, from netip.AddrPort, transport Transport, out []byte) []byte {
	r := s.responder()
	defer s.release(r)
	c := client{addr: from.Addr().Unmap().WithZone(""), port: from.Port(), transport: transport}
	out = out[:cap(out)]
	if len(out) < len(request) {
		out = make([]byte, max(len(request), minUDPPayload))
	}
	return r.answer(out, copy(out, request), &c)
}

// encode writes the response, truncated if it is larger than the client takes, and returns its rcode too, because data
// that cannot be written becomes SERVFAIL.
func (s *Server) encode(request []byte, q *query, r *response, transport Transport, out []byte) ([]byte, int) {
	limit := maxWireOctets
	if transport == UDP {
		limit = q.opt.limit()
	}
	limit -= r.reserve
	m := s.message(request, q, r)
	wire, err := m.PackBuffer(out[:cap(out)])
	if err == nil && len(wire) > limit && r.answer.courtesy {
		r.answer.Additional = nil
		m = s.message(request, q, r)
		wire, err = m.PackBuffer(out[:cap(out)])
	}
	if err == nil && len(wire) <= limit {
		if r.opt.pad {
			wire = pad(wire, m.Extra[len(m.Extra)-1].(*dns.OPT))
		}
		return wire, r.rcode
	}
	var rest []dns.RR
	if q.opt.present {
		rest = m.Extra[len(m.Extra)-1:]
	}
	if err == nil && transport == UDP {
		m.Truncated = true
		s.counters.truncated.Add(1)
	} else {
		m.Authoritative, m.Rcode = false, dns.RcodeServerFailure
		s.counters.unencodable.Add(1)
	}
	// No part of a record set is sent: one that is cut looks complete (RFC 2181 section 9).
	m.Answer, m.Ns, m.Extra = nil, nil, rest
	if wire, err = m.PackBuffer(out[:cap(out)]); err != nil {
		return headerOnly(request, dns.RcodeServerFailure), dns.RcodeServerFailure
	}
	return wire, m.Rcode
}

// message puts the response's parts together. Of the query's flags only RD comes back.
func (s *Server) message(request []byte, q *query, r *response) *dns.Msg {
	flags := binary.BigEndian.Uint16(request[2:])
	m := &dns.Msg{Compress: true, MsgHdr: dns.MsgHdr{
		Id:               binary.BigEndian.Uint16(request),
		Response:         true,
		Opcode:           int(flags >> opcodeShift & opcodeMask),
		Authoritative:    r.answer.Authoritative,
		Truncated:        r.truncated,
		RecursionDesired: flags&flagRecursionDesired != 0,
		Rcode:            r.rcode,
	}}
	if q.question != nil {
		m.Question = []dns.Question{{Name: q.name(), Qtype: q.qtype, Qclass: q.qclass}}
	}
	m.Answer, m.Ns, m.Extra = r.answer.Answer, r.answer.Authority, r.answer.Additional
	if q.opt.present {
		m.Extra = append(m.Extra[:len(m.Extra):len(m.Extra)], q.opt.reply(r.opt))
	}
	return m
}

// panicked turns a panic into a SERVFAIL that needs nothing but the header. The log is limited, because whoever found
// the packet can send it as often as they like.
func (s *Server) panicked(request []byte, p any) []byte {
	s.counters.panics.Add(1)
	s.counters.countRcode(dns.RcodeServerFailure)
	if now := s.now().UnixNano(); s.panicLogged.allow(now, panicLogInterval) {
		s.log.Error("dns.query.panic", zap.Any("panic", p),
			zap.Binary("request", request[:min(len(request), maxLoggedRequest)]), zap.ByteString("stack", debug.Stack()))
	}
	if len(request) < headerOctets {
		return nil
	}
	return headerOnly(request, dns.RcodeServerFailure)
}

// headerOnly returns a response without sections. rcode must be below 16.
func headerOnly(request []byte, rcode int) []byte {
	wire := make([]byte, headerOctets)
	copy(wire, request[:4])
	flags := binary.BigEndian.Uint16(request[2:]) & (opcodeMask<<opcodeShift | flagRecursionDesired)
	binary.BigEndian.PutUint16(wire[2:], flags|flagResponse|uint16(rcode))
	return wire
}
