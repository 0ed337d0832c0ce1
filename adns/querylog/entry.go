package querylog

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/miekg/dns"
)

// NoScope is the Entry.Scope of an answer without EDNS Client Subnet.
const NoScope = -1

// maxNameOctets is the limit of a name on the wire.
const maxNameOctets = 255

// Entry is one query with its answer. It holds no pointers into messages, so it can be kept.
type Entry struct {
	Time      time.Time     // when the query was taken up
	Took      time.Duration // until it was answered
	Client    netip.Addr
	Subnet    netip.Prefix // EDNS Client Subnet that counts; the zero Prefix: none
	Listener  netip.Addr   // address of this server that was asked; the zero Addr: not known
	Transport string       // "udp", "tcp", "tls" or "https"
	Type      uint16       // 0 with an empty name: there was no question that could be read
	Rcode     uint16
	Answers   uint16 // records in the answer section
	Scope     int16  // scope prefix length in the answer's EDNS Client Subnet, or NoScope
	nameLen   uint8
	name      [maxNameOctets]byte
}

// SetName copies a name as it is on the wire, without compression. Longer than 255 octets: it is left empty.
func (e *Entry) SetName(wire []byte) {
	if len(wire) > maxNameOctets {
		wire = nil
	}
	e.nameLen = uint8(copy(e.name[:], wire))
}

// line is an Entry as JSON.
type line struct {
	Time         string `json:"time"`
	Client       string `json:"client"`
	Subnet       string `json:"subnet,omitempty"`
	Listener     string `json:"listener,omitempty"`
	Transport    string `json:"transport"`
	Name         string `json:"name"`
	Type         string `json:"type"`
	Rcode        string `json:"rcode"`
	Answers      uint16 `json:"answers"`
	Scope        *int16 `json:"scope,omitempty"`
	Microseconds int64  `json:"microseconds"`
}

// line writes the entry down. Names are in the form of zone files: octets that are no printable ASCII become \DDD.
func (e *Entry) line(fullAddresses bool) line {
	l := line{
		Time: e.Time.UTC().Format("2006-01-02T15:04:05.000000Z"), Client: client(e.Client, fullAddresses),
		Transport: e.Transport, Rcode: rcodeText(e.Rcode), Answers: e.Answers, Microseconds: e.Took.Microseconds(),
	}
	if e.Subnet.IsValid() {
		l.Subnet = subnet(e.Subnet, fullAddresses)
	}
	if e.Listener.IsValid() {
		l.Listener = e.Listener.Unmap().WithZone("").String()
	}
	if e.nameLen > 0 {
		l.Type = dns.Type(e.Type).String()
		// Bytes that are no name leave the name empty: they came from the wire and prove nothing.
		l.Name, _, _ = dns.UnpackDomainName(e.name[:e.nameLen], 0)
	}
	if e.Scope != NoScope {
		l.Scope = &e.Scope
	}
	return l
}

// Prefix lengths that clients are cut to: enough for a network, too little for a person.
const (
	clientBits4 = 24
	clientBits6 = 56
)

// client writes an address, or the network that it is in.
func client(a netip.Addr, full bool) string {
	bits := clientBits6
	switch a = a.Unmap().WithZone(""); {
	case !a.IsValid():
		return ""
	case full:
		return a.String()
	case a.Is4():
		bits = clientBits4
	}
	return netip.PrefixFrom(a, bits).Masked().String()
}

// subnet writes a client's network, which is no finer than an address would be written.
func subnet(p netip.Prefix, full bool) string {
	bits := clientBits6
	switch {
	case full:
		bits = p.Bits()
	case p.Addr().Is4():
		bits = clientBits4
	}
	return netip.PrefixFrom(p.Addr(), min(bits, p.Bits())).Masked().String()
}

func rcodeText(rcode uint16) string {
	if rcode == dns.RcodeBadVers {
		return "BADVERS" // the same number means BADSIG in TSIG
	}
	if s, ok := dns.RcodeToString[int(rcode)]; ok {
		return s
	}
	return "RCODE" + strconv.Itoa(int(rcode))
}
