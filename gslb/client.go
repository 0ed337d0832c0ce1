package gslb

import "net/netip"

// chooseClient settles whose address the methods look at.
func (d *Decider) chooseClient(v *virtualServer) {
	d.client = d.Query.LDNS.Unmap()
	reason := ReasonLDNS
	if d.Query.Subnet.IsValid() {
		reason = subnetReason(v, d.Query.Subnet)
		switch {
		case reason == ReasonSubnet:
			d.client, d.Decision.SubnetUsed = d.Query.Subnet.Addr(), v.looksAtClient
		case reason == ReasonSubnetUnusable && v.looksAtClient:
			// The resolver's answer is for the block alone: with scope 0 it would be kept for all clients.
			d.blocked, d.Decision.SubnetUsed, d.Decision.Scope = true, true, unusableBits(d.Query.Subnet.Addr())
		}
	}
	if d.trace != nil {
		d.trace.Add(Entry{Step: StepClient, Reason: reason, Detail: d.clientText()})
	}
}

func subnetReason(v *virtualServer, p netip.Prefix) Reason {
	a := p.Addr()
	switch {
	case !v.clientSubnet:
		return ReasonSubnetOff
	case p.Bits() == 0:
		return ReasonSubnetEmpty
	case commonly(a):
		return ReasonSubnet
	case a.IsUnspecified(), a.IsLoopback(), a.IsMulticast(), a.IsLinkLocalUnicast():
		return ReasonSubnetUnusable
	}
	return ReasonSubnet
}

// commonly reports that an address is of a part of its family in which there is no block that no client is in: most are, and it is
// seen at once. Of IPv6 that is all that was ever given out, 2000::/3.
func commonly(a netip.Addr) bool {
	if !a.Is4() {
		return a.Is6() && a.As16()[0]>>5 == 1
	}
	first := a.As4()[0]
	return first != 0 && first != 127 && first != 169 && first < 224
}

// unusableBits returns how long the prefix is of the block that an unspecified, loopback, link-local or multicast address
// is in.
func unusableBits(a netip.Addr) uint8 {
	switch {
	case a.Is4In6():
		return 96 + unusableBits(a.Unmap())
	case a.Is4() && a.IsLoopback(), a.Is6() && a.IsMulticast():
		return 8
	case a.IsMulticast():
		return 4
	case a.Is4() && a.IsLinkLocalUnicast():
		return 16
	case a.IsLinkLocalUnicast():
		return 10
	}
	return uint8(a.BitLen()) // unspecified, and the loopback address of IPv6, stand alone
}

// needScope records that the decision depended on this many bits of the client's address.
func (d *Decider) needScope(bits int, step scopeStep) {
	if d.trace != nil {
		d.told.bits[step] = bits
	}
	if bits > int(d.Decision.Scope) && !d.blocked {
		d.Decision.Scope = uint8(bits)
	}
}
