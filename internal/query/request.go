package query

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	// DefaultTimeout bounds one exchange when a Request names no timeout.
	DefaultTimeout = 3 * time.Second
	// DefaultPort is the port of a server that is named without one.
	DefaultPort = 53
	// DefaultType is the type asked for when a Request names none.
	DefaultType = "A"
	// udpSize is the payload size offered to the server: what fits unfragmented nearly everywhere (DNS flag day 2020).
	udpSize = 1232
)

// Request is one question. Only Name and Server are required.
type Request struct {
	// Name is the domain name to ask for; it is taken as absolute, with or without the last dot. ASCII only.
	Name string
	// Type is a record type such as "AAAA" or "TYPE65", in any case. Empty: DefaultType.
	Type string
	// Server is an address or host name, with or without a port: 192.0.2.53, 192.0.2.53:5300, [2001:db8::53]:5300.
	Server string
	// Subnet is sent as EDNS Client Subnet (RFC 7871) when it is valid, with its host bits cleared.
	Subnet netip.Prefix
	// TCP asks over TCP from the start.
	TCP bool
	// NoEDNS leaves the OPT record out (RFC 6891). It cannot go with Subnet.
	NoEDNS bool
	// Recurse sets the recursion desired flag.
	Recurse bool
	// Timeout bounds each exchange, connecting included. 0: DefaultTimeout.
	Timeout time.Duration
	// Dial opens the connection; network is "udp" or "tcp". nil: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// plan is a Request that was checked: everything that Do needs and nothing that can still be wrong.
type plan struct {
	message *dns.Msg
	packed  []byte
	server  string
	timeout time.Duration
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

// plan checks the request. Its errors are *UsageError.
func (r Request) plan() (plan, error) {
	name, err := parseName(r.Name)
	if err != nil {
		return plan{}, err
	}
	rrtype, err := parseType(r.Type)
	if err != nil {
		return plan{}, err
	}
	server, err := parseServer(r.Server)
	if err != nil {
		return plan{}, err
	}
	if r.Timeout < 0 {
		return plan{}, &UsageError{"timeout", r.Timeout.String(), "it must be above 0s"}
	}
	p := plan{message: new(dns.Msg), server: server, timeout: r.Timeout, dial: r.Dial}
	p.message.SetQuestion(name, rrtype) // also draws the random id
	p.message.RecursionDesired = r.Recurse
	if err := r.addEDNS(p.message); err != nil {
		return plan{}, err
	}
	// What looks like a name may still not be one: an escape without an end, for example.
	if p.packed, err = p.message.Pack(); err != nil {
		return plan{}, &UsageError{"name", r.Name, err.Error()}
	}
	if p.timeout == 0 {
		p.timeout = DefaultTimeout
	}
	if p.dial == nil {
		p.dial = new(net.Dialer).DialContext
	}
	return p, nil
}

func (r Request) addEDNS(m *dns.Msg) error {
	if r.NoEDNS {
		if r.Subnet.IsValid() {
			return &UsageError{"subnet", r.Subnet.String(), "a client subnet travels in EDNS, which is switched off"}
		}
		return nil
	}
	m.SetEdns0(udpSize, false)
	if !r.Subnet.IsValid() {
		return nil
	}
	subnet := r.Subnet.Masked()
	if subnet.Addr().Is4In6() {
		return &UsageError{"subnet", r.Subnet.String(), "write an IPv4 subnet in its own form, such as 192.0.2.0/24"}
	}
	family := uint16(1)
	if subnet.Addr().Is6() {
		family = 2
	}
	opt := m.IsEdns0()
	opt.Option = append(opt.Option, &dns.EDNS0_SUBNET{
		Code:          dns.EDNS0SUBNET,
		Family:        family,
		SourceNetmask: uint8(subnet.Bits()),
		Address:       net.IP(subnet.Addr().AsSlice()),
	})
	return nil
}

func parseName(name string) (string, error) {
	if name == "" {
		return "", &UsageError{"name", name, "it is empty"}
	}
	for i := range len(name) {
		if name[i] > 0x7e || name[i] <= 0x20 {
			return "", &UsageError{"name", name, "only printable ASCII is sent: write international labels in their xn-- form, and other bytes as \\DDD"}
		}
	}
	fqdn := dns.Fqdn(name)
	if _, ok := dns.IsDomainName(fqdn); !ok {
		return "", &UsageError{"name", name, "it is not a domain name: labels have 1 to 63 bytes and names at most 255"}
	}
	return fqdn, nil
}

func parseType(name string) (uint16, error) {
	if name == "" {
		name = DefaultType
	}
	upper := strings.ToUpper(name)
	rrtype, ok := dns.StringToType[upper]
	if !ok {
		number, found := strings.CutPrefix(upper, "TYPE")
		n, err := strconv.ParseUint(number, 10, 16)
		if !found || err != nil {
			return 0, &UsageError{"type", name, "it is not a record type such as A, AAAA, TXT or TYPE65"}
		}
		rrtype = uint16(n)
	}
	switch rrtype {
	case dns.TypeNone, dns.TypeOPT, dns.TypeTSIG, dns.TypeTKEY, dns.TypeAXFR, dns.TypeIXFR:
		return 0, &UsageError{"type", name, "it cannot be asked for in a plain query"}
	}
	return rrtype, nil
}

func parseServer(server string) (string, error) {
	if server == "" {
		return "", &UsageError{"server", server, "it is empty: name an address or host, with :port when it is not 53"}
	}
	if addr, err := netip.ParseAddr(strings.Trim(server, "[]")); err == nil {
		return net.JoinHostPort(addr.String(), strconv.Itoa(DefaultPort)), nil
	}
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		if strings.ContainsAny(server, ":[]") {
			return "", &UsageError{"server", server, "it is not host, host:port, address or [address]:port"}
		}
		host, port = server, strconv.Itoa(DefaultPort)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", &UsageError{"server", server, fmt.Sprintf("port %q is not a number from 1 to 65535", port)}
	}
	if host == "" {
		return "", &UsageError{"server", server, "it has a port but no address or host name"}
	}
	return net.JoinHostPort(host, port), nil
}
