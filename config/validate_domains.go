package config

import (
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// shortTTLLimit is the TTL below which a warning says what it costs.
const shortTTLLimit = Duration(5 * time.Second)

// checkDomains checks every balanced name against the zones and the other names.
func (c *checker) checkDomains() {
	if c.settlement.stays(ObjectVirtualServer) { // no name was balanced twice, and none is
		for i := range c.doc.VirtualServers {
			if !c.settled(ObjectVirtualServer, i) {
				c.checkDomainsOf(i)
			}
		}
		return
	}
	total := 0
	seen := make(map[string][2]int, len(c.doc.VirtualServers)) // the first of each canonical name: virtual server and domain
	for i := range c.doc.VirtualServers {
		total += len(c.doc.VirtualServers[i].Domains)
		for j := range c.doc.VirtualServers[i].Domains {
			c.look(ObjectVirtualServer, i, func() { c.checkDomain(i, j) })
			c.checkDomainTwice(i, j, seen)
		}
	}
	c.limit(at("virtual_servers"), "domains", total, MaxDomains)
}

// checkDomainsOf checks the names of a virtual server, of which none is balanced twice.
func (c *checker) checkDomainsOf(i int) {
	for j := range c.doc.VirtualServers[i].Domains {
		c.look(ObjectVirtualServer, i, func() { c.checkDomain(i, j) })
		c.checkDomainTwice(i, j, map[string][2]int{})
	}
}

// checkDomain checks one balanced name by itself.
func (c *checker) checkDomain(i, j int) {
	v, path := &c.doc.VirtualServers[i], at("virtual_servers", i, "domains", j)
	d := &v.Domains[j]
	c.checkBackupAddresses(v, d, path)
	if d.TTL != nil {
		c.shortTTL(path+"/ttl", *d.TTL)
	}
	if _, err := CanonicalName(d.Name); err != nil {
		c.problem(path+"/name", codeDomainName, "", "%v", err)
	}
}

// checkDomainTwice checks that a name is balanced once, and where. seen holds the first of each.
func (c *checker) checkDomainTwice(i, j int, seen map[string][2]int) {
	d := &c.doc.VirtualServers[i].Domains[j]
	name, err := CanonicalName(d.Name)
	if err != nil {
		return // reported already
	}
	if first, taken := seen[name]; taken {
		c.problem(at("virtual_servers", i, "domains", j, "name"), codeDuplicateDomain, c.firstAt(at("virtual_servers", first[0], "domains", first[1], "name")),
			"domain %s is balanced twice", show(name))
		return
	}
	seen[name] = [2]int{i, j}
	c.look(ObjectVirtualServer, i, func() { c.checkDomainInZone(i, d, name, at("virtual_servers", i, "domains", j, "name")) })
}

func (c *checker) shortTTL(path string, ttl Duration) {
	if ttl < shortTTLLimit && c.page.present(path) {
		c.problem(path, codeWarnShortTTL, "resolvers will ask almost every time, and some keep answers longer anyway", "TTL %s is short", ttl)
	}
}

func (c *checker) checkBackupAddresses(v *VirtualServer, d *Domain, path string) {
	path += "/backup_addresses"
	c.limit(path, "backup addresses", len(d.BackupAddresses), MaxBackupAddresses)
	for i, a := range d.BackupAddresses[:min(len(d.BackupAddresses), MaxBackupAddresses)] {
		if why := unusableAddress(a); why != "" && a.IsValid() {
			c.problem(path+at(i), codeUnusableAddress, "", "%s %s", a, why)
		}
		if slices.Index(d.BackupAddresses, a) < i && a.IsValid() {
			c.problem(path+at(i), codeBackupAddresses, "remove one of them", "backup address %s stands twice", a)
		}
	}
	switch used := v.WhenAllDown == AnswerBackupAddress; {
	case used && len(d.BackupAddresses) == 0:
		c.problem(path, codeBackupAddresses, "add backup_addresses to this domain", "when_all_down is backup-address, but domain %s has no backup addresses", quote(d.Name))
	case !used && len(d.BackupAddresses) > 0:
		c.problem(path, codeWarnNoEffect, "set when_all_down: backup-address", "backup_addresses are not used with when_all_down: %s", v.WhenAllDown)
	}
}

// checkDomainInZone checks one balanced name against the records of its zone, of each that it has for the clients of some
// view.
func (c *checker) checkDomainInZone(server int, d *Domain, name, path string) {
	zones := c.zonesOf(name)
	if len(zones) == 0 {
		c.problem(path, codeOutsideZones, c.zoneHint(), "domain %s is in none of the zones", show(name))
		return
	}
	cname := c.answersWithName(server)
	if cname && slices.ContainsFunc(zones, func(z *zoneFacts) bool { return z.name == name }) {
		c.problem(path, codeApexCNAME, "use members with addresses", "domain %s is the top of its zone and cannot be answered with a CNAME", show(name))
	}
	if cname {
		c.checkNotItself(server, name, path)
	}
	for _, z := range zones {
		if !c.checkDomainAndRecords(d, z, cname, name, path) {
			return
		}
	}
}

// checkDomainAndRecords checks one balanced name against the records of one zone. It reports whether the name may be
// there.
func (c *checker) checkDomainAndRecords(d *Domain, z *zoneFacts, cname bool, name, path string) bool {
	if owner, kind := z.delegation(name); owner != "" {
		c.problem(path, codeBelowDelegation, "", "domain %s is not answered here: %s is %s in zone %s", show(name), show(owner), kind, show(z.name))
		return false
	}
	for _, t := range []uint16{dns.TypeCNAME, dns.TypeDNAME} {
		if z.has(name, t) {
			c.problem(path, codeBalancedCNAME, "remove the record from the zone", "domain %s also has a %s record", show(name), dns.TypeToString[t])
			return false
		}
	}
	var hidden []string
	for _, t := range z.types(name) {
		if cname || d.Balances(t) {
			hidden = append(hidden, dns.TypeToString[t])
		}
	}
	if len(hidden) > 0 && !(cname && name == z.name) {
		slices.Sort(hidden)
		c.problem(path, codeWarnShadowedRecords, "the balanced answer wins", "the zone's %s records of %s are hidden", strings.Join(hidden, ", "), show(name))
	}
	return true
}

func (c *checker) zoneHint() string {
	const shown = 3
	var names []string
	for i := range c.doc.Zones[:min(shown, len(c.doc.Zones))] {
		names = append(names, c.doc.Zones[i].Name)
	}
	switch {
	case len(names) == 0:
		return "add its zone to zones"
	case len(c.doc.Zones) > shown:
		return "the zones are " + strings.Join(names, ", ") + " and others"
	case len(names) == 1:
		return "the only zone is " + names[0]
	}
	return "the zones are " + strings.Join(names, ", ")
}

// checkNotItself checks that no member of a virtual server, or of one of its backups, answers a name with itself.
func (c *checker) checkNotItself(server int, name, path string) {
	if c.aliases == nil || c.aliasesOf != server {
		c.aliases, c.aliasesOf = c.answeredNames(server), server
	}
	for _, service := range c.aliases[name] {
		c.problem(path, codeWarnAliasOfItself, "give the service another cname", "service %s answers domain %s with its own name, which leads nowhere", quote(service), show(name))
	}
}

// answeredNames lists the members of a virtual server and of its backups that are a CNAME, by the canonical name that they lead to. It is made once for
// all domains of the server, which may be thousands.
func (c *checker) answeredNames(server int) map[string][]string {
	names := map[string][]string{}
	for range MaxBackupDepth + 1 {
		v := &c.doc.VirtualServers[server]
		for _, m := range v.Members {
			i, ok := c.services[m.Service]
			if !ok || c.doc.Services[i].CNAME == "" {
				continue
			}
			if to, err := CanonicalName(c.doc.Services[i].CNAME); err == nil {
				names[to] = append(names[to], m.Service)
			}
		}
		next, ok := c.servers[v.Backup]
		if !ok {
			break
		}
		server = next
	}
	return names
}

// answersWithName reports whether a virtual server or one of its backups has a member that is a CNAME.
func (c *checker) answersWithName(server int) bool {
	for range MaxBackupDepth + 1 {
		v := &c.doc.VirtualServers[server]
		for _, m := range v.Members {
			if i, ok := c.services[m.Service]; ok && c.doc.Services[i].CNAME != "" {
				return true
			}
		}
		next, ok := c.servers[v.Backup]
		if !ok {
			return false
		}
		server = next
	}
	return false
}
