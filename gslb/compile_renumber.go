package gslb

import (
	"cmp"
	"errors"
	"slices"

	"fairlead/config"
)

// renumbering says which services of a plan are which of the one that it was made from. Those of both come in the same order.
type renumbering struct {
	was []int32 // by number now; none: there was no such service
	now []int32 // by number before; none: it is gone
}

// numbering finds the services of a plan in a document: nil when they have the same names in the same order. same is false when more than some have come or gone,
// in another order, or with views, which are numbered with all services.
func numbering(before *Plan, doc *config.Document) (r *renumbering, same bool) {
	old := before.document.Services
	named := func(a, b config.Service) bool { return a.Name == b.Name }
	if len(old) == len(doc.Services) && slices.EqualFunc(old, doc.Services, named) {
		return nil, true
	}
	if before.views != nil {
		return nil, false
	}
	r = &renumbering{was: make([]int32, len(doc.Services)), now: slices.Repeat([]int32{none}, len(old))}
	next, moved := 0, 0 // next of old
	for i := range doc.Services {
		r.was[i] = none
		if next == len(old) || old[next].Name != doc.Services[i].Name {
			moved++
			at, known := before.serviceIndex[doc.Services[i].Name]
			if !known {
				continue
			}
			if int(at) < next {
				return nil, false
			}
			next = int(at) // what stands before it is gone
		}
		r.was[i], r.now[next] = int32(next), int32(i)
		next++
	}
	return r, moved <= max(amendedFew, len(doc.Services)/amendedShare)
}

var errGone = errors.New("what stays names a service that is gone")

// renumber gives what stays the numbers that services have now.
func (c *compiler) renumber(before *Plan) error {
	p, r := c.plan, c.plan.amended.renumbered
	if r == nil {
		return nil
	}
	p.services, p.serviceIndex = make([]Service, len(r.was)), make(map[string]ServiceIndex, len(r.was))
	for i, was := range r.was {
		p.serviceIndex[c.doc.Services[i].Name] = ServiceIndex(i)
		if was == none {
			continue
		}
		s := &p.services[i]
		*s = before.services[was]
		s.standIns = slices.Clone(s.standIns)
		for j, standIn := range s.standIns {
			if s.standIns[j] = ServiceIndex(r.now[standIn]); r.now[standIn] == none && !p.isAmended(ServiceIndex(i)) {
				return errGone
			}
		}
	}
	if err := c.renumberHashes(before); err != nil {
		return err
	}
	p.virtualServers = slices.Clone(before.virtualServers)
	members := make([]member, 0, len(before.members.list))
	for i := range p.virtualServers {
		v, first := &p.virtualServers[i], len(members)
		for _, m := range v.members {
			if r.now[m.service] == none {
				if _, changed := slices.BinarySearch(p.amended.virtualServers, VirtualServerIndex(i)); !changed {
					return errGone
				}
			}
			m.service = ServiceIndex(r.now[m.service])
			members = append(members, m)
		}
		v.members = members[first:len(members):len(members)]
	}
	return nil
}

// isAmended reports whether a service is compiled again.
func (p *Plan) isAmended(i ServiceIndex) bool {
	_, changed := slices.BinarySearch(p.amended.services, i)
	return changed
}

// renumberHashes makes the table of stable identities.
func (c *compiler) renumberHashes(before *Plan) error {
	p, r := c.plan, c.plan.amended.renumbered
	p.serviceHashes = make([]serviceHash, 0, len(r.was))
	for _, h := range before.serviceHashes {
		if now := r.now[h.service]; now != none {
			p.serviceHashes = append(p.serviceHashes, serviceHash{h.hash, ServiceIndex(now)})
		}
	}
	for i, was := range r.was {
		if was != none {
			continue
		}
		h := serviceHash{hashOf(c.doc.Services[i].Name), ServiceIndex(i)}
		at, taken := slices.BinarySearchFunc(p.serviceHashes, h, func(a, b serviceHash) int { return cmp.Compare(a.hash, b.hash) })
		if taken {
			return errors.New("two names have one hash")
		}
		p.serviceHashes = slices.Insert(p.serviceHashes, at, h)
	}
	return nil
}
