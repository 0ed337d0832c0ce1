package config

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Placeholders in the url, backend, path, fields and custom paths of a load source of a group. Each member's own value takes their place.
const (
	placeAddress = "{address}" // its first address, in brackets where a URL needs them
	placePort    = "{port}"
	placeMember  = "{member}" // the second half of its service's name
)

// placeholder is anything that looks like one.
var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// loadOf returns the load source of a group's member: its own, else the group's, with what is the member's in place of
// placeholders. Nil: it has none.
func (g *ServiceGroup) loadOf(m *GroupMember, port int) *LoadSource {
	l := g.rawLoad(m)
	if l == nil || len(m.Addresses) == 0 {
		return l
	}
	own := *l
	own.URL = filled(l.URL, inURL(m.Addresses[0]), port, m.ownName())
	own.Backend = filled(l.Backend, m.Addresses[0].String(), port, m.ownName())
	own.Custom = slices.Clone(l.Custom)
	for _, path := range own.paths() {
		*path = filled(*path, m.Addresses[0].String(), port, m.ownName())
	}
	return &own
}

// paths returns where the source's numbers are: its path, its fields, and the parts of its custom load.
func (l *LoadSource) paths() []*string {
	f := &l.Fields
	out := []*string{&l.Path, &f.Active, &f.RequestsPerSecond, &f.RequestsTotal, &f.ResponseTimeMS, &f.BitsPerSecond, &f.BytesTotal, &f.PacketsPerSecond,
		&f.PacketsTotal, &f.Custom, &f.Members, &f.MemberWeight, &f.Capacity, &f.ResponseTimeSeconds, &f.ResponseSecondsTotal}
	for i := range l.Custom {
		out = append(out, &l.Custom[i].Path)
	}
	return out
}

// rawLoad is loadOf as it is written. The load of what a site announces is told with it, as if it were pushed, unless the group says
// where to read it.
func (g *ServiceGroup) rawLoad(m *GroupMember) *LoadSource {
	switch {
	case m.Load != nil:
		return m.Load
	case g.Load == nil && g.Announced != nil:
		return &LoadSource{Source: LoadPush, Interval: Duration(time.Second), Timeout: Duration(time.Second)}
	}
	return g.Load
}

// has reports whether a placeholder stands in it. A source that is not there has none.
func (l *LoadSource) has(place string) bool {
	if l == nil {
		return false
	}
	for _, path := range l.paths() {
		if strings.Contains(*path, place) {
			return true
		}
	}
	return strings.Contains(l.URL+l.Backend, place)
}

// tellsApart reports whether members tell loads of their own: a placeholder stands somewhere, or what should be one.
func (l *LoadSource) tellsApart() bool {
	return placeholder.MatchString(l.URL+l.Backend) || l.has(placeAddress) || l.has(placePort) || l.has(placeMember)
}

// filled returns a text with values in place of placeholders.
func filled(text, address string, port int, member string) string {
	if !strings.Contains(text, "{") {
		return text
	}
	return strings.NewReplacer(placeAddress, address, placePort, strconv.Itoa(port), placeMember, member).Replace(text)
}

// inURL is an address as the host of a URL (RFC 3986 section 3.2.2).
func inURL(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

// checkGroupLoad checks the load sources of a group and of its members.
func (c *checker) checkGroupLoad(g *ServiceGroup, path string) {
	if g.Load != nil {
		c.checkMembersLoad(g.Load, path+"/load")
		own := g.Load.Source == LoadPush || g.Load.Source == LoadHost && g.Load.Backend == "" // each member's: its address and port
		shared := !own && !g.Load.tellsApart()
		if users := g.loadUsers(); shared && g.Load.Source != "" && users > 1 {
			c.problem(path+"/load", codeLoadSource, "put {address}, {port} or {member} into url, backend or fields, or give members a load of their own",
				"all members of group %s would tell the same load: neither url nor backend nor fields tell them apart", quote(g.Name))
		}
	}
	limited := loadLimits{name: "the services of group " + quote(g.Name), load: g.Load, connections: g.MaxConnections, bandwidth: g.MaxBandwidth, threshold: g.LoadThreshold}
	if g.Announced == nil && (g.loadUsers() > 0 || len(g.Members) == 0) {
		c.checkLimits(path, &limited)
	}
	for j := range g.Members[:min(len(g.Members), MaxMembers)] {
		m, path := &g.Members[j], path+at("members", j)
		if m.Load != nil {
			c.checkMembersLoad(m.Load, path+"/load")
		}
		if m.Port == 0 && g.Port == 0 && !c.page.failed[path+"/port"] && g.rawLoad(m).has(placePort) {
			c.problem(path, codePortMissing, "add port: to the group, or to this member", "the load of member %s is read at {port}, but it has no port", quote(g.serviceName(m)))
		}
	}
	if g.Autoscale != nil && g.Port == 0 && !c.page.failed[path+"/port"] && g.Load.has(placePort) {
		c.problem(path+"/load", codePortMissing, "add port: to the group", "the load of the members of group %s is read at {port}, but they have no port", quote(g.Name))
	}
}

// loadUsers is how many services the group's own load source is read for, at most.
func (g *ServiceGroup) loadUsers() int {
	users := g.size()
	for i := range g.Members {
		if g.Members[i].Load != nil {
			users--
		}
	}
	return users
}

// checkMembersLoad checks a load source as it is for some member.
func (c *checker) checkMembersLoad(l *LoadSource, path string) {
	for _, text := range []struct{ key, value string }{{"url", l.URL}, {"backend", l.Backend}} {
		for _, found := range placeholder.FindAllString(text.value, -1) {
			if found != placeAddress && found != placePort && found != placeMember {
				c.problem(path+"/"+text.key, codeLoadSource, "write {address}, {port} or {member}", "placeholder %s does not exist", quote(found))
				return
			}
		}
	}
	some := *l
	some.URL = filled(l.URL, "192.0.2.1", 1, "member")
	some.Backend = filled(l.Backend, "192.0.2.1", 1, "member")
	some.Custom = slices.Clone(l.Custom)
	for _, path := range some.paths() {
		*path = filled(*path, "192.0.2.1", 1, "member")
	}
	c.checkLoad(&some, path)
}
