package config

import "slices"

const (
	// MaxPolicies is how many policies one virtual server can have.
	MaxPolicies = 64
	// MaxPreferences is how many places or orders one policy can prefer.
	MaxPreferences = 8
	// maxPolicyPlaces bounds the places that a policy matches.
	maxPolicyPlaces = 64
)

// checkPolicies checks the policies of one virtual server.
func (c *checker) checkPolicies(v *VirtualServer, path string) {
	path += "/policies"
	c.limit(path, "policies", len(v.Policies), MaxPolicies)
	names := map[string]int{}
	for i := range v.Policies[:min(len(v.Policies), MaxPolicies)] {
		p, path := &v.Policies[i], path+at(i)
		if err := checkName(p.Name); err != nil {
			c.problem(path+"/name", codeName, "names have letters, digits, '-', '_' and '.'", "%v", err)
		} else if first, taken := names[p.Name]; taken {
			c.problem(path+"/name", codeDuplicateName, "", "policy %d is named %s, too", first+1, quote(p.Name))
		} else {
			names[p.Name] = i
		}
		checkClientPrefixes(c.page, path+"/clients", p.Clients)
		c.checkListeners(path+"/listeners", p.Listeners)
		c.checkPlaces(path+"/places", p.Places, maxPolicyPlaces)
		c.checkPolicyNames(v, p, path+"/names")
		c.checkPreferences(v, p, path)
	}
}

// checkPlaces checks a list of places, in which * stands for any qualifier.
func (c *checker) checkPlaces(path string, places []string, most int) {
	if len(places) == 0 && c.page.present(path) {
		c.problem(path, codeEmptyList, "write [EU.NL], or remove the key", "there is no place in the list")
	}
	c.limit(path, "places", len(places), most)
	for i, place := range places[:min(len(places), most)] {
		if place == "" {
			c.problem(path+at(i), codePlace, "write widest first: EU.NL.NH.Amsterdam", "a place cannot be empty")
			continue
		}
		c.checkPlace(path+at(i), place)
		if slices.Index(places, place) < i {
			c.problem(path+at(i), codePolicy, "remove one of them", "place %s stands twice", quote(place))
		}
	}
}

// checkPolicyNames checks that a policy is about domains of its own virtual server.
func (c *checker) checkPolicyNames(v *VirtualServer, p *Policy, path string) {
	if len(p.Names) == 0 && c.page.present(path) {
		c.problem(path, codeEmptyList, "remove the key to mean all domains", "there is no domain in the list")
	}
	if len(p.Names) == 0 {
		return
	}
	own := make(map[string]bool, len(v.Domains))
	known := make([]string, len(v.Domains))
	for i := range v.Domains {
		known[i] = v.Domains[i].Name
		if name, err := CanonicalName(v.Domains[i].Name); err == nil {
			own[name] = true
		}
	}
	for i, text := range p.Names {
		name, err := CanonicalName(text)
		switch {
		case err != nil:
			c.problem(path+at(i), codeDomainName, "", "%v", err)
		case !own[name]:
			hint := didYouMean(text, known[:min(len(known), maxSpellings)], "name one of its domains")
			c.problem(path+at(i), codePolicyName, hint, "virtual server %s has no domain %s", quote(v.Name), show(name))
		}
	}
}

// checkPreferences checks what a policy prefers: places of sites, or orders.
func (c *checker) checkPreferences(v *VirtualServer, p *Policy, path string) {
	failed := c.page.failed[path+"/prefer"] || c.page.failed[path+"/orders"]
	switch {
	case failed:
	case len(p.Prefer) > 0 && len(p.Orders) > 0:
		c.problem(path+"/orders", codePolicy, "make it two policies", "policy %s has both prefer and orders", quote(p.Name))
	case len(p.Prefer) == 0 && len(p.Orders) == 0:
		c.problem(path, codePolicy, "add prefer: [EU.NL] or orders: [2, 1]", "policy %s prefers nothing", quote(p.Name))
	}
	c.checkPlaces(path+"/prefer", p.Prefer, MaxPreferences)
	c.limit(path+"/orders", "orders", len(p.Orders), MaxPreferences)
	const least, most = 1, 255
	for i, order := range p.Orders[:min(len(p.Orders), MaxPreferences)] {
		path := path + at("orders", i)
		switch {
		case order < least || order > most:
			c.problem(path, codeRange, "", "order %d is not between %d and %d", order, least, most)
		case slices.Index(p.Orders, order) < i:
			c.problem(path, codePolicy, "remove one of them", "order %d stands twice", order)
		case !c.hasOrder(v, order):
			c.problem(path, codeWarnNoEffect, "give a member this order", "no member has order %d", order)
		}
	}
}

// hasOrder reports whether some member has an order.
func (c *checker) hasOrder(v *VirtualServer, order int) bool {
	return slices.ContainsFunc(v.Members, func(m Member) bool {
		g, ok := c.groups[m.Group]
		if !ok {
			return m.Order == order
		}
		group := &c.doc.ServiceGroups[g]
		return group.Autoscale != nil && m.Order == order ||
			slices.ContainsFunc(group.Members, func(own GroupMember) bool { return own.Order == order || own.Order == 0 && m.Order == order })
	})
}
