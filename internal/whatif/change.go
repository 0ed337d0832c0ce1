package whatif

import (
	"cmp"
	"context"
	"maps"
	"math"
	"net/netip"
	"slices"
	"time"

	"fairlead/config/revision"
	"fairlead/gslb"
)

const (
	// changeKinds bounds the kinds of queries that are looked at for a change, the most frequent ones; changeTime is how long that may take.
	changeKinds = 1024
	changeTime  = 25 * time.Millisecond
	changeDraws = 24
	// maxListed bounds each list of an effect.
	maxListed = 100
	// leastMoved is the share from which an answer counts as moved: less is what rotations differ by.
	leastMoved = 0.02
	// partShare is up to which part of the virtual servers those that may change are looked at alone.
	partShare = 4
)

// Change is a document that answers, and one that would.
type Change struct {
	// Before is what answers, with what is believed of it, and Learned what is known with it; they are only read.
	Before  *gslb.Snapshot
	Learned *gslb.Learned
	After   *gslb.Plan
	// State is what After itself says of a service, by its ServiceIndex: Up, Disabled or Draining.
	State func(gslb.ServiceIndex) gslb.State
	// Was is what the document of Before says, by its ServiceIndex: a service that is out for another reason stays out. nil: what is believed.
	Was func(gslb.ServiceIndex) gslb.State
	// Awaits reports whether a name is to have members that the document does not know; then it is not among the lost ones. nil: none is.
	Awaits  func(name string) bool
	Queries []Query

	patience time.Duration // in place of changeTime; 0: that
}

// Effect says how answers would change: for all names whether there is one, and for the queries how they are shared out. Services that only After has
// are taken for UP, all others for what they are. When After was made from the plan of Before, only names are looked at whose answers may change.
func (c *Change) Effect(ctx context.Context) *revision.Effect {
	if touched, known := c.After.Touched(c.Before.Plan); known && c.Was != nil && len(touched) <= c.After.VirtualServers()/partShare {
		return c.effectOn(ctx, touched)
	}
	return c.whole(ctx)
}

// effectOn is Effect when the answers of some virtual servers may change, and no other.
func (c *Change) effectOn(ctx context.Context, touched []gslb.VirtualServerIndex) *revision.Effect {
	before, after := c.Before.Plan.Part(touched), c.After.Part(touched)
	was := &drawer{snapshot: c.Before.Part(before, c.Before.Plan, c.Before.Status), from: c.Learned.Part(before, c.Before.Plan)}
	will := &drawer{snapshot: c.Before.Part(after, c.After, c.carryChanged()), from: c.Learned.Part(after, c.Before.Plan)}
	x := &comparison{change: c, was: was, will: will, at: c.Before.Status.At.UnixNano(), out: &revision.Effect{}, names: map[string]*moved{}, part: true}
	x.begin()
	x.domains(domainsOf(before.Plan), domainsOf(after.Plan))
	x.queries(ctx)
	return x.finish()
}

// carryChanged is carry when only some services differ.
func (c *Change) carryChanged() *gslb.Status {
	services, _, known := c.After.Since(c.Before.Plan)
	if !known { // they have other numbers
		return c.carry()
	}
	out := *c.Before.Status
	for k, i := range services {
		if k == 0 {
			out.Services = slices.Clone(out.Services)
		}
		out.Services[i] = c.carryOf(i, i, true)
	}
	return &out
}

func (c *Change) whole(ctx context.Context) *revision.Effect {
	was := &drawer{snapshot: c.Before, from: c.Learned.Anew()} // a copy leaves no mark on what it shares
	next := c.Learned.Carry(c.Before.Plan, c.After)
	will := &drawer{snapshot: gslb.NewSnapshot(c.Before.Generation+1, c.After, c.carry(), nil), from: next.Anew()}
	x := &comparison{change: c, was: was, will: will, at: c.Before.Status.At.UnixNano(), out: &revision.Effect{}, names: map[string]*moved{}}
	x.begin()
	x.domains(domainsOf(c.Before.Plan), domainsOf(c.After))
	x.queries(ctx)
	return x.finish()
}

// carry is what is believed, for After.
func (c *Change) carry() *gslb.Status {
	was := c.Before.Status
	out := &gslb.Status{At: was.At, Alarm: was.Alarm, Isolated: was.Isolated, Services: make([]gslb.ServiceStatus, c.After.Services())}
	for i := range out.Services {
		index := gslb.ServiceIndex(i)
		old, known := c.Before.Plan.ServiceByName(c.After.Service(index).Name)
		out.Services[i] = c.carryOf(index, old, known)
	}
	out.Held = carried(c, was.Held)
	out.Ordered = carried(c, was.Ordered)
	return out
}

// carryOf is what is believed of a service, for After. old is the one that it was, if that is known.
func (c *Change) carryOf(index, old gslb.ServiceIndex, known bool) gslb.ServiceStatus {
	was := c.Before.Status
	st, said := gslb.ServiceStatus{State: gslb.Up, Since: was.At}, gslb.Up
	if known {
		st = was.Services[old]
		if said = st.State; c.Was != nil {
			said = c.Was(old)
		}
	}
	switch wanted := c.State(index); {
	case wanted == said && c.Was != nil: // an operator, a monitor or another site has it as it is
	case wanted != gslb.Up:
		st.State = wanted
	case st.State == said && said != gslb.Down:
		st.State = gslb.Up
	}
	return st
}

// carried is what is believed of virtual servers, by VirtualServerIndex, for After. Names identify them.
func carried[T comparable](c *Change, was []T) []T {
	var none T
	known := map[string]T{}
	for i, v := range was {
		if v != none {
			known[c.Before.Plan.VirtualServerName(gslb.VirtualServerIndex(i))] = v
		}
	}
	if len(known) == 0 {
		return nil
	}
	out := make([]T, c.After.VirtualServers())
	for i := range out {
		out[i] = known[c.After.VirtualServerName(gslb.VirtualServerIndex(i))]
	}
	return out
}

func domainsOf(p *gslb.Plan) map[string]gslb.DomainIndex {
	out := make(map[string]gslb.DomainIndex, p.Domains())
	for i := range p.Domains() {
		out[p.Domain(gslb.DomainIndex(i)).Name] = gslb.DomainIndex(i)
	}
	return out
}

// moved is what is known of one name.
type moved struct {
	queries  float64
	moved    float64 // of queries
	from, to map[string]float64
}

// comparison is an Effect that is being found out.
type comparison struct {
	change        *Change
	part          bool // before and after have only the names that may change
	was, will     *drawer
	at            int64
	before, after map[string]gslb.DomainIndex
	out           *revision.Effect
	names         map[string]*moved
	total, shift  float64
	a, b          []part
}

// begin makes both documents ready to be asked. Each question is asked as if it were the next one: what those before it took of turns that names share
// is forgotten, so that what comes out for a name does not depend on which others are looked at, and one that nobody changed has not moved.
func (x *comparison) begin() {
	x.was.learned, x.will.learned = x.was.from.Copy(), x.will.from.Copy()
}

var bothFamilies = [...]gslb.Family{gslb.IPv4, gslb.IPv6}

// domains finds names that have an answer in one of the documents only.
func (x *comparison) domains(before, after map[string]gslb.DomainIndex) {
	x.before, x.after = before, after
	for name, d := range before {
		to, stays := after[name]
		switch was, will := x.answers(x.was, d), stays && x.answers(x.will, to); {
		case was && !will && (x.change.Awaits == nil || !x.change.Awaits(name)):
			x.out.LostNames = append(x.out.LostNames, name)
		case !was && will:
			x.out.NewNames = append(x.out.NewNames, name)
		}
	}
	for name, d := range after {
		if _, there := before[name]; !there && x.answers(x.will, d) {
			x.out.NewNames = append(x.out.NewNames, name)
		}
	}
	for _, list := range []*[]string{&x.out.LostNames, &x.out.NewNames} {
		slices.Sort(*list)
		if extra := len(*list) - maxListed; extra > 0 {
			x.out.More += extra
			*list = (*list)[:maxListed]
		}
	}
}

// answers reports whether a name has an address for anybody of whom nothing is known.
func (x *comparison) answers(d *drawer, domain gslb.DomainIndex) bool {
	for _, family := range bothFamilies {
		d.decider.Query = gslb.Query{Domain: domain, Family: family, At: x.at, LDNS: unknownClient(family)}
		d.decider.Decide(d.snapshot, d.learned, time.Time{}, nil)
		to, _ := Outcome(&d.decider.Decision)
		d.forget(domain, family, to)
		if to >= 0 || to == LastResort {
			return true
		}
	}
	return false
}

func unknownClient(family gslb.Family) netip.Addr {
	if family == gslb.IPv6 {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// queries compares how queries are shared out, the most frequent kinds first.
func (x *comparison) queries(ctx context.Context) {
	all := slices.Clone(x.change.Queries)
	slices.SortStableFunc(all, func(a, b Query) int { return cmp.Compare(b.Weight, a.Weight) })
	until := time.Now().Add(cmp.Or(x.change.patience, changeTime))
	for i := range all[:min(len(all), changeKinds)] {
		if i%16 == 15 && (ctx.Err() != nil || time.Now().After(until)) {
			return
		}
		x.query(&all[i])
	}
}

func (x *comparison) query(q *Query) {
	from, wasThere := x.before[q.Name]
	to, isThere := x.after[q.Name]
	if !wasThere && !isThere {
		if _, there := x.change.After.DomainByName(q.Name); there && x.part {
			x.total += q.Weight
		}
		return
	}
	x.a = x.look(x.was, q, from, wasThere, x.a)
	x.b = x.look(x.will, q, to, isThere, x.b)
	m := x.names[q.Name]
	if m == nil {
		m = &moved{from: map[string]float64{}, to: map[string]float64{}}
		x.names[q.Name] = m
	}
	shares := map[string]float64{}
	for _, p := range x.a {
		name := serviceName(x.change.Before.Plan, p.to)
		shares[name] += p.share
		m.from[name] += p.share * q.Weight
	}
	for _, p := range x.b {
		name := serviceName(x.change.After, p.to)
		shares[name] -= p.share
		m.to[name] += p.share * q.Weight
	}
	distance := 0.0
	for _, name := range slices.Sorted(maps.Keys(shares)) { // in one order, as sums of fractions differ by it
		distance += math.Abs(shares[name]) / 2
	}
	if distance < leastMoved {
		distance = 0
	}
	x.total, x.shift = x.total+q.Weight, x.shift+distance*q.Weight
	m.queries, m.moved = m.queries+q.Weight, m.moved+distance*q.Weight
}

// look decides a query by one of the documents.
func (x *comparison) look(d *drawer, q *Query, domain gslb.DomainIndex, there bool, into []part) []part {
	if !there {
		return append(into[:0], part{Nobody, 1})
	}
	query := gslb.Query{Domain: domain, Family: q.Family, At: x.at, LDNS: q.LDNS, Subnet: q.Subnet, Listener: q.Listener}
	if !query.LDNS.IsValid() {
		query.LDNS = unknownClient(q.Family)
	}
	into = d.draw(&query, changeDraws, MostDraws, into)
	for _, p := range into {
		d.forget(domain, q.Family, p.to)
	}
	return into
}

// serviceName is what an outcome is called.
func serviceName(p *gslb.Plan, to int32) string {
	switch to {
	case Nobody, Familyless:
		return "(no address)"
	case LastResort:
		return "(last resort)"
	}
	return p.Service(gslb.ServiceIndex(to)).Name
}

func (x *comparison) finish() *revision.Effect {
	if x.total == 0 {
		return x.out
	}
	x.out.Queries, x.out.Moved = uint64(math.Ceil(x.total)), x.shift/x.total
	for name, m := range x.names {
		if m.moved == 0 {
			continue
		}
		x.out.Names = append(x.out.Names, revision.NameEffect{Name: name, Queries: uint64(math.Ceil(m.queries)), Moved: m.moved / m.queries,
			From: sharesOf(m.from, m.queries), To: sharesOf(m.to, m.queries)})
	}
	slices.SortFunc(x.out.Names, func(a, b revision.NameEffect) int {
		return cmp.Or(cmp.Compare(b.Moved*float64(b.Queries), a.Moved*float64(a.Queries)), cmp.Compare(a.Name, b.Name))
	})
	if extra := len(x.out.Names) - maxListed; extra > 0 {
		x.out.More += extra
		x.out.Names = x.out.Names[:maxListed]
	}
	return x.out
}

func sharesOf(weights map[string]float64, all float64) []revision.Share {
	var out []revision.Share
	for service, w := range weights {
		out = append(out, revision.Share{Service: service, Part: w / all})
	}
	slices.SortFunc(out, func(a, b revision.Share) int {
		return cmp.Or(cmp.Compare(b.Part, a.Part), cmp.Compare(a.Service, b.Service))
	})
	return out[:min(len(out), maxListed)]
}
