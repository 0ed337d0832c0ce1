package config

import (
	"slices"
	"strings"
)

const (
	// longestAddressName is the length of the longest name that an address gives to a member of a group.
	longestAddressName = len("2001-0db8-1111-2222-3333-4444-5555-6666")
	// MaxGroupServices is how many services all groups of a document can become, those of autoscaled groups counted in
	// full.
	MaxGroupServices = MaxServices
)

// checkGroups checks the service groups by themselves.
func (c *checker) checkGroups() {
	total := 0
	for i := range c.doc.ServiceGroups {
		g := &c.doc.ServiceGroups[i]
		path := at("service_groups", i)
		total += g.size()
		if _, ok := c.sites[g.Site]; !ok {
			c.unknownSite(path+"/site", g.Site)
		}
		bound := boundMonitors{monitors: g.Monitors, threshold: g.MonitorThreshold}
		c.checkBoundMonitors(path, &bound)
		switch hasMembers := len(g.Members) > 0 || c.page.failed[path+"/members"]; {
		case g.Autoscale != nil && hasMembers:
			c.problem(path+"/autoscale", codeGroupMembers, "remove one of them", "group %s has both members and autoscale", quote(g.Name))
		case g.Announced != nil && (g.Autoscale != nil || hasMembers):
			c.problem(path+"/announced", codeGroupMembers, "keep one of them", "group %s has announced beside members or autoscale", quote(g.Name))
		case g.Announced != nil:
			c.checkAnnounced(g, path)
		case g.Autoscale != nil:
			c.checkAutoscale(g, path)
		case !hasMembers && !c.page.failed[path+"/autoscale"]:
			c.problem(path, codeGroupMembers, "add members: [{addresses: [192.0.2.1]}], or autoscale: {name: …}", "group %s has neither members nor autoscale", quote(g.Name))
		}
		c.checkGroupMembers(g, path)
		c.checkGroupLoad(g, path)
	}
	if total > MaxGroupServices {
		c.problem(at("service_groups"), codeTooMany, "", "the groups have up to %d services; the limit is %d", total, MaxGroupServices)
	}
}

// size is how many services the group has at most.
func (g *ServiceGroup) size() int {
	switch {
	case g.Autoscale != nil:
		return g.Autoscale.Max
	case g.Announced != nil:
		return g.Announced.Max
	}
	return len(g.Members)
}

func (c *checker) checkAutoscale(g *ServiceGroup, path string) {
	if _, err := canonicalHost(g.Autoscale.Name); err != nil {
		c.problem(path+"/autoscale/name", codeDomainName, "", "%v", err)
	}
	if r := g.Autoscale.Resolver; r != "" {
		if _, _, err := splitHostPort(r, DefaultDNSPort); err != nil {
			c.problem(path+"/autoscale/resolver", codeResolver, "write 192.0.2.53, 192.0.2.53:53 or [2001:db8::53]:53", "%v", err)
		}
	}
	if len(g.Name)+len(groupSeparator)+longestAddressName > MaxNameLength {
		c.problem(path+"/name", codeName, "", "the name of an autoscaled group has at most %d characters, this one %d",
			MaxNameLength-len(groupSeparator)-longestAddressName, len(g.Name))
	}
	if name := c.needsPort(g.Monitors); name != "" && g.Port == 0 && !c.page.failed[path+"/port"] {
		c.problem(path+"/monitors", codePortMissing, "add port: to the group, or target.port to the monitor", "group %s has no port, which monitor %s needs", quote(g.Name), quote(name))
	}
}

func (c *checker) checkAnnounced(g *ServiceGroup, path string) {
	if err := checkName(g.Announced.Label); err != nil {
		c.problem(path+"/announced/label", codeName, "labels have letters, digits, '-', '_' and '.'", "%v", err)
	}
	if i, ok := c.sites[g.Site]; ok && !c.doc.Sites[i].AcceptAnnounced {
		c.problem(path+"/announced", codeTopology, "add accept_announced: true to the site", "site %s may not announce services", quote(g.Site))
	}
}

func (c *checker) checkGroupMembers(g *ServiceGroup, path string) {
	c.limit(path+"/members", "members", len(g.Members), MaxMembers)
	names, monitor := make(map[string]int, len(g.Members)), c.needsPort(g.Monitors)
	for j := range g.Members[:min(len(g.Members), MaxMembers)] {
		m, path := &g.Members[j], path+at("members", j)
		name := quote(g.serviceName(m))
		if len(m.Addresses) == 0 && !c.page.failed[path+"/addresses"] {
			c.problem(path+"/addresses", codeEmptyList, "add addresses: [192.0.2.1]", "member %s has no addresses", name)
		}
		c.checkFamilies(path+"/addresses", name, m.Addresses)
		c.checkReachedAddresses(path+"/addresses", m.Addresses, len(g.Monitors) > 0)
		c.checkReplacements(path+"/public_addresses", name, m.Addresses, m.PublicAddresses)
		if m.Port == 0 && g.Port == 0 && monitor != "" && !c.page.failed[path+"/port"] {
			c.problem(path, codePortMissing, "add port: to the group, or to this member", "member %s has no port, which monitor %s needs", name, quote(monitor))
		}
		c.checkMemberName(g, m, j, path, names)
	}
}

// checkMemberName checks the second half of a service's name. names holds the first member of each.
func (c *checker) checkMemberName(g *ServiceGroup, m *GroupMember, j int, path string, names map[string]int) {
	own, key := m.ownName(), path
	if m.Name != "" {
		key = path + "/name"
		if err := checkName(m.Name); err != nil {
			c.problem(key, codeName, "names have letters, digits, '-', '_' and '.'", "%v", err)
			return
		}
	}
	if own == "" {
		return // no address either, and reported so
	}
	if n := len(g.serviceName(m)); n > MaxNameLength {
		c.problem(key, codeName, "shorten the name of the group or of the member", "service %s would have a name of %d characters; the limit is %d", quote(g.serviceName(m)), n, MaxNameLength)
		return
	}
	if first, taken := names[own]; taken {
		hint := "give it a name: of its own"
		if m.Name != "" {
			hint = ""
		}
		c.problem(key, codeDuplicateName, hint, "member %d of group %s is named %s, too", first+1, quote(g.Name), quote(own))
		return
	}
	names[own] = j
}

// checkHashIDs checks that no two members of a virtual server have the same identity for source-ip-hash. A pair that is in
// several virtual servers is reported once.
func (c *checker) checkHashIDs() {
	reported := map[string]bool{}
	for i := range c.doc.VirtualServers {
		if c.settled(ObjectVirtualServer, i) {
			continue // its members are what they were, and no two had the same
		}
		v := &c.doc.VirtualServers[i]
		first := map[uint32]string{} // path, by hash_id
		note := func(id uint32, path, name string) {
			other, taken := first[id]
			switch {
			case !taken:
				first[id] = path
			case other != path && !reported[path]:
				reported[path] = true
				c.problem(path, codeDuplicateHashID, c.firstAt(other), "service %s has the hash_id of another member of virtual server %s", quote(name), quote(v.Name))
			}
		}
		for _, m := range v.Members[:min(len(v.Members), MaxMembers)] {
			if s, ok := c.services[m.Service]; ok && m.Group == "" && c.doc.Services[s].HashID != 0 {
				note(c.doc.Services[s].HashID, at("services", s, "hash_id"), m.Service)
			}
			if g, ok := c.groups[m.Group]; ok {
				group := &c.doc.ServiceGroups[g]
				for k := range group.Members {
					if group.Members[k].HashID == 0 {
						continue
					}
					note(group.Members[k].HashID, at("service_groups", g, "members", k, "hash_id"), group.serviceName(&group.Members[k]))
				}
			}
		}
	}
}

// checkGroupWeights warns of products of weights that are cut.
func (c *checker) checkGroupWeights(m *Member, path string) {
	g, ok := c.groups[m.Group]
	if !ok {
		return
	}
	own := c.doc.ServiceGroups[g].Members
	var cut []string
	for k := range own {
		if own[k].Weight*m.Weight > MaxWeight {
			cut = append(cut, own[k].ownName())
		}
	}
	if len(cut) == 0 {
		return
	}
	const shown = 3
	names := strings.Join(cut[:min(shown, len(cut))], ", ")
	if len(cut) > shown {
		names += ", …"
	}
	heaviest := slices.MaxFunc(own, func(a, b GroupMember) int { return a.Weight - b.Weight }).Weight
	c.problem(path, codeWarnWeight, "weights are multiplied: lower this one or the members'",
		"weight %d times %d of members (%s) is above %d, and counts as %d", m.Weight, heaviest, names, MaxWeight, MaxWeight)
}
