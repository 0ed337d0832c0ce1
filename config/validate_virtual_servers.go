package config

import "strings"

// checkVirtualServers checks members and what is set beside them.
func (c *checker) checkVirtualServers() {
	bound := make([]bool, len(c.doc.Services))
	for i := range c.doc.VirtualServers {
		v := &c.doc.VirtualServers[i]
		path := at("virtual_servers", i)
		if len(v.Members) == 0 {
			c.problem(path+"/members", codeEmptyList, "add - service: NAME", "virtual server %s has no members", quote(v.Name))
		}
		c.limit(path+"/members", "members", len(v.Members), MaxMembers)
		c.checkMembers(v, path, bound)
		if v.Spillover.Method == SpilloverNone && v.Spillover.Threshold > 0 {
			c.problem(path+"/spillover/threshold", codeWarnNoEffect, "", "a threshold has no effect with spillover method none")
		}
	}
	for i, used := range bound {
		if !used {
			c.problem(at("services", i, "name"), codeWarnUnusedService, "add it to a virtual server's members, or remove it",
				"service %s is a member of no virtual server", quote(c.doc.Services[i].Name))
		}
	}
}

func (c *checker) checkMembers(v *VirtualServer, path string, bound []bool) {
	seen := make(map[string]int, len(v.Members))
	for j := range v.Members {
		name := v.Members[j].Service
		at := path + at("members", j, "service")
		i, ok := c.services[name]
		if !ok {
			hint := c.nearestName(name, len(c.doc.Services), func(i int) string { return c.doc.Services[i].Name })
			c.problem(at, codeUnknownService, hint, "service %s does not exist", quote(name))
			continue
		}
		bound[i] = true
		if first, twice := seen[name]; twice {
			c.problem(at, codeDuplicateMember, "use weight to give it a larger share", "service %s is already member %d of this virtual server", quote(name), first+1)
			continue
		}
		seen[name] = j
	}
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
	path := at("virtual_servers", i, "backup")
	if v.Backup == "" {
		return -1
	}
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
