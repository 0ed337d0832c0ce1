package transfer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"fairlead/config"

	"github.com/miekg/dns"
	"go.uber.org/zap"
	"golang.org/x/time/rate"
)

// Limits of transfers that are served.
const (
	// MaxServed is how many transfers are served at once, MaxServedPerClient how many of them to one address: as many
	// as another Fairlead asks for.
	MaxServed          = 16
	MaxServedPerClient = MaxFetches
	// maxServeTime is the longest a transfer can take. After slowGrace a reader must have taken slowOctets each second.
	maxServeTime = 15 * time.Minute
	slowGrace    = 10 * time.Second
	slowOctets   = 16 << 10
	// logsPerSecond bounds log lines that a client can cause.
	logsPerSecond = 1
	logBurst      = 10
)

// ErrSlowReader says that a transfer was cut because its client took too long.
var ErrSlowReader = errors.New("the client reads too slowly")

// Options say what Transfers are made of. All of it is optional.
type Options struct {
	Keys *Keys
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
	// Dial opens the sockets that NOTIFY is sent from; the network is "udp". Nil: the system's.
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Logger *zap.Logger
}

// Transfers serves zones to other servers and tells them of changes. Safe for concurrent use.
type Transfers struct {
	keys *Keys
	now  func() time.Time
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	log  *zap.Logger
	said *rate.Limiter

	zones atomic.Pointer[published]

	publishing sync.Mutex // one Published at a time
	mu         sync.Mutex
	serving    int
	clients    map[netip.Addr]int

	notices notices
	counters
}

// counters are since the start.
type counters struct{ whole, incremental, current, refused, failed, notified, unanswered atomic.Uint64 }

// Stats are counts since the start.
type Stats struct {
	Whole       uint64 // zones sent as a whole
	Incremental uint64 // as differences
	Current     uint64 // clients that had the newest version
	Refused     uint64 // clients that may not, unknown zones, bad signatures, too many at once
	Failed      uint64 // transfers that were begun and not finished
	Notified    uint64 // NOTIFY messages that were answered
	Unanswered  uint64 // NOTIFY that were given up
}

// New returns transfers without zones: everything is refused until Published.
func New(o Options) *Transfers {
	t := &Transfers{keys: o.Keys, now: o.Now, dial: o.Dial, log: o.Logger, clients: map[netip.Addr]int{},
		said: rate.NewLimiter(logsPerSecond, logBurst)}
	if t.now == nil {
		t.now = time.Now
	}
	if t.dial == nil {
		t.dial = new(net.Dialer).DialContext
	}
	if t.log == nil {
		t.log = zap.NewNop()
	}
	t.notices.wake = make(chan struct{}, 1)
	t.zones.Store(&published{})
	return t
}

// Stats returns the counts.
func (t *Transfers) Stats() Stats {
	c := &t.counters
	return Stats{c.whole.Load(), c.incremental.Load(), c.current.Load(), c.refused.Load(), c.failed.Load(), c.notified.Load(), c.unanswered.Load()}
}

// published is what is served. It never changes.
type published struct {
	byID   map[string]*version   // of each variant
	byName map[string][]*version // by canonical name: variants of all zones of that name
}

// find returns what a client in a view sees of a name; nil when that is nothing, or cannot be transferred.
func (p *published) find(name, view string) (others *version) {
	for _, v := range p.byName[name] {
		if len(v.views) == 0 {
			others = v
		} else if slices.Contains(v.views, view) {
			return v
		}
	}
	return others
}

// Published says that the zones of a valid document are served from now on. It compares zones that can be transferred
// with those before, which takes time in proportion to their records, queues a NOTIFY for those whose serial rose, and
// warns of records that changed without one. Zones without a transfer section cost nothing.
func (t *Transfers) Published(doc *config.Document, source Source) {
	t.publishing.Lock()
	defer t.publishing.Unlock()
	before := t.zones.Load()
	next := &published{byID: make(map[string]*version, len(before.byID)), byName: make(map[string][]*version, len(before.byName))}
	var tell []*version
	total := 0
	for i := range doc.Zones {
		z := &doc.Zones[i]
		transfers := len(z.Transfer.Allow) > 0 || len(z.Transfer.Notify) > 0
		if !transfers && len(z.Views) == 0 {
			continue
		}
		r := newRules(z)
		if !transfers { // its clients are not to get another zone of that name
			next.byName[r.name] = append(next.byName[r.name], &version{rules: r, views: z.Views})
			continue
		}
		for n, variant := range source.Variants(i) {
			id := zoneID(r.name, variant.Views)
			v, old := t.publish(r, variant, before.byID[id], &total), before.byID[id]
			next.byID[id], next.byName[r.name] = v, append(next.byName[r.name], v)
			// All variants have one serial, and one NOTIFY.
			if n == 0 && v.zone != nil && (old == nil || old.zone == nil || newer(v.zone.Serial(), old.zone.Serial())) {
				tell = append(tell, v)
			}
		}
	}
	t.zones.Store(next)
	dropped := 0
	for _, v := range tell {
		dropped += t.notices.add(v)
	}
	if dropped > 0 {
		t.log.Warn("dns.notify.dropped", zap.Int("messages", dropped), zap.Int("waiting", MaxNotices),
			zap.String("why", "too many wait to be sent; those servers find out by their refresh timers"))
	}
}

// publish makes the next version of a variant of a zone. total is the octets of all histories so far.
func (t *Transfers) publish(r *rules, variant Variant, before *version, total *int) *version {
	zone := variant.Zone
	if zone == nil {
		return &version{rules: r, views: variant.Views}
	}
	v, err := newVersion(zone, r)
	if err != nil {
		t.log.Error("dns.transfer.unusable", zap.String("zone", r.id), zap.Error(err))
		return &version{rules: r, views: variant.Views}
	}
	v.views = variant.Views
	if before == nil || before.zone == nil {
		return v
	}
	old, now := before.zone.Serial(), zone.Serial()
	switch {
	case old == now && v.fingerprint == before.fingerprint:
		v.history = before.history
	case old == now:
		t.log.Warn("dns.zone.serial_unchanged", zap.String("zone", r.id), zap.Uint32("serial", now),
			zap.String("why", "its records changed; secondaries do not notice until the serial is raised"))
	case !newer(now, old):
		t.log.Warn("dns.zone.serial_back", zap.String("zone", r.id), zap.Uint32("from", old), zap.Uint32("to", now),
			zap.String("why", "secondaries keep what they have until the serial is above theirs (RFC 1982)"))
	default:
		if err := v.succeed(before); err != nil {
			t.log.Error("dns.transfer.unusable", zap.String("zone", r.id), zap.Error(err))
		}
	}
	if *total += v.historyOctets(); *total > maxHistoryTotal {
		v.history = nil
	}
	return v
}

// Serve answers a request for AXFR or IXFR, which q is when unpacked. Each message goes to send, which must not keep it
// and gives up by itself when the client does not read. What the client may not have is answered with an error message.
// The result is nil when the answer is complete; otherwise the stream must be closed, since it may end amid a zone.
func (t *Transfers) Serve(ctx context.Context, request []byte, q *dns.Msg, peer Peer, send func([]byte) error) error {
	sig := t.keys.Verify(request, t.now())
	if sig.Rcode != dns.RcodeSuccess {
		return t.refuse(q, &sig, peer, sig.Rcode, 0, send, "its signature does not hold: "+dns.RcodeToString[int(sig.Error)])
	}
	v, rcode, ede, why := t.judge(q, &sig, peer)
	if rcode != dns.RcodeSuccess {
		return t.refuse(q, &sig, peer, rcode, ede, send, why)
	}
	if !t.enter(peer.Addr) {
		return t.refuse(q, &sig, peer, dns.RcodeServerFailure, 0, send, "too many transfers at once")
	}
	defer t.leave(peer.Addr)
	return t.write(ctx, v, q, &sig, peer, send)
}

// judge finds the zone and says whether the client may have it.
func (t *Transfers) judge(q *dns.Msg, sig *Signature, peer Peer) (v *version, rcode int, ede uint16, why string) {
	if len(q.Question) != 1 || q.Question[0].Qclass != dns.ClassINET || q.Opcode != dns.OpcodeQuery {
		return nil, dns.RcodeFormatError, 0, "the question is malformed"
	}
	question := q.Question[0]
	if question.Qtype == dns.TypeIXFR && clientSOA(q) == nil {
		return nil, dns.RcodeFormatError, 0, "the IXFR has no SOA of what the client has (RFC 1995 section 3)"
	}
	v = t.zones.Load().find(zoneName(question.Name), peer.View)
	switch {
	case v == nil || !v.rules.allows(peer.Addr, sig.Key()):
		return nil, dns.RcodeRefused, dns.ExtendedErrorCodeProhibited, "transfer.allow of the zone does not list it"
	case question.Qtype == dns.TypeAXFR && peer.Datagram:
		return nil, dns.RcodeNotImplemented, 0, "AXFR needs a stream (RFC 5936 section 4.2)"
	case v.zone == nil:
		return nil, dns.RcodeServerFailure, dns.ExtendedErrorCodeInvalidData, "the zone has no data"
	}
	return v, dns.RcodeSuccess, 0, ""
}

// clientSOA is the SOA in the authority section, which says what an IXFR client has.
func clientSOA(q *dns.Msg) *dns.SOA {
	for _, rr := range q.Ns {
		if soa, ok := rr.(*dns.SOA); ok && len(q.Question) == 1 && zoneName(soa.Hdr.Name) == zoneName(q.Question[0].Name) {
			return soa
		}
	}
	return nil
}

func (t *Transfers) refuse(q *dns.Msg, sig *Signature, peer Peer, rcode int, ede uint16, send func([]byte) error, why string) error {
	t.refused.Add(1)
	if t.said.AllowN(t.now(), 1) {
		name := ""
		if len(q.Question) > 0 {
			name = q.Question[0].Name
		}
		t.log.Warn("dns.transfer.refused", zap.String("zone", name), zap.Stringer("client", peer.Addr), zap.String("why", why))
	}
	packed, err := reply(q, sig, rcode, false, ede)
	if err != nil {
		return err
	}
	return send(packed)
}

func (t *Transfers) enter(client netip.Addr) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.serving >= MaxServed || t.clients[client] >= MaxServedPerClient {
		return false
	}
	t.serving++
	t.clients[client]++
	return true
}

func (t *Transfers) leave(client netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.serving--
	if t.clients[client]--; t.clients[client] == 0 {
		delete(t.clients, client)
	}
}

// write sends the zone in the form that the client can use.
func (t *Transfers) write(ctx context.Context, v *version, q *dns.Msg, sig *Signature, peer Peer, send func([]byte) error) error {
	start := t.now()
	octets := 0
	p := newPacker(q, sig, t.now, func(msg []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		octets += len(msg)
		if err := send(msg); err != nil {
			return err
		}
		taken := t.now().Sub(start)
		if taken > maxServeTime || taken > slowGrace && float64(octets) < taken.Seconds()*slowOctets {
			return ErrSlowReader
		}
		return nil
	})
	form, count, err := t.writeForm(v, q, peer, p)
	if err != nil {
		t.failed.Add(1)
		if t.said.AllowN(t.now(), 1) {
			t.log.Warn("dns.transfer.cut", zap.String("zone", v.rules.id), zap.Stringer("client", peer.Addr), zap.Int64("octets", p.octets), zap.Error(err))
		}
		return fmt.Errorf("transfer zone %q to %s: %w", v.rules.name, peer.Addr, err)
	}
	count.Add(1)
	if count != &t.current && t.said.AllowN(t.now(), 1) {
		t.log.Info("dns.transfer.sent", zap.String("zone", v.rules.id), zap.Uint32("serial", v.zone.Serial()), zap.String("form", form),
			zap.Stringer("client", peer.Addr), zap.String("key", sig.Key()), zap.Int("messages", p.count), zap.Int64("octets", p.octets))
	}
	return nil
}

// writeForm chooses between the SOA alone, differences and the whole zone (RFC 1995 section 2).
func (t *Transfers) writeForm(v *version, q *dns.Msg, peer Peer, p *packer) (form string, count *atomic.Uint64, err error) {
	if q.Question[0].Qtype == dns.TypeIXFR {
		serial := clientSOA(q).Serial
		if peer.Datagram || !newer(v.zone.Serial(), serial) { // from a datagram it is for the client to come again by TCP
			if err := p.add(v.zone.SOA()); err != nil {
				return "", nil, err
			}
			return "soa", &t.current, p.flush()
		}
		if steps, ok := v.since(serial); ok {
			return "ixfr", &t.incremental, v.writeSteps(p, steps)
		}
	}
	return "axfr", &t.whole, v.writeWhole(p)
}
