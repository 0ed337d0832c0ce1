package whatif

import (
	"fairlead/gslb"
)

// flow says how many connections queries bring to each service, and how many have nowhere to go, when such parts of each kind
// are answered; nil: all of each.
type flow func(answers [][]part, amounts []float64) (connections []float64, stranded float64)

// settle spreads all queries over what is not down, and with them the connections that flow says they bring. Connections are
// filled in from nothing: at each point decisions see what is there already, so a service that reaches its max_connections
// is left out from there on, and a virtual server that reaches its spillover spills.
func (m *model) settle(down []bool, limits bool, bring flow) settled {
	n := len(m.active)
	out := settled{parts: make([][]part, len(m.kinds.all)), connections: make([]float64, n), full: make([]bool, n)}
	for i := range n {
		if !down[i] {
			out.connections[i] = m.fixed[i]
		}
	}
	left := 1.0
	var late *deferred
	for range maxSteps {
		if m.ctx.Err() != nil {
			return out
		}
		parts := m.drawAll(m.status(down, out.full, out.connections))
		rate, stranded := bring(parts, nil)
		x := min(left, 1/float64(m.in.Steps))
		if limits {
			x = m.untilFull(&out, down, rate, x)
		}
		x = m.untilSpill(&out, down, rate, x)
		if late != nil {
			rate, stranded = bring(parts, late.amounts(x))
		} else {
			scale(rate, x)
			stranded *= x
		}
		var fits []float64
		if limits {
			fits = m.fits(&out, down, rate)
		}
		late = m.advance(&out, parts, x, late, rate, fits)
		out.stranded += stranded
		if left -= x; left < 1e-9 && late == nil {
			return out
		}
	}
	parts := m.drawAll(m.status(down, out.full, out.connections))
	if late == nil {
		late = newDeferred(len(parts))
	}
	rate, stranded := bring(parts, late.amounts(left))
	m.advance(&out, parts, left, late, rate, nil)
	out.stranded += stranded
	return out
}

// deferred is queries that found their service full within a step, by kind: they are decided again in the next one. Their
// connections are counted apart, since those of one kind's answers differ.
type deferred struct{ answers, connections []float64 }

func newDeferred(kinds int) *deferred {
	return &deferred{answers: make([]float64, kinds), connections: make([]float64, kinds)}
}

// amounts returns which part of each kind's connections comes with a part x of all queries.
func (d *deferred) amounts(x float64) []float64 {
	out := make([]float64, len(d.connections))
	for i := range out {
		out[i] = x + d.connections[i]
	}
	return out
}

func scale(all []float64, by float64) {
	for i := range all {
		all[i] *= by
	}
}

// fits returns which part of what comes a service takes before it is at its max_connections, and notes those that are. Nil:
// each takes all.
func (m *model) fits(s *settled, down []bool, more []float64) (fits []float64) {
	for i := range more {
		if m.limit[i] == 0 || down[i] || s.connections[i]+more[i] < m.limit[i]*(1-1e-9) {
			continue
		}
		s.full[i] = true
		if s.connections[i]+more[i] <= m.limit[i]*(1+1e-9) || more[i] <= 0 {
			continue
		}
		if fits == nil {
			fits = make([]float64, len(more))
			for j := range fits {
				fits[j] = 1
			}
		}
		fits[i] = max(0, (m.limit[i]-s.connections[i])/more[i])
	}
	return fits
}

// advance adds a part x of all queries, those that were late, and the connections that they bring. It returns what does not
// fit; nil: all does.
func (m *model) advance(s *settled, parts [][]part, x float64, late *deferred, more, fits []float64) (next *deferred) {
	if fits != nil {
		next = newDeferred(len(parts))
	}
	brought, misses := 0.0, 0.0 // connections that come later: by kinds, by services
	for i := range parts {
		amount, connections := x, x
		if late != nil {
			amount, connections = x+late.answers[i], x+late.connections[i]
		}
		if amount == 1 && fits == nil && s.parts[i] == nil {
			s.parts[i] = parts[i]
			continue
		}
		for _, p := range parts[i] {
			fit := 1.0
			if fits != nil && p.to >= 0 {
				fit = fits[p.to]
				next.answers[i] += p.share * amount * (1 - fit)
				next.connections[i] += p.share * connections * (1 - fit)
			}
			if share := p.share * amount * fit; share > 0 {
				s.parts[i] = add(s.parts[i], p.to, share)
			}
		}
		if fits != nil {
			brought += next.connections[i] * m.bringsNow(i)
		}
	}
	for i := range more {
		fit := 1.0
		if fits != nil {
			fit = fits[i]
		}
		s.connections[i] += more[i] * fit
		misses += more[i] * (1 - fit)
	}
	if brought > 0 {
		scale(next.connections, misses/brought)
	}
	return next
}

// bringsNow returns the connections that all queries of a kind bring in the present.
func (m *model) bringsNow(i int) (sum float64) {
	for _, p := range m.before.parts[i] {
		if p.to >= 0 {
			sum += p.share * m.each[p.to]
		}
	}
	return sum * m.kinds.all[i].weight
}

// untilFull returns which part of all queries it takes until the next service is at its max_connections, at most x. Where
// one after the other is, it is leastStep: what does not fit then comes with the next step.
func (m *model) untilFull(s *settled, down []bool, rate []float64, x float64) float64 {
	next := x
	for i := range rate {
		if m.limit[i] > 0 && !s.full[i] && !down[i] && rate[i] > 0 {
			next = min(next, max(0, (m.limit[i]-s.connections[i])/rate[i]))
		}
	}
	if s.steps++; s.steps > exactSteps {
		next = max(next, leastStep)
	}
	return min(next, x)
}

// untilSpill returns which part of all queries it takes until a virtual server begins to spill, or ends, at most x.
func (m *model) untilSpill(s *settled, down []bool, rate []float64, x float64) float64 {
	at := func(x float64) *gslb.Snapshot {
		then := make([]float64, len(rate))
		for i := range then {
			then[i] = s.connections[i] + rate[i]*x
		}
		m.generation++
		return gslb.NewSnapshot(m.generation, m.plan, m.status(down, s.full, then), nil)
	}
	now := at(0)
	if sameSpills(now, at(x)) {
		return x
	}
	low, high := 0.0, x
	for range 8 {
		if middle := (low + high) / 2; sameSpills(now, at(middle)) {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}

func sameSpills(a, b *gslb.Snapshot) bool {
	for v := range gslb.VirtualServerIndex(a.Plan.VirtualServers()) {
		if a.Spilled(v) != b.Spilled(v) {
			return false
		}
	}
	return true
}

// status is the belief as it is, but that some services are down, and with other loads.
func (m *model) status(down, full []bool, connections []float64) *gslb.Status {
	now := m.in.Snapshot.Status
	out := &gslb.Status{At: now.At, Held: now.Held, Ordered: now.Ordered, Alarm: now.Alarm, Services: append([]gslb.ServiceStatus(nil), now.Services...)}
	for i := range out.Services {
		st := &out.Services[i]
		st.Share = 0 // nothing starts slowly for ever
		switch {
		case down[i] && st.State == gslb.Disabled: // also as a last resort, and no stand-in is asked for it
			continue
		case down[i]:
			*st = gslb.ServiceStatus{State: gslb.Down}
			continue
		}
		if m.reported[i] {
			st.Load.Active, st.Load.At, st.Load.PerAnswer, st.Load.Expected = uint64(connections[i]), now.At, flood, 0
			st.Load.Handed = m.in.Learned.Handed(gslb.ServiceIndex(i))
			if limit := uint64(m.limit[i]); limit > 0 && full[i] {
				st.Load.Active = limit
			} else if limit > 0 {
				st.Load.Active = min(st.Load.Active, limit-1)
			}
		}
		if st.Measures != nil {
			st.Measures = flooded(st.Measures)
		}
	}
	return out
}

// flooded returns measures of which each answer adds a great deal.
func flooded(m *gslb.Measures) *gslb.Measures {
	out := *m
	for _, one := range []*gslb.Measure{&out.Bandwidth, &out.Packets, &out.Custom} {
		one.PerAnswer, one.Expected = flood*(1+one.PerAnswer), 0
	}
	return &out
}

// move says which connections go where with the answers. An answer that stays brings what answers of its service bring;
// one that moved brings what it brought where it was: how many connections an answer is good for is its clients' habit.
// Clients who find no address of one family take one of another.
func (m *model) move(parts [][]part, amounts []float64) (connections []float64, stranded float64) {
	connections = make([]float64, len(m.active))
	familyless := map[gslb.DomainIndex]float64{}
	for i := range parts {
		weight, before, after := m.kinds.all[i].weight, m.before.parts[i], parts[i]
		if amounts != nil {
			weight *= amounts[i]
		}
		moved, of := 0.0, 0.0
		for _, p := range before {
			if less := p.share - shareOf(after, p.to); less > 0 {
				of += less
				if p.to >= 0 {
					moved += less * m.each[p.to]
				}
			}
		}
		for _, p := range after {
			had := shareOf(before, p.to)
			brings := 0.0
			if p.share > had && of > 0 {
				brings = (p.share - had) * moved / of
			}
			switch {
			case p.to >= 0:
				connections[p.to] += weight * (brings + min(p.share, had)*m.each[p.to])
			case p.to == Familyless:
				familyless[m.kinds.all[i].query.Domain] += weight * brings
			default:
				stranded += weight * brings
			}
		}
	}
	return connections, stranded + m.otherFamily(parts, familyless, connections)
}

// otherFamily adds the connections of clients who find no address of one family, by name, to where the name's other queries
// go. It returns those that have nowhere to go.
func (m *model) otherFamily(parts [][]part, familyless map[gslb.DomainIndex]float64, connections []float64) (stranded float64) {
	answered := make(map[gslb.DomainIndex]float64, len(familyless)) // weight of the names' answers
	each := func(do func(domain gslb.DomainIndex, to int32, weight float64)) {
		for i := range parts {
			k := &m.kinds.all[i]
			if familyless[k.query.Domain] == 0 {
				continue
			}
			for _, p := range parts[i] {
				if p.to >= 0 {
					do(k.query.Domain, p.to, k.weight*p.share)
				}
			}
		}
	}
	if len(familyless) > 0 {
		each(func(domain gslb.DomainIndex, _ int32, weight float64) { answered[domain] += weight })
		each(func(domain gslb.DomainIndex, to int32, weight float64) {
			connections[to] += familyless[domain] * weight / answered[domain]
		})
	}
	for domain, n := range familyless {
		if answered[domain] == 0 {
			stranded += n
		}
	}
	return stranded
}
