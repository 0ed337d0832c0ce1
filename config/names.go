package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// DefaultMEPPort is the port of a site's address that names none.
const DefaultMEPPort = 3009

// MaxNameLength bounds the names of sites, monitors, services and virtual servers, in bytes.
const MaxNameLength = 127

// Limits of domain names (RFC 1035 section 2.3.4).
const (
	maxLabelLength  = 63
	maxDomainLength = 254 // in text form with the final dot: 255 bytes on the wire
)

// checkName checks the name of an object.
func checkName(s string) error {
	if s == "" {
		return errors.New("a name cannot be empty")
	}
	if len(s) > MaxNameLength {
		return fmt.Errorf("a name has at most %d characters, this one %d", MaxNameLength, len(s))
	}
	for _, c := range s {
		if !nameCharacter(c) {
			return fmt.Errorf("name %s contains %q", quote(s), c)
		}
	}
	return nil
}

func nameCharacter(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}

// CanonicalName returns a domain name in lower case and fully qualified, with the final dot, as it is compared and looked
// up. Labels have letters, digits, '-' and '_'; the first may be "*" (a wildcard, RFC 4592). The root alone is not a name
// here.
func CanonicalName(s string) (string, error) {
	name := strings.TrimSuffix(s, ".")
	switch {
	case name == "":
		return "", errors.New("a domain name cannot be empty")
	case len(name)+1 > maxDomainLength:
		return "", fmt.Errorf("a domain name has at most %d characters, this one %d", maxDomainLength-1, len(name))
	}
	for rest, more := name, true; more; {
		var label string
		if label, rest, more = strings.Cut(rest, "."); label == "*" && len(label)+len(rest)+1 >= len(name) {
			continue // the first
		}
		if err := checkLabel(s, label); err != nil {
			return "", err
		}
	}
	return strings.ToLower(name) + ".", nil
}

func checkLabel(name, label string) error {
	if label == "" {
		return fmt.Errorf("%s has an empty label", quote(name))
	}
	if len(label) > maxLabelLength {
		return fmt.Errorf("label %s has more than %d characters", quote(label), maxLabelLength)
	}
	for _, c := range label {
		switch {
		case c >= 0x80:
			return fmt.Errorf("%s contains %q: write international names in their xn-- form", quote(name), c)
		case c == '*':
			return fmt.Errorf("%s: a * can only be the whole first label", quote(name))
		case !nameCharacter(c):
			return fmt.Errorf("%s is not a domain name: it contains %q", quote(name), c)
		}
	}
	return nil
}

// canonicalHost is CanonicalName for names that cannot be wildcards.
func canonicalHost(s string) (string, error) {
	if strings.HasPrefix(s, "*") {
		return "", fmt.Errorf("%s: a wildcard cannot be used here", quote(s))
	}
	return CanonicalName(s)
}

// show quotes a canonical name for a message, without the final dot that nobody writes.
func show(name string) string { return quote(strings.TrimSuffix(name, ".")) }

// inZone reports whether a canonical name is the zone's or below it.
func inZone(name, zone string) bool {
	return name == zone || strings.HasSuffix(name, "."+zone)
}

// splitSiteAddress takes host, host:port, [IPv6]:port or a bare IPv6 address apart.
func splitSiteAddress(s string) (host string, port int, err error) {
	return splitHostPort(s, DefaultMEPPort)
}

func splitHostPort(s string, defaultPort int) (host string, port int, err error) {
	host, port = s, defaultPort
	if _, ipErr := netip.ParseAddr(s); ipErr != nil && strings.ContainsAny(s, ":[]") {
		text := ""
		if host, text, err = net.SplitHostPort(s); err != nil {
			return "", 0, fmt.Errorf("%s is not host or host:port", quote(s))
		}
		if port, err = parsePort(text); err != nil {
			return "", 0, err
		}
	}
	if ip, ipErr := netip.ParseAddr(host); ipErr == nil {
		if why := unusableAddress(ip); why != "" {
			return "", 0, fmt.Errorf("%s %s", ip, why)
		}
		return ip.String(), port, nil
	}
	name, err := canonicalHost(host)
	if err != nil {
		return "", 0, err
	}
	if last := name[strings.LastIndexByte(strings.TrimSuffix(name, "."), '.')+1:]; strings.Trim(last, "0123456789.") == "" {
		return "", 0, fmt.Errorf("%s is neither an IP address nor a host name", quote(host))
	}
	return strings.TrimSuffix(name, "."), port, nil
}

func parsePort(text string) (int, error) {
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return 0, fmt.Errorf("%s is not a port (1 to 65535)", quote(text))
	}
	return int(port), nil
}

// unusableAddress says why an address can be no single host's, or "".
func unusableAddress(a netip.Addr) string {
	switch {
	case a.Zone() != "":
		return "has a zone, which means nothing to other machines"
	case a.Is4In6():
		return "is an IPv4 address in IPv6 form: write " + a.Unmap().String()
	case a.IsUnspecified():
		return "is the unspecified address"
	case a.IsMulticast():
		return "is a multicast address"
	case a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "is the broadcast address"
	}
	return ""
}
