package transfer

import (
	"errors"
	"fmt"
	"time"

	"github.com/miekg/dns"
)

// ednsSize is the UDP size that answers advertise.
const ednsSize = 1232

// reply makes a packed and signed message without records that answers a request.
func reply(q *dns.Msg, sig *Signature, rcode int, authoritative bool, ede uint16) ([]byte, error) {
	m := &dns.Msg{MsgHdr: dns.MsgHdr{Id: q.Id, Response: true, Opcode: q.Opcode, Authoritative: authoritative, RecursionDesired: q.RecursionDesired, Rcode: rcode}}
	if len(q.Question) == 1 {
		m.Question = q.Question
	}
	if opt := replyOPT(q); opt != nil {
		if ede != 0 {
			opt.Option = append(opt.Option, &dns.EDNS0_EDE{InfoCode: ede})
		}
		m.Extra = append(m.Extra, opt)
	}
	packed, err := m.Pack()
	if err != nil {
		return nil, fmt.Errorf("pack answer: %w", err)
	}
	return sig.Sign(packed)
}

// replyOPT answers the request's OPT, nil when it had none.
func replyOPT(q *dns.Msg) *dns.OPT {
	asked := q.IsEdns0()
	if asked == nil {
		return nil
	}
	opt := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT, Class: ednsSize}}
	if asked.Do() {
		opt.SetDo()
	}
	return opt
}

// packer puts records into messages of a transfer: many in each, with compressed names, signed. RFC 5936 section 2.2.
type packer struct {
	q       *dns.Msg
	signer  signer
	limit   int // octets before the signature
	send    func([]byte) error
	buf     []byte
	off     int
	records int
	first   bool
	names   map[string]int
	opt     *dns.OPT
	octets  int64 // sent
	count   int   // messages sent
}

// Sizes of messages.
const (
	// fullMessage is where a message of a transfer ends: names cannot be compressed beyond (RFC 1035 section 4.1.4).
	fullMessage = 16 << 10
	optOctets   = 11
)

func newPacker(q *dns.Msg, sig *Signature, now func() time.Time, send func([]byte) error) *packer {
	return &packer{q: q, signer: signer{sig: sig, now: now}, send: send, buf: make([]byte, maxMessage), first: true,
		names: map[string]int{}, opt: replyOPT(q), limit: maxMessage - optOctets - sig.Room()}
}

// add puts one record behind the others and sends the message before when it is full. The record may be shared with other
// transfers: packing writes the length of its data into it, so it is a copy that is packed.
func (p *packer) add(rr dns.RR) error {
	rr = dns.Copy(rr)
	if p.off >= fullMessage {
		if err := p.flush(); err != nil {
			return err
		}
	}
	for {
		if p.off == 0 {
			if err := p.begin(); err != nil {
				return err
			}
		}
		end, err := dns.PackRR(rr, p.buf[:p.limit], p.off, p.names, true)
		if err == nil {
			p.off = end
			p.records++
			return nil
		}
		if p.records == 0 {
			return fmt.Errorf("pack record %s %s: %w", rr.Header().Name, dns.Type(rr.Header().Rrtype), err)
		}
		if err := p.flush(); err != nil {
			return err
		}
	}
}

// begin writes the header, and the question into the first message.
func (p *packer) begin() error {
	m := &dns.Msg{MsgHdr: dns.MsgHdr{Id: p.q.Id, Response: true, Opcode: p.q.Opcode, Authoritative: true, RecursionDesired: p.q.RecursionDesired}}
	clear(p.names)
	if p.first {
		m.Question = p.q.Question
	}
	packed, err := m.Pack()
	if err != nil {
		return fmt.Errorf("pack header of a transfer: %w", err)
	}
	p.off = copy(p.buf, packed)
	if p.first { // so that owners point at the question's name
		p.names[p.q.Question[0].Name] = headerOctets
	}
	p.first = false
	return nil
}

// flush finishes, signs and sends the message.
func (p *packer) flush() error {
	if p.records == 0 {
		return nil
	}
	msg := p.buf[:p.off]
	msg[6], msg[7] = byte(p.records>>8), byte(p.records)
	if p.opt != nil {
		end, err := dns.PackRR(p.opt, p.buf, p.off, nil, false)
		if err != nil {
			return fmt.Errorf("pack OPT of a transfer: %w", err)
		}
		msg = p.buf[:end]
		msg[offsetAdditionals+1] = 1
	}
	signed, err := p.signer.sign(msg)
	if err != nil {
		return err
	}
	if err := p.send(signed); err != nil {
		return errors.Join(errSend, err)
	}
	p.octets += int64(len(signed))
	p.count++
	p.off, p.records = 0, 0
	return nil
}

// errSend is the other side's fault: it went away, or reads too slowly.
var errSend = errors.New("send transfer")
