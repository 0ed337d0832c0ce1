package config

import "slices"

// keepsSessions reports whether a virtual server remembers clients.
func (v *VirtualServer) keepsSessions() bool {
	return v.Persistence.Type == PersistenceSourceIP || v.Spillover.Method != SpilloverNone && v.Spillover.Persistence
}

// checkPersistence warns of what has no effect without sessions.
func (c *checker) checkPersistence(v *VirtualServer, path string) {
	if v.Persistence.YieldToOrder && v.Persistence.Type == PersistenceNone {
		c.problem(path+"/yield_to_order", codeWarnNoEffect, "write type: source-ip", "yield_to_order has no effect without persistence")
	}
	if v.Persistence.ID != 0 && !v.keepsSessions() {
		c.problem(path+"/id", codeWarnNoEffect, "write type: source-ip", "the id has no effect without persistence")
	}
	if v.keepsSessions() || c.page.present(path+"/type") { // type: none beside the rest says that it is off on purpose
		return
	}
	for _, key := range []string{"timeout", "prefix4", "prefix6"} {
		if c.page.present(path + "/" + key) {
			c.problem(path+"/"+key, codeWarnNoEffect, "write type: source-ip; the default is none", "%s has no effect: no client keeps its service", key)
			return
		}
	}
}

// checkSharedSessions warns of virtual servers that share sessions but not their members: a session of one may name a
// service that the other does not have.
func (c *checker) checkSharedSessions() {
	first := map[int]int{}
	for i := range c.doc.VirtualServers {
		v := &c.doc.VirtualServers[i]
		if v.Persistence.ID == 0 || !v.keepsSessions() {
			continue
		}
		j, taken := first[v.Persistence.ID]
		if !taken {
			first[v.Persistence.ID] = i
			continue
		}
		if other := &c.doc.VirtualServers[j]; !sameMembers(v.Members, other.Members) {
			c.problem(at("virtual_servers", i, "persistence", "id"), codeWarnSharedSessions, "give it an id of its own, or the same members",
				"virtual server %s shares the sessions of %s, but not its members: a session with another member does not count here", quote(v.Name), quote(other.Name))
		}
	}
}

// sameMembers reports whether two lists name the same services and groups, in any order.
func sameMembers(a, b []Member) bool {
	names := func(members []Member) []string {
		out := make([]string, len(members))
		for i, m := range members {
			out[i] = m.Group + groupSeparator + m.Service
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(names(a), names(b))
}
