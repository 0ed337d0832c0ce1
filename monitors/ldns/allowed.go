package ldns

import "net/netip"

// Refusal is why a resolver is not measured. The words are stable: metrics carry them.
type Refusal uint8

// Refusals.
const (
	NotRefused  Refusal = iota
	Reserved            // private, loopback, multicast, documentation or otherwise not a public address
	Denied              // settings.ldns.probe_deny
	Own                 // an address of this machine
	Silent              // it did not answer lately
	OfNetwork           // too many of its network
	Full                // too many wait
	Unavailable         // none of the kinds can be sent, or none may
	refusals
)

// String returns the word of the metric.
func (r Refusal) String() string {
	return [...]string{"", "reserved", "denied", "own", "silent", "network", "full", "unavailable"}[r]
}

// Refusals lists all of them.
func Refusals() []Refusal {
	return []Refusal{Reserved, Denied, Own, Silent, OfNetwork, Full, Unavailable}
}

// refusedAddress says why an address is never measured; NotRefused: it may be.
func (s *Settings) refusedAddress(a netip.Addr) Refusal {
	for _, p := range s.Deny {
		if p.Contains(a) {
			return Denied
		}
	}
	for _, p := range s.Allow {
		if p.Contains(a) {
			return NotRefused
		}
	}
	for _, own := range s.Own {
		if own == a {
			return Own
		}
	}
	if !public(a) {
		return Reserved
	}
	return NotRefused
}

// public reports whether an address, unmapped, is one of the public Internet's hosts by IANA's registries of special-purpose
// addresses (RFC 6890).
func public(a netip.Addr) bool {
	if a.Is4() {
		b := a.As4()
		switch {
		case b[0] == 0, b[0] == 10, b[0] == 127, b[0] >= 224,
			b[0] == 100 && b[1]&0xc0 == 64,           // 100.64.0.0/10: RFC 6598
			b[0] == 169 && b[1] == 254,               // link-local
			b[0] == 172 && b[1]&0xf0 == 16,           // private
			b[0] == 192 && b[1] == 168,               // private
			b[0] == 192 && b[1] == 0 && b[2] == 0,    // IETF protocols
			b[0] == 192 && b[1] == 0 && b[2] == 2,    // documentation
			b[0] == 192 && b[1] == 88 && b[2] == 99,  // 6to4 relays
			b[0] == 198 && b[1]&0xfe == 18,           // benchmarks
			b[0] == 198 && b[1] == 51 && b[2] == 100, // documentation
			b[0] == 203 && b[1] == 0 && b[2] == 113:  // documentation
			return false
		}
		return true
	}
	b := a.As16()
	switch {
	case b[0]&0xe0 != 0x20, // outside of 2000::/3 there is no global unicast
		b[0] == 0x20 && b[1] == 0x01 && b[2]&0xfe == 0,               // 2001::/23: Teredo, benchmarks, ORCHID
		b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0d && b[3] == 0xb8, // documentation
		b[0] == 0x20 && b[1] == 0x02,                                 // 6to4
		b[0] == 0x3f && b[1] == 0xff && b[2]&0xf0 == 0:               // 3fff::/20: documentation
		return false
	}
	return true
}
