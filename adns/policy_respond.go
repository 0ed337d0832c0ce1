package adns

import (
	"encoding/binary"
	"net/netip"
	"time"

	"fairlead/adns/rrl"

	"github.com/miekg/dns"
)

const (
	// maxErrorGrowth is how many octets an error over UDP may be longer than its query, so that nobody gains by
	// having errors sent to others.
	maxErrorGrowth = 40
	// keepaliveUnit is what RFC 7828 counts time in.
	keepaliveUnit = 100 * time.Millisecond
)

// respondSlow decides what is answered to the query in r.q, which was parsed from request; v is what the judges said of it. It
// reports false when nothing is.
func (r *responder) respondSlow(request []byte, v verdict, c *client) (out response, send bool) {
	q, p := &r.q, r.server.policy
	var st standing
	readable := q.readable()
	if readable && q.opt.cookie != nil {
		ok := !q.opt.cookieTwice || p.keys.Load() == nil
		if ok {
			st, ok = p.judgeCookie(q.opt.cookie, c, r.unix())
		}
		if !ok {
			readable = false
			if v.accepted() {
				v = refuse(dns.RcodeFormatError, 0)
			}
		}
		r.counted.cookie(st)
	}
	allowed := p.judgeClient(c)
	if !allowed.accepted() {
		r.counted.prohibited()
		if v.accepted() {
			v = allowed
		}
	}
	if !allowed.accepted() || !st.spoke || !asksForCookie(request) { // else NOERROR and a cookie are the answer
		out = r.outcome(v, c)
	}
	switch r.limit(c, st, &out) {
	case rrl.Drop:
		return response{}, false
	case rrl.Slip:
		out.rcode, out.truncated = slipRcode(st, out.rcode)
		out.answer = Answer{Authoritative: out.answer.Authoritative && out.truncated}
		out.opt, q.opt.nsid = optReply{}, false // nothing that makes it longer
		if out.truncated {
			r.counted.truncated()
		}
	}
	out.opt.bare = !readable
	if readable {
		r.fillOPT(request, st, c, &out)
	}
	return out, true
}

// outcome asks the snapshot, if the judges let the query through.
func (r *responder) outcome(v verdict, c *client) response {
	q, s := &r.q, r.server
	if !v.accepted() {
		return response{rcode: v.rcode, answer: Answer{account: account{class: rrl.Error}}, opt: optReply{ede: v.ede}}
	}
	if answer, ok := s.policy.chaos(q); ok {
		return response{answer: answer}
	}
	snapshot := s.snapshot()
	if snapshot == nil {
		return response{rcode: dns.RcodeServerFailure, answer: Answer{account: account{class: rrl.Error}},
			opt: optReply{ede: ExtendedError{Code: edeNotReady}}}
	}
	question := Question{Name: q.name(), Type: q.qtype, Class: q.qclass, LDNS: c.addr, Listener: c.listener()}
	if s.policy.believes(c.addr) {
		question.Subnet = q.opt.subnet.prefix
	}
	answer := snapshot.resolve(q.labels, question, s.now(), nil)
	out := response{rcode: answer.Rcode, answer: answer, opt: optReply{scope: answer.Scope, ede: answer.EDE}}
	if q.opt.zoneVersion && answer.Rcode != dns.RcodeRefused {
		zones, _ := snapshot.seenBy(question.Listener, question.LDNS)
		out.opt.zoneVersion = zones.version(q)
	}
	return out
}

// limit counts a response under its account.
func (r *responder) limit(c *client, st standing, out *response) rrl.Action {
	return r.server.policy.limit(c, st, out.answer.account, r.nanos)
}

// finished limits and counts a response that was made elsewhere: of a NOTIFY, or of a request for a transfer. Errors alone are
// limited, because the others go to those who are listed.
func (r *responder) finished(wire []byte, c *client) []byte {
	rcode := int(wire[3] & rcodeMask)
	if rcode != dns.RcodeSuccess {
		switch r.server.policy.limit(c, standing{}, account{class: rrl.Error}, r.nanos) {
		case rrl.Drop:
			return nil
		case rrl.Slip:
			wire = shortened(wire, wire)
			r.counted.truncated()
		}
	}
	r.counted.answered(rcode, Slow)
	return wire
}

// fillOPT decides which options the response carries.
func (r *responder) fillOPT(request []byte, st standing, c *client, out *response) {
	q, s, o := &r.q, r.server, &out.opt
	o.nsid = s.nsid
	if st.spoke {
		o.cookie = s.policy.appendCookie(nil, q.opt.cookie, st, c, r.unix())
	}
	if q.opt.keepalive && (c.transport == TCP || c.transport == TLS) {
		o.idle = uint16(min(s.admitted.idleTimeout()/keepaliveUnit, 1<<16-1))
	}
	o.pad = q.opt.padding && c.transport.encrypted()
	if out.answer.account.class == rrl.Error && c.transport == UDP {
		o.room = max(1, len(request)+maxErrorGrowth-headerOctets-len(q.question)-optOctets)
	}
}

// version returns the data of a ZONEVERSION option (RFC 9660 section 2): the number of labels in the name of the zone that
// answers, type 0 for the serial of its SOA, and that. It is nil for names in no zone.
func (z *Zones) version(q *query) []byte {
	zone, ok := z.find(q.labels, q.qtype)
	if !ok {
		return nil
	}
	for _, rr := range z.negative(zone) {
		if soa, ok := rr.(*dns.SOA); ok {
			return binary.BigEndian.AppendUint32([]byte{uint8(z.zones[zone].Labels()), 0}, soa.Serial)
		}
	}
	return nil
}

// notified gives a NOTIFY to who takes it.
func (r *responder) notified(request []byte, c *client) []byte {
	if r.server.notify == nil || !isNotify(request) {
		return nil
	}
	return r.server.notify(request, netip.AddrPortFrom(c.addr, c.port), c.transport)
}
