package config

import "net/netip"

// deniedDestination is a prefix that probes and load reads leave alone unless a node file allows it.
type deniedDestination struct {
	prefix   netip.Prefix
	what     string
	metadata bool // of a cloud: what answers there hands out the machine's credentials
}

// deniedDestinations is in the order in which they are looked through: what says more comes first.
var deniedDestinations = []deniedDestination{
	{netip.MustParsePrefix("169.254.169.254/32"), "the metadata service of a cloud", true},
	{netip.MustParsePrefix("fd00:ec2::254/128"), "the metadata service of a cloud", true},  // AWS
	{netip.MustParsePrefix("fd20:ce::254/128"), "the metadata service of a cloud", true},   // Google
	{netip.MustParsePrefix("fd00:42::42/128"), "the metadata service of a cloud", true},    // Scaleway
	{netip.MustParsePrefix("100.100.100.200/32"), "the metadata service of a cloud", true}, // Alibaba
	{netip.MustParsePrefix("192.0.0.192/32"), "the metadata service of a cloud", true},     // Oracle
	{netip.MustParsePrefix("168.63.129.16/32"), "the metadata service of a cloud", true},   // Azure
	{netip.MustParsePrefix("169.254.0.0/16"), "a link-local address", false},
	{netip.MustParsePrefix("fe80::/10"), "a link-local address", false},
	{netip.MustParsePrefix("0.0.0.0/8"), "no host's address", false},
	{netip.MustParsePrefix("::/128"), "no host's address", false},
	{netip.MustParsePrefix("224.0.0.0/4"), "a multicast address", false},
	{netip.MustParsePrefix("ff00::/8"), "a multicast address", false},
	{netip.MustParsePrefix("255.255.255.255/32"), "the broadcast address", false},
}

// DeniedByDefault says what an address is that probes and load reads do not reach unless the node file allows it (probes.allow);
// "" for all others. metadata is set for the metadata services of clouds. It looks at a alone: see StandsFor.
func DeniedByDefault(a netip.Addr) (what string, metadata bool) {
	a = a.Unmap().WithZone("")
	for i := range deniedDestinations {
		if d := &deniedDestinations[i]; d.prefix.Contains(a) {
			return d.what, d.metadata
		}
	}
	return "", false
}

// StandsFor returns the IPv4 address that packets to an IPv6 address may end up at: that of mapped and compatible addresses (RFC
// 4291 section 2.5.5), translated ones (RFC 2765 section 2.1), of NAT64 (RFC 6052, and the /96 at the end of RFC 8215's prefix) and of 6to4
// (RFC 3056). Invalid for others.
func StandsFor(a netip.Addr) netip.Addr {
	if !a.Is6() {
		return netip.Addr{}
	}
	b := a.As16()
	last := netip.AddrFrom4([4]byte(b[12:]))
	zeros := func(from, to int) bool {
		for _, octet := range b[from:to] {
			if octet != 0 {
				return false
			}
		}
		return true
	}
	switch {
	case a.Is4In6():
		return last
	case zeros(0, 12) && !zeros(12, 15): // ::, ::1 and the like are what they are
		return last
	case zeros(0, 8) && b[8] == 0xff && b[9] == 0xff && zeros(10, 12):
		return last
	case b[0] == 0 && b[1] == 0x64 && b[2] == 0xff && b[3] == 0x9b && zeros(4, 12):
		return last
	case b[0] == 0 && b[1] == 0x64 && b[2] == 0xff && b[3] == 0x9b && b[4] == 0 && b[5] == 1:
		return last
	case b[0] == 0x20 && b[1] == 0x02:
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return netip.Addr{}
}
