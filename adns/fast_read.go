package adns

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// readFast reads a request and reports whether the fast path may answer it.
func (r *responder) readFast(q *fastQuery, b []byte, n int, c *client) bool {
	if n < headerOctets+5 || len(b) < n {
		return false
	}
	const notQuery = flagResponse | opcodeMask<<opcodeShift
	counts := binary.BigEndian.Uint64(b[4:])
	if binary.BigEndian.Uint16(b[2:])&notQuery != 0 || counts&^1 != 1<<48 {
		return false
	}
	l := &r.labels
	if !l.parse(b[headerOctets:n:len(b)]) {
		return false
	}
	end := headerOctets + l.size + 4
	if end > n || b[end-2] != 0 || b[end-1] != dns.ClassINET {
		return false
	}
	q.end, q.qtype = end, binary.BigEndian.Uint16(b[end-4:])
	if !fastType(q.qtype) {
		return false
	}
	q.limit = maxWireOctets
	q.opt, q.do, q.nsid, q.ecsSize, q.spoken = false, false, false, 0, 0
	q.standing = standing{}
	if counts&1 == 0 {
		if c.transport == UDP {
			q.limit = minUDPPayload
		}
		return end == n
	}
	return r.readFastOPT(q, b[:n], c)
}

// fastType reports whether nothing about a type needs the slow path, whatever the name has.
func fastType(qtype uint16) bool {
	switch qtype {
	case dns.TypeA, dns.TypeAAAA:
		return true
	case 0, dns.TypeOPT, dns.TypeDS, dns.TypeRRSIG, dns.TypeNXT:
		return false
	}
	return qtype < typeNXNAME || qtype == dns.TypeCAA
}

// readFastOPT reads the OPT that must be all there is behind the question.
func (r *responder) readFastOPT(q *fastQuery, b []byte, c *client) bool {
	at := q.end
	if len(b) < at+optOctets || b[at] != 0 || b[at+1] != 0 || b[at+2] != byte(dns.TypeOPT) || b[at+6] != 0 {
		return false
	}
	if c.transport == UDP {
		q.limit = int(max(minUDPPayload, min(binary.BigEndian.Uint16(b[at+3:]), maxUDPPayload)))
	}
	q.opt, q.do = true, b[at+7]&0x80 != 0
	if int(binary.BigEndian.Uint16(b[at+9:])) != len(b)-at-optOctets {
		return false
	}
	at += optOctets
	for at+optionHeaderOctets <= len(b) {
		code, size := binary.BigEndian.Uint16(b[at:]), int(binary.BigEndian.Uint16(b[at+2:]))
		at += optionHeaderOctets
		if size > len(b)-at {
			return false
		}
		if code == dns.EDNS0SUBNET {
			if q.ecsSize != 0 || !validSubnet(b[at:at+size]) {
				return false
			}
			q.ecsSize = size
			if spare := b[at:cap(b)]; len(spare) >= len(q.ecs) {
				q.ecs = *(*[ecsOctets]byte)(spare)
			} else {
				copy(q.ecs[:], b[at:at+size])
			}
		} else if !r.readFastOption(q, code, b[at:at+size], c) {
			return false
		}
		at += size
	}
	return at == len(b)
}

// readFastOption reads one option that is not a client subnet.
func (r *responder) readFastOption(q *fastQuery, code uint16, data []byte, c *client) bool {
	switch code {
	case dns.EDNS0NSID:
		q.nsid = true
	case dns.EDNS0COOKIE:
		if q.spoken != 0 || len(data) > len(q.cookie) {
			return false
		}
		st, ok := r.server.policy.judgeCookie(data, c, r.unix())
		if !ok {
			return false
		}
		if q.standing = st; st.spoke {
			q.spoken = copy(q.cookie[:], data)
		}
	case dns.EDNS0TCPKEEPALIVE:
		return c.transport == UDP
	case dns.EDNS0PADDING:
		return !c.transport.encrypted()
	case optionZoneVersion:
		return false
	}
	return true
}
