package config

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// maxALPNLength is the longest name of a protocol (RFC 7301 section 3.1).
const maxALPNLength = 255

// Balances reports whether a type is answered from the services' addresses and hosts.
func (d *Domain) Balances(rrtype uint16) bool {
	switch rrtype {
	case dns.TypeA, dns.TypeAAAA:
		return true
	case dns.TypeHTTPS:
		return d.HTTPS != nil
	case dns.TypeSRV:
		return d.SRV != nil
	case dns.TypeMX:
		return d.MX != nil
	case dns.TypeNAPTR:
		return d.NAPTR != nil
	}
	return false
}

// checkServiceHost checks the name that SRV and MX give for a service. It must be a host's own name: what these point at
// cannot be an alias (RFC 2181 section 10.3).
func (c *checker) checkServiceHost(s *Service, path string) {
	if s.Host == "" {
		return
	}
	if s.CNAME != "" {
		c.problem(path, codeServiceHost, "remove one of them", "service %s has both a host and a cname", quote(s.Name))
		return
	}
	if _, err := netip.ParseAddr(s.Host); err == nil {
		c.problem(path, codeServiceHost, "write the DNS name of the address", "%s is an address, not the name of a host", quote(s.Host))
		return
	}
	name, err := canonicalHost(s.Host)
	if err != nil {
		c.problem(path, codeServiceHost, "", "%v", err)
		return
	}
	if z := c.zoneOf(name); z != nil && z.has(name, dns.TypeCNAME) {
		c.problem(path, codeServiceHost, "give the name that it is an alias of", "host %s is an alias in zone %s", show(name), show(z.name))
	}
}

// needs is what a virtual server's members must have for SRV, MX and NAPTR, and the first domain that says so.
type needs struct {
	host, port, naptr string
}

// checkAnswerTypes checks what HTTPS, SRV, MX and NAPTR answers need.
func (c *checker) checkAnswerTypes() {
	need := make([]needs, len(c.doc.VirtualServers))
	for i := range c.doc.VirtualServers {
		for j := range c.doc.VirtualServers[i].Domains {
			d := &c.doc.VirtualServers[i].Domains[j]
			if d.HTTPS != nil {
				c.look(ObjectVirtualServer, i, func() { c.checkHTTPSAnswer(d.HTTPS, at("virtual_servers", i, "domains", j, "https")) })
			}
			if d.SRV != nil && !isServiceName(d.Name) {
				c.problem(at("virtual_servers", i, "domains", j, "name"), codeSRVName, "write _ldap._tcp.example.com, or remove srv", "SRV is asked for as _service._protocol.name, not as %s", quote(d.Name))
			}
			if d.SRV != nil || d.MX != nil || d.NAPTR != nil {
				c.need(need, i, d)
			}
		}
	}
	for i := range need {
		if c.settled(ObjectVirtualServer, i) {
			continue
		}
		c.look(ObjectVirtualServer, i, func() { c.checkNeeds(&need[i], i) })
	}
}

// isServiceName reports whether a name begins with two labels that begin with an underscore (RFC 2782), or is a wildcard, which stands for such
// names (RFC 4592 section 4.5).
func isServiceName(name string) bool {
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	if labels[0] == "*" {
		return true
	}
	return len(labels) > 2 && len(labels[0]) > 1 && labels[0][0] == '_' && len(labels[1]) > 1 && labels[1][0] == '_'
}

// need notes what a domain needs of a virtual server and its backups.
func (c *checker) need(need []needs, server int, d *Domain) {
	for range MaxBackupDepth + 1 {
		n := &need[server]
		if (d.SRV != nil || d.MX != nil) && n.host == "" {
			n.host = d.Name
		}
		if d.SRV != nil && d.SRV.Port == 0 && n.port == "" {
			n.port = d.Name
		}
		if d.NAPTR != nil && n.naptr == "" {
			n.naptr = d.Name
		}
		next, ok := c.servers[c.doc.VirtualServers[server].Backup]
		if !ok {
			return
		}
		server = next
	}
}

// checkNeeds checks the members of one virtual server.
func (c *checker) checkNeeds(n *needs, server int) {
	v := &c.doc.VirtualServers[server]
	for j := range v.Members {
		if g := v.Members[j].Group; g != "" {
			c.groupNeeds(n, g, at("virtual_servers", server, "members", j, "group"))
			continue
		}
		i, ok := c.services[v.Members[j].Service]
		if !ok {
			continue
		}
		s, path := &c.doc.Services[i], at("virtual_servers", server, "members", j, "service")
		named := s.Host != "" && n.host != "" || s.NAPTR != nil && n.naptr != "" // the answer to some domain can name it
		switch failed := func(key string) bool { return c.page.failed[at("services", i, key)] }; {
		case len(s.Addresses) == 0 && s.CNAME == "" && (s.Host != "" || s.NAPTR != nil) && !named && !failed("addresses"):
			c.problem(path, codeWarnNoEffect, "add addresses to the service, or srv, mx or naptr to a domain", "service %s has only a host or naptr, which no domain here is answered with", quote(s.Name))
		case n.host != "" && s.CNAME != "":
			c.problem(path, codeMemberHost, "give it addresses and a host instead", "domain %s is answered with hosts, and service %s has a cname", quote(n.host), quote(s.Name))
		case n.host != "" && s.Host == "" && !failed("host"):
			c.problem(path, codeMemberHost, "add host: to the service", "domain %s is answered with hosts, and service %s has none", quote(n.host), quote(s.Name))
		case n.port != "" && s.Port == 0 && !failed("port"):
			c.problem(path, codeMemberPort, "add port: to the service, or to srv", "domain %s is answered with ports, and service %s has none", quote(n.port), quote(s.Name))
		case n.naptr != "" && s.NAPTR == nil && !failed("naptr"):
			c.problem(path, codeMemberNAPTR, "add naptr: to the service", "domain %s is answered with NAPTR records, and service %s has none", quote(n.naptr), quote(s.Name))
		}
	}
}

// groupNeeds reports a group where the services need what those of groups do not have.
func (c *checker) groupNeeds(n *needs, group, path string) {
	switch _, ok := c.groups[group]; {
	case !ok:
	case n.host != "":
		c.problem(path, codeMemberHost, "list the services one by one, each with its host", "domain %s is answered with hosts, which services of groups do not have", quote(n.host))
	case n.naptr != "":
		c.problem(path, codeMemberNAPTR, "list the services one by one, each with its naptr", "domain %s is answered with NAPTR records, which services of groups do not have", quote(n.naptr))
	}
}

// checkHTTPSAnswer checks the protocols. They come back as they are written, so nothing is allowed in them that a zone file
// would have to escape.
func (c *checker) checkHTTPSAnswer(h *HTTPSAnswer, path string) {
	c.limit(path+"/alpn", "protocols", len(h.ALPN), MaxALPN)
	for i, id := range h.ALPN[:min(len(h.ALPN), MaxALPN)] {
		at := path + at("alpn", i)
		bad := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\",;()\\", r) }
		switch {
		case id == "" || len(id) > maxALPNLength || strings.ContainsFunc(id, bad):
			c.problem(at, codeHTTPSAnswer, "write h2 or h3", "%s is not the name of a protocol", quote(id))
		case slices.Index(h.ALPN, id) < i:
			c.problem(at, codeHTTPSAnswer, "remove one of them", "protocol %s stands twice", quote(id))
		}
	}
	if h.NoDefaultALPN && len(h.ALPN) == 0 {
		c.problem(path+"/no_default_alpn", codeHTTPSAnswer, "add alpn: [h2]", "without http/1.1 there is no protocol left")
	}
}
