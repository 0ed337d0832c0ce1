package config

import "slices"

// assembled is what an assembly without errors found, for the next one. It never changes.
type assembled struct {
	kinds [len(kindWords)][]*Object
	files []*Object
	doc   *Document
	noisy map[ObjectKey]bool             // there was something to say when it was looked at
	kept  [len(kindWords)]bool           // all of the kind were decoded without a word
	names [len(kindWords)]map[string]int // where the objects of a kind stand
	bound *members                       // what is a member of some virtual server
}

// settlement says which objects need not be looked at again: they, and all that was looked at with them, are as they were when nothing was said
// about them.
//
// What is said about a service depends on itself, its monitors, and on sites, views, zones and settings; about a group, likewise; about a virtual server, on
// its members, on those of all virtual servers that it is a backup of or that are backups of it, and on the same. What depends on all objects of a kind
// is looked at every time. A change of a view, of the settings, or of what of a site steers (Site.SteersAs) unsettles everything; one of a zone or file what has
// names: virtual servers, and services with hosts.
type settlement struct {
	before   *assembled // nil: nothing is settled
	services []bool
	groups   []bool
	servers  []bool
	zoned    bool                 // zones or their files are not what they were
	same     [len(kindWords)]bool // the kind's objects are all as they were
	names    [len(kindWords)]bool // the kind's names are
	found    *assembled
	parts    *assembly
}

// settle compares an assembly with the one before.
func (a *assembly) settle(before, found *assembled) *settlement {
	s := &settlement{before: before, found: found, parts: a}
	if before == nil {
		return s
	}
	for kind := range a.kinds {
		s.same[kind] = slices.Equal(a.kinds[kind], before.kinds[kind])
		s.names[kind] = s.same[kind] || slices.EqualFunc(a.kinds[kind], before.kinds[kind], func(x, y *Object) bool { return x.key == y.key })
	}
	for _, kind := range []ObjectKind{ObjectView, ObjectViewOrder, ObjectSettings} {
		if !s.same[kind] {
			return s
		}
	}
	if !s.same[ObjectSite] && !sitesSteerAs(a.doc.Sites, before.doc.Sites) {
		return s
	}
	calculated := slices.ContainsFunc(before.doc.Monitors, func(m Monitor) bool { return m.Type == MonitorCalculated })
	if !s.same[ObjectMonitor] && calculated {
		return s
	}
	s.zoned = !s.same[ObjectZone] || !slices.Equal(a.fileObjects, before.files)
	s.unsettle(a.doc)
	return s
}

// unsettle marks what changed and what depends on it; all else is settled.
func (s *settlement) unsettle(doc *Document) {
	a := s.parts
	monitors := s.moved(ObjectMonitor)
	bound := func(b []MonitorBinding) bool {
		return len(monitors.all) > 0 && slices.ContainsFunc(b, func(b MonitorBinding) bool { return monitors.has(b.Monitor) })
	}
	services, groups, servers := s.moved(ObjectService), s.moved(ObjectServiceGroup), s.moved(ObjectVirtualServer)
	s.services = make([]bool, len(doc.Services))
	for i, o := range a.kinds[ObjectService] {
		v := &doc.Services[i]
		if len(s.before.noisy) > 0 && s.before.noisy[o.key] || bound(v.Monitors) || s.zoned && (v.Host != "" || v.NAPTR != nil) {
			services.add(o.key.Name)
		}
		s.services[i] = !services.has(o.key.Name)
	}
	s.groups = make([]bool, len(doc.ServiceGroups))
	for i, o := range a.kinds[ObjectServiceGroup] {
		if s.before.noisy[o.key] || bound(doc.ServiceGroups[i].Monitors) {
			groups.add(o.key.Name)
		}
		s.groups[i] = !groups.has(o.key.Name)
	}
	s.servers = make([]bool, len(doc.VirtualServers))
	for i, o := range a.kinds[ObjectVirtualServer] {
		if s.zoned || len(s.before.noisy) > 0 && s.before.noisy[o.key] || slices.ContainsFunc(doc.VirtualServers[i].Members, func(m Member) bool {
			return services.has(m.Service) || groups.has(m.Group)
		}) {
			servers.add(o.key.Name)
		}
	}
	if len(servers.all) > 0 {
		spreadOverBackups(&servers, s.before.doc.VirtualServers, doc.VirtualServers)
	}
	for i, o := range a.kinds[ObjectVirtualServer] {
		s.servers[i] = !servers.has(o.key.Name)
	}
}

// fewNames is up to how many names a look at each of them is less than a look at a map.
const fewNames = 4

// nameSet is a set of names. Most have few.
type nameSet struct {
	all   []string        // each once
	known map[string]bool // nil while there are few
}

func (n *nameSet) has(name string) bool {
	if n.known != nil {
		return n.known[name]
	}
	return slices.Contains(n.all, name)
}

// add reports whether the name is new.
func (n *nameSet) add(name string) bool {
	if n.has(name) {
		return false
	}
	n.all = append(n.all, name)
	switch {
	case n.known != nil:
		n.known[name] = true
	case len(n.all) > fewNames:
		n.known = make(map[string]bool, 2*len(n.all))
		for _, name := range n.all {
			n.known[name] = true
		}
	}
	return true
}

// moved returns the names of a kind's objects that are not as they were: changed, added, or gone.
func (s *settlement) moved(kind ObjectKind) (out nameSet) {
	if s.same[kind] {
		return out
	}
	for _, d := range Diff(&Objects{list: s.before.kinds[kind]}, &Objects{list: s.parts.kinds[kind]}) {
		out.add(d.Key.Name)
	}
	return out
}

// spreadOverBackups adds all that is joined by backups, either way, as it was or as it is.
func spreadOverBackups(names *nameSet, documents ...[]VirtualServer) {
	joined := map[string][]string{}
	for _, servers := range documents {
		for i := range servers {
			if v := &servers[i]; v.Backup != "" {
				joined[v.Name] = append(joined[v.Name], v.Backup)
				joined[v.Backup] = append(joined[v.Backup], v.Name)
			}
		}
	}
	if len(joined) == 0 {
		return
	}
	for i := 0; i < len(names.all); i++ { // it grows
		for _, other := range joined[names.all[i]] {
			names.add(other)
		}
	}
}

// settled reports whether an object need not be looked at again.
func (c *checker) settled(kind ObjectKind, i int) bool {
	s := c.settlement
	if s == nil || s.services == nil {
		return false
	}
	switch kind {
	case ObjectService:
		return s.services[i]
	case ObjectServiceGroup:
		return s.groups[i]
	case ObjectVirtualServer:
		return s.servers[i]
	}
	return false
}

// look calls check for an object that is not settled, and remembers whether there was anything to say.
func (c *checker) look(kind ObjectKind, i int, check func()) {
	if c.settled(kind, i) {
		return
	}
	before := c.page.report.errors + c.page.report.warnings
	check()
	if s := c.settlement; s != nil && before != c.page.report.errors+c.page.report.warnings {
		s.found.noisy[s.parts.kinds[kind][i].key] = true
	}
}

// stays reports whether all objects of a kind are as they were when they were all right.
func (s *settlement) stays(kind ObjectKind) bool {
	return s != nil && s.services != nil && s.same[kind]
}

// members returns what is a member of some virtual server when that is what it was; else nil.
func (s *settlement) members() *members {
	if s == nil || s.before == nil || s.before.bound == nil || !s.same[ObjectVirtualServer] || !s.names[ObjectService] || !s.names[ObjectServiceGroup] {
		return nil
	}
	return s.before.bound
}

// known returns where the objects of a kind stand when their names are what they were.
func (s *settlement) known(kind ObjectKind) map[string]int {
	if s == nil || s.before == nil || !s.names[kind] {
		return nil
	}
	return s.before.names[kind]
}
