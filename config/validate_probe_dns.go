package config

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// maxDNSExpect is how many data a dns probe looks for.
const maxDNSExpect = 32

// maxPlainRcode is the greatest response code without EDNS (RFC 6891 section 6.1.3), which probes do not use.
const maxPlainRcode = 15

// ParseDNSExpect reads the data that the answers to a dns probe must have.
func ParseDNSExpect(d *DNSProbe) ([]dns.RR, error) {
	out := make([]dns.RR, 0, len(d.Expect))
	for i, data := range d.Expect {
		rr, err := parseDNSData(d.Type, data)
		if err != nil {
			return nil, fmt.Errorf("dns.expect[%d]: %w", i, err)
		}
		out = append(out, rr)
	}
	return out, nil
}

// parseDNSData reads the data of one record, as in a zone file of the root.
func parseDNSData(kind, data string) (dns.RR, error) {
	z := dns.NewZoneParser(strings.NewReader(". 0 IN "+strings.ToUpper(kind)+" "+data+"\n"), ".", "")
	rr, ok := z.Next()
	if !ok || z.Err() != nil || strings.ContainsAny(data, "\n\r") {
		return nil, fmt.Errorf("%s is not the data of a record of type %s", quote(data), kind)
	}
	return rr, nil
}

func (c *checker) checkDNSProbe(m *Monitor, path string) {
	d := m.DNS
	if d == nil || m.Type != MonitorDNS {
		return
	}
	if _, ok := dns.IsDomainName(d.Name); !ok || d.Name == "" {
		c.problem(path+"/name", codeProbe, "write www.example.com, or . for the root", "%s is not a domain name", quote(d.Name))
	}
	if code, ok := dns.StringToRcode[strings.ToUpper(d.Rcode)]; !ok || code > maxPlainRcode {
		c.problem(path+"/rcode", codeProbe, "write NOERROR, NXDOMAIN, REFUSED …", "%s is not a response code", quote(d.Rcode))
	} else if !strings.EqualFold(d.Rcode, "NOERROR") && len(d.Expect) > 0 {
		c.problem(path+"/expect", codeWarnNoEffect, "remove it, or rcode", "expect has no effect with rcode %s: no answer is needed", d.Rcode)
	}
	kind := dns.StringToType[strings.ToUpper(d.Type)]
	if kind == dns.TypeNone || kind == dns.TypeAXFR || kind == dns.TypeIXFR || kind == dns.TypeOPT || kind == dns.TypeTSIG {
		c.problem(path+"/type", codeProbe, "write A, AAAA, NS, SOA …", "%s is not a type to ask for", quote(d.Type))
		return
	}
	c.limit(path+"/expect", "data", len(d.Expect), maxDNSExpect)
	for i, data := range d.Expect {
		if strings.TrimSpace(data) == "" {
			c.problem(path+at("expect", i), codeProbe, "write the data, or remove it", "the data is empty")
		} else if _, err := parseDNSData(d.Type, data); err != nil {
			c.problem(path+at("expect", i), codeProbe, "write it as in a zone file, with names to the root", "%v", err)
		}
	}
	if d.Transport == DNSOverUDP && m.ProxyProtocol != ProxyNone && m.ProxyProtocol != "" {
		c.problem(strings.TrimSuffix(path, "/dns")+"/proxy_protocol", codeWarnNoEffect, "use transport: tcp", "proxy_protocol has no effect over UDP")
	}
}
