package config

import (
	"slices"
	"strings"
)

// MaxBackupServices is how many backup services one service can have.
const MaxBackupServices = 16

// backupSearch walks along backup_services, depth first. Its slices are by service.
type backupSearch struct {
	c      *checker
	onPath []bool
	depth  []int  // how many services follow each other behind this one at most, plus 1; 0: not known
	behind []bool // it follows another one
	path   []int  // the services that lead here
	cycle  bool
}

// checkBackupServices checks the services that stand in behind others: they exist, and following them ends.
func (c *checker) checkBackupServices() {
	effective := slices.ContainsFunc(c.doc.VirtualServers, func(v VirtualServer) bool { return v.EffectiveState })
	n := len(c.doc.Services)
	search := backupSearch{c: c, onPath: make([]bool, n), depth: make([]int, n), behind: make([]bool, n)}
	for i := range c.doc.Services {
		s := &c.doc.Services[i]
		if len(s.BackupServices) == 0 {
			continue
		}
		path := at("services", i, "backup_services")
		c.limit(path, "backup services", len(s.BackupServices), MaxBackupServices)
		for j, name := range s.BackupServices[:min(len(s.BackupServices), MaxBackupServices)] {
			k, ok := c.services[name]
			if ok && k != i {
				search.behind[k] = true
			}
			if !ok {
				c.unknownService(path+at(j), name)
			} else if slices.Index(s.BackupServices, name) < j {
				c.problem(path+at(j), codeBackupServices, "remove one of them", "backup service %s stands twice", quote(name))
			}
		}
		if !effective {
			c.problem(path, codeWarnNoEffect, "set effective_state: true in the virtual server", "backup_services count in virtual servers with effective_state only, and there is none")
		}
	}
	for i := range c.doc.Services {
		if len(c.doc.Services[i].BackupServices) > 0 && search.follow(i) > MaxBackupDepth && !search.cycle && !search.behind[i] {
			c.problem(at("services", i, "backup_services"), codeBackupDepth, "", "more than %d backup services follow each other behind service %s",
				MaxBackupDepth, quote(c.doc.Services[i].Name))
		}
	}
}

// follow returns how many services follow each other behind a service at most. A circle is reported once, where it was
// found.
func (s *backupSearch) follow(i int) int {
	if s.onPath[i] {
		s.cycle = true
		s.report(s.path[slices.Index(s.path, i):])
		return 0
	}
	if s.depth[i] > 0 {
		return s.depth[i] - 1
	}
	s.onPath[i] = true
	s.path = append(s.path, i)
	depth := 0
	backups := s.c.doc.Services[i].BackupServices
	for _, name := range backups[:min(len(backups), MaxBackupServices)] {
		if next, ok := s.c.services[name]; ok {
			depth = max(depth, 1+s.follow(next))
		}
	}
	s.path = s.path[:len(s.path)-1]
	s.onPath[i] = false
	s.depth[i] = depth + 1
	return depth
}

func (s *backupSearch) report(circle []int) {
	const shown = 12
	var names []string
	for _, i := range circle[:min(len(circle), shown)] {
		names = append(names, s.c.doc.Services[i].Name)
	}
	if len(circle) > shown {
		names = append(names, "…")
	}
	names = append(names, names[0])
	s.c.problem(at("services", circle[0], "backup_services"), codeBackupServices, "one of them must do without",
		"backup services run in a circle: %s", strings.Join(names, " -> "))
}
