package adns

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"fairlead/adns/dnstap"
	"fairlead/adns/querylog"
	"fairlead/adns/sketch"
)

// Observers are shown queries and answers. They never change one, and never make one wait.
type Observers struct {
	Dnstap   *dnstap.Sink   // nil: none
	QueryLog *querylog.Log  // nil: none
	Sketch   *sketch.Sketch // nil: none
}

// addTo adds what the observers counted.
func (o Observers) addTo(st *Stats) {
	if o.Dnstap != nil {
		st.Dnstap = o.Dnstap.Stats()
	}
	if o.QueryLog != nil {
		st.QueryLog = o.QueryLog.Stats()
	}
}

// watcher shows a responder's queries and answers to the observers. It belongs to the responder's goroutine.
type watcher struct {
	now     func() time.Time
	policy  *policy
	tap     *dnstap.Source
	log     *querylog.Source
	began   time.Time // when the batch was taken up; zero: there is none
	message dnstap.Message
	entry   querylog.Entry
}

// watcher returns a watcher for one goroutine; nil when nobody looks.
func (o Observers) watcher(now func() time.Time, p *policy) *watcher {
	if o.Dnstap == nil && o.QueryLog == nil {
		return nil
	}
	out := &watcher{now: now, policy: p}
	if o.Dnstap != nil {
		out.tap = o.Dnstap.Source()
	}
	if o.QueryLog != nil {
		out.log = o.QueryLog.Source()
	}
	return out
}

// before shows a request. It is called before the request is answered, because the answer takes its place.
func (o *watcher) before(request []byte, c *client) {
	if o.began.IsZero() {
		o.began = o.now()
	}
	if o.tap == nil {
		return
	}
	o.message = dnstap.Message{Protocol: protocols[c.transport], Client: netip.AddrPortFrom(c.addr, c.port), Server: c.local,
		QueryTime: o.began.UnixNano(), Wire: request}
	o.tap.Query(&o.message)
}

// protocols is what dnstap calls transports.
var protocols = [numTransports]dnstap.Protocol{UDP: dnstap.UDP, TCP: dnstap.TCP, TLS: dnstap.DOT, HTTPS: dnstap.DOH}

// after shows the answer to the request that before has shown. Nil: there is none.
func (o *watcher) after(response []byte, c *client) {
	if response == nil {
		return
	}
	if o.tap != nil && o.tap.Responses() {
		o.message.ResponseTime, o.message.Wire = o.now().UnixNano(), response
		o.tap.Response(&o.message)
	}
	if o.log != nil && o.log.Due() {
		o.record(response, c)
	}
}

// flush ends a batch.
func (o *watcher) flush() {
	if o.tap != nil {
		o.tap.Flush()
	}
	o.began = time.Time{}
}

// record writes an answer into the query log. What it needs of the question stands in the answer.
func (o *watcher) record(response []byte, c *client) {
	e := &o.entry
	*e = querylog.Entry{Time: o.began, Took: o.now().Sub(o.began), Client: c.addr, Listener: c.local.Addr(), Transport: c.transport.String(),
		Rcode: uint16(response[3] & rcodeMask), Answers: binary.BigEndian.Uint16(response[6:]), Scope: querylog.NoScope}
	off := headerOctets
	if binary.BigEndian.Uint16(response[4:]) == 1 {
		end, ok := skipQuestionName(response, off)
		if ok && end+4 <= len(response) {
			e.SetName(response[off:end])
			e.Type = binary.BigEndian.Uint16(response[end:])
			off = end + 4
		}
	}
	if ttl, options, ok := findOPT(response, off); ok {
		e.Rcode |= uint16(ttl>>extendedRcodeShift) << 4
		if e.Scope = scopeOf(options); e.Scope != querylog.NoScope && o.policy.believes(c.addr) {
			e.Subnet = subnetOf(options)
		}
	}
	o.log.Record(e)
}

const (
	rcodeMask          = 0x0f
	extendedRcodeShift = 24 // in the TTL of an OPT
)

// findOPT returns the TTL and the options of a response's OPT. off is behind the question.
func findOPT(response []byte, off int) (ttl uint32, options []byte, ok bool) {
	for off < len(response) {
		fixed, ok := skipRecordName(response, off)
		if !ok || fixed+10 > len(response) {
			break
		}
		end := fixed + 10 + int(binary.BigEndian.Uint16(response[fixed+8:]))
		if end > len(response) {
			break
		}
		if binary.BigEndian.Uint16(response[fixed:]) == dns.TypeOPT {
			return binary.BigEndian.Uint32(response[fixed+4:]), response[fixed+10 : end], true
		}
		off = end
	}
	return 0, nil, false
}

// scopeOf returns the scope prefix length of the EDNS Client Subnet among options, or NoScope.
func scopeOf(options []byte) int16 {
	const header, scope = 4, 3 // octets of an option's code and length; where the scope is in its data
	for len(options) >= header {
		code, length := binary.BigEndian.Uint16(options), int(binary.BigEndian.Uint16(options[2:]))
		data := options[header:]
		if length > len(data) {
			break
		}
		if code == dns.EDNS0SUBNET && length > scope {
			return int16(data[scope])
		}
		options = data[length:]
	}
	return querylog.NoScope
}
