package gslb

import (
	"reflect"
	"slices"

	"fairlead/config"
)

// What changed is compiled alone as long as it is at most this part of a document's services, and of its virtual servers, or so few.
const amendedShare, amendedFew = 8, 64

// planMark is a Plan's own: two plans never have the same.
type planMark struct{ _ byte }

// amendment is what a Plan has that the one it was made from has not.
type amendment struct {
	of             *planMark // nil: the plan was compiled whole
	services       []ServiceIndex
	virtualServers []VirtualServerIndex
	// around are virtual servers that may stand otherwise for what others are now: they are asked for the other families, or no more, or answers with
	// their members are counted, or no more.
	around []VirtualServerIndex
	// placed are those that look at who the client is, when sites are elsewhere than before.
	placed []VirtualServerIndex
	// renumbered is not nil when there are services that there were not, or the other way round. Those that came are among services.
	renumbered *renumbering
}

// Since returns the services and virtual servers in which the plan differs from another one, if it was made from that by compiling only these: all else,
// every index included, is the same but for where sites are, and so is what the documents of both have around services and virtual servers
// (config.Document.SameAround).
func (p *Plan) Since(before *Plan) (services []ServiceIndex, virtualServers []VirtualServerIndex, known bool) {
	if services, virtualServers, known = p.SinceRenumbered(before); known && p != before && p.amended.renumbered != nil {
		return nil, nil, false
	}
	return services, virtualServers, known
}

// SinceRenumbered is Since where services may have come or gone, and so have other numbers, of which ServiceBefore knows. Those of virtual servers are the same.
// What came is among services.
func (p *Plan) SinceRenumbered(before *Plan) (services []ServiceIndex, virtualServers []VirtualServerIndex, known bool) {
	switch {
	case p == before:
		return nil, nil, true
	case before == nil || p.amended.of == nil || p.amended.of != before.mark:
		return nil, nil, false
	}
	return p.amended.services, p.amended.virtualServers, true
}

// ServiceBefore returns which service one was in a plan that SinceRenumbered knows; known is false of one that was not there.
func (p *Plan) ServiceBefore(before *Plan, i ServiceIndex) (was ServiceIndex, known bool) {
	if p == before || p.amended.renumbered == nil {
		return i, true
	}
	w := p.amended.renumbered.was[i]
	return ServiceIndex(max(w, 0)), w != none
}

// asideSince returns amendment.around and placed of a plan that another one, of which Since knows, was made to.
func (p *Plan) asideSince(before *Plan) (around, placed []VirtualServerIndex) {
	if p == before {
		return nil, nil
	}
	return p.amended.around, p.amended.placed
}

// amend is Compile for a document that differs little from that of the plan before. It is not done when more than services and virtual servers has
// changed, when there are other virtual servers, or any are in another order, and where policies are concerned, whose numbers depend on all of them: nil. Nor when
// anything is wrong, of which compileWhole tells.
func amend(doc *config.Document, o CompileOptions) *Plan {
	before := o.Before
	if before == nil || before.locations.from.geo != o.Geo {
		return nil
	}
	a, same := differences(before, doc)
	if !same || !doc.SameAround(before.document) {
		return nil
	}
	p := *before
	p.document, p.mark, p.amended = doc, new(planMark), a
	c := compiler{doc: doc, plan: &p}
	if !c.amendSites(before) || c.renumber(before) != nil || c.amendServices() != nil || c.amendVirtualServers(before) != nil {
		return nil
	}
	c.amendNeeds(before)
	return &p
}

// amendSites puts sites where they are now. It reports whether that could be done: not where policies go by where sites and clients are.
func (c *compiler) amendSites(before *Plan) bool {
	p := c.plan
	sites := make([]site, len(c.doc.Sites))
	for i := range sites {
		sites[i] = siteOf(&c.doc.Sites[i])
	}
	if reflect.DeepEqual(sites, p.sites) {
		return true
	}
	if p.policies > 0 || len(before.locations.from.matchers) > 0 {
		return false
	}
	var err error
	if p.locations, err = c.locations.buildUnless(before, c.doc, before.locations.from.geo, sites); err != nil {
		return false
	}
	p.sites = sites
	return true
}

// differences lists what a document has otherwise than that of a plan. same reports whether that is all, and little.
func differences(before *Plan, doc *config.Document) (a amendment, same bool) {
	old := before.document
	if len(doc.VirtualServers) != len(old.VirtualServers) {
		return a, false
	}
	if a.renumbered, same = numbering(before, doc); !same {
		return a, false
	}
	a.of = before.mark
	for i := range doc.Services {
		is, came := &doc.Services[i], false
		was := is
		if a.renumbered == nil {
			was = &old.Services[i]
		} else if number := a.renumbered.was[i]; number != none {
			was = &old.Services[number]
		} else {
			came = true
		}
		if !came && is.Same(was) {
			continue
		}
		if is.Site != was.Site || len(is.Views) > 0 || len(was.Views) > 0 || len(a.services) >= max(amendedFew, len(doc.Services)/amendedShare) {
			return a, false
		}
		a.services = append(a.services, ServiceIndex(i))
	}
	for i := range doc.VirtualServers {
		was, is := &old.VirtualServers[i], &doc.VirtualServers[i]
		if is.Same(was) {
			continue
		}
		named := func(a, b config.Domain) bool { return a.Name == b.Name }
		if is.Name != was.Name || !slices.EqualFunc(is.Domains, was.Domains, named) || len(is.Policies) > 0 || len(was.Policies) > 0 ||
			len(a.virtualServers) >= max(amendedFew, len(doc.VirtualServers)/amendedShare) {
			return a, false
		}
		a.virtualServers = append(a.virtualServers, VirtualServerIndex(i))
	}
	return a, true
}

// amendServices compiles the services that changed.
func (c *compiler) amendServices() error {
	p := c.plan
	if len(p.amended.services) == 0 {
		return nil
	}
	c.sites = make(map[string]uint32, len(p.sites))
	for i := range p.sites {
		c.sites[p.sites[i].name] = uint32(i)
	}
	if p.amended.renumbered == nil {
		p.services = slices.Clone(p.services)
	}
	depths := c.doc.Depths()
	for _, i := range p.amended.services {
		if err := c.compileService(i, depths); err != nil {
			return err
		}
		if err := c.compileStandInsOf(i); err != nil {
			return err
		}
	}
	return nil
}

// amendVirtualServers compiles the virtual servers that changed, with their names.
func (c *compiler) amendVirtualServers(before *Plan) error {
	p := c.plan
	changed := c.livelier(before)
	switch {
	case p.amended.renumbered != nil:
	case len(p.amended.virtualServers) == 0 && len(changed) == 0:
		return nil
	default:
		p.virtualServers = slices.Clone(p.virtualServers)
	}
	for _, i := range p.amended.virtualServers {
		if err := c.compileVirtualServer(int(i)); err != nil {
			return err
		}
	}
	for _, i := range changed {
		v := &p.virtualServers[i]
		v.lively = c.isLively(v)
	}
	if len(p.amended.virtualServers) == 0 {
		if p.amended.renumbered != nil {
			return c.compileMemberships()
		}
		c.listLively()
		return nil
	}
	ttls, err := c.zoneTTLs()
	if err != nil {
		return err
	}
	p.domains = slices.Clone(p.domains)
	first, next := 0, p.amended.virtualServers
	for i := 0; len(next) > 0; i++ {
		domains := c.doc.VirtualServers[i].Domains
		if int(next[0]) == i {
			next = next[1:]
			for j := range domains {
				if p.domains[first+j], err = c.compileDomain(VirtualServerIndex(i), &domains[j], ttls); err != nil {
					return err
				}
			}
		}
		first += len(domains)
	}
	p.others, p.otherCount = nil, 0
	if err := c.compileOthers(); err != nil {
		return err
	}
	return c.compileMemberships()
}

// livelier lists the virtual servers with members that have limits now, or had.
func (c *compiler) livelier(before *Plan) (out []VirtualServerIndex) {
	for _, i := range c.plan.amended.services {
		if was, known := c.plan.ServiceBefore(before, i); known && before.services[was].limited() != c.plan.services[i].limited() {
			out = append(out, before.members.of(was)...)
		}
	}
	return out
}

// amendNeeds is compileNeeds, and finds out again which names may be answered with another one, as far as that can have changed.
func (c *compiler) amendNeeds(before *Plan) {
	p := c.plan
	counts, cnames := false, false
	for _, i := range p.amended.virtualServers {
		counts = counts || p.virtualServers[i].counts() || before.virtualServers[i].counts()
	}
	for _, i := range p.amended.services {
		was, known := p.ServiceBefore(before, i)
		cnames = cnames || known && (p.services[i].CNAME == "") != (before.services[was].CNAME == "")
	}
	if counts && len(p.amended.services) == 0 {
		p.services = slices.Clone(p.services)
	}
	if counts || len(p.amended.services) > 0 || p.amended.renumbered != nil {
		c.countAnswers()
	}
	if len(p.amended.virtualServers) == 0 && cnames {
		p.domains = slices.Clone(p.domains)
	}
	if len(p.amended.virtualServers) > 0 {
		c.lookAtClients()
	}
	for i := range p.domains {
		if d := &p.domains[i]; cnames || len(p.amended.virtualServers) > 0 {
			d.HasCNAME = c.hasCNAME(int(d.virtualServer))
		}
	}
	p.amended.around = around(before, p)
	for i := range p.virtualServers {
		if v := &p.virtualServers[i]; p.locations != before.locations && (looksAtClient(v.method) || looksAtClient(v.backupMethod) || v.looksAtWhom()) {
			p.amended.placed = append(p.amended.placed, VirtualServerIndex(i))
		}
	}
}

// around lists what stands otherwise for what others are (amendment.around).
func around(before, p *Plan) (out []VirtualServerIndex) {
	asked := func(p *Plan, i int) bool { return p.others != nil && p.others[i] != none }
	for i := range p.virtualServers {
		if asked(p, i) != asked(before, i) {
			out = append(out, VirtualServerIndex(i))
		}
	}
	for i := range p.services {
		if p.amended.renumbered != nil {
			break // all are looked at again
		}
		if p.services[i].counted != before.services[i].counted {
			out = append(out, p.members.of(ServiceIndex(i))...)
		}
	}
	return out
}
