package config

import (
	"slices"
	"strings"
)

// checkVirtualServers checks members and what is set beside them.
func (c *checker) checkVirtualServers() {
	for i := range c.doc.VirtualServers {
		if c.settled(ObjectVirtualServer, i) {
			continue
		}
		c.look(ObjectVirtualServer, i, func() { c.checkVirtualServer(&c.doc.VirtualServers[i], at("virtual_servers", i)) })
	}
	c.checkMemberships()
	bound := c.bound()
	c.checkHashIDs()
	c.checkSharedSessions()
	for i := range c.doc.Services {
		for _, name := range c.doc.Services[i].BackupServices {
			if j, ok := c.services[name]; ok && j != i {
				bound.services[j] = true
			}
		}
	}
	c.dependedOn(bound.services)
	for i, used := range bound.services {
		if !used {
			c.problem(at("services", i, "name"), codeWarnUnusedService, "add it to a virtual server's members, or remove it",
				"service %s is a member of no virtual server", quote(c.doc.Services[i].Name))
		}
	}
	for i, used := range bound.groups {
		if !used {
			c.problem(at("service_groups", i, "name"), codeWarnUnusedService, "add it to a virtual server's members as group:, or remove it",
				"service group %s is a member of no virtual server", quote(c.doc.ServiceGroups[i].Name))
		}
	}
}

// checkVirtualServer checks one virtual server with its members.
func (c *checker) checkVirtualServer(v *VirtualServer, path string) {
	if len(v.Members) == 0 {
		c.problem(path+"/members", codeEmptyList, "add - service: NAME", "virtual server %s has no members", quote(v.Name))
	}
	c.checkMembers(v, path)
	c.checkMethods(v, path)
	c.checkLoadIsTold(v, path)
	c.checkSpillover(v, path+"/spillover")
	c.checkPersistence(v, path+"/persistence")
	c.checkPolicies(v, path)
}

// bound returns what is a member of some virtual server. It may be written to.
func (c *checker) bound() members {
	kept := c.settlement.members()
	if kept == nil {
		kept = &members{services: make([]bool, len(c.doc.Services)), groups: make([]bool, len(c.doc.ServiceGroups))}
		for i := range c.doc.VirtualServers {
			c.bind(&c.doc.VirtualServers[i], kept)
		}
	}
	if c.settlement != nil {
		c.settlement.found.bound = kept
	}
	return members{services: slices.Clone(kept.services), groups: kept.groups}
}

// bind marks the members of a virtual server.
func (c *checker) bind(v *VirtualServer, bound *members) {
	for j := range v.Members {
		m := &v.Members[j]
		if (m.Service == "") == (m.Group == "") {
			continue
		}
		if i, ok := c.groups[m.Group]; ok && m.Group != "" {
			bound.groups[i] = true
		} else if i, ok := c.services[m.Service]; ok && m.Service != "" {
			bound.services[i] = true
		}
	}
}

// members says what is a member of some virtual server.
type members struct{ services, groups []bool }

func (c *checker) checkMembers(v *VirtualServer, path string) {
	if n := c.sizeOf(v); n > MaxMembers {
		c.problem(path+"/members", codeTooMany, "", "%d members, those of groups included; the limit is %d", n, MaxMembers)
	}
	seen := make(map[string]int, len(v.Members))
	for j := range v.Members {
		m := &v.Members[j]
		path := path + at("members", j)
		if c.page.failed[path+"/service"] || c.page.failed[path+"/group"] {
			continue
		}
		switch {
		case (m.Service == "") == (m.Group == ""):
			said := "neither a service nor a group"
			if m.Service != "" {
				said = "both a service and a group"
			}
			c.problem(path, codeMember, "write {service: NAME} or {group: NAME}", "member %d has %s", j+1, said)
			continue
		case m.Group != "":
			path += "/group"
			if _, ok := c.groups[m.Group]; !ok {
				hint := c.nearestName(m.Group, len(c.doc.ServiceGroups), func(i int) string { return c.doc.ServiceGroups[i].Name })
				c.problem(path, codeUnknownGroup, hint, "service group %s does not exist", quote(m.Group))
				continue
			}
			c.checkGroupWeights(m, strings.TrimSuffix(path, "/group")+"/weight")
		default:
			path += "/service"
			if _, ok := c.services[m.Service]; !ok {
				c.unknownService(path, m.Service)
				continue
			}
		}
		c.checkMemberTwice(m, j, path, seen)
	}
}

// checkMemberships checks how many members all virtual servers have together.
func (c *checker) checkMemberships() {
	sum := 0
	for i := range c.doc.VirtualServers {
		v := &c.doc.VirtualServers[i]
		sum += min(max(c.sizeOf(v), 0), MaxMembers) * (1 + min(len(v.Policies), MaxPolicies)) // more is told of elsewhere
	}
	if sum > MaxMemberships {
		c.problem(at("virtual_servers"), codeTooMany, "let more names share a virtual server, or use fewer policies",
			"%d members of all virtual servers, those of groups included and once more for each policy; the limit is %d", sum, MaxMemberships)
	}
}

// sizeOf is how many members a virtual server has at most, with the services of groups in place of the groups.
func (c *checker) sizeOf(v *VirtualServer) int {
	n := len(v.Members)
	for j := range v.Members {
		m := &v.Members[j]
		if m.Group == "" {
			continue
		}
		if i, ok := c.groups[m.Group]; ok {
			n += c.doc.ServiceGroups[i].size() - 1
		}
	}
	return n
}

// checkMemberTwice reports a service or group that is a member already. seen holds the first member of each.
func (c *checker) checkMemberTwice(m *Member, j int, path string, seen map[string]int) {
	noun, name := "service", m.Service
	if m.Group != "" {
		noun, name = "service group", m.Group
	}
	if first, twice := seen[noun+name]; twice {
		c.problem(path, codeDuplicateMember, "use weight to give it a larger share", "%s %s is already member %d of this virtual server", noun, quote(name), first+1)
		return
	}
	seen[noun+name] = j
}

// checkBackups follows every chain of backups. Each virtual server has at most one, so a chain either ends or runs into a
// cycle.
func (c *checker) checkBackups() {
	next := make([]int, len(c.doc.VirtualServers))
	isBackup := make([]bool, len(next))
	for i := range c.doc.VirtualServers {
		next[i] = c.backupOf(i)
		if next[i] >= 0 {
			isBackup[next[i]] = true
		}
	}
	const (
		unseen = iota
		onPath
		done
	)
	state := make([]int, len(next))
	circular := make([]bool, len(next)) // its chain runs into a cycle
	for start := range next {
		var path []int
		i := start
		for ; i >= 0 && state[i] == unseen; i = next[i] {
			state[i] = onPath
			path = append(path, i)
		}
		if i >= 0 && state[i] == onPath {
			c.backupCycle(i, next)
			circular[i] = true
		}
		for _, j := range path {
			state[j] = done
			circular[j] = i >= 0 && circular[i]
		}
	}
	for i := range next {
		if isBackup[i] {
			continue
		}
		if len(c.doc.VirtualServers[i].Domains) == 0 {
			c.problem(at("virtual_servers", i, "name"), codeWarnUnusedServer, "give it domains, or make it a backup",
				"virtual server %s has no domains and is nobody's backup", quote(c.doc.VirtualServers[i].Name))
		}
		if !circular[i] {
			c.backupDepth(i, next)
		}
	}
}

// backupOf returns the index of a virtual server's backup, or -1 when it has none that could be followed.
func (c *checker) backupOf(i int) int {
	v := &c.doc.VirtualServers[i]
	if v.Backup == "" {
		return -1
	}
	path := at("virtual_servers", i, "backup")
	j, ok := c.servers[v.Backup]
	if !ok {
		hint := c.nearestName(v.Backup, len(c.doc.VirtualServers), func(i int) string { return c.doc.VirtualServers[i].Name })
		c.problem(path, codeUnknownVirtualServer, hint, "virtual server %s does not exist", quote(v.Backup))
		return -1
	}
	if i == j {
		c.problem(path, codeOwnBackup, "", "virtual server %s is its own backup", quote(v.Name))
		return -1
	}
	return j
}

func (c *checker) backupCycle(start int, next []int) {
	const shown = 12
	names := []string{c.doc.VirtualServers[start].Name}
	for i := next[start]; i != start; i = next[i] {
		if len(names) == shown {
			names = append(names, "…")
			break
		}
		names = append(names, c.doc.VirtualServers[i].Name)
	}
	names = append(names, names[0])
	c.problem(at("virtual_servers", start, "backup"), codeBackupCycle, "one of them must do without a backup",
		"backups run in a circle: %s", strings.Join(names, " -> "))
}

// backupDepth reports a chain that is too long at the virtual server it starts from.
func (c *checker) backupDepth(start int, next []int) {
	depth := 0
	for i := next[start]; i >= 0 && depth <= MaxBackupDepth; i = next[i] {
		depth++
	}
	if depth > MaxBackupDepth {
		c.problem(at("virtual_servers", start, "backup"), codeBackupDepth, "", "more than %d backups follow virtual server %s",
			MaxBackupDepth, quote(c.doc.VirtualServers[start].Name))
	}
}
