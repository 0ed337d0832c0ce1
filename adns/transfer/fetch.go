package transfer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"github.com/miekg/dns"
)

// Times of a transfer from a primary.
const (
	dialTime  = 10 * time.Second
	idleTime  = 30 * time.Second // between two messages
	fetchTime = 15 * time.Minute // a whole transfer
)

// fetcher brings zones from primaries. It is immutable.
type fetcher struct {
	keys *Keys
	now  func() time.Time
	dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// fetched is what a primary has.
type fetched struct {
	serial uint32
	zone   *image // nil: what is here is as new
	form   string // formAXFR or formIXFR
}

const (
	formAXFR = "axfr"
	formIXFR = "ixfr"
)

// fetch asks a primary for its SOA and, when that is newer than old, brings the zone: by differences if it can, else
// whole: also when the primary does not know IXFR, or its differences are wrong in any way. old is nil when there is nothing yet.
func (f *fetcher) fetch(ctx context.Context, zone string, from target, old *image) (fetched, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	if old != nil {
		soa, err := f.poll(ctx, zone, from)
		if err != nil {
			return fetched{}, err
		}
		if !newer(soa.Serial, old.soa.Serial) {
			return fetched{serial: soa.Serial}, nil
		}
		got, err := f.transfer(ctx, zone, from, dns.TypeIXFR, old)
		var broken net.Error // the network's, which another question does not mend
		if err == nil || ctx.Err() != nil || errors.As(err, &broken) {
			return got, err
		}
	}
	return f.transfer(ctx, zone, from, dns.TypeAXFR, old)
}

// whole brings a zone without regard to what is here.
func (f *fetcher) whole(ctx context.Context, zone string, from target, old *image) (fetched, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	return f.transfer(ctx, zone, from, dns.TypeAXFR, old)
}

// poll asks for the SOA.
func (f *fetcher) poll(ctx context.Context, zone string, from target) (*dns.SOA, error) {
	q := newQuestion(zone, dns.TypeSOA)
	var soa *dns.SOA
	err := f.exchange(ctx, q, from, func(packed []byte) (bool, error) {
		m := new(dns.Msg)
		if err := m.Unpack(packed); err != nil {
			return false, fmt.Errorf("read message: %w", err)
		}
		r := receiver{id: q.Id, question: q.Question[0]}
		switch {
		case m.Id != q.Id, !m.Response, m.Opcode != dns.OpcodeQuery, m.Truncated, len(m.Question) != 1, !r.asked(m.Question[0]):
			return false, errors.New("the message is no answer to the question for the SOA")
		case m.Rcode != dns.RcodeSuccess:
			return false, fmt.Errorf("%w: %s", errRcode, rcodeName(m.Rcode))
		}
		for _, rr := range m.Answer {
			if s, ok := rr.(*dns.SOA); ok && zoneName(s.Hdr.Name) == zone && s.Hdr.Class == dns.ClassINET {
				soa = s
				return true, nil
			}
		}
		return false, errors.New("the primary does not serve the zone: its answer has no SOA")
	})
	return soa, err
}

// transfer brings a zone in one of the two forms.
func (f *fetcher) transfer(ctx context.Context, zone string, from target, form uint16, old *image) (fetched, error) {
	q := newQuestion(zone, form)
	if form == dns.TypeIXFR {
		q.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: zone, Rrtype: dns.TypeSOA, Class: dns.ClassINET}, Ns: ".", Mbox: ".", Serial: old.soa.Serial}}
	}
	r := newReceiver(zone, q, old)
	err := f.exchange(ctx, q, from, func(packed []byte) (bool, error) {
		err := r.message(packed)
		return r.done(), err
	})
	if err != nil {
		return fetched{}, err
	}
	out := fetched{serial: r.soa.Serial, zone: r.result(), form: formAXFR}
	if r.edit != nil {
		out.form = formIXFR
	}
	return out, nil
}

func newQuestion(zone string, qtype uint16) *dns.Msg {
	return &dns.Msg{MsgHdr: dns.MsgHdr{Id: uint16(rand.Uint32())}, Question: []dns.Question{{Name: zone, Qtype: qtype, Qclass: dns.ClassINET}}}
}

// exchange sends a request over TCP and hands each message of the answer, whose signature was checked, to take until
// that says it was the last one.
func (f *fetcher) exchange(ctx context.Context, q *dns.Msg, from target, take func(packed []byte) (last bool, err error)) error {
	request, check, err := f.keys.request(q, from.key, f.now)
	if err != nil {
		return err
	}
	dialing, cancel := context.WithTimeout(ctx, dialTime)
	conn, err := f.dial(dialing, "tcp", from.address)
	cancel()
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	err = f.converse(conn, request, &check, take)
	if ctx.Err() != nil {
		return fmt.Errorf("the transfer was stopped: %w", context.Cause(ctx))
	}
	return err
}

func (f *fetcher) converse(conn net.Conn, request []byte, check *checker, take func([]byte) (bool, error)) error {
	if err := conn.SetDeadline(time.Now().Add(idleTime)); err != nil {
		return err
	}
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(request))), request...)); err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	buf := make([]byte, maxMessage)
	for received := 0; received < maxReceived; {
		if err := conn.SetDeadline(time.Now().Add(idleTime)); err != nil {
			return fmt.Errorf("the answer ends too early: %w", err)
		}
		n, err := readMessage(conn, buf)
		if err != nil {
			return fmt.Errorf("the answer ends too early: %w", err)
		}
		received += n
		signature := check.check(buf[:n])
		if signature != nil && check.key == nil {
			return signature
		}
		last, err := take(buf[:n])
		switch {
		case signature != nil && !errors.Is(err, errRcode):
			return signature
		case signature != nil:
			return fmt.Errorf("%w (%w)", signature, err) // a refusal is often not signed, and says more
		case err != nil:
			return err
		case last:
			return check.end()
		}
	}
	return fmt.Errorf("the answer has more than %d octets", maxReceived)
}

// readMessage reads a message with its length before it (RFC 1035 section 4.2.2).
func readMessage(conn io.Reader, buf []byte) (int, error) {
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return 0, err
	}
	n := int(binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(conn, buf[:n])
	return n, err
}
