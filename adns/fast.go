package adns

import (
	"encoding/binary"
	"net/netip"
	"time"

	"fairlead/adns/rrl"
	"fairlead/config/zonedata"
	"fairlead/gslb"

	"github.com/miekg/dns"
)

// The fast path answers in place, from bytes made when the zones were compiled: one question in class IN for a common
// type, with or without an OPT of version 0, whose name has data, has none, or does not exist. It decides exactly as the
// slow path does; whatever needs more than that is left to it, before a single octet is written.

// fastQuery is what the fast path knows of a query, and how its answer will look.
type fastQuery struct {
	end      int // of the question
	qtype    uint16
	opt      bool
	do       bool
	nsid     bool
	limit    int // octets of the response
	subnet   subnet
	ecs      [optionHeaderOctets + 4 + 16]byte // the option's data, saved
	ecsSize  int
	cookie   [maxCookieOctets]byte // the option's data, saved
	spoken   int                   // octets of it
	standing standing

	scope   uint8
	ede     uint16
	rcode   int
	aa      bool
	answers int
	from    answerFrom
}

// maxCookieOctets is the longest COOKIE option (RFC 7873 section 4).
const maxCookieOctets = 40

// fast answers the request b[:n] in place and returns the response's length. ok is false when the query is not common:
// b[:n] is then as it was. A length of 0 is silence.
func (r *responder) fast(b []byte, n int, c *client) (size int, ok bool) {
	q := &r.fastQuery
	s := r.server
	if !r.readFast(q, b, n, c) {
		return 0, false
	}
	snapshot := s.snapshot()
	if snapshot == nil || !s.policy.allow.contains(c.addr) {
		return 0, false
	}
	zones := snapshot.Zones
	l := &r.labels
	q.scope, q.ede, q.answers, q.rcode, q.aa = 0, 0, 0, dns.RcodeSuccess, true
	var at int // end of the answer
	if x := zones.extra.balanced(l.hashes[0], l.suffix(0)); x != nil {
		if !zones.admits(x.zone, c.addr) {
			return 0, false
		}
		at = r.fastBalanced(b, q, snapshot, x, c)
	} else {
		zone, found := zones.longest(l, 0)
		switch {
		case !found && q.nsid:
			return 0, false // an error must not be much longer than its query
		case !found:
			q.rcode, q.ede, q.aa = dns.RcodeRefused, edeNotAuthoritative, false
			at = q.end
		case !zones.admits(zone, c.addr):
			return 0, false
		default:
			at = r.fastZone(b, q, snapshot, zone, c)
		}
	}
	if at == 0 {
		return 0, false
	}
	r.counted.asked(q.qtype)
	if q.spoken != 0 {
		r.counted.cookie(q.standing)
	}
	return r.finishFast(b, at, q, c), true
}

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
	q.subnet.prefix = netip.Prefix{}
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
	length := int(binary.BigEndian.Uint16(b[at+9:]))
	options := b[at+optOctets:]
	if length != len(options) {
		return false
	}
	for len(options) > 0 {
		if len(options) < optionHeaderOctets {
			return false
		}
		code, size := binary.BigEndian.Uint16(options), int(binary.BigEndian.Uint16(options[2:]))
		if options = options[optionHeaderOctets:]; size > len(options) {
			return false
		}
		if !r.readFastOption(q, code, options[:size], c) {
			return false
		}
		options = options[size:]
	}
	return true
}

// readFastOption reads one option.
func (r *responder) readFastOption(q *fastQuery, code uint16, data []byte, c *client) bool {
	switch code {
	case dns.EDNS0SUBNET:
		if q.ecsSize != 0 || !q.subnet.parse(data) {
			return false
		}
		q.ecsSize = copy(q.ecs[:], data)
	case dns.EDNS0NSID:
		q.nsid = true
	case dns.EDNS0COOKIE:
		if q.spoken != 0 || len(data) > len(q.cookie) {
			return false
		}
		st, ok := r.server.policy.judgeCookie(data, c, r.unix)
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

// fastBalanced answers for a balanced name. It returns the end of the answer, or 0 for the slow path.
func (r *responder) fastBalanced(b []byte, q *fastQuery, snapshot *Snapshot, x *extraName, c *client) int {
	zones := snapshot.Zones
	domain := snapshot.GSLB.Plan.Domain(x.domain)
	f := family(q.qtype)
	switch {
	case domain.HasCNAME:
		return 0
	case f == gslb.FamilyNone && domain.Types != nil:
		return 0
	case f == gslb.FamilyNone:
		return r.fastZoneName(b, q, zones, x.zone)
	}
	d := &r.decider
	d.Query.Domain, d.Query.Family, d.Query.LDNS = x.domain, f, c.addr
	d.Query.Subnet = netip.Prefix{}
	if q.ecsSize != 0 && r.server.policy.believes(c.addr) {
		d.Query.Subnet = q.subnet.prefix
	}
	d.Decide(snapshot.GSLB, snapshot.Learned, time.Time{}, nil)
	out := &d.Decision
	at := q.end
	switch out.Outcome {
	case gslb.OutcomeServices:
		if at = r.writeServices(b, q, zones.services, out); at == 0 {
			return 0
		}
	case gslb.OutcomeBackupAddresses, gslb.OutcomeServFail:
		return 0 // rare, and decided again alike: neither takes a turn
	}
	m := match{extra: x}
	q.from = answerFrom{zone: x.zone, detail: m.detail(x.zone, q.qtype)}
	if q.answers == 0 {
		return r.writeNegative(b, q, zones.zones[x.zone])
	}
	if out.SubnetUsed {
		q.scope = out.Scope
	}
	return at
}

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

// fastZone answers for a name of a zone that is not balanced itself.
func (r *responder) fastZone(b []byte, q *fastQuery, snapshot *Snapshot, zone uint32, c *client) int {
	zones, l := snapshot.Zones, &r.labels
	data := zones.zones[zone]
	origin := len(data.Origin())
	q.from = answerFrom{zone: zone}
	if node := data.Find(l.hashes[0], l.before(0, origin)); node != 0 {
		return r.writeNode(b, q, data, zone, node)
	}
	if zones.extra.find(l.hashes[0], l.suffix(0), zone) != nil {
		return r.writeNegative(b, q, data)
	}
	for i := 1; ; i++ { // the apex is there, so this ends
		node := data.Find(l.hashes[i], l.before(i, origin))
		x := zones.extra.find(l.hashes[i], l.suffix(i), zone)
		if node == 0 && x == nil {
			continue
		}
		if x != nil && x.wildcard {
			return r.fastWildcard(b, q, snapshot, zone, i, c)
		}
		if node != 0 {
			if data.Flags(node)&(zonedata.Cut|zonedata.Occluded|zonedata.DNAME) != 0 {
				return 0
			}
			if wildcard := data.Wildcard(node); wildcard != 0 {
				return r.writeNode(b, q, data, zone, wildcard)
			}
		}
		q.rcode = dns.RcodeNameError
		return r.writeNegative(b, q, data)
	}
}

// fastWildcard answers from the balanced wildcard below suffix i.
func (r *responder) fastWildcard(b []byte, q *fastQuery, snapshot *Snapshot, zone uint32, i int, c *client) int {
	zones, l := snapshot.Zones, &r.labels
	data := zones.zones[zone]
	if node := data.Find(l.hashes[i], l.before(i, len(data.Origin()))); node != 0 &&
		data.Flags(node)&(zonedata.Cut|zonedata.Occluded|zonedata.DNAME) != 0 {
		return 0
	}
	hash, name := l.asteriskBelow(i, r.wildcard[:])
	x := zones.extra.find(hash, name, zone)
	if x == nil || !x.balanced || family(q.qtype) == gslb.FamilyNone {
		return 0
	}
	return r.fastBalanced(b, q, snapshot, x, c)
}

// fastZoneName answers from the records that a zone has for a name that exists.
func (r *responder) fastZoneName(b []byte, q *fastQuery, zones *Zones, zone uint32) int {
	l, data := &r.labels, zones.zones[zone]
	q.from = answerFrom{zone: zone}
	if node := data.Find(l.hashes[0], l.before(0, len(data.Origin()))); node != 0 {
		return r.writeNode(b, q, data, zone, node)
	}
	return r.writeNegative(b, q, data)
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
			return 0
		}
		rcode, truncated = slipRcode(q.standing, rcode)
		at, q.answers, q.scope, q.ede = q.end, 0, 0, 0
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
	r.counted.answered(rcode, Fast)
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
		at = putOption(b, at, dns.EDNS0SUBNET, q.ecs[:q.ecsSize])
		b[at-q.ecsSize+3] = scope
	}
	if q.spoken != 0 {
		full := r.server.policy.appendCookie(b[:at+optionHeaderOctets], q.cookie[:q.spoken], q.standing, c, r.unix)
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
