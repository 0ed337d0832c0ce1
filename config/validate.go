package config

import (
	"fmt"

	"fairlead/config/zonetext"
)

// Limits of a document.
const (
	MaxZones          = 100_000
	MaxSites          = 20_000
	MaxMonitors       = 50_000
	MaxServices       = 100_000
	MaxVirtualServers = 100_000
	MaxDomains        = 100_000
	MaxLocations      = 1_000_000
	// MaxMembers is how many members one virtual server can have.
	MaxMembers = 1024
	// MaxMemberships is how many members all virtual servers can have together, each once more for each policy of its virtual server: a change
	// of a service's state is worked out for all that it is a member of.
	MaxMemberships = 4_000_000
	// MaxServiceMonitors is how many monitors one service can be bound to.
	MaxServiceMonitors = 64
	// MaxBackupAddresses is how many backup addresses one domain can have.
	MaxBackupAddresses = 16
	// MaxALPN is how many protocols an HTTPS answer can have.
	MaxALPN = 16
	// MaxNameservers is how many nameservers one zone can have.
	MaxNameservers = 32
	// MaxBackupDepth is how many backups can follow each other.
	MaxBackupDepth = 10
)

// checker validates a document as a whole. The indexes hold the first object of each name.
type checker struct {
	page *page
	doc  *Document
	src  Source

	sites     map[string]int
	monitors  map[string]int
	services  map[string]int
	groups    map[string]int
	servers   map[string]int
	views     map[string]int
	zones     map[string]*zoneFacts // by canonical name
	domains   map[string]bool       // canonical; made when first asked for
	aliases   map[string][]string   // what answeredNames says of the virtual server aliasesOf; nil: not asked yet
	aliasesOf int
	reader    zonetext.Reader // of one zone's text after the other

	settlement *settlement // which objects need not be looked at; nil: none
}

// validateDocument reports everything that is wrong with a decoded document, or suspicious.
func validateDocument(p *page, doc *Document, src Source) {
	(&checker{page: p, doc: doc, src: src}).validate()
}

func (c *checker) validate() {
	doc := c.doc
	c.sites = index(c, "sites", doc.Sites, func(s *Site) string { return s.Name }, MaxSites)
	c.monitors = index(c, "monitors", doc.Monitors, func(m *Monitor) string { return m.Name }, MaxMonitors)
	c.services = index(c, "services", doc.Services, func(s *Service) string { return s.Name }, MaxServices)
	c.groups = index(c, "service_groups", doc.ServiceGroups, func(g *ServiceGroup) string { return g.Name }, MaxGroups)
	c.views = index(c, "views", doc.Views, func(v *View) string { return v.Name }, MaxViews)
	c.servers = index(c, "virtual_servers", doc.VirtualServers, func(v *VirtualServer) string { return v.Name }, MaxVirtualServers)
	c.checkViews()
	c.checkZones()
	c.checkSites()
	c.checkTopology()
	c.checkMonitors()
	c.checkServices()
	c.checkGroups()
	c.checkCalculated()
	c.checkHostLoads()
	c.checkVirtualServers()
	c.checkBackups()
	c.checkDomains()
	c.checkAnswerTypes()
	c.checkLocations()
	c.checkSettings()
	c.checkHeard()
	c.checkLabels()
}

// problem reports at a path; see page.problem.
func (c *checker) problem(path string, code Code, hint, format string, args ...any) {
	c.page.problem(path, code, hint, format, args...)
}

// limit reports a list that is too long.
func (c *checker) limit(path, noun string, count, limit int) {
	if count > limit {
		c.problem(path, codeTooMany, "", "%d %s; the limit is %d", count, noun, limit)
	}
}

// index checks the names of one kind of object and returns the position of each.
func index[T any](c *checker, kind string, objects []T, name func(*T) string, limit int) map[string]int {
	k, _ := kindOfKey(kind)
	if known := c.settlement.known(k); known != nil {
		return known // their names were right, too
	}
	c.limit(at(kind), kind, len(objects), limit)
	out := make(map[string]int, len(objects))
	for i := range objects {
		n := name(&objects[i])
		if err := checkName(n); err != nil {
			c.problem(at(kind, i, "name"), codeName, "names have letters, digits, '-', '_' and '.'", "%v", err)
			if _, taken := out[n]; !taken && n != "" {
				out[n] = i // references to it are not wrong beside
			}
			continue
		}
		if first, taken := out[n]; taken {
			c.problem(at(kind, i, "name"), codeDuplicateName, c.firstAt(at(kind, first, "name")), "the name %s is taken", quote(n))
			continue
		}
		out[n] = i
	}
	return out
}

// firstAt is the hint that says where the other of two stands.
func (c *checker) firstAt(path string) string {
	if key, _, found := c.page.placed(path); found {
		return "the other one is " + key.String()
	}
	n := c.page.nearestNode(path)
	if n == nil {
		return ""
	}
	return fmt.Sprintf("the other one is in line %d", n.line)
}

// nearestName is the spelling hint for a reference: the nearest of count names. There is none when the report is full, to
// bound the work that a broken document can cause.
func (c *checker) nearestName(word string, count int, name func(i int) string) string {
	if c.page.report.terse || c.page.report.full(codeUnknownService) {
		return ""
	}
	known := make([]string, min(count, maxSpellings))
	for i := range known {
		known[i] = name(i)
	}
	return didYouMean(word, known, "")
}
