package query

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Result is the reply to one query.
type Result struct {
	// Message is the reply. It is the caller's.
	Message *dns.Msg
	// Server is the address that replied, as address:port.
	Server string
	// Transport is "udp" or "tcp".
	Transport string
	// Truncated says that the reply over UDP was truncated and Message came over TCP.
	Truncated bool
	// Size is the length of the reply in bytes.
	Size int
	// Elapsed is the time of the exchange that brought Message, connecting included.
	Elapsed time.Duration
}

// Subnet returns the EDNS Client Subnet option of the reply: the subnet that the server echoes and, in scope, the prefix
// length for which the answer holds (RFC 7871 section 7.2.1). ok is false when the reply has none.
func (r Result) Subnet() (subnet netip.Prefix, scope int, ok bool) {
	opt := r.Message.IsEdns0()
	if opt == nil {
		return netip.Prefix{}, 0, false
	}
	for _, option := range opt.Option {
		ecs, is := option.(*dns.EDNS0_SUBNET)
		if !is {
			continue
		}
		addr, valid := netip.AddrFromSlice(ecs.Address)
		if !valid {
			continue
		}
		if ecs.Family != 2 { // IPv4, or 0, which some send with a source prefix length of 0
			addr = addr.Unmap()
		}
		return netip.PrefixFrom(addr, int(ecs.SourceNetmask)), int(ecs.SourceScope), true
	}
	return netip.Prefix{}, 0, false
}

// Short returns the data of each answer record, in the order of the reply: what most people want to see.
func (r Result) Short() []string {
	short := make([]string, 0, len(r.Message.Answer))
	for _, rr := range r.Message.Answer {
		short = append(short, rdata(rr))
	}
	return short
}

// Write prints the reply for people: comment lines start with ';', all others are records in zone file form.
func (r Result) Write(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, ";; status: %s, id: %d, flags: %s\n", rcodeText(r.Message.Rcode), r.Message.Id, r.flags())
	r.writeEDNS(&b)
	if r.Truncated {
		b.WriteString(";; note: the reply over udp was truncated; asked again over tcp\n")
	}
	for _, q := range r.Message.Question {
		fmt.Fprintf(&b, ";; question:\n;%s\n", questionText(q))
	}
	writeSection(&b, "answer", r.Message.Answer)
	writeSection(&b, "authority", r.Message.Ns)
	writeSection(&b, "additional", r.Message.Extra)
	fmt.Fprintf(&b, ";; server: %s over %s, %d bytes, %.1f ms\n", r.Server, r.Transport, r.Size,
		float64(r.Elapsed)/float64(time.Millisecond))
	_, err := w.Write(b.Bytes())
	return err
}

func (r Result) flags() string {
	m := r.Message
	var set []string
	for _, flag := range []struct {
		name string
		on   bool
	}{
		{"qr", m.Response}, {"aa", m.Authoritative}, {"tc", m.Truncated}, {"rd", m.RecursionDesired},
		{"ra", m.RecursionAvailable}, {"ad", m.AuthenticatedData}, {"cd", m.CheckingDisabled},
	} {
		if flag.on {
			set = append(set, flag.name)
		}
	}
	return strings.Join(set, " ")
}

func (r Result) writeEDNS(b *bytes.Buffer) {
	opt := r.Message.IsEdns0()
	if opt == nil {
		return
	}
	fmt.Fprintf(b, ";; edns: version %d, udp size %d", opt.Version(), opt.UDPSize())
	if opt.Do() {
		b.WriteString(", do")
	}
	b.WriteByte('\n')
	if subnet, scope, ok := r.Subnet(); ok {
		fmt.Fprintf(b, ";; client subnet: %s, scope %d\n", subnet, scope)
	}
	for _, option := range opt.Option {
		switch o := option.(type) {
		case *dns.EDNS0_EDE:
			fmt.Fprintf(b, ";; extended error: %s\n", edeText(o))
		case *dns.EDNS0_NSID:
			fmt.Fprintf(b, ";; nsid: %s\n", nsidText(o.Nsid))
		}
	}
}

func writeSection(b *bytes.Buffer, title string, section []dns.RR) {
	heading := false
	for _, rr := range section {
		if rr.Header().Rrtype == dns.TypeOPT {
			continue
		}
		if !heading {
			fmt.Fprintf(b, ";; %s:\n", title)
			heading = true
		}
		h := rr.Header()
		fmt.Fprintf(b, "%s %d %s %s %s\n", h.Name, h.Ttl, dns.Class(h.Class), dns.Type(h.Rrtype), rdata(rr))
	}
}

// rdata returns a record's data in zone file form.
func rdata(rr dns.RR) string {
	return strings.TrimPrefix(rr.String(), rr.Header().String())
}

func questionText(q dns.Question) string {
	return fmt.Sprintf("%s %s %s", q.Name, dns.Class(q.Qclass), dns.Type(q.Qtype))
}

func rcodeText(rcode int) string {
	if text, ok := dns.RcodeToString[rcode]; ok {
		return text
	}
	return "RCODE" + strconv.Itoa(rcode)
}

// edeText quotes the server's text: it is free text from the wire and may hold anything.
func edeText(o *dns.EDNS0_EDE) string {
	text := strconv.Itoa(int(o.InfoCode))
	if meaning, ok := dns.ExtendedErrorCodeToString[o.InfoCode]; ok {
		text += " (" + meaning + ")"
	}
	if o.ExtraText != "" {
		text += ": " + strconv.QuoteToASCII(o.ExtraText)
	}
	return text
}

// nsidText shows the identifier (RFC 5001), which is any bytes, as a quoted string.
func nsidText(hexadecimal string) string {
	raw, err := hex.DecodeString(hexadecimal)
	if err != nil {
		return hexadecimal
	}
	return strconv.QuoteToASCII(string(raw))
}
