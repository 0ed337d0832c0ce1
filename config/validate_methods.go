package config

import "slices"

// checkMethods warns of settings of one virtual server that its methods do not read, or that nothing else makes use of.
func (c *checker) checkMethods(v *VirtualServer, path string) {
	uses := func(m Method) bool { return v.Method == m || v.BackupMethod == m }
	if v.Score != (Score{}) && !uses(Scored) {
		c.problem(path+"/score", codeWarnNoEffect, "write method: score", "score has no effect with method %s", v.Method)
	}
	if v.Tolerance > 0 && !uses(RTT) {
		c.problem(path+"/tolerance", codeWarnNoEffect, "write method: rtt", "tolerance has no effect with method %s", v.Method)
	}
	if v.BackupHold && v.Backup == "" {
		c.problem(path+"/backup_hold", codeWarnNoEffect, "add backup:", "backup_hold has no effect without a backup")
	}
	if v.EffectiveState && !c.hasBackupServices(v) {
		c.problem(path+"/effective_state", codeWarnNoEffect, "add backup_services: to a service", "effective_state has no effect: no member has backup_services")
	}
}

func (c *checker) hasBackupServices(v *VirtualServer) bool {
	return slices.ContainsFunc(v.Members, func(m Member) bool {
		i, ok := c.services[m.Service]
		return ok && len(c.doc.Services[i].BackupServices) > 0
	})
}

// checkSpillover checks the spillover of one virtual server.
func (c *checker) checkSpillover(v *VirtualServer, path string) {
	s := &v.Spillover
	const mostHealth = 100
	switch s.Method {
	case SpilloverNone:
		if s.Threshold > 0 {
			c.problem(path+"/threshold", codeWarnNoEffect, "", "a threshold has no effect with spillover method none")
		}
		if s.Persistence {
			c.problem(path+"/persistence", codeWarnNoEffect, "", "persistence of spillover has no effect with spillover method none")
		}
		return
	case SpilloverDynamicConnections:
		if s.Threshold > 0 {
			c.problem(path+"/threshold", codeSpillover, "remove it", "spillover method %s has no threshold: it is the sum of the members' max_connections", s.Method)
		}
		c.checkDynamicSpillover(v, path)
	case SpilloverHealth:
		if s.Threshold == 0 || s.Threshold > mostHealth {
			c.problem(path+"/threshold", codeSpillover, "write threshold: 50 to spill over while less than half of the weights are UP",
				"the threshold of spillover method %s is a percentage from 1 to %d, not %d", s.Method, mostHealth, s.Threshold)
		}
	case SpilloverConnections, SpilloverBandwidth:
		if s.Threshold == 0 {
			unit := "connections"
			if s.Method == SpilloverBandwidth {
				unit = "bit/s"
			}
			c.problem(path+"/threshold", codeSpillover, "add threshold: with the number of "+unit, "spillover method %s needs a threshold above 0", s.Method)
		}
	}
	if v.Backup == "" && s.WithoutBackup == SpillAccept && s.Method != "" {
		c.problem(path+"/method", codeWarnNoEffect, "add backup:, or without_backup: empty", "without a backup, spillover accepts all clients as if it were not there")
	}
}

// checkDynamicSpillover checks that all members have what their sum is made of.
func (c *checker) checkDynamicSpillover(v *VirtualServer, path string) {
	for _, m := range v.Members {
		most, noun, name := uint64(1), "", ""
		if i, ok := c.services[m.Service]; ok && m.Group == "" {
			most, noun, name = c.doc.Services[i].MaxConnections, "service", m.Service
		} else if g, ok := c.groups[m.Group]; ok {
			most, noun, name = c.doc.ServiceGroups[g].MaxConnections, "service group", m.Group
		}
		if most == 0 {
			c.problem(path+"/method", codeSpillover, "add max_connections: to it", "spillover method %s needs max_connections of all members, and %s %s has none", SpilloverDynamicConnections, noun, quote(name))
		}
	}
}
