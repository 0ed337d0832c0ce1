package gslb

import (
	"slices"
	"time"
)

// trial decides one query again and again in worlds that differ a little from a snapshot's: what counterfactuals are found
// with. It has copies of all that it changes, writes nothing else, and is not safe for concurrent use.
//
// The phase of a water filling and the answers that were handed out stand still: a decision tells who shares the answers as
// things are.
type trial struct {
	base     *Snapshot
	asked    Query
	learned  *Learned // as it is; nobody writes it
	now      time.Time
	chain    []int          // the virtual servers that the query can reach, its domain's first
	services []ServiceIndex // their members
	left     int            // worlds that may still be made

	plan    Plan // this and what follows: of the world in use
	status  Status
	world   Snapshot
	tables  Learned
	decider Decider
	changed []bool     // by service: its status
	altered []bool     // by virtual server
	since   [][]uint64 // by chain and Learned.of: answers that a fill has given
	alone   *pairs     // knows no client
	told    told       // by the last decision
}

const (
	// MaxTrials is how many worlds are tried for one service.
	MaxTrials = 64
	// targetsAtLeast is how many services all the worlds of one explanation are enough for.
	targetsAtLeast = 8
	// maxTrialWork bounds what the worlds of one explanation cost, in contenders and turns that are set up anew, and leastTrials
	// is how many are tried however dear they are.
	maxTrialWork, leastTrials = 64 << 20, 32
)

// edit is one difference between a world and the snapshot's.
type edit func(*trial)

func newTrial(s *Snapshot, q Query, learned *Learned, now time.Time) *trial {
	t := &trial{base: s, asked: q, learned: learned.Copy(), now: now}
	vs := int(s.Plan.domains[q.Domain].virtualServer)
	for depth := 0; vs != none && depth <= MaxBackupDepth; depth++ {
		t.chain = append(t.chain, vs)
		for i := range s.Plan.virtualServers[vs].members {
			if m := s.Plan.virtualServers[vs].members[i].service; !slices.Contains(t.services, m) {
				t.services = append(t.services, m)
			}
		}
		vs = s.Plan.virtualServers[vs].backup
	}
	t.plan, t.status = *s.Plan, *s.Status
	t.plan.virtualServers = slices.Clone(s.Plan.virtualServers)
	t.status.Services = slices.Clone(s.Status.Services)
	t.status.Held, t.status.Ordered = slices.Clone(s.Status.Held), slices.Clone(s.Status.Ordered)
	t.world = Snapshot{Generation: s.Generation, Plan: &t.plan, Status: &t.status, standings: slices.Clone(s.standings)}
	t.tables = *t.learned.Copy()
	t.decider.told = &t.told
	t.changed, t.altered = make([]bool, len(s.Plan.services)), make([]bool, len(s.Plan.virtualServers))
	t.since = make([][]uint64, len(t.chain))
	for i, vs := range t.chain {
		of := t.learned.of(s.Plan, vs, q.Family)
		t.since[i] = make([]uint64, len(of))
		for j, c := range of {
			if start := c.start.Load(); start>>startTurnBits == s.Generation&generationMask {
				t.since[i][j] = (c.n.Load() - start) & startTurnMask
			}
		}
	}
	return t
}

// enter makes the world that differs by the edits.
func (t *trial) enter(edits ...edit) {
	t.left--
	t.reset()
	for _, e := range edits {
		e(t)
	}
	for _, vs := range t.chain {
		if t.world.standings[vs] = t.base.standings[vs]; t.differs(vs) {
			t.world.standings[vs] = t.world.stand(vs, &t.base.standings[vs])
		}
	}
}

// affordable is how many worlds are tried for one explanation: fewer where many members, weights and policies make them dear.
func (t *trial) affordable() int {
	work := 1
	for _, vs := range t.chain {
		v, one := &t.base.Plan.virtualServers[vs], 0
		for i := range v.members {
			one += 1 + int(v.members[i].weight)
		}
		work += one * (1 + len(v.policies))
	}
	return min(max(maxTrialWork/work, leastTrials), MaxTrials*targetsAtLeast)
}

// differs reports whether a virtual server may stand otherwise than in the snapshot.
func (t *trial) differs(vs int) bool {
	v := &t.plan.virtualServers[vs]
	if t.altered[vs] || v.effective && slices.Contains(t.changed, true) {
		return true
	}
	return slices.ContainsFunc(v.members, func(m member) bool { return t.changed[m.service] })
}

// reset makes the world the snapshot's.
func (t *trial) reset() {
	s := t.base
	t.plan.locations = s.Plan.locations
	clear(t.changed)
	clear(t.altered)
	for _, vs := range t.chain {
		t.plan.virtualServers[vs] = s.Plan.virtualServers[vs]
		if vs < len(t.status.Held) {
			t.status.Held[vs] = s.Status.Held[vs]
		}
		if vs < len(t.status.Ordered) {
			t.status.Ordered[vs] = s.Status.Ordered[vs]
		}
		from := t.learned.of(s.Plan, vs, t.asked.Family)
		for i, to := range t.tables.of(s.Plan, vs, t.asked.Family) {
			to.n.Store(from[i].n.Load())
		}
	}
	for _, i := range t.services {
		t.status.Services[i] = s.Status.Services[i]
	}
	t.tables.Sessions, t.tables.Resolvers, t.tables.Pushed, t.tables.pairs = t.learned.Sessions, t.learned.Resolvers, t.learned.Pushed, t.learned.pairs
}

// decide decides the query in the world in use.
func (t *trial) decide() *Decision {
	for i, vs := range t.chain {
		for j, c := range t.tables.of(t.base.Plan, vs, t.asked.Family) {
			c.start.Store(t.base.Generation<<startTurnBits | (c.n.Load()-t.since[i][j])&startTurnMask)
		}
	}
	for _, i := range t.services {
		t.tables.handed[i].n.Store(t.learned.handed[i].n.Load())
	}
	t.decider.Query, t.told = t.asked, told{}
	t.decider.Decide(&t.world, &t.tables, t.now, nil)
	return &t.decider.Decision
}

// first returns the service that a decision names first. Last resorts name everybody and count as nobody.
func (d *Decision) first() int {
	if d.Outcome != OutcomeServices || d.Count == 0 || d.Reason == ReasonAllDown {
		return none
	}
	return int(d.Services[0])
}

// has reports whether a service is answered first at some turn of the world in use.
func (t *trial) has(target ServiceIndex) bool {
	if t.decide().first() == int(target) {
		return true
	}
	return slices.ContainsFunc(t.told.share, func(s shared) bool { return s.service == target })
}

// shares returns which part of the answers each service gets in the world in use.
func (t *trial) shares() map[ServiceIndex]float64 {
	out := map[ServiceIndex]float64{}
	first := t.decide().first()
	for _, s := range t.told.share {
		out[s.service] = s.part
	}
	if first != none && len(out) == 0 {
		out[ServiceIndex(first)] = 1
	}
	return out
}

// wins reports whether a service is answered in the world that differs by the edits.
func (t *trial) wins(target ServiceIndex, edits ...edit) bool {
	if t.left <= 0 {
		return false
	}
	t.enter(edits...)
	return t.has(target)
}
