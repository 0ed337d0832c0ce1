package adns

import (
	"net/netip"
	"time"

	"fairlead/adns/sketch"
	"fairlead/config/zonedata"
	"fairlead/gslb"
)

// scratchOctets is what a responder packs a response into before it goes where the request was. A larger one is
// allocated.
const scratchOctets = 4096

// maxWireOctets is the largest message of any transport.
const maxWireOctets = 65535

// client is who asks, and how.
type client struct {
	addr      netip.Addr // unmapped, without a zone
	port      uint16
	local     netip.AddrPort // the address that was asked; the zero value when it is not known
	transport Transport
}

// listener returns the address that was asked, unmapped and without a zone, as views and policies name it.
func (c *client) listener() netip.Addr { return c.local.Addr().WithZone("") }

// responder is one goroutine's state for answering: buffers and counters that nobody else touches.
type responder struct {
	server  *Server
	q       query
	labels  labels
	scratch []byte
	counted shard
	observe *watcher // nil: nobody looks
	due     int64    // queries to the next one that is sampled
	sketch  *sketch.Source
	late    int64 // when queries come slower than samples are to, as nanos

	fastQuery fastQuery
	decider   gslb.Decider
	wildcard  [maxNameOctets + 2 + zonedata.NamePadding]byte
	// The time of the batch: read once, when its first message is answered.
	ticked  bool
	nanos   int64  // since the server was made
	seconds uint32 // of Unix time, read at the time readAt; 0: not read yet
	readAt  int64  // as nanos
}

// unixFor is how long a reading of the date serves: reading it costs a query as much as deciding does.
const unixFor = int64(20 * time.Millisecond)

// responder lends a responder to the calling goroutine, until it is released.
func (s *Server) responder() *responder { return s.responders.Get().(*responder) }

// release publishes a responder's counters and takes it back.
func (s *Server) release(r *responder) {
	r.flush()
	s.responders.Put(r)
}

// newResponder returns a responder for a goroutine that keeps it.
func (s *Server) newResponder() *responder {
	r := &responder{server: s, scratch: make([]byte, scratchOctets), counted: s.counters.shards.shard(),
		observe: s.observers.watcher(s.now, s.policy), due: neverDue, late: neverDue}
	if s.observers.Sketch != nil {
		r.sketch = s.observers.Sketch.Source()
		r.due, r.late = r.sketch.Gap(), r.sketch.Late()
	}
	return r
}

// flush publishes what was counted, and lets observers have what they were shown. Call it once per batch of messages, after
// the batch was sent.
func (r *responder) flush() {
	r.counted.flush()
	r.ticked = false
	if r.observe != nil {
		r.observe.flush()
	}
}

// answer answers the request buf[:n]: one message, without TCP's length. A nil result means silence. The response starts
// where buf does if it fits there, else it is in memory of its own; buf is no request any more either way. A panic becomes
// SERVFAIL.
func (r *responder) answer(buf []byte, n int, c *client) (wire []byte) {
	defer func() {
		if p := recover(); p != nil {
			wire = r.server.panicked(buf[:n], p)
		}
	}()
	return r.answerBare(buf, n, c)
}

// answerBare is answer for a caller that turns panics into SERVFAIL itself, once for a whole batch.
func (r *responder) answerBare(buf []byte, n int, c *client) []byte {
	if !r.ticked {
		r.tick()
	}
	r.counted.query(c.transport)
	if r.observe != nil {
		return r.answerObserved(buf, n, c)
	}
	wire := r.answerUnobserved(buf, n, c)
	if r.due--; r.due <= 0 {
		r.sampled(wire, c)
	}
	return wire
}

// answerObserved is what answerBare does when somebody looks.
func (r *responder) answerObserved(buf []byte, n int, c *client) []byte {
	r.observe.before(buf[:n], c)
	wire := r.answerUnobserved(buf, n, c)
	r.observe.after(wire, c)
	if r.due--; r.due <= 0 {
		r.sampled(wire, c)
	}
	return wire
}

// tick reads the clock.
func (r *responder) tick() {
	s := r.server
	if s.monotonic {
		r.nanos = int64(time.Since(s.made))
		r.counted.start(s.made, r.nanos)
	} else {
		r.nanos = int64(s.now().Sub(s.made))
	}
	r.ticked = true
	if r.nanos > r.late {
		r.due = r.sketch.Slow(r.nanos, r.due)
		r.late = r.sketch.Late()
	}
	if r.nanos-r.readAt > unixFor || !s.monotonic {
		r.seconds = 0
	}
}

// unix returns the time of the batch in seconds, late by unixFor at most. It is read when the first message needs it.
func (r *responder) unix() uint32 {
	if r.seconds == 0 {
		r.readClock()
	}
	return r.seconds
}

func (r *responder) readClock() { r.seconds, r.readAt = uint32(r.server.now().Unix()), r.nanos }

// answerUnobserved is what answerBare does when nobody looks.
func (r *responder) answerUnobserved(buf []byte, n int, c *client) []byte {
	if size, ok := r.fast(buf[:cap(buf)], n, c); ok {
		if size == 0 {
			return nil
		}
		return buf[:size]
	}
	request := buf[:n]
	verdict := judgeHeader(request)
	if verdict.silent {
		r.counted.dropped()
		return nil
	}
	return r.answerSlow(buf, request, verdict, c)
}

// answerSlow answers by way of miekg/dns: everything that is rare.
func (r *responder) answerSlow(buf, request []byte, verdict verdict, c *client) []byte {
	s, q := r.server, &r.q
	*q = query{labels: &r.labels}
	q.parse(request)
	if q.question != nil {
		r.counted.asked(q.qtype)
	}
	if verdict.accepted() {
		verdict = judgeMessage(q)
	}
	if wire := r.notified(request, c); wire != nil {
		return r.finished(wire, c)
	}
	if wire := r.transferred(request, c); wire != nil {
		return r.finished(wire, c)
	}
	signature := r.signature(request, &verdict)
	out, send := r.respondSlow(request, verdict, c)
	if !send {
		return nil
	}
	out.reserve = signature.Room()
	wire, rcode := s.encode(request, q, &out, c.transport, r.scratch)
	wire = s.sign(request, wire, &signature)
	r.counted.answered(rcode, Slow)
	if len(wire) <= cap(buf) {
		return buf[:copy(buf[:cap(buf)], wire)]
	}
	if len(wire) <= len(r.scratch) { // the scratch is used again
		return append([]byte(nil), wire...)
	}
	return wire
}
