package mep

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// DefaultPort is the port of a site whose address names none. DefaultInsecurePort is customary without TLS; it is never
// assumed.
const (
	DefaultPort         = 3009
	DefaultInsecurePort = 3011
)

// Peer is a site as others reach it.
type Peer struct {
	Site    string
	Address string // host or host:port; without a port, DefaultPort
	// Relation is what the peer is to this site. Rank is the place of a parent among this site's parents, or of this site among
	// those of a child: 0 is preferred.
	Relation Relation
	Rank     int
	Dial     DialMode
}

// address is a parsed Peer.Address.
type address struct {
	ip   netip.Addr // invalid: host is a name
	host string     // lower case
	port uint16
}

func parseAddress(s string) (address, error) {
	a := address{port: DefaultPort}
	if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		a.ip, a.host = ip.Unmap(), ip.Unmap().String()
		return a, nil
	}
	host := s
	if strings.Contains(s, ":") {
		h, port, err := net.SplitHostPort(s)
		if err != nil {
			return a, fmt.Errorf("parse address %q: %w; want host or host:port", s, err)
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return a, fmt.Errorf("parse address %q: port %q is not a number from 1 to 65535", s, port)
		}
		host, a.port = h, uint16(n)
	}
	if host == "" {
		return a, fmt.Errorf("parse address %q: no host", s)
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		a.ip, host = ip.Unmap(), ip.Unmap().String()
	}
	a.host = strings.ToLower(host)
	return a, nil
}

// String returns the address as it is dialled.
func (a address) String() string { return net.JoinHostPort(a.host, strconv.Itoa(int(a.port))) }

// compare orders addresses as the dial rule wants them: IPv4 by bytes, IPv6 by bytes, names by bytes, then ports.
func (a address) compare(b address) int {
	rank := func(x address) int {
		switch {
		case x.ip.Is4():
			return 0
		case x.ip.IsValid():
			return 1
		}
		return 2
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), a.ip.Compare(b.ip), strings.Compare(a.host, b.host),
		cmp.Compare(a.port, b.port))
}

// Opens reports whether self opens connections with peer, as their dial modes, their relation and their addresses say: peer.Relation is what peer is to self.
// With DialBoth the other end does as well. It fails if an address is neither host nor host:port.
func Opens(self, peer Peer) (bool, error) {
	a, err := parseAddress(self.Address)
	if err != nil {
		return false, err
	}
	b, err := parseAddress(peer.Address)
	if err != nil {
		return false, err
	}
	return opens(self, a, peer, b), nil
}

func dials(site string, a address, peerSite string, b address) bool {
	return cmp.Or(a.compare(b), strings.Compare(site, peerSite)) < 0
}

// opens reports whether self opens connections with peer: as the dial modes of the two say, else by the rule that a parent
// dials its children, and in the mesh the site with the lower address the other.
func opens(self Peer, a address, peer Peer, b address) bool {
	ours, theirs := asked(self.Dial, peer.Dial), asked(peer.Dial, self.Dial)
	switch {
	case ours || theirs:
		return ours
	case peer.Relation == RelationChild:
		return true
	case peer.Relation == RelationParent:
		return false
	}
	return dials(self.Site, a, peer.Site, b)
}

// asked reports whether the modes of two sites ask the first to open connections with the second.
func asked(mode, other DialMode) bool {
	return mode == DialAlways || mode == DialBoth || mode != DialNever && (other == DialNever || other == DialBoth)
}
