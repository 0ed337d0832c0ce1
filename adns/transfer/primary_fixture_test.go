package transfer

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"testing"

	"fairlead/config"

	"github.com/miekg/dns"
)

// primary is a server in memory that a Secondary transfers from. Its zone is what Published of transfers said.
type primary struct {
	t         testing.TB
	transfers *Transfers
	keys      *Keys

	mu    sync.Mutex
	zone  *memoryZone
	down  bool
	asked map[uint16]int // requests by type
	// answer replaces the messages of an answer, if it is set.
	answer func(q *dns.Msg, messages [][]byte) [][]byte
	silent bool // after the answer, and if there is none: the connection stays open
}

func newPrimary(t testing.TB, keys *Keys) *primary {
	return &primary{t: t, transfers: New(Options{Keys: keys}), keys: keys, asked: map[uint16]int{}}
}

func (p *primary) publish(zone *memoryZone) {
	p.mu.Lock()
	p.zone = zone
	p.mu.Unlock()
	p.transfers.Published(everybody(p.t), source{zone})
}

func (p *primary) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *primary) count(qtype uint16) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[qtype]
}

func (p *primary) dial(ctx context.Context, network, address string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	go p.serve(ours)
	return theirs, nil
}

// serve answers the one request of a connection.
func (p *primary) serve(conn net.Conn) {
	defer conn.Close()
	buf := make([]byte, maxMessage)
	n, err := readMessage(conn, buf)
	if err != nil {
		return
	}
	q := new(dns.Msg)
	if q.Unpack(buf[:n]) != nil {
		return
	}
	p.mu.Lock()
	qtype := q.Question[0].Qtype
	p.asked[qtype]++
	zone, change, silent := p.zone, p.answer, p.silent
	p.mu.Unlock()
	messages := p.messages(q, buf[:n], zone)
	if change != nil {
		messages = change(q, messages)
	}
	for _, m := range messages {
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...)); err != nil {
			return
		}
	}
	if silent {
		_, _ = conn.Read(buf) // until the other side gives up
	}
}

func (p *primary) messages(q *dns.Msg, request []byte, zone *memoryZone) (out [][]byte) {
	if q.Question[0].Qtype != dns.TypeSOA {
		_ = p.transfers.Serve(context.Background(), request, q, client, func(b []byte) error {
			out = append(out, append([]byte(nil), b...))
			return nil
		})
		return out
	}
	sig := p.keys.Verify(request, p.transfers.now())
	m := new(dns.Msg).SetReply(q)
	m.Answer = []dns.RR{zone.soa}
	if sig.Rcode != dns.RcodeSuccess {
		m.Rcode, m.Answer = sig.Rcode, nil
	}
	packed, err := m.Pack()
	if err == nil {
		packed, err = sig.Sign(packed)
	}
	if err != nil {
		p.t.Error(err)
	}
	return [][]byte{packed}
}

// secondaryOf is a document with example.test as a secondary zone.
func secondaryOf(t testing.TB, primaries string) *config.Document {
	return document(t, "primaries: "+primaries)
}
