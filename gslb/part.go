package gslb

import "slices"

// Part is some of a Plan's virtual servers, with what they are backed up by and the names that they answer: what has to be looked at when only these may have
// changed. Decisions by a part, with Snapshot.Part and Learned.Part, are those by the whole. Services have the numbers that they have there.
type Part struct {
	Plan           *Plan
	whole          *Plan
	virtualServers []VirtualServerIndex // of the whole, ascending
}

// Touched returns the virtual servers whose answers may be others by the plan than by the one before, in ascending order. known is false when it was not
// made from that one (SinceRenumbered).
func (p *Plan) Touched(before *Plan) (touched []VirtualServerIndex, known bool) {
	services, virtualServers, known := p.SinceRenumbered(before)
	if !known {
		return nil, false
	}
	marked := make([]bool, len(p.virtualServers))
	mark := func(list []VirtualServerIndex) {
		for _, v := range list {
			marked[v] = true
		}
	}
	of := func(s ServiceIndex) {
		mark(p.members.of(s))
		if was, known := p.ServiceBefore(before, s); known {
			mark(before.members.of(was))
		}
	}
	for _, s := range services {
		of(s)
	}
	_, placed := p.asideSince(before)
	mark(virtualServers) // also those that had members that are gone
	mark(placed)
	if len(services) > 0 {
		for i := range p.services {
			standsIn := func(j ServiceIndex) bool { return slices.Contains(services, j) }
			if len(p.services[i].standIns) > 0 && slices.ContainsFunc(p.services[i].standIns, standsIn) {
				of(ServiceIndex(i))
			}
		}
	}
	for grown := true; grown; { // who falls back to them, by as many steps as there are
		grown = false
		for _, plan := range []*Plan{before, p} {
			for i := range plan.virtualServers {
				if b := plan.virtualServers[i].backup; b != none && marked[b] && !marked[i] {
					marked[i], grown = true, true
				}
			}
		}
	}
	for i := range marked {
		if marked[i] {
			touched = append(touched, VirtualServerIndex(i))
		}
	}
	return touched, true
}

// withBackups returns virtual servers with all that they are backed up by, in ascending order.
func (p *Plan) withBackups(virtualServers []VirtualServerIndex) []VirtualServerIndex {
	out := slices.Clone(virtualServers)
	for _, i := range virtualServers {
		for b, depth := p.virtualServers[i].backup, 0; b != none && depth <= MaxBackupDepth; depth++ {
			out = append(out, VirtualServerIndex(b))
			b = p.virtualServers[b].backup
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Part returns the part of the plan that some virtual servers are, with their backups. Only they have names there.
func (p *Plan) Part(named []VirtualServerIndex) *Part {
	virtualServers := p.withBackups(named)
	out := &Plan{services: p.services, serviceIndex: p.serviceIndex, serviceHashes: p.serviceHashes, siteHashes: p.siteHashes, sites: p.sites, locations: p.locations,
		views: p.views, answers: p.answers, needsListener: p.needsListener, document: p.document, mark: new(planMark)}
	numbers := make(map[int]int, len(virtualServers)) // in the part, by that in the whole
	for k, i := range virtualServers {
		numbers[int(i)] = k
	}
	names := map[DomainIndex]DomainIndex{}
	for i := range p.domains {
		if _, in := slices.BinarySearch(named, p.domains[i].virtualServer); !in {
			continue
		}
		k := numbers[int(p.domains[i].virtualServer)]
		names[DomainIndex(i)] = DomainIndex(len(out.domains))
		d := p.domains[i]
		d.virtualServer = VirtualServerIndex(k)
		out.domains = append(out.domains, d)
	}
	for k, i := range virtualServers {
		v := p.virtualServers[i]
		if v.backup != none {
			v.backup = numbers[v.backup]
		}
		v.persistence.use, v.spillover.stay.use = k*uses, k*uses+1
		v.policies = slices.Clone(v.policies)
		for j := range v.policies {
			v.policies[j].number, v.policies[j].domains = out.policies, renumbered(v.policies[j].domains, names)
			out.policies++
		}
		out.virtualServers = append(out.virtualServers, v)
	}
	if p.others != nil {
		for _, i := range virtualServers {
			number := int32(none)
			if p.others[i] != none {
				number = int32(out.otherCount)
				out.otherCount++
			}
			out.others = append(out.others, number)
		}
	}
	return &Part{Plan: out, whole: p, virtualServers: virtualServers}
}

// renumbered is names as the part numbers them. One that it does not have is none of its virtual servers'.
func renumbered(domains []DomainIndex, names map[DomainIndex]DomainIndex) []DomainIndex {
	out := make([]DomainIndex, len(domains))
	for i, d := range domains {
		if number, in := names[d]; in {
			out[i] = number
		} else {
			out[i] = ^DomainIndex(0)
		}
	}
	return out
}

// Part returns the snapshot of a part. One of the snapshot's own plan stands as it stands there; for one of a plan that was made from that, it is computed what
// follows from status, which is of all services, and of the virtual servers of the whole.
func (s *Snapshot) Part(part *Part, of *Plan, status *Status) *Snapshot {
	own := *status
	own.Held, own.Ordered = nil, nil
	for _, i := range part.virtualServers {
		own.Held, own.Ordered = append(own.Held, status.held(int(i))), append(own.Ordered, status.order(int(i)))
	}
	if of != s.Plan {
		return NewSnapshot(s.Generation+1, part.Plan, &own, nil)
	}
	out := &Snapshot{Generation: s.Generation, Plan: part.Plan, Status: &own, allowances: newAllowances()}
	for _, i := range part.virtualServers {
		out.standings = append(out.standings, s.standings[i])
	}
	return out
}

// Part returns a Learned for a part of the plan of, which this one is of, or of a plan that was made from that one. It is as Anew.
func (l *Learned) Part(part *Part, of *Plan) *Learned {
	p := part.Plan
	out := &Learned{cursors: make([]counter, len(p.virtualServers)*families*ways), others: p.others, other: make([]counter, p.otherCount*otherFamilies*ways),
		prefers: make([]counter, p.policies*allFamilies*ways), handed: make([]counter, len(p.services)), uses: usesOf(p, nil, nil), pairs: new(pairs),
		Sessions: l.Sessions, Resolvers: l.Resolvers, Pushed: l.Pushed, frozen: true}
	for k, i := range part.virtualServers {
		for f := range Family(families + otherFamilies) {
			carryTurns(out.waysOf(VirtualServerIndex(k), f), l.waysOf(i, f))
		}
		own, theirs := p.virtualServers[k].policies, of.virtualServers[i].policies
		for j := range min(len(own), len(theirs)) {
			for f := range Family(allFamilies) {
				carryTurns(out.preferred(&own[j], f), l.preferred(&theirs[j], f))
			}
		}
		for _, m := range p.virtualServers[k].members {
			if was, known := part.whole.ServiceBefore(of, m.service); known {
				out.handed[m.service].n.Store(l.handed[was].n.Load())
			}
		}
	}
	return out
}
