package gslb

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"fairlead/config"
)

// Canonical is what a snapshot decides for the questions of a sample as far as all sites must decide alike: by the document,
// clients' places and the states of services. Numbers (loads, measured times, limits that are reached, weights while a service
// starts), sessions and turns do not count, for they may differ by an interval, and a state's doubt does not lower a TTL.
// It writes nothing but its own memory, which is bounded by the sample, and is not safe for concurrent use.
type Canonical struct {
	snapshot *Snapshot
	sample   *Sample
	fields   map[canonicalKey]*canonicalField
	decider  Decider
}

// CanonicalDecision is one of them.
type CanonicalDecision struct {
	Outcome       Outcome
	VirtualServer VirtualServerIndex // that answers, after backups and spillover by health
	TTL           uint32             // seconds
	// Usable is who may be answered; it must not be written to. Chosen is who of them is, where that follows from the document,
	// the client's place and states alone: not ok for methods that compare numbers or take turns.
	Usable   []ServiceIndex
	Chosen   ServiceIndex
	ChosenOK bool
	Resort   bool   // nobody may be picked: Usable is who is named all the same
	set      uint64 // of Usable, whatever its order
}

// canonicalKey is a virtual server, one of its policies or none, and a family.
type canonicalKey struct {
	vs, policy int
	family     Family
}

type canonicalField struct {
	field
	usable []ServiceIndex
	set    uint64
}

// Canonical prepares the canonical decisions for a sample of the snapshot's Plan.
func (s *Snapshot) Canonical(sample *Sample) *Canonical {
	return &Canonical{snapshot: s, sample: sample, fields: make(map[canonicalKey]*canonicalField)}
}

// Decide returns the decision for a question of the sample.
func (c *Canonical) Decide(question int) CanonicalDecision {
	d, s := &c.decider, c.snapshot
	*d = Decider{Query: c.sample.questions[question].Query, s: s}
	domain := &s.Plan.domains[d.Query.Domain]
	own := &s.Plan.virtualServers[domain.virtualServer]
	d.chooseClient(own)
	left := none
	vs := int(domain.virtualServer)
	for depth := 0; vs != none && depth <= MaxBackupDepth; depth++ {
		v := &s.Plan.virtualServers[vs]
		switch f := c.field(canonicalKey{vs, none, d.Query.Family}); {
		case !f.settled || s.standings[vs].ordered == Disabled:
		case s.standings[vs].held || s.standings[vs].ordered == Draining || c.spills(vs):
			if left == none {
				left = vs
			}
		default:
			return c.answer(domain, vs)
		}
		vs = v.backup
	}
	switch {
	case left == none:
		return c.lastResort(domain, own)
	case !s.standings[left].held && s.standings[left].ordered != Draining && s.Plan.virtualServers[left].spillover.empty:
		return CanonicalDecision{Outcome: OutcomeEmpty, VirtualServer: VirtualServerIndex(left), TTL: domain.TTL}
	}
	return c.answer(domain, left)
}

// answer decides among the usable members of a virtual server.
func (c *Canonical) answer(domain *Domain, vs int) CanonicalDecision {
	v, f := &c.snapshot.Plan.virtualServers[vs], c.preferred(vs)
	out := CanonicalDecision{VirtualServer: VirtualServerIndex(vs), TTL: domain.TTL, Usable: f.usable, set: f.set}
	if len(f.contenders) == 0 {
		out.Outcome = OutcomeEmpty
		return out
	}
	if i := c.pick(v, f); i != none {
		out.Chosen, out.ChosenOK = f.contenders[i].service, true
	}
	return out
}

// preferred returns who may be picked by the policies of a virtual server.
func (c *Canonical) preferred(vs int) *canonicalField {
	d, v := &c.decider, &c.snapshot.Plan.virtualServers[vs]
	for i := range v.policies {
		p := &v.policies[i]
		if p.matcher != none {
			d.locate()
		}
		if !p.matches(d, d.here) {
			continue
		}
		if f := c.field(canonicalKey{vs, i, d.Query.Family}); len(f.contenders) > 0 {
			return f
		}
	}
	return c.field(canonicalKey{vs, none, d.Query.Family})
}

// pick returns who is chosen by what all sites know; none: by something else.
func (c *Canonical) pick(v *virtualServer, f *canonicalField) int {
	if len(f.contenders) == 1 {
		return 0
	}
	if v.picking != byProximity {
		return c.pickHashed(v.picking, v, f)
	}
	best, at, ties := uint32(0), none, 0
	if c.decider.locate(); c.decider.here != nil && len(c.decider.here.closeness) > 0 {
		for i := range f.contenders {
			switch closeness := c.decider.here.closeness[f.contenders[i].site]; {
			case closeness > best:
				best, at, ties = closeness, i, 1
			case closeness == best:
				ties++
			}
		}
	}
	switch {
	case best == 0:
		return c.pickHashed(v.backupPicking, v, f)
	case ties == 1:
		return at
	}
	return none
}

func (c *Canonical) pickHashed(p picking, v *virtualServer, f *canonicalField) int {
	if p != byHash {
		return none
	}
	i, reason := c.decider.pickSourceIPHash(v, &f.field)
	if reason != ReasonHash {
		return none
	}
	return i
}

// lastResort is the decision when nobody may be picked.
func (c *Canonical) lastResort(domain *Domain, own *virtualServer) CanonicalDecision {
	out := CanonicalDecision{VirtualServer: domain.virtualServer, TTL: domain.TTL}
	switch {
	case c.usable(int(domain.virtualServer)), own.whenAllDown == config.AnswerEmpty: // usable: for the other family
		out.Outcome = OutcomeEmpty
	case own.whenAllDown == config.AnswerServFail:
		out.Outcome = OutcomeServFail
	case own.whenAllDown == config.AnswerBackupAddress:
		out.Outcome = OutcomeBackupAddresses
	default:
		out.Resort, out.Usable = true, c.snapshot.standings[domain.virtualServer].lastResort(c.decider.Query.Family)
		if len(out.Usable) == 0 {
			out.Outcome = OutcomeEmpty
		}
		for _, m := range out.Usable {
			out.set += c.identity(m)
		}
	}
	return out
}

// usable reports whether a member may be picked for some family.
func (c *Canonical) usable(vs int) bool {
	if c.snapshot.standings[vs].ordered == Disabled {
		return false
	}
	last := Family(families)
	if c.snapshot.Plan.others != nil && c.snapshot.Plan.others[vs] != none {
		last += otherFamilies
	}
	for f := range last {
		if len(c.field(canonicalKey{vs, none, f}).contenders) > 0 {
			return true
		}
	}
	return false
}

// spills reports whether spillover by health sends clients to the backup.
func (c *Canonical) spills(vs int) bool {
	v := &c.snapshot.Plan.virtualServers[vs]
	return v.spillover.method == config.SpilloverHealth && c.usable(vs) && c.snapshot.spills(v)
}

// field returns who may be picked. It is found once.
func (c *Canonical) field(k canonicalKey) *canonicalField {
	if f := c.fields[k]; f != nil {
		return f
	}
	v, f := &c.snapshot.Plan.virtualServers[k.vs], new(canonicalField)
	if k.policy == none {
		f.field = c.among(v, k.family, nil)
	} else {
		for i := range v.policies[k.policy].prefers {
			if out := c.among(v, k.family, v.policies[k.policy].prefers[i].members); len(out.contenders) > 0 {
				f.field = out
				break
			}
		}
	}
	if len(f.contenders) > 0 {
		f.even = reduceWeights(f.contenders)
		f.draws = newDraws(v, c.snapshot.Plan.services, f.contenders, 0) // for a few questions no sieve is worth while
	}
	for i := range f.contenders {
		f.usable = append(f.usable, f.contenders[i].service)
		f.set += c.identity(f.contenders[i].service)
	}
	c.fields[k] = f
	return f
}

// among is Snapshot.field by states alone.
func (c *Canonical) among(v *virtualServer, family Family, only []bool) field {
	if out := c.amongOrders(v, family, only, false); out.settled || !v.effective || slices.ContainsFunc(v.members, c.up) {
		return out
	}
	return c.amongOrders(v, family, only, true)
}

func (c *Canonical) up(m member) bool { return c.snapshot.Status.Services[m.service].State == Up }

func (c *Canonical) amongOrders(v *virtualServer, family Family, only []bool, effective bool) field {
	var first field
	for at := 0; at < len(v.members); {
		end := at + 1
		for end < len(v.members) && v.members[end].order == v.members[at].order {
			end++
		}
		out, enough := c.orderField(v, family, only, effective, at, end)
		switch {
		case out.settled && enough:
			return out
		case out.settled && !first.settled:
			first = out
		}
		at = end
	}
	return first
}

// orderField is Snapshot.orderField by states alone.
func (c *Canonical) orderField(v *virtualServer, family Family, only []bool, effective bool, at, end int) (out field, enough bool) {
	s := c.snapshot
	without, failing, usable, all := false, false, 0, 0
	for i := at; i < end; i++ {
		m := &v.members[i]
		if only != nil && !only[i] {
			continue
		}
		state := s.Status.Services[m.service].State
		if state != Disabled {
			all++
		}
		standIn := effective && (state == Down || state == Unknown) && s.standInUp(m.service)
		if state != Up && !standIn {
			continue
		}
		usable++
		switch s.familyReason(m, family) {
		case ReasonUp:
			svc := &s.Plan.services[m.service]
			out.contenders = append(out.contenders, contender{service: m.service, site: svc.site, weight: m.weight})
		case ReasonAddressDown:
			failing = true
		default:
			without = true
		}
	}
	out.settled = len(out.contenders) > 0 || without && !failing
	return out, usable*100 >= v.orderThreshold*all
}

// identity is a service in the digest of a set.
func (c *Canonical) identity(i ServiceIndex) uint64 {
	return sampleMix(c.snapshot.Plan.services[i].Hash, drawMix1)
}

// Digest returns a number that is the same for equal decisions at all sites.
func (c *Canonical) Digest(d *CanonicalDecision) uint64 {
	h := sampleMix(uint64(d.Outcome), uint64(d.TTL))
	h = sampleMix(h, xxhash.Sum64String(c.snapshot.Plan.virtualServers[d.VirtualServer].name))
	h = sampleMix(h, d.set)
	if d.Resort {
		h = sampleMix(h, drawMix2)
	}
	if d.ChosenOK {
		h = sampleMix(h, c.snapshot.Plan.services[d.Chosen].Hash)
	}
	return h
}

// mostDescribed is how many services a description names.
const mostDescribed = 4

// Describe says a decision for people.
func (c *Canonical) Describe(d *CanonicalDecision) string {
	plan := c.snapshot.Plan
	vs := plan.virtualServers[d.VirtualServer].name
	switch {
	case d.Outcome == OutcomeServFail:
		return "SERVFAIL of " + vs
	case d.Outcome == OutcomeBackupAddresses:
		return "backup addresses of " + vs
	case d.Outcome == OutcomeEmpty:
		return "no address of " + vs
	case d.ChosenOK:
		return fmt.Sprintf("%s of %s", plan.services[d.Chosen].Name, vs)
	}
	var names []string
	for _, m := range d.Usable {
		names = append(names, plan.services[m].Name)
	}
	slices.Sort(names)
	text := strings.Join(names[:min(len(names), mostDescribed)], ", ")
	if more := len(names) - mostDescribed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	if d.Resort {
		return fmt.Sprintf("%s of %s, all down", text, vs)
	}
	return fmt.Sprintf("one of %s of %s", text, vs)
}

// Text says a question for people: name, type and client.
func (s *Sample) Text(question int) (name, family string, client netip.Prefix) {
	q := &s.questions[question]
	family = "A"
	if q.Query.Family == IPv6 {
		family = "AAAA"
	}
	return s.plan.domains[q.Query.Domain].Name, family, q.Client
}
