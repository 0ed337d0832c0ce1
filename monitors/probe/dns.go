package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/miekg/dns"

	"fairlead/config"
	"fairlead/monitors/reason"
)

// Standard ports.
const (
	portDNS = 53
	portDoT = 853
)

// askDNS asks a DNS server a question and passes when the response code is the one that is wanted and the data is among the answers.
func (x *exchange) askDNS() error {
	d, q := x.monitor.DNS, x.prepared.dns.question.Copy()
	transports := []string{"tcp"}
	if d.Transport == config.DNSOverUDP {
		transports = []string{"udp", "tcp"}
	}
	var answer *dns.Msg
	var err error
	for _, network := range transports {
		if answer, err = x.askOver(network, d, q); err != nil {
			return err
		}
		if !answer.Truncated {
			break
		}
		x.step("truncated", "")
	}
	return x.judgeDNS(d, q, x.prepared.dns.want, answer)
}

// dnsAsked is what is known before there is a target.
type dnsAsked struct {
	question *dns.Msg // without an ID
	want     []dns.RR
}

// dnsQuestion is the question of a monitor, and the data that its answers must have.
func dnsQuestion(d *config.DNSProbe) (*dns.Msg, []dns.RR, error) {
	kind, ok := dns.StringToType[strings.ToUpper(d.Type)]
	if !ok {
		return nil, nil, fmt.Errorf("dns.type %q is not a type", d.Type)
	}
	q := new(dns.Msg).SetQuestion(dns.Fqdn(d.Name), kind)
	q.RecursionDesired = d.Recurse
	want, err := config.ParseDNSExpect(d)
	return q, want, err
}

// askOver asks over one transport.
func (x *exchange) askOver(network string, d *config.DNSProbe, q *dns.Msg) (*dns.Msg, error) {
	conn, err := x.openDNS(network, d.Transport)
	if err != nil {
		return nil, err
	}
	q.Id = dns.Id()
	packet, err := q.Pack()
	if err != nil {
		return nil, fmt.Errorf("dns: %w", err)
	}
	link := dnsLink{x: x, conn: conn, stream: network == "tcp"}
	if err := link.write(packet); err != nil {
		return nil, dnsFailed(network, err)
	}
	var rejected error
	for range maxDatagrams {
		b, err := link.read()
		if err != nil {
			if rejected != nil {
				return nil, rejected
			}
			return nil, dnsFailed(network, err)
		}
		answer, err := readDNS(b, q)
		if err == nil {
			x.answered()
			return answer, nil
		}
		if network == "tcp" { // there, nobody else sends
			return nil, err
		}
		rejected = err
	}
	return nil, rejected
}

// dnsLink carries messages: over a stream each with its length before it (RFC 1035 section 4.2.2). A datagram is passed on as it came,
// however short, for it may be forged.
type dnsLink struct {
	x      *exchange
	conn   net.Conn
	stream bool
}

func (l *dnsLink) write(message []byte) error {
	if l.stream {
		message = append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
	}
	_, err := l.conn.Write(message)
	return err
}

func (l *dnsLink) read() ([]byte, error) {
	if !l.stream {
		return l.x.receive(l.conn)
	}
	var size [2]byte
	if _, err := io.ReadFull(l.conn, size[:]); err != nil {
		return nil, err
	}
	message := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(l.conn, message)
	return message, err
}

func (x *exchange) openDNS(network string, transport config.DNSTransport) (net.Conn, error) {
	if transport != config.DNSOverTLS {
		return x.dial(network, portDNS)
	}
	conn, err := x.dial("tcp", portDoT)
	if err != nil {
		return nil, err
	}
	return x.secure(conn, "")
}

func dnsFailed(network string, err error) error {
	if network == "udp" {
		return unreachable(err)
	}
	return reason.During(reason.Answer, err)
}

// readDNS reads a message that must be the response to q.
func readDNS(b []byte, q *dns.Msg) (*dns.Msg, error) {
	var m dns.Msg
	if err := m.Unpack(b); err != nil {
		// What did not fit may be cut off anywhere.
		if len(b) < 4 || b[2]&2 == 0 || len(m.Question) == 0 {
			return nil, fmt.Errorf("malformed DNS answer: %w", err)
		}
	}
	switch {
	case m.Id != q.Id:
		return nil, errors.New("DNS answer with another ID")
	case !m.Response:
		return nil, errors.New("DNS answer that is a query")
	case len(m.Question) == 0 && m.Rcode != dns.RcodeSuccess: // some servers say FORMERR so
		return &m, nil
	case len(m.Question) != 1 || m.Question[0].Qtype != q.Question[0].Qtype || m.Question[0].Qclass != q.Question[0].Qclass ||
		!strings.EqualFold(m.Question[0].Name, q.Question[0].Name):
		return nil, errors.New("DNS answer to another question")
	}
	return &m, nil
}

// judgeDNS judges a response.
func (x *exchange) judgeDNS(d *config.DNSProbe, q *dns.Msg, want []dns.RR, answer *dns.Msg) error {
	got := rcode(answer.Rcode)
	if code, ok := dns.StringToRcode[strings.ToUpper(d.Rcode)]; !ok || code != answer.Rcode { // some codes have several words
		return unlike("%s, want %s", got, d.Rcode)
	}
	kind, count := q.Question[0].Qtype, 0
	for _, rr := range answer.Answer {
		if rr.Header().Rrtype == kind || kind == dns.TypeANY {
			count++
		}
	}
	x.passes("%s, %d %s records", got, count, dns.TypeToString[kind])
	if answer.Rcode != dns.RcodeSuccess {
		return nil
	}
	if count == 0 {
		return unlike("no %s record of %s", dns.TypeToString[kind], q.Question[0].Name)
	}
	for i, w := range want {
		if !hasData(answer.Answer, w) {
			return unlike("%d %s records, none is %s", count, dns.TypeToString[kind], reason.Quote(d.Expect[i]))
		}
	}
	return nil
}

func rcode(n int) string {
	if word, ok := dns.RcodeToString[n]; ok {
		return word
	}
	return fmt.Sprintf("response code %d", n)
}

// hasData reports whether a record has the data of w, whatever its owner: answers may come by way of a CNAME.
func hasData(records []dns.RR, w dns.RR) bool {
	for _, rr := range records {
		if rr.Header().Rrtype != w.Header().Rrtype {
			continue
		}
		same := dns.Copy(w)
		same.Header().Name, same.Header().Class = rr.Header().Name, rr.Header().Class
		if dns.IsDuplicate(rr, same) {
			return true
		}
	}
	return false
}
