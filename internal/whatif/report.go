package whatif

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"fairlead/api/resource"
	"fairlead/gslb"
)

// report describes a state of the world.
func (m *model) report(s *settled, down []bool) resource.WhatIfState {
	out := resource.WhatIfState{Sites: []resource.WhatIfSite{}, Services: []resource.WhatIfService{}, Stranded: s.stranded}
	out.Names = m.reportNames(s)
	for i := range s.parts {
		share := m.kinds.all[i].weight / m.kinds.weight
		out.Unanswered += share * (shareOf(s.parts[i], Nobody) + shareOf(s.parts[i], Familyless))
		out.LastResort += share * shareOf(s.parts[i], LastResort)
	}
	out.Unanswered, out.LastResort, out.Stranded = tidy(out.Unanswered), tidy(out.LastResort), tidy(out.Stranded)
	answers, answersBefore := m.answers(s.parts), m.answers(m.before.parts)
	for i := range answers {
		if answers[i] > 0 || answersBefore[i] > 0 || m.active[i] > 0 || s.connections[i] > 0 {
			out.Services = append(out.Services, m.reportService(s, i, down[i], answers[i]))
		}
	}
	for _, name := range m.in.Sites {
		out.Sites = append(out.Sites, sumUp(name, out.Services))
	}
	return out
}

// tidy takes away what adding fractions leaves.
func tidy(v float64) float64 { return math.Round(v*1e9) / 1e9 }

func (m *model) reportService(s *settled, i int, down bool, answers float64) resource.WhatIfService {
	svc := m.plan.Service(gslb.ServiceIndex(i))
	out := resource.WhatIfService{Name: svc.Name, Site: svc.Site, State: m.in.Snapshot.Status.Services[i].State.String(),
		Capacity: m.capacity[i], AtLimit: s.full[i], Overloaded: m.over(s, i), Estimated: m.anyLoad && !m.reported[i]}
	if down {
		out.State = gslb.Down.String()
	}
	if m.kinds.weight > 0 {
		out.Share = tidy(answers / m.kinds.weight)
	}
	if m.anyLoad {
		connections := tidy(s.connections[i])
		out.Connections = &connections
		if m.capacity[i] > 0 {
			percent := tidy(connections / m.capacity[i] * 100)
			out.Percent = &percent
		}
	}
	return out
}

// sumUp adds up a site. What is DOWN has no capacity that others could use; of a site where all are, the sum says what was lost.
func sumUp(site string, services []resource.WhatIfService) resource.WhatIfSite {
	out := resource.WhatIfSite{Name: site}
	limited, gone, some := 0.0, 0.0, false
	for i := range services {
		s := &services[i]
		if s.Site != site {
			continue
		}
		out.Share += s.Share
		if s.State == gslb.Down.String() {
			gone += s.Capacity
		} else {
			out.Capacity += s.Capacity
			some = true
		}
		if s.Connections != nil {
			out.Connections += *s.Connections
			if s.Capacity > 0 {
				limited += *s.Connections
			}
		}
		if s.Capacity == 0 {
			out.WithoutLimits++
		}
	}
	out.Share, out.Connections = tidy(out.Share), tidy(out.Connections)
	if !some {
		out.Capacity = gone
	}
	if out.Capacity > 0 {
		percent := tidy(limited / out.Capacity * 100)
		out.Percent = &percent
	}
	return out
}

// reportNames lists the names of which queries are not answered as they should be.
func (m *model) reportNames(s *settled) []resource.WhatIfName {
	byDomain := map[gslb.DomainIndex]*resource.WhatIfName{}
	for i := range s.parts {
		k := &m.kinds.all[i]
		n := byDomain[k.query.Domain]
		if n == nil {
			n = &resource.WhatIfName{Name: m.plan.Domain(k.query.Domain).Name}
			byDomain[k.query.Domain] = n
		}
		n.PerSecond += k.weight
		n.Unanswered += k.weight * (shareOf(s.parts[i], Nobody) + shareOf(s.parts[i], Familyless))
		n.LastResort += k.weight * shareOf(s.parts[i], LastResort)
	}
	out := []resource.WhatIfName{}
	for _, n := range byDomain {
		if n.Unanswered+n.LastResort > 1e-9*n.PerSecond {
			n.Unanswered, n.LastResort = n.Unanswered/n.PerSecond, n.LastResort/n.PerSecond
			out = append(out, *n)
		}
	}
	slices.SortFunc(out, func(a, b resource.WhatIfName) int {
		return cmp.Or(cmp.Compare(b.PerSecond*(b.Unanswered+b.LastResort), a.PerSecond*(a.Unanswered+a.LastResort)), cmp.Compare(a.Name, b.Name))
	})
	return out[:min(len(out), maxNames)]
}

// notes says what the numbers do not know.
func (m *model) notes(out *resource.WhatIf) []string {
	notes := []string{}
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if m.kinds.weight == 0 {
		note("no query for a balanced name is known yet: nothing can be said about shares")
	} else if out.Covered < 0.99 {
		note("%.0f %% of the queries could not be decided: their names are gone, or their clients are not known", (1-out.Covered)*100)
	}
	if !m.anyLoad {
		note("no service reported a load: connections are not known")
	}
	silent, unlimited, fixed := 0, 0, 0.0
	answers := m.answers(m.before.parts)
	for i := range answers {
		if answers[i] > 0 && m.anyLoad && !m.reported[i] {
			silent++
		}
		if answers[i] > 0 && m.capacity[i] == 0 {
			unlimited++
		}
		fixed += m.fixed[i]
	}
	if silent > 0 {
		note("%s reported no load: what the others' answers bring was taken", plural(silent, "service"))
	}
	if unlimited > 0 {
		note("the capacity of %s is not known: give capacity or max_connections", plural(unlimited, "service"))
	}
	if fixed > 0.5 {
		note("%.0f connections belong to no known query: they stay where they are, and are gone with a service that is lost", fixed)
	}
	if !out.Settled {
		note("the cascade did not end within %d rounds", maxRounds)
	}
	return notes
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
