package gslb

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"fairlead/config"
)

// policy prefers members for some clients. What it prefers is settled when a snapshot is made: it has fields of its own
// (standing.go), so that a query only asks whether it matches.
type policy struct {
	name      string
	number    int           // among those of all virtual servers
	matcher   int           // number of its client matcher in the locations; none: any client
	listeners []netip.Addr  // empty: any
	domains   []DomainIndex // empty: any
	prefers   []preference
}

// preference is the members that one entry of a policy prefers, in words and by index.
type preference struct {
	text    string
	members []bool // by index into the virtual server's members
}

// matches reports whether the policy is for a query. bits is how much of the client's address that depends on.
func (p *policy) matches(d *Decider, here *region) bool {
	if p.matcher != none && (here == nil || !here.satisfies(p.matcher)) {
		return false
	}
	if len(p.listeners) > 0 && !slices.Contains(p.listeners, d.Query.Listener) {
		return false
	}
	return len(p.domains) == 0 || slices.Contains(p.domains, d.Query.Domain)
}

// compilePolicies compiles all policies. Members are sorted and domains numbered already.
func (c *compiler) compilePolicies() error {
	for i := range c.doc.VirtualServers {
		if err := c.compilePoliciesOf(VirtualServerIndex(i)); err != nil {
			return err
		}
	}
	return nil
}

func (c *compiler) compilePoliciesOf(vs VirtualServerIndex) error {
	v, out := &c.doc.VirtualServers[vs], &c.plan.virtualServers[vs]
	for i := range v.Policies {
		in := &v.Policies[i]
		p := policy{name: in.Name, number: c.plan.policies, matcher: none, listeners: in.Listeners}
		if len(in.Clients) > 0 || len(in.Places) > 0 {
			m := clientMatcher{prefixes: in.Clients, places: in.Places}
			p.matcher = c.locations.addMatcher(m)
		}
		c.plan.needsListener = c.plan.needsListener || len(in.Listeners) > 0
		for _, name := range in.Names {
			p.domains = append(p.domains, c.domainsNamed(vs, name)...)
		}
		for _, place := range in.Prefer {
			p.prefers = append(p.prefers, c.preferPlace(place, out))
		}
		for _, order := range in.Orders {
			p.prefers = append(p.prefers, preferOrder(order, out))
		}
		if len(p.prefers) == 0 {
			return fmt.Errorf("compile virtual server %q: policy %q prefers nothing", v.Name, in.Name)
		}
		out.policies = append(out.policies, p)
		c.plan.policies++
	}
	return nil
}

// domainsNamed finds a name among a virtual server's domains, and where it is a backup among those of all others, too.
func (c *compiler) domainsNamed(vs VirtualServerIndex, name string) (out []DomainIndex) {
	canonical, err := config.CanonicalName(name)
	for i := range c.plan.domains {
		if d := &c.plan.domains[i]; err == nil && d.Name == canonical && (d.virtualServer == vs || len(c.doc.VirtualServers[vs].Domains) == 0) {
			out = append(out, DomainIndex(i))
		}
	}
	return out
}

func (c *compiler) preferPlace(place string, v *virtualServer) preference {
	p := preference{text: place, members: make([]bool, len(v.members))}
	pattern := strings.Split(strings.ToLower(place), ".")
	for i := range v.members {
		site := &c.plan.sites[c.plan.services[v.members[i].service].site]
		p.members[i] = placeMatches(pattern, site.spot.qualifiers)
	}
	return p
}

func preferOrder(order int, v *virtualServer) preference {
	p := preference{text: fmt.Sprintf("order %d", order), members: make([]bool, len(v.members))}
	for i := range v.members {
		p.members[i] = v.members[i].order == order
	}
	return p
}

// placeMatches reports whether a place begins with a pattern, of which a qualifier * matches every qualifier.
func placeMatches(pattern, place []string) bool {
	if len(place) < len(pattern) {
		return false
	}
	for i, q := range pattern {
		if q != "*" && q != place[i] {
			return false
		}
	}
	return true
}
