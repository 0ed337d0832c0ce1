package gslb

import (
	"fmt"
	"slices"
	"strings"

	"fairlead/config"
)

// This file seeks changes of what the document says, of where the client is, and of who else is usable.

// mostWeight is the greatest weight that a document may give.
const mostWeight = 100

// weight finds the least weight with which the service would have a turn.
func (k *seeker) weight() *Change {
	low, high := int(k.member.weight), mostWeight
	at := func(w int) edit { return withWeight(k.vs, k.target, uint32(w)) }
	tried := func(w int) bool { return k.wins(k.target, append(slices.Clone(k.pre), at(w))...) }
	if low >= high || !tried(high) {
		return nil
	}
	for low+1 < high {
		if middle := (low + high) / 2; tried(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	is, needed := float64(k.member.weight), float64(high)
	return &Change{Kind: ChangeWeight, Metric: "weight", Is: &is, Needed: &needed, edits: []edit{at(high)},
		Text: fmt.Sprintf("if its weight were %d (now %d)", high, k.member.weight)}
}

// place locates a client of whom nothing is known.
func (k *seeker) place() *Change {
	v, l := &k.base.Plan.virtualServers[k.vs], k.base.Plan.locations
	byPlace := v.method == config.StaticProximity || v.backupMethod == config.StaticProximity || v.score.distance > 0 && v.picking == byScore
	looks := slices.ContainsFunc(v.policies, func(p policy) bool { return p.matcher != none }) // another place might match other policies
	if !byPlace || looks || !k.decider.client.IsValid() {
		return nil
	}
	if here, _ := l.find(k.decider.client); here != nil && here.closeness != nil {
		return nil
	}
	svc := &k.base.Plan.services[k.target]
	where := "where site " + svc.Site + " is"
	if q := k.base.Plan.sites[svc.site].spot.qualifiers; len(q) > 0 {
		where = "at " + strings.Join(q, ".") + ", as site " + svc.Site + " is"
	}
	return k.with(Change{Kind: ChangePlace, edits: []edit{locatedAt(svc.site)},
		Text: fmt.Sprintf("if the client were located %s (nothing is known of %s)", where, k.decider.client)})
}

// policy takes one policy out.
func (k *seeker) policy() *Change {
	of := "" // names of policies are a virtual server's own
	for _, vs := range k.chain {
		if vs != k.chain[0] {
			of = " of virtual server " + k.base.Plan.virtualServers[vs].name
		}
		for i := range k.base.Plan.virtualServers[vs].policies {
			name := k.base.Plan.virtualServers[vs].policies[i].name
			if c := k.with(Change{Kind: ChangePolicy, edits: []edit{withoutPolicy(vs, i)}, Text: fmt.Sprintf("if there were no policy %q%s", name, of)}); c != nil {
				return c
			}
		}
	}
	return nil
}

// order takes out who is usable in better orders.
func (k *seeker) order() *Change {
	v := &k.base.Plan.virtualServers[k.vs]
	var better []ServiceIndex
	for i := range v.members {
		m := &v.members[i]
		if m.order != k.member.order && v.before(m.order, k.member.order) && k.base.memberReason(m, false) == ReasonUp {
			better = append(better, m.service)
		}
	}
	if len(better) == 0 || len(better) > maxOthers {
		return nil
	}
	names := k.names(better)
	return k.with(Change{Kind: ChangeOrder, Services: names, edits: []edit{asDown(better...)},
		Text: fmt.Sprintf("if no member of a better order than %d were usable: %s", k.member.order, strings.Join(names, ", "))})
}

// others takes out who is answered instead, one after the other.
func (k *seeker) others() *Change {
	var gone []ServiceIndex
	for len(gone) < maxOthers && k.left > 0 {
		k.enter(append(slices.Clone(k.pre), asDown(gone...))...)
		if k.has(k.target) {
			names := k.names(gone)
			slices.Sort(names)
			return &Change{Kind: ChangeOthers, Services: names, edits: []edit{asDown(gone...)}, Text: "if " + strings.Join(names, ", ") + " were not usable"}
		}
		next := k.decide().first()
		if next == none || next == int(k.target) {
			return nil
		}
		gone = append(gone, ServiceIndex(next))
	}
	return nil
}

func (k *seeker) names(services []ServiceIndex) []string {
	out := make([]string, len(services))
	for i := range services {
		out[i] = k.name(services[i])
	}
	return out
}
