package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What the model means beyond its text: the forms that the rooms need.

// DefaultJitter is the percentage by which a monitor's interval varies when the document does not say.
const DefaultJitter = 5

// Site returns the site of a name, or nil.
func (d *Document) Site(name string) *Site {
	for i := range d.Sites {
		if d.Sites[i].Name == name {
			return &d.Sites[i]
		}
	}
	return nil
}

// Endpoint returns where the site's MEP is reached, as host:port for a dialer. Port 3009 unless the address has one.
func (s *Site) Endpoint() string {
	host, port, err := splitSiteAddress(s.Address)
	if err != nil {
		return s.Address
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// Address4 returns the service's IPv4 address; invalid when it has none.
func (s *Service) Address4() netip.Addr { return s.address(netip.Addr.Is4) }

// Address6 returns the service's IPv6 address; invalid when it has none.
func (s *Service) Address6() netip.Addr { return s.address(netip.Addr.Is6) }

func (s *Service) address(family func(netip.Addr) bool) netip.Addr {
	if i := slices.IndexFunc(s.Addresses, family); i >= 0 {
		return s.Addresses[i]
	}
	return netip.Addr{}
}

// JitterPercent returns by how many percent the interval varies either way.
func (m *Monitor) JitterPercent() int {
	if m.Jitter == nil {
		return DefaultJitter
	}
	return *m.Jitter
}

// AnswerTTL returns the TTL of the domain's answers in its zone.
func (d *Domain) AnswerTTL(z *Zone) time.Duration {
	if d.TTL == nil {
		return z.TTL.Std()
	}
	return d.TTL.Std()
}

// StatusRange is a range of HTTP status codes, both ends included.
type StatusRange struct{ Low, High int }

// ParseStatusRange reads one entry of expect_status: "204" or "200-299".
func ParseStatusRange(s string) (StatusRange, error) { return parseStatusRange(s, 599) }

// ParseSIPStatusRange is ParseStatusRange with the codes from 600 on, which SIP has (RFC 3261 section 21.6).
func ParseSIPStatusRange(s string) (StatusRange, error) { return parseStatusRange(s, 699) }

func parseStatusRange(s string, most int) (StatusRange, error) {
	low, high, isRange := strings.Cut(s, "-")
	if !isRange {
		high = low
	}
	l, errLow := strconv.Atoi(low)
	h, errHigh := strconv.Atoi(high)
	if errLow != nil || errHigh != nil || len(low) != 3 || len(high) != 3 || l < 100 || h > most {
		return StatusRange{}, fmt.Errorf("%s is not a status code (100 to %d) or a range such as 200-299", quote(s), most)
	}
	if l > h {
		return StatusRange{}, fmt.Errorf("%s runs backwards", quote(s))
	}
	return StatusRange{l, h}, nil
}

// Mailbox returns the zone's contact as the SOA's RNAME (RFC 1035 section 3.3.13): canonical, with dots of the local part
// escaped.
func (z *Zone) Mailbox() (string, error) {
	zone, err := canonicalHost(z.Name)
	if err != nil {
		return "", err
	}
	if z.Contact == "" {
		return canonicalHost("hostmaster." + zone)
	}
	local, host, isAddress := strings.Cut(z.Contact, "@")
	if !isAddress {
		return canonicalHost(z.Contact)
	}
	if local == "" || len(local) > maxLabelLength {
		return "", errors.New("the part before the @ has 1 to 63 characters")
	}
	for _, c := range local {
		if !nameCharacter(c) && c != '+' {
			return "", fmt.Errorf("%s contains %q before the @", quote(z.Contact), c)
		}
	}
	name, err := canonicalHost(host)
	if err != nil {
		return "", err
	}
	return strings.ToLower(strings.ReplaceAll(local, ".", `\.`)) + "." + name, nil
}
