package adns

import (
	"encoding/binary"

	"fairlead/adns/rrl"
	"fairlead/config/zonedata"
	"fairlead/gslb"

	"github.com/miekg/dns"
)

// writeServices writes the addresses of the chosen services, each once. It returns 0 when they do not fit.
func (r *responder) writeServices(b []byte, q *fastQuery, services []serviceWire, d *gslb.Decision) int {
	at := q.end
	octets := recordOctets4
	if q.qtype == dns.TypeAAAA {
		octets = recordOctets6
	}
	if at+octets*int(d.Count)+r.optSize(q) > min(q.limit, len(b)) {
		return 0
	}
	for i := range d.Count {
		s := &services[d.Services[i]]
		record := b[at : at+octets : at+octets]
		switch {
		case q.qtype == dns.TypeA && s.has4:
			*(*[recordOctets4]byte)(record) = recordA
			*(*[4]byte)(record[zonedata.RecordHeaderOctets:]) = s.v4
		case q.qtype == dns.TypeAAAA && s.has6:
			*(*[zonedata.RecordHeaderOctets]byte)(record) = headerAAAA
			*(*[16]byte)(record[zonedata.RecordHeaderOctets:]) = s.v6
		default:
			continue
		}
		binary.BigEndian.PutUint32(record[6:], d.TTL)
		if i > 0 && hasRecord(b[q.end:at], record) {
			continue
		}
		at += octets
		q.answers++
	}
	return at
}

// Octets of an address record whose owner is the question's name.
const (
	recordOctets4 = zonedata.RecordHeaderOctets + 4
	recordOctets6 = zonedata.RecordHeaderOctets + 16
)

// Address records with TTL 0 that are owned by the question's name.
var (
	recordA    = [recordOctets4]byte{0xC0, headerOctets, 0, byte(dns.TypeA), 0, dns.ClassINET, 0, 0, 0, 0, 0, 4}
	headerAAAA = [zonedata.RecordHeaderOctets]byte{0xC0, headerOctets, 0, byte(dns.TypeAAAA), 0, dns.ClassINET, 0, 0, 0, 0, 0, 16}
)

// hasRecord reports whether a record is among others of the same length.
func hasRecord(records, record []byte) bool {
	for ; len(records) > 0; records = records[len(record):] {
		if string(records[:len(record)]) == string(record) {
			return true
		}
	}
	return false
}

// writeNode answers from a node's records.
func (r *responder) writeNode(b []byte, q *fastQuery, data *zonedata.Zone, zone uint32, node zonedata.Ref) int {
	if data.Flags(node)&(zonedata.Cut|zonedata.Occluded|zonedata.CNAME) != 0 {
		return 0
	}
	set, count := data.Set(node, q.qtype)
	if count == 0 {
		return r.writeNegative(b, q, data)
	}
	at := q.end
	if at+len(set)+r.optSize(q) > min(q.limit, len(b)) {
		return 0
	}
	q.answers = count
	m := match{node: node}
	q.from.detail = m.detail(zone, q.qtype)
	return at + copy(b[at:], set)
}

// writeNegative writes the SOA of a negative answer.
func (r *responder) writeNegative(b []byte, q *fastQuery, data *zonedata.Zone) int {
	negative, at := data.Negative(), q.end
	origin := len(data.Origin())
	if origin == 1 || at+len(negative.Wire)+r.optSize(q) > min(q.limit, len(b)) {
		return 0 // there is nothing to point at in the root's name
	}
	copy(b[at:], negative.Wire)
	pointer := uint16(0xC000 | headerOctets + r.labels.size - origin)
	for _, p := range negative.Patch[:negative.Patches] {
		binary.BigEndian.PutUint16(b[at+int(p):], pointer)
	}
	return at + len(negative.Wire)
}

// optSize bounds the octets of the response's OPT.
func (r *responder) optSize(q *fastQuery) int {
	if !q.opt {
		return 0
	}
	size := optOctets + 2*optionHeaderOctets + 2 // an extended error without text
	if q.ecsSize != 0 {
		size += optionHeaderOctets + q.ecsSize
	}
	if q.spoken != 0 {
		size += serverCookieOctets
	}
	if q.nsid {
		size += optionHeaderOctets + len(r.server.nsidWire)
	}
	return size
}

// serverCookieOctets is a client's and a server's cookie (RFC 9018 section 4).
const serverCookieOctets = 24

// finishFast limits the response, and writes its OPT and header. at is the end of the answer. It returns the response's
// length, 0 for silence.
func (r *responder) finishFast(b []byte, at int, q *fastQuery, c *client) int {
	rcode, truncated := q.rcode, false
	action := rrl.Send
	if p := r.server.policy; p.limiter != nil && c.transport == UDP {
		action = p.limit(c, q.standing, accountOf(q.rcode, q.answers > 0, q.aa, q.from), r.nanos)
	}
	if action != rrl.Send {
		if action == rrl.Drop { // counted by limit
			r.counted.asked(q.qtype)
			return 0
		}
		rcode, truncated = slipRcode(q.standing, rcode)
		at, q.answers, q.scope, q.ede, q.nsid = q.end, 0, 0, 0, false
		if truncated {
			r.counted.truncated()
		} else {
			q.aa = false
		}
	}
	negative := byte(0)
	if q.answers == 0 && at > q.end {
		negative = 1
	}
	additional := byte(0)
	if q.opt {
		additional = 1
		at = r.writeFastOPT(b, at, q, c, rcode)
	}
	flags := byte(flagResponse>>8) | b[2]&(flagRecursionDesired>>8)
	if q.aa {
		flags |= flagAuthoritative >> 8
	}
	if truncated {
		flags |= flagTruncated >> 8
	}
	b[2], b[3] = flags, byte(rcode&0xF)
	binary.BigEndian.PutUint16(b[6:], uint16(q.answers))
	b[8], b[9], b[10], b[11] = 0, negative, 0, additional
	r.counted.fastAnswer(q.qtype, rcode)
	return at
}

// writeFastOPT appends the OPT and returns its end.
func (r *responder) writeFastOPT(b []byte, at int, q *fastQuery, c *client, rcode int) int {
	start := at
	// Root, OPT, payload size, upper bits of the rcode; then version 0, DO and the length, which is known last.
	binary.BigEndian.PutUint64(b[at:], uint64(dns.TypeOPT)<<40|maxUDPPayload<<24|uint64(rcode>>4)<<16)
	if q.do {
		b[at+7] = 0x80
	}
	at += optOctets
	b[start+8] = 0
	if q.ecsSize != 0 {
		scope := q.scope
		if q.ecs[2] == 0 {
			scope = 0 // RFC 7871 section 7.2.1
		}
		q.ecs[3] = scope
		at = putOption(b, at, dns.EDNS0SUBNET, q.ecs[:q.ecsSize])
	}
	if q.spoken != 0 {
		full := r.server.policy.appendCookie(b[:at+optionHeaderOctets], q.cookie[:q.spoken], q.standing, c, r.unix())
		binary.BigEndian.PutUint16(b[at:], dns.EDNS0COOKIE)
		binary.BigEndian.PutUint16(b[at+2:], uint16(len(full)-at-optionHeaderOctets))
		at = len(full)
	}
	if q.ede != 0 {
		binary.BigEndian.PutUint32(b[at:], uint32(dns.EDNS0EDE)<<16|2)
		binary.BigEndian.PutUint16(b[at+4:], q.ede)
		at += optionHeaderOctets + 2
	}
	if q.nsid && len(r.server.nsidWire) > 0 {
		at = putOption(b, at, dns.EDNS0NSID, r.server.nsidWire)
	}
	binary.BigEndian.PutUint16(b[start+9:], uint16(at-start-optOctets))
	return at
}

// putOption appends an option and returns its end.
func putOption(b []byte, at int, code uint16, data []byte) int {
	binary.BigEndian.PutUint16(b[at:], code)
	binary.BigEndian.PutUint16(b[at+2:], uint16(len(data)))
	return at + optionHeaderOctets + copy(b[at+optionHeaderOctets:], data)
}
