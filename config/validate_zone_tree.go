package config

import (
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// zoneOf returns the facts of the longest zone that encloses a canonical name, or nil. Zones of the same name for other
// views are its twins.
func (c *checker) zoneOf(name string) *zoneFacts {
	for rest := name; rest != ""; {
		if z := c.zones[rest]; z != nil {
			return z
		}
		rest = parentName(rest)
	}
	return nil
}

// zonesOf returns the zones that a canonical name belongs to: for the clients of each view, and for those of none, the
// longest one that encloses it and that they see.
func (c *checker) zonesOf(name string) (out []*zoneFacts) {
	covered := map[string]bool{} // views whose clients see a longer one
	for rest := name; rest != ""; rest = parentName(rest) {
		forAll := false
		for z := c.zones[rest]; z != nil; z = z.twin {
			views := c.doc.Zones[z.index].Views
			forAll = forAll || len(views) == 0
			if len(views) == 0 || slices.ContainsFunc(views, func(view string) bool { return !covered[view] }) {
				out = append(out, z)
			}
		}
		if forAll {
			return out
		}
		for z := c.zones[rest]; z != nil; z = z.twin {
			for _, view := range c.doc.Zones[z.index].Views {
				covered[view] = true
			}
		}
	}
	return out
}

// seenTogether reports whether some client can see both of two zones of different names.
func (c *checker) seenTogether(a, b *zoneFacts) bool {
	x, y := &c.doc.Zones[a.index], &c.doc.Zones[b.index]
	_, both := sameClients(x, y)
	return both || len(x.Views) == 0 || len(y.Views) == 0
}

// parentName drops the first label of a canonical name; "" above the last one.
func parentName(name string) string {
	_, rest, _ := strings.Cut(name, ".")
	return rest
}

// checkNesting warns of a zone inside another that does not delegate it: outside these servers it cannot be found.
func (c *checker) checkNesting() {
	for i := range c.doc.Zones {
		name, err := canonicalHost(c.doc.Zones[i].Name)
		if err != nil {
			continue
		}
		inner := c.zones[name]
		for inner != nil && inner.index != i {
			inner = inner.twin
		}
		if inner == nil {
			continue // refused
		}
		for outer := c.zoneOf(parentName(name)); outer != nil; outer = outer.twin {
			if c.doc.Zones[outer.index].Secondary() || outer.has(name, dns.TypeNS) || !c.seenTogether(inner, outer) {
				continue
			}
			c.problem(at("zones", i, "name"), codeWarnNestedZone, "add NS records for it to "+show(outer.name),
				"zone %s lies inside %s, which does not delegate it", show(name), show(outer.name))
			break
		}
	}
}

// checkNameserverAddresses warns of nameservers that resolvers cannot reach because the zone itself must hold their address.
func (c *checker) checkNameserverAddresses(z *Zone, path string, facts *zoneFacts) {
	for i, ns := range z.Nameservers[:min(len(z.Nameservers), MaxNameservers)] {
		name, err := canonicalHost(ns)
		if err != nil || !inZone(name, facts.name) {
			continue
		}
		if facts.has(name, dns.TypeA) || facts.has(name, dns.TypeAAAA) || c.isDomain(name) {
			continue
		}
		c.problem(path+at("nameservers", i), codeWarnNameserver, "add an A or AAAA record to records",
			"nameserver %s is inside the zone but has no address there", quote(ns))
	}
}

// isDomain reports whether a canonical name is balanced.
func (c *checker) isDomain(name string) bool {
	if c.domains == nil {
		c.domains = map[string]bool{}
		for i := range c.doc.VirtualServers {
			for j := range c.doc.VirtualServers[i].Domains {
				if d, err := CanonicalName(c.doc.VirtualServers[i].Domains[j].Name); err == nil {
					c.domains[d] = true
				}
			}
		}
	}
	return c.domains[name]
}

// delegation returns the name at or above a canonical name that has NS records, below the top of the zone, or a DNAME: what
// is there belongs to other servers.
func (z *zoneFacts) delegation(name string) (owner, kind string) {
	for at := name; at != ""; at = parentName(at) {
		if at != z.name && z.has(at, dns.TypeNS) {
			return at, "delegated"
		}
		if at != name && z.has(at, dns.TypeDNAME) {
			return at, "redirected by a DNAME"
		}
		if at == z.name {
			break
		}
	}
	return "", ""
}
