package config

import (
	"fmt"
	"net/netip"
)

const (
	// maxPrefixes bounds each list of client prefixes.
	maxPrefixes = 1024
	// maxChaosText bounds the answers to version.bind and id.server.
	maxChaosText = 128
)

// checkQueryPolicy checks who is answered, and how much.
func (c *nodeChecker) checkQueryPolicy() {
	dns := &c.node.DNS
	if n := len(dns.RateLimit.Exempt); n > maxPrefixes {
		c.page.problem("/dns/rate_limit/exempt", codeTooMany, "", "%d prefixes; the limit is %d", n, maxPrefixes)
	}
	for i, text := range dns.RateLimit.Exempt {
		if _, err := parseClientPrefix(text); err != nil {
			c.page.problem(at("dns", "rate_limit", "exempt", i), codeNodeExempt, "write 192.0.2.0/24", "%s is not a prefix or address", quote(text))
		}
	}
	checkClientPrefixes(c.page, "/dns/allow_query", dns.AllowQuery)
	checkClientPrefixes(c.page, "/dns/client_subnet_from", dns.ClientSubnetFrom)
	if dns.CookieSecretFile != "" && !dns.Cookies {
		c.page.problem("/dns/cookie_secret_file", codeNodeCookieSecret, "write cookies: true, or remove the file", "there are no cookies, so their secrets are not used")
	}
	for _, t := range []struct{ path, text string }{{"/dns/version", dns.Version}, {"/dns/identity", dns.Identity}} {
		if len(t.text) > maxChaosText {
			c.page.problem(t.path, codeNodeChaosText, "", "the text has %d bytes; the limit is %d", len(t.text), maxChaosText)
		}
	}
}

// checkClientPrefixes checks a list of client prefixes. A list that is there but empty would mean nobody, which is never
// meant.
func checkClientPrefixes(p *page, path string, prefixes []netip.Prefix) {
	if len(prefixes) == 0 && p.present(path) {
		p.problem(path, codeEmptyList, "remove the key to mean everyone; write 127.0.0.0/8 to mean this machine alone", "nobody is in the list")
	}
	checkPrefixList(p, path, prefixes)
}

// checkPrefixList checks the entries of a list of prefixes.
func checkPrefixList(p *page, path string, prefixes []netip.Prefix) {
	if n := len(prefixes); n > maxPrefixes {
		p.problem(path, codeTooMany, "", "%d prefixes; the limit is %d", n, maxPrefixes)
		return
	}
	for i, prefix := range prefixes {
		if !prefix.IsValid() {
			continue // decoding has said so
		}
		entry := path + at(i)
		if prefix.Addr().Is4In6() {
			p.problem(entry, codePrefix, "write it as an IPv4 prefix", "%s is an IPv4 prefix in IPv6 form", prefix)
		} else if masked := prefix.Masked(); masked != prefix {
			p.problem(entry, codeHostBits, "did you mean "+quote(masked.String())+"?", "%s has bits set after the first %d", prefix, prefix.Bits())
		}
	}
}

// ExemptPrefixes returns the clients that a rate limit does not apply to. For a valid Node it returns no error.
func (r *NodeRateLimit) ExemptPrefixes() ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	for _, text := range r.Exempt {
		prefix, err := parseClientPrefix(text)
		if err != nil {
			return nil, fmt.Errorf("read exempt clients: %w", err)
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes, nil
}

// parseClientPrefix reads a prefix, or an address that stands for itself.
func parseClientPrefix(text string) (netip.Prefix, error) {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return prefix.Masked(), nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not a prefix or address", text)
	}
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen()), nil
}
