package config

import (
	"slices"
	"strings"
)

// Limits of calculated monitors.
const (
	// MaxCalculatedDepth is how many calculated monitors can be made of each other.
	MaxCalculatedDepth = 8
	// maxCalculatedParts is how many monitors one is made of, maxCalculatedReach how many in all, those of its parts counted in.
	maxCalculatedParts = 64
	maxCalculatedReach = 256
)

// checkCalculated checks what calculated monitors are made of, and what passive ones go by.
func (c *checker) checkCalculated() {
	walk := partWalk{checker: c, state: make([]partState, len(c.doc.Monitors))}
	for i := range c.doc.Monitors {
		m := &c.doc.Monitors[i]
		path := at("monitors", i)
		if m.Type != MonitorCalculated && m.Type != MonitorPassive {
			continue
		}
		c.checkUntimed(m, path)
		if m.Type != MonitorCalculated || c.page.failed[path+"/calculated"] || c.page.failed[path+"/calculated/monitors"] {
			continue
		}
		c.checkCalculatedParts(m, path)
		walk.visit(i, nil)
	}
	c.checkPassiveTold()
}

// checkUntimed warns of keys of the schedule that have no effect on what is not probed.
func (c *checker) checkUntimed(m *Monitor, path string) {
	keys := []string{"timeout", "jitter", "down_interval"}
	if m.Type == MonitorCalculated {
		keys = append(keys, "fall", "rise")
	} else {
		keys = append(keys, "interval")
	}
	for _, key := range keys {
		c.noEffect(m, path, key, false)
	}
}

func (c *checker) checkCalculatedParts(m *Monitor, path string) {
	of := SectionOf(m.Calculated)
	n := len(of.Monitors)
	switch {
	case n == 0:
		c.problem(path, codeCalculated, "add calculated: {monitors: [NAME, NAME]}", "monitor %s is calculated of nothing", quote(m.Name))
	case of.Need > n:
		c.problem(path+"/calculated/need", codeCalculated, "lower it, or leave it out: all are needed then", "need %d is above the %d monitors that there are", of.Need, n)
	}
	c.limit(path+"/calculated/monitors", "monitors", n, maxCalculatedParts)
	for i := range of.Monitors[:min(n, maxCalculatedParts)] {
		part, path := &of.Monitors[i], path+"/calculated"+at("monitors", i)
		if _, ok := c.monitors[part.Monitor]; !ok {
			hint := c.nearestName(part.Monitor, len(c.doc.Monitors), func(i int) string { return c.doc.Monitors[i].Name })
			c.problem(path, codeCalculated, hint, "monitor %s does not exist", quote(part.Monitor))
		} else if slices.Index(of.Monitors, *part) < i {
			c.problem(path, codeCalculated, "remove one of them", "%s stands twice", part)
		} else if part.Service != "" {
			c.checkPartService(part, path)
		}
	}
}

// String is a part as people read it.
func (p *CalculatedPart) String() string {
	if p.Service == "" {
		return "monitor " + quote(p.Monitor)
	}
	return "monitor " + quote(p.Monitor) + " of service " + quote(p.Service)
}

// checkPartService checks that the service of a part exists, and binds the monitor.
func (c *checker) checkPartService(part *CalculatedPart, path string) {
	bound := []MonitorBinding(nil)
	if s, ok := c.services[part.Service]; ok {
		bound = c.doc.Services[s].Monitors
	} else if g := c.groupOfMember(part.Service); g != nil {
		bound = g.Monitors
	} else if _, ok := c.groups[part.Service]; ok {
		c.problem(path+"/service", codeCalculated, "name a service, or a member as GROUP:MEMBER", "%s is a group", quote(part.Service))
		return
	} else {
		hint := c.nearestName(part.Service, len(c.doc.Services), func(i int) string { return c.doc.Services[i].Name })
		c.problem(path+"/service", codeCalculated, hint, "service %s does not exist", quote(part.Service))
		return
	}
	if !slices.ContainsFunc(bound, func(b MonitorBinding) bool { return b.Monitor == part.Monitor }) {
		c.problem(path, codeCalculated, "add it to the monitors of that service", "monitor %s is not bound to service %s", quote(part.Monitor), quote(part.Service))
	}
}

// groupOfMember is the group that a service named GROUP:MEMBER stands in; nil: it does not, or comes and goes.
func (c *checker) groupOfMember(name string) *ServiceGroup {
	group, _, ok := strings.Cut(name, groupSeparator)
	i, found := c.groups[group]
	if !ok || !found {
		return nil
	}
	g := &c.doc.ServiceGroups[i]
	for j := range g.Members {
		if g.serviceName(&g.Members[j]) == name {
			return g
		}
	}
	return nil
}

// partWalk follows calculated monitors to what they are made of. A monitor that is made of itself by way of whatever services would
// be so without end: services do not matter here.
type partWalk struct {
	*checker
	state []partState // by monitor
}

type partState struct {
	visited, onPath, told bool
	depth                 int // calculated monitors from this one down
	reach                 int // monitors in all
}

// visit walks from a calculated monitor down. on are those above it.
func (w *partWalk) visit(i int, on []int) *partState {
	s := &w.state[i]
	if s.visited {
		return s
	}
	s.visited, s.onPath, s.depth = true, true, 1
	on = append(on, i)
	for _, part := range SectionOf(w.doc.Monitors[i].Calculated).Monitors {
		j, ok := w.monitors[part.Monitor]
		if !ok {
			continue
		}
		s.reach++
		if w.doc.Monitors[j].Type != MonitorCalculated {
			continue
		}
		if w.state[j].onPath {
			w.tellCircle(append(on[slices.Index(on, j):], j))
			continue
		}
		below := w.visit(j, on)
		s.depth, s.reach = max(s.depth, below.depth+1), min(s.reach+below.reach, maxCalculatedReach+1)
	}
	s.onPath = false
	path := at("monitors", i, "calculated", "monitors")
	switch {
	case s.depth > MaxCalculatedDepth && !w.toldBelow(i):
		s.told = true
		w.problem(path, codeCalculated, "make it of what those are made of", "%d calculated monitors are made of each other; the limit is %d", s.depth, MaxCalculatedDepth)
	case s.reach > maxCalculatedReach && !w.toldBelow(i):
		s.told = true
		w.problem(path, codeCalculated, "", "monitor %s is made of more than %d monitors, those of its parts counted in", quote(w.doc.Monitors[i].Name), maxCalculatedReach)
	}
	return s
}

// toldBelow reports whether a part was found fault with already.
func (w *partWalk) toldBelow(i int) bool {
	for _, part := range SectionOf(w.doc.Monitors[i].Calculated).Monitors {
		if j, ok := w.monitors[part.Monitor]; ok && w.state[j].told {
			w.state[i].told = true
			return true
		}
	}
	return false
}

func (w *partWalk) tellCircle(circle []int) {
	names := make([]string, len(circle))
	for k, i := range circle {
		w.state[i].told = true
		names[k] = w.doc.Monitors[i].Name
	}
	if len(names) > maxCircleShown {
		names = append(names[:maxCircleShown-1], "…", names[0])
	}
	w.problem(at("monitors", circle[0], "calculated", "monitors"), codeCalculated, "remove one of these", "monitor %s is made of itself: %s", quote(names[0]), strings.Join(names, " → "))
}

// maxCircleShown is how many monitors of a circle a report names.
const maxCircleShown = 8

// checkPassiveTold warns of passive monitors of services whose load source never tells how many servers there are.
func (c *checker) checkPassiveTold() {
	warn := func(path string, b []MonitorBinding, of string, l *LoadSource) {
		if c.page.failed[path+"/load"] || l.tells(metricMembers) {
			return
		}
		for i := range b[:min(len(b), MaxServiceMonitors)] {
			if j, ok := c.monitors[b[i].Monitor]; ok && c.doc.Monitors[j].Type == MonitorPassive {
				c.problem(path+at("monitors", i), codeWarnNoLoad, "add load: with a source that tells it, or remove the monitor",
					"passive monitor %s never decides anything of %s: no load source tells %s", quote(b[i].Monitor), of, metricNoun(metricMembers))
			}
		}
	}
	passive := slices.ContainsFunc(c.doc.Monitors, func(m Monitor) bool { return m.Type == MonitorPassive })
	for i := range c.doc.Services {
		if !passive {
			return
		}
		s := &c.doc.Services[i]
		warn(at("services", i), s.Monitors, "service "+quote(s.Name), s.Load)
	}
	for i := range c.doc.ServiceGroups {
		if g := &c.doc.ServiceGroups[i]; g.Announced == nil && (g.loadUsers() > 0 || len(g.Members) == 0) {
			warn(at("service_groups", i), g.Monitors, "the services of group "+quote(g.Name), g.Load)
		}
	}
}

// dependedOn marks the services that calculated monitors look at: they are of use without being members.
func (c *checker) dependedOn(used []bool) {
	for i := range c.doc.Monitors {
		if of := c.doc.Monitors[i].Calculated; of != nil {
			for _, part := range of.Monitors {
				if j, ok := c.services[part.Service]; ok {
					used[j] = true
				}
			}
		}
	}
}
