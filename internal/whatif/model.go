package whatif

import (
	"context"
	"fmt"
	"slices"

	"fairlead/api/resource"
	"fairlead/gslb"
)

// Limits of a question.
const (
	// MaxKinds bounds the kinds of queries that are decided.
	MaxKinds = 65_536
	// MaxLoad bounds Input.Load.
	MaxLoad = 1000
	// maxRounds bounds a cascade.
	maxRounds = 16
	// maxSteps bounds how often the shares of one round are computed: once for each limit that is reached, as far as exactSteps
	// go, and then for each leastStep of the queries.
	maxSteps   = 64
	exactSteps = 16
	leastStep  = 1.0 / 32
	maxNames   = 100

	defaultDraws = 200_000
	// flood is how many connections an answer is said to bring while shares are computed: so many that what a method evens
	// out is even at once, as it is after some time.
	flood = 1e9
)

// Input is a question.
type Input struct {
	Snapshot *gslb.Snapshot
	// Learned is what decisions may look at; it is copied, and nothing is kept. It belongs to Snapshot's Plan.
	Learned *gslb.Learned
	Sites   []string // in the order to report them
	Queries []Query
	Lose    []string // names of sites and services
	Load    float64  // factor on all connections; 0: 1

	Kinds int // most kinds of queries. 0: MaxKinds
	Draws int // decisions for each state of the world, about. 0: 200,000
	Steps int // in how many parts connections are filled in, for methods that look at loads. 0: 1
}

// UnknownError is a name in Lose that is neither a site's nor a service's.
type UnknownError struct{ Name string }

// Error implements error.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("%q is neither a site nor a service", e.Name)
}

// model is a question while it is answered. Services are by gslb.ServiceIndex.
type model struct {
	ctx        context.Context // ends the question
	in         *Input
	plan       *gslb.Plan
	kinds      *kinds
	generation uint64
	spare      []part

	reported []bool    // a load was
	active   []float64 // connections now, times Load; of a service that reported none, as the others' answers bring
	fixed    []float64 // of these, those of clients that the queries do not know
	each     []float64 // connections for each weight of answers
	capacity []float64 // 0: not known
	limit    []float64 // max_connections; 0: none
	anyLoad  bool
	before   settled
}

// settled is one state of the world.
type settled struct {
	parts       [][]part  // by kind
	connections []float64 // by service
	stranded    float64
	full        []bool // at max_connections
	steps       int
}

// newModel takes in what is known, and finds out where queries go now.
func newModel(ctx context.Context, in Input) *model {
	if in.Load == 0 {
		in.Load = 1
	}
	if in.Kinds <= 0 {
		in.Kinds = MaxKinds
	}
	if in.Draws <= 0 {
		in.Draws = defaultDraws
	}
	in.Steps = max(in.Steps, 1)
	m := &model{ctx: ctx, in: &in, plan: in.Snapshot.Plan, generation: in.Snapshot.Generation}
	n := m.plan.Services()
	m.reported, m.active, m.fixed = make([]bool, n), make([]float64, n), make([]float64, n)
	m.each, m.capacity, m.limit = make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range n {
		svc, st := m.plan.Service(gslb.ServiceIndex(i)), &in.Snapshot.Status.Services[i]
		m.capacity[i], m.limit[i] = float64(svc.Capacity), float64(svc.MaxConnections())
		if st.Measures != nil && !st.Measures.Capacity.At.IsZero() && st.Measures.Capacity.Value > 0 {
			m.capacity[i] = st.Measures.Capacity.Value
		}
		if m.limit[i] > 0 && m.capacity[i] == 0 {
			m.capacity[i] = m.limit[i]
		}
		if m.reported[i] = !st.Load.At.IsZero(); m.reported[i] {
			m.active[i] = Carries(st) * in.Load
			m.anyLoad = true
		}
	}
	m.kinds = newKinds(m.plan, in.Queries, in.Snapshot.Status.At.Unix(), in.Kinds)
	m.now()
	return m
}

// Carries returns the connections that a service has as far as is known. What one that is DOWN had last is what its clients
// have lost, and those that came back are counted where they went.
func Carries(st *gslb.ServiceStatus) float64 {
	if st.State == gslb.Down {
		return 0
	}
	return float64(st.Load.Active)
}

// now settles the present: how queries are answered, and how many connections an answer brings at each service.
func (m *model) now() {
	down := make([]bool, len(m.active))
	m.before = m.settle(down, false, func([][]part, []float64) ([]float64, float64) { return slices.Clone(m.active), 0 })
	m.leaveOutFamilyless()
	answers := m.answers(m.before.parts)
	sum, of := 0.0, 0.0
	for i := range m.active {
		switch {
		case !m.reported[i]:
		case answers[i] == 0:
			m.fixed[i] = m.active[i]
		default:
			m.each[i] = m.active[i] / answers[i]
			sum, of = sum+m.active[i], of+answers[i]
		}
	}
	for i := range m.active {
		if !m.reported[i] && of > 0 {
			m.each[i] = sum / of
			m.active[i] = m.each[i] * answers[i]
		}
	}
	m.before.connections = slices.Clone(m.active)
}

// leaveOutFamilyless forgets queries for a family that their name's services do not have: nothing follows from them.
func (m *model) leaveOutFamilyless() {
	kept := 0
	for i := range m.kinds.all {
		if shareOf(m.before.parts[i], Familyless) == 1 {
			m.kinds.weight -= m.kinds.all[i].weight
			continue
		}
		m.kinds.all[kept], m.before.parts[kept] = m.kinds.all[i], m.before.parts[i]
		kept++
	}
	m.kinds.all, m.before.parts = m.kinds.all[:kept], m.before.parts[:kept]
}

// answers returns the weight of queries whose answer names each service first.
func (m *model) answers(parts [][]part) []float64 {
	out := make([]float64, len(m.active))
	for i := range parts {
		for _, p := range parts[i] {
			if p.to >= 0 {
				out[p.to] += p.share * m.kinds.all[i].weight
			}
		}
	}
	return out
}

// lost returns which services go with the sites and services of Lose.
func (m *model) lost() ([]bool, error) {
	down := make([]bool, len(m.active))
	for _, name := range m.in.Lose {
		found := slices.Contains(m.in.Sites, name)
		for i := range down {
			if svc := m.plan.Service(gslb.ServiceIndex(i)); found && svc.Site == name {
				down[i] = true
			}
		}
		if found {
			continue
		}
		i, ok := m.plan.ServiceByName(name)
		if !ok {
			return nil, &UnknownError{name}
		}
		down[i] = true
	}
	return down, nil
}

// Ask answers a question, which can take many seconds where there are thousands of services. It fails when Lose has an
// unknown name, and with ctx's error when that ends before.
func Ask(ctx context.Context, in Input) (*resource.WhatIf, error) {
	m := newModel(ctx, in)
	down, err := m.lost()
	if err != nil {
		return nil, err
	}
	out := &resource.WhatIf{Snapshot: in.Snapshot.Generation, At: in.Snapshot.Status.At.UTC(), Lost: append([]string{}, in.Lose...), Load: m.in.Load,
		PerSecond: m.kinds.weight + m.kinds.dropped, Kinds: len(m.kinds.all), Rounds: []resource.WhatIfRound{}}
	if out.PerSecond > 0 {
		out.Covered = m.kinds.weight / out.PerSecond
	}
	out.Before = m.report(&m.before, make([]bool, len(down)))
	failed := m.names(down, nil)
	for range maxRounds {
		after := m.settle(down, true, m.move)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out.Rounds = append(out.Rounds, resource.WhatIfRound{Failed: failed, State: m.report(&after, down)})
		next := m.overloaded(&after, down)
		if out.Settled = next == nil; out.Settled {
			break
		}
		failed = m.names(next, down)
		down = next
	}
	out.Notes = m.notes(out)
	return out, nil
}

// names returns the services that are in set and not in without.
func (m *model) names(set, without []bool) []string {
	out := []string{}
	for i := range set {
		if set[i] && (without == nil || !without[i]) {
			out = append(out, m.plan.Service(gslb.ServiceIndex(i)).Name)
		}
	}
	return out
}

// overloaded returns down with the services that have more connections than they can carry, and more than they have today;
// nil when there are none.
func (m *model) overloaded(s *settled, down []bool) []bool {
	var next []bool
	for i := range down {
		if !down[i] && m.over(s, i) && s.connections[i] > m.active[i]/m.in.Load*(1+1e-9) {
			if next == nil {
				next = slices.Clone(down)
			}
			next[i] = true
		}
	}
	return next
}

// over reports whether a service has more connections than its capacity. What max_connections holds below it is not.
func (m *model) over(s *settled, i int) bool {
	held := s.full[i] && m.limit[i] <= m.capacity[i]
	return m.capacity[i] > 0 && !held && s.connections[i] > m.capacity[i]*(1+1e-9)
}
