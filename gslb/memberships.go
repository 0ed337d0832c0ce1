package gslb

import "fairlead/config"

// memberships says in which virtual servers each service is a member.
type memberships struct {
	first []uint32             // by service, and one more: where its part of list begins
	list  []VirtualServerIndex // ascending for each
}

func (c *compiler) compileMemberships() error {
	p := c.plan
	m := memberships{first: make([]uint32, len(p.services)+1)}
	total := uint32(0)
	for i := range p.virtualServers {
		for _, in := range p.virtualServers[i].members {
			m.first[in.service]++
			total++
		}
	}
	end := uint32(0)
	for i := range m.first { // to where each part ends; filling them from behind brings that to where they begin
		end += m.first[i]
		m.first[i] = end
	}
	m.list = make([]VirtualServerIndex, total)
	for i := len(p.virtualServers) - 1; i >= 0; i-- {
		for _, in := range p.virtualServers[i].members {
			m.first[in.service]--
			m.list[m.first[in.service]] = VirtualServerIndex(i)
		}
	}
	p.members = m
	c.listLively()
	return nil
}

// of returns the virtual servers that a service is a member of.
func (m *memberships) of(s ServiceIndex) []VirtualServerIndex {
	return m.list[m.first[s]:m.first[s+1]]
}

// isLively says whether who may be picked, or how, may change while the states of all members stay.
func (c *compiler) isLively(v *virtualServer) bool {
	if v.counts() || v.effective || v.spillover.method != "" || v.dynamicWeight != config.DynamicNone && v.dynamicWeight != "" {
		return true
	}
	for i := range v.members {
		if c.plan.services[v.members[i].service].limited() {
			return true
		}
	}
	return false
}

// limited reports whether a load may keep the service out.
func (s *Service) limited() bool {
	return s.maxConnections > 0 || s.maxBandwidth > 0 || s.loadThreshold > 0
}

func (c *compiler) listLively() {
	c.plan.lively = nil
	for i := range c.plan.virtualServers {
		if c.plan.virtualServers[i].lively {
			c.plan.lively = append(c.plan.lively, VirtualServerIndex(i))
		}
	}
}
