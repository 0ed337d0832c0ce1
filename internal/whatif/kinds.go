package whatif

import (
	"cmp"
	"net/netip"
	"slices"

	"fairlead/gslb"
)

// Query is one kind of query and how often it is asked.
type Query struct {
	Name     string // balanced name, lower case and fully qualified
	Family   gslb.Family
	LDNS     netip.Addr
	Subnet   netip.Prefix
	Listener netip.Addr
	// Weight is how often, in any unit. A Query without LDNS stands for queries of which nothing but the name is known: they
	// are spread like the other ones for the name.
	Weight float64
}

// kind is a query as it is decided.
type kind struct {
	query    gslb.Query
	weight   float64
	anywhere bool // who asks does not matter
}

// kinds are all kinds of a question, with the weights that they stand for.
type kinds struct {
	all     []kind
	weight  float64 // of all
	dropped float64 // weight of what could not be decided
}

type nameFamily struct {
	domain gslb.DomainIndex
	family gslb.Family
}

// newKinds finds the queries' names in the plan, joins what is decided alike, and keeps at most limit kinds, the most
// frequent ones; the others of a name are added to those of the same name.
func newKinds(plan *gslb.Plan, queries []Query, at int64, limit int) *kinds {
	domains := make(map[string]gslb.DomainIndex, plan.Domains())
	for i := range plan.Domains() {
		domains[plan.Domain(gslb.DomainIndex(i)).Name] = gslb.DomainIndex(i)
	}
	out := &kinds{}
	joined := map[nameFamily]int{}
	unknown := map[nameFamily]float64{}
	for i := range queries {
		q := &queries[i]
		domain, ok := domains[q.Name]
		if !ok {
			out.dropped += q.Weight
			continue
		}
		nf := nameFamily{domain, q.Family}
		one := kind{weight: q.Weight, query: gslb.Query{Domain: domain, Family: q.Family, At: at}}
		one.anywhere = !plan.Domain(domain).NeedsClient
		if one.anywhere {
			if at, ok := joined[nf]; ok {
				out.all[at].weight += q.Weight
				continue
			}
			joined[nf] = len(out.all)
		}
		if !q.LDNS.IsValid() && !one.anywhere {
			unknown[nf] += q.Weight
			continue
		}
		one.query.LDNS, one.query.Subnet, one.query.Listener = q.LDNS, q.Subnet, q.Listener
		out.all = append(out.all, one)
	}
	out.keep(limit, unknown)
	return out
}

// keep sorts kinds and spreads the weight of those beyond the limit, and what is not known, over the kept of the same name.
func (k *kinds) keep(limit int, unknown map[nameFamily]float64) {
	slices.SortStableFunc(k.all, func(a, b kind) int { return cmp.Compare(b.weight, a.weight) })
	for i := min(limit, len(k.all)); i < len(k.all); i++ {
		unknown[nameFamily{k.all[i].query.Domain, k.all[i].query.Family}] += k.all[i].weight
	}
	k.all = k.all[:min(limit, len(k.all))]
	kept := map[nameFamily]float64{}
	for i := range k.all {
		kept[nameFamily{k.all[i].query.Domain, k.all[i].query.Family}] += k.all[i].weight
	}
	for i := range k.all {
		nf := nameFamily{k.all[i].query.Domain, k.all[i].query.Family}
		k.all[i].weight *= 1 + unknown[nf]/kept[nf]
		k.weight += k.all[i].weight
	}
	for nf, weight := range unknown {
		if kept[nf] == 0 {
			k.dropped += weight
		}
	}
}
