package adns

import (
	"errors"
	"fmt"

	"github.com/miekg/dns"
)

const (
	maxNameOctets = 255 // RFC 1035 section 2.3.4, the root label included
	maxLabels     = 127 // what fits into maxNameOctets, without the root label
	maxLabelBytes = 63
)

var errNameTooLong = errors.New("name is longer than 255 octets")

// A key is a name in wire form with ASCII letters in lower case: what names are compared by (RFC 4343). Unlike
// presentation form it has one spelling for every name, whatever octets its labels hold, and its parent is a slice of
// it. The root's key is "\x00".
type key string

// nameKey returns the key of a name in presentation form. A missing final dot is taken as there.
func nameKey(name string) (key, error) {
	var wire [maxNameOctets + 1]byte
	end, err := dns.PackDomainName(dns.Fqdn(name), wire[:], 0, nil, false)
	if err != nil {
		return "", fmt.Errorf("parse name %q: %w", name, err)
	}
	if end > maxNameOctets {
		return "", fmt.Errorf("parse name %q: %w", name, errNameTooLong)
	}
	return wireKey(wire[:end]), nil
}

// wireKey returns the key of an uncompressed name of at most maxNameOctets. Length octets are below 'A', so they need no
// special case.
func wireKey(wire []byte) key {
	var lower [maxNameOctets]byte
	n := copy(lower[:], wire)
	for i, c := range lower[:n] {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c | 0x20
		}
	}
	return key(lower[:n])
}

// parent returns k without its first label. k must not be the root.
func (k key) parent() key { return k[1+int(k[0]):] }

// within reports whether k is zone or below it, on a label boundary.
func (k key) within(zone key) bool {
	for len(k) > len(zone) {
		k = k.parent()
	}
	return k == zone
}

// String returns the presentation form, in lower case and fully qualified. Octets that need it are escaped the way
// dns.UnpackDomainName does, which is also how names of queries look.
func (k key) String() string {
	s, _, err := dns.UnpackDomainName([]byte(k), 0)
	if err != nil {
		return fmt.Sprintf("invalid name %x", string(k))
	}
	return s
}
