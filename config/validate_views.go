package config

import (
	"net/netip"
	"slices"
)

const (
	// MaxViews is how many views a document can have.
	MaxViews = 64
	// maxListeners bounds each list of addresses of this server.
	maxListeners = 64
)

// checkViews checks the views by themselves, and that somebody uses them.
func (c *checker) checkViews() {
	used := make([]bool, len(c.doc.Views))
	note := func(view string) {
		if i, ok := c.views[view]; ok {
			used[i] = true
		}
	}
	for i := range c.doc.Zones {
		for _, view := range c.doc.Zones[i].Views {
			note(view)
		}
	}
	for i := range c.doc.Services {
		for j := range c.doc.Services[i].Views {
			note(c.doc.Services[i].Views[j].View)
		}
	}
	everybody := -1 // the first view that all clients are in
	for i := range c.doc.Views {
		v := &c.doc.Views[i]
		path := at("views", i)
		checkClientPrefixes(c.page, path+"/clients", v.Clients)
		c.checkListeners(path+"/listeners", v.Listeners)
		switch {
		case everybody >= 0:
			c.problem(path+"/name", codeWarnNoEffect, "the first view that matches counts: move it up, or give "+quote(c.doc.Views[everybody].Name)+" conditions",
				"view %s is never reached: all clients are in view %s", quote(v.Name), quote(c.doc.Views[everybody].Name))
		case !used[i]:
			c.problem(path+"/name", codeWarnNoEffect, "name it in views: of a zone or service, or remove it", "view %s is used by no zone and no service", quote(v.Name))
		}
		if everybody < 0 && !c.page.present(path+"/clients") && !c.page.present(path+"/listeners") {
			everybody = i
		}
	}
}

// checkListeners checks a list of addresses of this server.
func (c *checker) checkListeners(path string, listeners []netip.Addr) {
	if len(listeners) == 0 && c.page.present(path) {
		c.problem(path, codeEmptyList, "remove the key to mean any address", "no address of this server is in the list")
	}
	c.limit(path, "listeners", len(listeners), maxListeners)
	for i, a := range listeners[:min(len(listeners), maxListeners)] {
		if why := unusableAddress(a); why != "" && a.IsValid() {
			c.problem(path+at(i), codeUnusableAddress, "write an address that clients ask", "%s %s", a, why)
		}
	}
}

// checkZoneViews checks the views that a zone names.
func (c *checker) checkZoneViews(z *Zone, path string) {
	if len(z.Views) == 0 && c.page.present(path) {
		c.problem(path, codeEmptyList, "remove the key to show the zone to all clients", "zone %s is shown to nobody", quote(z.Name))
	}
	c.limit(path, "views", len(z.Views), MaxViews)
	for i, view := range z.Views[:min(len(z.Views), MaxViews)] {
		c.checkViewName(path+at(i), view)
		if slices.Index(z.Views, view) < i {
			c.problem(path+at(i), codeDuplicateView, "remove one of them", "view %s stands twice", quote(view))
		}
	}
}

func (c *checker) checkViewName(path, view string) {
	if _, ok := c.views[view]; !ok {
		hint := c.nearestName(view, len(c.doc.Views), func(i int) string { return c.doc.Views[i].Name })
		c.problem(path, codeUnknownView, hint, "view %s does not exist", quote(view))
	}
}

// sameClients returns what two zones of one name are both shown to: a view, or "" for the clients of no view. both is
// false when nobody sees both.
func sameClients(a, b *Zone) (view string, both bool) {
	if len(a.Views) == 0 && len(b.Views) == 0 {
		return "", true
	}
	for _, view := range a.Views {
		if slices.Contains(b.Views, view) {
			return view, true
		}
	}
	return "", false
}

// checkServiceViews checks the addresses that a service has for the clients of views.
func (c *checker) checkServiceViews(s *Service, path string) {
	c.limit(path, "views", len(s.Views), MaxViews)
	for i := range s.Views[:min(len(s.Views), MaxViews)] {
		v, at := &s.Views[i], path+at(i)
		c.checkViewName(at+"/view", v.View)
		if slices.IndexFunc(s.Views, func(o ServiceView) bool { return o.View == v.View }) < i {
			c.problem(at+"/view", codeDuplicateView, "put all addresses of a view into one entry", "view %s stands twice", quote(v.View))
		}
		if len(v.Addresses) == 0 {
			c.problem(at+"/addresses", codeEmptyList, "add addresses: [192.0.2.1]", "there are no addresses for view %s", quote(v.View))
		}
		c.checkReplacements(at+"/addresses", quote(s.Name), s.Addresses, v.Addresses)
	}
}

// checkReplacements checks addresses that answers carry in place of a service's own: at most one of each family that it
// has.
func (c *checker) checkReplacements(path, service string, own, instead []netip.Addr) {
	c.checkFamilies(path, service, instead)
	for i, a := range instead {
		if !a.IsValid() || slices.ContainsFunc(own, func(o netip.Addr) bool { return o.IsValid() && o.Is4() == a.Is4() }) {
			continue
		}
		family := "IPv6"
		if a.Is4() {
			family = "IPv4"
		}
		c.problem(path+at(i), codeFamily, "add one to its addresses, which monitors probe, or remove this one", "service %s has no %s address that %s would stand for", service, family, a)
	}
}

// checkFamilies checks that addresses can be answered with, and that there is at most one of each family.
func (c *checker) checkFamilies(path, service string, addresses []netip.Addr) {
	four, six := 0, 0
	for i, a := range addresses {
		if !a.IsValid() {
			continue // not decoded, and reported so
		}
		if why := unusableAddress(a); why != "" {
			c.problem(path+at(i), codeUnusableAddress, "", "%s %s", a, why)
			continue
		}
		count := &six
		if a.Is4() {
			count = &four
		}
		if *count++; *count == 2 {
			c.problem(path+at(i), codeTwoOfFamily, "make it a service of its own", "service %s already has an address of this family", service)
		}
	}
}
