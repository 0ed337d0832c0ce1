package adns

import (
	"net/netip"
	"time"

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
	ecs      [ecsOctets]byte // the option's data, saved
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

// ecsOctets is the longest client subnet: its header and an IPv6 address (RFC 7871 section 6).
const ecsOctets = subnetHeaderOctets + 16

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
	if zones.faces != nil {
		zones = zones.faces[snapshot.GSLB.Plan.ViewOf(c.listener(), c.addr)]
	}
	l := &r.labels
	q.scope, q.ede, q.answers, q.rcode, q.aa = 0, 0, 0, dns.RcodeSuccess, true
	var at int // end of the answer
	if x := zones.extra.balanced(l.hash, l.suffix(0)); x != nil {
		if !zones.admits(x.zone, c.addr) {
			return 0, false
		}
		at = r.fastBalanced(b, q, snapshot, zones, x, c)
	} else {
		zone, found := zones.longest(l, 0)
		switch {
		case !found && (q.nsid || q.end+r.optSize(q) > len(b)):
			return 0, false // an error must not be much longer than its query
		case !found:
			q.rcode, q.ede, q.aa = dns.RcodeRefused, edeNotAuthoritative, false
			at = q.end
		case !zones.admits(zone, c.addr):
			return 0, false
		default:
			at = r.fastZone(b, q, snapshot, zones, zone, c)
		}
	}
	if at == 0 {
		return 0, false
	}
	if q.spoken != 0 {
		r.counted.cookie(q.standing)
	}
	return r.finishFast(b, at, q, c), true
}

// fastBalanced answers for a balanced name. It returns the end of the answer, or 0 for the slow path.
func (r *responder) fastBalanced(b []byte, q *fastQuery, snapshot *Snapshot, zones *Zones, x *extraName, c *client) int {
	f := family(q.qtype)
	switch {
	case x.aliased, x.typed && f == gslb.FamilyNone:
		return 0
	case f == gslb.FamilyNone:
		at := r.fastZoneName(b, q, zones, x.zone)
		m := match{extra: x} // as on the slow path
		q.from.detail = m.detail(x.zone, q.qtype)
		return at
	}
	d := &r.decider
	d.Query.Domain, d.Query.Family, d.Query.At = x.domain, f, int64(r.unix())
	d.Query.LDNS = c.addr
	if zones.listeners {
		d.Query.Listener = c.listener()
	}
	if x.needsClient { // else what there is of an earlier query's subnet means as little
		d.Query.Subnet = netip.Prefix{}
		if q.ecsSize != 0 && r.server.policy.believes(c.addr) && q.subnet.parse(q.ecs[:q.ecsSize]) {
			d.Query.Subnet = q.subnet.prefix
		}
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

// fastZone answers for a name of a zone that is not balanced itself.
func (r *responder) fastZone(b []byte, q *fastQuery, snapshot *Snapshot, zones *Zones, zone uint32, c *client) int {
	l := &r.labels
	data := zones.zones[zone]
	origin := len(data.Origin())
	q.from = answerFrom{zone: zone}
	if node := data.Find(l.hash, l.before(0, origin)); node != 0 {
		return r.writeNode(b, q, data, zone, node)
	}
	if zones.extra.find(l.hash, l.suffix(0), zone) != nil {
		return r.writeNegative(b, q, data)
	}
	for i := 1; ; i++ { // the apex is there, so this ends
		node := data.Find(l.hashOf(i), l.before(i, origin))
		x := zones.extra.find(l.hashOf(i), l.suffix(i), zone)
		if node == 0 && x == nil {
			continue
		}
		if x != nil && x.wildcard {
			return r.fastWildcard(b, q, snapshot, zones, zone, i, c)
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
func (r *responder) fastWildcard(b []byte, q *fastQuery, snapshot *Snapshot, zones *Zones, zone uint32, i int, c *client) int {
	l := &r.labels
	data := zones.zones[zone]
	if node := data.Find(l.hashOf(i), l.before(i, len(data.Origin()))); node != 0 &&
		data.Flags(node)&(zonedata.Cut|zonedata.Occluded|zonedata.DNAME) != 0 {
		return 0
	}
	hash, name := l.asteriskBelow(i, r.wildcard[:])
	x := zones.extra.find(hash, name, zone)
	if x == nil || !x.balanced || family(q.qtype) == gslb.FamilyNone {
		return 0
	}
	return r.fastBalanced(b, q, snapshot, zones, x, c)
}

// fastZoneName answers from the records that a zone has for a name that exists.
func (r *responder) fastZoneName(b []byte, q *fastQuery, zones *Zones, zone uint32) int {
	l, data := &r.labels, zones.zones[zone]
	q.from = answerFrom{zone: zone}
	if node := data.Find(l.hash, l.before(0, len(data.Origin()))); node != 0 {
		return r.writeNode(b, q, data, zone, node)
	}
	return r.writeNegative(b, q, data)
}
