package whatif

import (
	"fairlead/gslb"
)

// settle spreads all queries over what is not down, and with them the connections that flow says they bring. Connections are
// filled in from nothing: at each point decisions see what is there already, so a service that reaches its max_connections
// is left out from there on, and a virtual server that reaches its spillover spills.
func (m *model) settle(down []bool, limits bool, flow func([][]part) ([]float64, float64)) settled {
	n := len(m.active)
	out := settled{parts: make([][]part, len(m.kinds.all)), connections: make([]float64, n), full: make([]bool, n)}
	for i := range n {
		if !down[i] {
			out.connections[i] = m.fixed[i]
		}
	}
	left := 1.0
	for range maxSteps {
		parts := m.drawAll(m.status(down, out.full, out.connections))
		rate, stranded := flow(parts)
		x := min(left, 1/float64(m.in.Steps))
		if limits {
			x = m.untilFull(&out, down, rate, x)
		}
		x = m.untilSpill(&out, down, rate, x)
		out.advance(parts, rate, stranded, x)
		for i := range n {
			if limits && m.limit[i] > 0 && !down[i] && out.connections[i] >= m.limit[i]*(1-1e-9) {
				out.full[i] = true
			}
		}
		if left -= x; left < 1e-9 {
			return out
		}
	}
	parts := m.drawAll(m.status(down, out.full, out.connections))
	rate, stranded := flow(parts)
	out.advance(parts, rate, stranded, left)
	return out
}

// advance adds a part x of all queries.
func (s *settled) advance(parts [][]part, rate []float64, stranded, x float64) {
	if x <= 0 {
		return
	}
	for i := range parts {
		if x == 1 {
			s.parts[i] = parts[i]
			continue
		}
		for _, p := range parts[i] {
			s.parts[i] = add(s.parts[i], p.to, p.share*x)
		}
	}
	for i := range rate {
		s.connections[i] += rate[i] * x
	}
	s.stranded += stranded * x
}

// untilFull returns which part of all queries it takes until the next service is at its max_connections, at most x.
func (m *model) untilFull(s *settled, down []bool, rate []float64, x float64) float64 {
	for i := range rate {
		if m.limit[i] > 0 && !s.full[i] && !down[i] && rate[i] > 0 {
			x = min(x, max(0, (m.limit[i]-s.connections[i])/rate[i]))
		}
	}
	return x
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
	out := &gslb.Status{At: now.At, Held: now.Held, Alarm: now.Alarm, Services: append([]gslb.ServiceStatus(nil), now.Services...)}
	for i := range out.Services {
		st := &out.Services[i]
		st.Share = 0 // nothing starts slowly for ever
		if down[i] {
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
func (m *model) move(parts [][]part) (connections []float64, stranded float64) {
	connections = make([]float64, len(m.active))
	for i := range parts {
		weight, before, after := m.kinds.all[i].weight, m.before.parts[i], parts[i]
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
			if p.to < 0 {
				stranded += weight * brings
				continue
			}
			connections[p.to] += weight * (brings + min(p.share, had)*m.each[p.to])
		}
	}
	return connections, stranded
}
