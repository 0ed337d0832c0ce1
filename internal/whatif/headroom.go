package whatif

import (
	"context"

	"fairlead/api/resource"
	"fairlead/gslb"
)

// Losses answers the same question for one site after the other: what if it were lost? The present is settled once. It is
// not safe for concurrent use.
type Losses struct{ m *model }

// NewLosses prepares the answers. Input.Lose does not count.
func NewLosses(in Input) *Losses { return &Losses{newModel(context.Background(), in)} }

// Of returns what the loss of a site would do at first, before anything else fails.
func (l *Losses) Of(site string) resource.Headroom {
	m := l.m
	out := resource.Headroom{Lost: site, At: m.in.Snapshot.Status.At.UTC()}
	down := make([]bool, len(m.active))
	for i := range down {
		down[i] = m.plan.Service(gslb.ServiceIndex(i)).Site == site
	}
	after := m.settle(down, false, m.move)
	for i := range down {
		if down[i] || !m.anyLoad || m.capacity[i] == 0 || after.connections[i] == 0 {
			continue
		}
		if left := tidy(1 - after.connections[i]/m.capacity[i]); out.Ratio == nil || left < *out.Ratio {
			out.Ratio, out.Worst = &left, m.plan.Service(gslb.ServiceIndex(i)).Name
		}
	}
	for i := range after.parts {
		if worse := unserved(after.parts[i]) - unserved(m.before.parts[i]); worse > 0 {
			out.Unanswered += worse * m.kinds.all[i].weight / m.kinds.weight
		}
	}
	out.Unanswered = tidy(out.Unanswered)
	return out
}

func unserved(parts []part) float64 {
	return shareOf(parts, Nobody) + shareOf(parts, LastResort) + shareOf(parts, Familyless)
}
