package gslb

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"fairlead/config"
	"fairlead/config/geodata"
)

// CompileOptions are what a Plan is made of besides the document.
type CompileOptions struct {
	// Geo says where clients are that no location of the document says it of; nil: nothing.
	Geo *geodata.Table
	// Before is the plan that this one takes the place of; nil: none. What did not change is taken from it.
	Before *Plan
}

// Compile makes a Plan of a valid document. It fails only on a document that did not come from config.Parse: the
// references it resolves were checked there.
//
// What it costs follows what changed: when Before is of a document with the same names in the same order, around which nothing has changed, only those of
// its services and virtual servers are compiled that have. The result is the same.
func Compile(doc *config.Document, o CompileOptions) (*Plan, error) {
	if plan := amend(doc, o); plan != nil {
		return plan, nil
	}
	return compileWhole(doc, o)
}

// compileWhole is Compile from nothing but the locations of the plan before.
func compileWhole(doc *config.Document, o CompileOptions) (*Plan, error) {
	c := compiler{doc: doc, plan: &Plan{document: doc, mark: new(planMark)}, sites: map[string]uint32{}, virtualServers: map[string]int{}}
	c.plan.answers = answerRules{adaptive: doc.Settings.Answers.AdaptiveTTL, leastTTL: seconds(doc.Settings.Answers.LeastTTL), coherent: doc.Settings.Answers.Coherent}
	steps := []func() error{c.compileSites, c.compileServices, c.compileViews, c.compileStandIns, c.compileVirtualServers, c.compileDomains, c.compilePolicies,
		c.compileNeeds, c.compileOthers, c.compileMemberships}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	var err error
	if c.plan.locations, err = c.locations.buildUnless(o.Before, doc, o.Geo, c.plan.sites); err != nil {
		return nil, err
	}
	return c.plan, nil
}

type compiler struct {
	doc            *config.Document
	plan           *Plan
	sites          map[string]uint32
	virtualServers map[string]int
	locations      locationBuilder
}

func (c *compiler) compileSites() error {
	for i := range c.doc.Sites {
		s := &c.doc.Sites[i]
		c.sites[s.Name] = uint32(i)
		c.plan.sites = append(c.plan.sites, siteOf(s))
	}
	c.plan.indexSites()
	return nil
}

func siteOf(s *config.Site) site {
	return site{name: s.Name, hash: xxhash.Sum64String(s.Name), spot: newSpot(s.Location.Place, s.Location.Latitude, s.Location.Longitude)}
}

func (c *compiler) compileServices() error {
	c.plan.serviceIndex = make(map[string]ServiceIndex, len(c.doc.Services))
	c.plan.services = make([]Service, len(c.doc.Services))
	depths := c.doc.Depths()
	for i := range c.doc.Services {
		if err := c.compileService(ServiceIndex(i), depths); err != nil {
			return err
		}
		c.plan.serviceIndex[c.doc.Services[i].Name] = ServiceIndex(i)
	}
	return nil
}

// compileService compiles one service but for what refers to others. depths are the document's.
func (c *compiler) compileService(i ServiceIndex, depths map[string]int) error {
	s := &c.doc.Services[i]
	siteIndex, ok := c.sites[s.Site]
	if !ok {
		return fmt.Errorf("compile service %q: unknown site %q", s.Name, s.Site)
	}
	out := Service{
		Name: s.Name, Site: s.Site, site: siteIndex,
		drawer:         newDrawer(hashSeed(s)),
		maxBandwidth:   s.MaxBandwidth,
		loadThreshold:  s.LoadThreshold,
		cost:           s.Cost,
		Capacity:       cmp.Or(s.Capacity, s.MaxConnections),
		maxConnections: s.MaxConnections,
		loadFresh:      loadFresh(s.Load, c.doc.Settings.MEP.MetricsInterval.Std(), depths[s.Site]),
		loaded:         s.Load != nil,
		Port:           uint16(s.Port),
		NAPTR:          s.NAPTR,
		Hash:           hashOf(s.Name),
	}
	if s.Host != "" {
		name, err := config.CanonicalName(s.Host)
		if err != nil {
			return fmt.Errorf("compile service %q: host: %w", s.Name, err)
		}
		out.Host = name
	}
	if s.CNAME != "" {
		name, err := config.CanonicalName(s.CNAME)
		if err != nil {
			return fmt.Errorf("compile service %q: %w", s.Name, err)
		}
		out.CNAME = name
	}
	out.Addr4, out.Addr6 = s.AnswerAddresses("")
	c.plan.services[i] = out
	return nil
}

// hashOf is the stable identity of a service.
func hashOf(name string) uint64 { return xxhash.Sum64String(name) }

// hashSeed is the identity of a service for source-ip-hash: its hash_id, else its name.
func hashSeed(s *config.Service) uint64 {
	if s.HashID != 0 {
		return xxhash.Sum64String("#" + strconv.FormatUint(uint64(s.HashID), 10))
	}
	return xxhash.Sum64String(s.Name)
}

// compileStandIns resolves backup_services and makes the table of stable identities.
func (c *compiler) compileStandIns() error {
	p := c.plan
	p.serviceHashes = make([]serviceHash, 0, len(p.services))
	for i := range c.doc.Services {
		if err := c.compileStandInsOf(ServiceIndex(i)); err != nil {
			return err
		}
		p.serviceHashes = append(p.serviceHashes, serviceHash{p.services[i].Hash, ServiceIndex(i)})
	}
	slices.SortFunc(p.serviceHashes, func(a, b serviceHash) int { return cmp.Compare(a.hash, b.hash) })
	for i := range max(len(p.serviceHashes), 1) - 1 {
		if a, b := p.serviceHashes[i], p.serviceHashes[i+1]; a.hash == b.hash {
			return fmt.Errorf("compile service %q: its name has the same hash as that of %q; rename one of them", p.services[a.service].Name, p.services[b.service].Name)
		}
	}
	return nil
}

// compileStandInsOf resolves the backup_services of one service.
func (c *compiler) compileStandInsOf(i ServiceIndex) error {
	for _, name := range c.doc.Services[i].BackupServices {
		s, ok := c.plan.serviceIndex[name]
		if !ok {
			return fmt.Errorf("compile service %q: unknown backup service %q", c.doc.Services[i].Name, name)
		}
		c.plan.services[i].standIns = append(c.plan.services[i].standIns, s)
	}
	return nil
}

// loadFresh is how old a load may be to be compared as it is: three rounds of reading and telling. One that relays pass on, at most so
// many, may be as old as they tell while nothing is wrong: an age that is told is a bound up to half above what it bounds, each relay
// adds two intervals to it, and what has not changed is handed out every second interval.
func loadFresh(l *config.LoadSource, metricsInterval time.Duration, relays int) time.Duration {
	reading := time.Second
	if l != nil {
		reading = l.Interval.Std()
	}
	told := max(2*metricsInterval, reading, time.Second) * 3 / 2
	for range relays {
		told = (told + 2*metricsInterval) * 3 / 2
	}
	fresh := 3 * (max(metricsInterval, time.Second) + reading)
	if relays > 0 {
		fresh = max(fresh, told+3*metricsInterval)
	}
	return fresh
}

func (c *compiler) compileVirtualServers() error {
	for i := range c.doc.VirtualServers {
		c.virtualServers[c.doc.VirtualServers[i].Name] = i
	}
	c.plan.virtualServers = make([]virtualServer, len(c.doc.VirtualServers))
	for i := range c.doc.VirtualServers {
		if err := c.compileVirtualServer(i); err != nil {
			return err
		}
	}
	return nil
}

// compileVirtualServer compiles one virtual server but for its policies.
func (c *compiler) compileVirtualServer(i int) error {
	v := &c.doc.VirtualServers[i]
	out := virtualServer{
		name: v.Name, method: v.Method, backupMethod: v.BackupMethod, backup: none,
		picking: pickingOf(v.Method), backupPicking: pickingOf(v.BackupMethod),
		maxAnswers: v.MaxAnswers, whenAllDown: v.WhenAllDown, clientSubnet: v.ClientSubnet,
		hash4: v.SourceIPHash.Prefix4, hash6: v.SourceIPHash.Prefix6,
		orderThreshold: v.OrderThreshold, dynamicWeight: v.DynamicWeight, effective: v.EffectiveState, tolerance: v.Tolerance.Std(),
		score: scoreOf(&v.Score), hold: v.BackupHold, persistence: persistenceOf(v), spillover: spilloverOf(v),
	}
	out.persistence.use, out.spillover.stay.use = i*uses, i*uses+1
	if v.Backup != "" {
		b, ok := c.virtualServerNamed(v.Backup)
		if !ok {
			return fmt.Errorf("compile virtual server %q: unknown backup %q", v.Name, v.Backup)
		}
		out.backup = b
	}
	out.members = make([]member, 0, len(v.Members))
	for _, m := range v.Members {
		s, ok := c.plan.serviceIndex[m.Service]
		if !ok {
			return fmt.Errorf("compile virtual server %q: unknown service %q", v.Name, m.Service)
		}
		out.members = append(out.members, member{service: s, weight: uint32(m.Weight), order: m.Order})
	}
	slices.SortStableFunc(out.members, func(a, b member) int {
		if v.ActiveOrder == config.OrderDescending {
			return cmp.Compare(b.order, a.order)
		}
		return cmp.Compare(a.order, b.order)
	})
	out.indexMembers()
	out.lively = c.isLively(&out)
	c.plan.virtualServers[i] = out
	return nil
}

// virtualServerNamed finds a virtual server.
func (c *compiler) virtualServerNamed(name string) (int, bool) {
	if c.virtualServers != nil {
		i, ok := c.virtualServers[name]
		return i, ok
	}
	i := slices.IndexFunc(c.doc.VirtualServers, func(v config.VirtualServer) bool { return v.Name == name })
	return i, i >= 0
}

// indexMembers makes the index by service.
func (v *virtualServer) indexMembers() {
	v.byService = make([]uint16, len(v.members))
	for i := range v.byService {
		v.byService[i] = uint16(i)
	}
	slices.SortFunc(v.byService, func(a, b uint16) int { return cmp.Compare(v.members[a].service, v.members[b].service) })
}

// scoreOf takes over the weights of method score; load alone when there are none.
func scoreOf(s *config.Score) score {
	out := score{load: s.Load, rtt: s.RTT, distance: s.Distance, cost: s.Cost}
	if out == (score{}) {
		out.load = 1
	}
	return out
}

// Identities of sessions: ids of the document, of virtual servers without one, and of spillover.
const (
	namedSessions = 1 << 31
	spillSessions = 1 << 30
)

func persistenceOf(v *config.VirtualServer) persistence {
	p := &v.Persistence
	out := persistence{on: p.Type == config.PersistenceSourceIP, id: uint32(p.ID), prefix4: p.Prefix4, prefix6: p.Prefix6,
		timeout: int64(p.Timeout.Std() / time.Second), yields: p.YieldToOrder}
	if p.ID == 0 {
		out.id = namedSessions | uint32(xxhash.Sum64String(v.Name))>>2
	}
	return out
}

func spilloverOf(v *config.VirtualServer) spillover {
	s := &v.Spillover
	if s.Method == config.SpilloverNone || v.Backup == "" && s.WithoutBackup != config.SpillEmpty {
		return spillover{}
	}
	stay := persistenceOf(v)
	stay.on, stay.timeout = s.Persistence && v.Backup != "", int64(s.Timeout.Std()/time.Second)
	stay.id |= spillSessions
	return spillover{method: s.Method, threshold: s.Threshold, stay: stay, empty: s.WithoutBackup == config.SpillEmpty}
}

func (c *compiler) compileDomains() error {
	ttls, err := c.zoneTTLs()
	if err != nil {
		return err
	}
	for i := range c.doc.VirtualServers {
		v := &c.doc.VirtualServers[i]
		for j := range v.Domains {
			d, err := c.compileDomain(VirtualServerIndex(i), &v.Domains[j], ttls)
			if err != nil {
				return err
			}
			c.plan.domains = append(c.plan.domains, d)
		}
	}
	c.plan.domainIndex = make(map[string]DomainIndex, len(c.plan.domains))
	for i := range c.plan.domains {
		c.plan.domainIndex[c.plan.domains[i].Name] = DomainIndex(i)
	}
	return nil
}

// compileDomain compiles one name of a virtual server.
func (c *compiler) compileDomain(of VirtualServerIndex, d *config.Domain, ttls map[string]uint32) (Domain, error) {
	name, err := config.CanonicalName(d.Name)
	if err != nil {
		return Domain{}, fmt.Errorf("compile virtual server %q: %w", c.doc.VirtualServers[of].Name, err)
	}
	out := Domain{Name: name, TTL: ttlOf(d.TTL, name, ttls), virtualServer: of, HasCNAME: c.hasCNAME(int(of)), ownTTL: d.TTL != nil}
	out.Backup4, out.Backup6 = byFamily(d.BackupAddresses)
	if d.HTTPS != nil || d.SRV != nil || d.MX != nil || d.NAPTR != nil {
		out.Types = &Types{HTTPS: d.HTTPS, SRV: d.SRV, MX: d.MX, NAPTR: d.NAPTR}
	}
	return out, nil
}

// compileNeeds finds out what decisions need not do: look at the client where no method does, and count answers where
// nobody compares loads.
func (c *compiler) compileNeeds() error {
	c.countAnswers()
	c.lookAtClients()
	return nil
}

// lookAtClients finds out which names are answered by who the client is.
func (c *compiler) lookAtClients() {
	for i := range c.plan.virtualServers {
		v := &c.plan.virtualServers[i]
		v.looksAtClient = false
		for b, depth := i, 0; b != none && depth <= MaxBackupDepth; depth++ {
			w := &c.plan.virtualServers[b]
			v.looksAtClient = v.looksAtClient || looksAtClient(w.method) || looksAtClient(w.backupMethod) || w.looksAtWhom()
			b = w.backup
		}
	}
	for i := range c.plan.domains {
		d := &c.plan.domains[i]
		d.NeedsClient = c.plan.virtualServers[d.virtualServer].looksAtClient
	}
}

// countAnswers finds the services whose answers are counted.
func (c *compiler) countAnswers() {
	for i := range c.plan.services {
		s := &c.plan.services[i]
		s.counted = s.loaded
	}
	for i := range c.plan.virtualServers {
		v := &c.plan.virtualServers[i]
		if v.counts() {
			for _, m := range v.members {
				c.plan.services[m.service].counted = true
			}
		}
	}
}

// counts reports whether the virtual server compares loads.
func (v *virtualServer) counts() bool {
	return comparesLoads(v.method) || comparesLoads(v.backupMethod)
}

// compileOthers finds the virtual servers that are asked for the other families: those of domains with more types, and their
// backups.
func (c *compiler) compileOthers() error {
	p := c.plan
	for i := range p.domains {
		if p.domains[i].Types == nil {
			continue
		}
		if p.others == nil {
			p.others = slices.Repeat([]int32{none}, len(p.virtualServers))
		}
		for v, depth := int(p.domains[i].virtualServer), 0; v != none && depth <= MaxBackupDepth; depth++ {
			if p.others[v] == none {
				p.others[v] = int32(p.otherCount)
				p.otherCount++
			}
			v = p.virtualServers[v].backup
		}
	}
	return nil
}

// looksAtClient reports whether a method picks by who the client is.
func looksAtClient(m config.Method) bool {
	switch m {
	case config.SourceIPHashing, config.StaticProximity, config.RTT, config.Measured, config.Scored:
		return true
	}
	return false
}

// looksAtWhom reports whether anything but the methods asks who the client is.
func (v *virtualServer) looksAtWhom() bool {
	byPolicy := func(p policy) bool { return p.matcher != none }
	return v.persistence.on || v.spillover.stay.on || slices.ContainsFunc(v.policies, byPolicy)
}

// comparesLoads reports whether a method counts what answers will bring.
func comparesLoads(m config.Method) bool {
	switch m {
	case config.LeastConnection, config.LeastResponseTime, config.LeastBandwidth, config.LeastPackets, config.CustomLoad, config.Scored:
		return true
	}
	return false
}

func (c *compiler) zoneTTLs() (map[string]uint32, error) {
	ttls := make(map[string]uint32, len(c.doc.Zones))
	for i := range c.doc.Zones {
		z := &c.doc.Zones[i]
		name, err := config.CanonicalName(z.Name)
		if err != nil {
			return nil, fmt.Errorf("compile zone %q: %w", z.Name, err)
		}
		if _, known := ttls[name]; !known || len(z.Views) == 0 { // of several for views, the one for all others counts
			ttls[name] = seconds(z.TTL)
		}
	}
	return ttls, nil
}

// ttlOf is the domain's own TTL, else that of the zone it lies in.
func ttlOf(own *config.Duration, name string, zones map[string]uint32) uint32 {
	if own != nil {
		return seconds(*own)
	}
	for rest := name; rest != ""; {
		if ttl, ok := zones[rest]; ok {
			return ttl
		}
		_, rest, _ = strings.Cut(rest, ".")
	}
	return 0
}

func seconds(d config.Duration) uint32 { return uint32(d.Std() / time.Second) }

// hasCNAME reports whether a virtual server or one of its backups has a member that answers with a name.
func (c *compiler) hasCNAME(vs int) bool {
	for depth := 0; vs != none && depth <= MaxBackupDepth; depth++ {
		v := &c.plan.virtualServers[vs]
		for _, m := range v.members {
			if c.plan.services[m.service].CNAME != "" {
				return true
			}
		}
		vs = v.backup
	}
	return false
}

func byFamily(addrs []netip.Addr) (v4, v6 []netip.Addr) {
	for _, a := range addrs {
		if a.Is4() {
			v4 = append(v4, a)
		} else {
			v6 = append(v6, a)
		}
	}
	return v4, v6
}
