package config

import "slices"

// The contract names more than this release does. What would change answers is refused; what would only tune a feature
// that does not run yet is warned of. Nothing is silently ignored.

func methodAvailable(m Method) bool {
	return slices.Contains([]Method{RoundRobin, LeastConnection, SourceIPHashing, StaticProximity}, m)
}

func (c *checker) checkRelease() {
	for i := range c.doc.VirtualServers {
		v := &c.doc.VirtualServers[i]
		path := at("virtual_servers", i)
		if !methodAvailable(v.Method) {
			c.notAvailable(path+"/method", "method "+string(v.Method))
		}
		if !methodAvailable(v.BackupMethod) {
			c.notAvailable(path+"/backup_method", "method "+string(v.BackupMethod))
		}
		if v.Persistence.Type != PersistenceNone {
			c.notAvailable(path+"/persistence/type", "persistence "+string(v.Persistence.Type))
		}
		if v.Spillover.Method != SpilloverNone {
			c.notAvailable(path+"/spillover/method", "spillover "+string(v.Spillover.Method))
		}
		if v.BackupHold {
			c.notAvailable(path+"/backup_hold", "backup_hold")
		}
	}
	var standard Document
	(&decoder{shapes: shapes{}}).defaultsOf(&standard)
	have, usual := &c.doc.Settings, &standard.Settings
	c.noEffectYet("/settings/mep/network_interval", have.MEP.NetworkInterval != usual.MEP.NetworkInterval)
	c.noEffectYet("/settings/mep/session_interval", have.MEP.SessionInterval != usual.MEP.SessionInterval)
	c.noEffectYet("/settings/ldns/prefix4", have.LDNS.Prefix4 != usual.LDNS.Prefix4)
	c.noEffectYet("/settings/ldns/prefix6", have.LDNS.Prefix6 != usual.LDNS.Prefix6)
	c.noEffectYet("/settings/ldns/entry_timeout", have.LDNS.EntryTimeout != usual.LDNS.EntryTimeout)
	c.noEffectYet("/settings/ldns/max_entries", have.LDNS.MaxEntries != usual.LDNS.MaxEntries)
	order := have.LDNS.ProbeOrder
	c.noEffectYet("/settings/ldns/probe_order", len(order) > 0 && !slices.Equal(order, probeKinds()))
}

func (c *checker) notAvailable(path, what string) {
	c.problem(path, codeNotAvailable, "", "%s is not available in this release", what)
}

func (c *checker) noEffectYet(path string, changed bool) {
	if changed {
		c.problem(path, codeWarnNotInThisRelease, "", "the setting has no effect in this release")
	}
}
