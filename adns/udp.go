package adns

import (
	"encoding/binary"

	"fairlead/adns/rrl"
	"fairlead/adns/udp"
	"fairlead/config"
	"fairlead/config/zonedata"

	"go.uber.org/zap"
)

// touchOctets is how much zone data there must be before a batch's names are touched ahead: less stays in the processor's
// caches by itself.
const touchOctets = 1 << 20

// datagramIO is a way of the node file as the engine names it.
func datagramIO(io config.DatagramIO) udp.IO {
	for _, known := range []udp.IO{udp.Raw, udp.Netpoll, udp.Portable} {
		if string(io) == known.String() {
			return known
		}
	}
	return udp.Auto
}

// datagrams answers the batches of one worker.
type datagrams struct {
	r      *responder
	client client
	ahead  [udp.BatchSize]lookAhead
	// touched keeps what touch read, so that the reads are not left out as useless.
	touched uint64
}

// lookAhead is what touch finds out about a query.
type lookAhead struct {
	hash, slot uint64
	zone       uint32
	qtype      uint16
	known      bool // the rest is valid
}

func (s *Server) newDatagrams(int) udp.Handler {
	return &datagrams{r: s.newResponder(), client: client{transport: UDP}}
}

// Serve implements udp.Handler.
func (d *datagrams) Serve(batch []udp.Packet) {
	if len(batch) > 1 {
		d.touch(batch)
	}
	for next := 0; next < len(batch); {
		next = d.serveFrom(batch, next)
	}
	d.r.flush()
}

// serveFrom answers the datagrams of a batch from one on, and returns which one is next: all are answered, unless one made
// the program panic. That one gets SERVFAIL.
func (d *datagrams) serveFrom(batch []udp.Packet, first int) (next int) {
	next = first
	defer func() {
		if p := recover(); p != nil {
			packet := &batch[next]
			packet.Out, packet.N = d.r.server.panicked(packet.Buf[:min(packet.N, len(packet.Buf))], p), 0
			next++
		}
	}()
	for ; next < len(batch); next++ {
		d.serve(&batch[next])
	}
	return next
}

// serve answers one datagram.
func (d *datagrams) serve(p *udp.Packet) {
	c := &d.client
	c.addr, c.port, c.local = p.From.Addr().WithZone(""), p.From.Port(), p.Local
	if c.port == 0 { // nobody can receive there
		d.r.counted.query(UDP)
		d.r.counted.dropped()
		p.N = 0
		return
	}
	n := p.N
	if p.Cut {
		n = min(n, headerOctets) // no query is that long: the header is enough for FORMERR
	}
	wire := d.r.answerBare(p.Buf, n, c)
	switch {
	case len(wire) == 0:
		p.N = 0
	case &wire[0] == &p.Buf[0]:
		p.N = len(wire)
	default:
		p.Out = wire
	}
}

// touch reads the places in memory that a batch will need, all of a kind at once: the processor then waits for them
// together and not one after the other.
func (d *datagrams) touch(batch []udp.Packet) {
	// What panics here will again when it is served, and is told of there.
	defer func() { _ = recover() }()
	snapshot := d.r.server.snapshot()
	if snapshot == nil || snapshot.Zones.octets < touchOctets {
		return
	}
	// Of clients who see other zones the wrong places are read, which costs them as much as none.
	zones, l := snapshot.Zones, &d.r.labels
	for i := range batch {
		p, a := &batch[i], &d.ahead[i]
		a.known = false
		if p.N < headerOctets || !l.parse(p.Buf[headerOctets:p.N:len(p.Buf)]) {
			continue
		}
		if a.zone, a.known = zones.longest(l, 0); a.known {
			a.hash, a.qtype = l.hash, binary.BigEndian.Uint16(p.Buf[headerOctets+l.size:])
			d.touched += zones.zones[a.zone].Slot(a.hash)
		}
	}
	for i := range batch {
		if a := &d.ahead[i]; a.known {
			data := zones.zones[a.zone]
			a.slot = data.Slot(a.hash)
			d.touched += uint64(data.Touch(a.slot))
		}
	}
	d.touchAccounts(batch)
}

// touchAccounts is touch for the rate limit: most answers come from the node in the slot.
func (d *datagrams) touchAccounts(batch []udp.Packet) {
	limiter := d.r.server.policy.limiter
	if limiter == nil {
		return
	}
	for i := range batch {
		if a := &d.ahead[i]; a.known {
			m := match{node: zonedata.Ref(a.slot)}
			client := batch[i].From.Addr()
			d.touched += limiter.Touch(limiter.Key(client, rrl.Answer, m.detail(a.zone, a.qtype)))
		}
	}
}

// TooLarge implements udp.TooLarger: the response that did not fit becomes one that sends the client to TCP.
func (d *datagrams) TooLarge(p *udp.Packet) {
	response := p.Buf[:min(p.N, len(p.Buf))]
	if len(p.Out) > 0 {
		response = p.Out
	}
	short := shortened(p.Buf, response)
	p.N, p.Out = len(short), nil
}

// shortened makes of a response the same with TC and no more than question and OPT; a signature would not hold any more. It is
// written to buf, which may be where response is.
func shortened(buf, response []byte) []byte {
	if len(response) < headerOctets {
		return nil
	}
	end := headerOctets
	if binary.BigEndian.Uint16(response[4:]) == 1 {
		name, ok := skipQuestionName(response, end)
		if !ok || name+4 > len(response) {
			return nil
		}
		end = name + 4
	}
	_, options, withOPT := findOPT(response, end)
	var record []byte
	if withOPT { // it is owned by the root; a signature may come behind it
		at := cap(response) - cap(options)
		record = append(record, response[at-optOctets:at+len(options)]...)
	}
	short := append(buf[:0], response[:end]...)
	short[2] |= flagTruncated >> 8
	for i := 6; i < headerOctets; i++ {
		short[i] = 0
	}
	if withOPT {
		short[11] = 1
		short = append(short, record...)
	}
	return short
}

// Idle implements udp.Idler.
func (d *datagrams) Idle() { d.r.flush() }

// logListening says where and how UDP is served.
func (s *Server) logListening(e *endpoint) {
	s.log.Info("dns.listening", zap.Stringer("address", e.addr), zap.Int("workers", s.workers),
		zap.Stringer("io", e.packet.IO().IO), zap.String("because", e.packet.IO().Reason))
}
