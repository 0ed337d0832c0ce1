package gslb

import (
	"slices"
	"time"
)

// trial decides one query again and again in worlds that differ a little from a snapshot's: what counterfactuals are found
// with. It has copies of all that it changes, writes nothing else, and is not safe for concurrent use.
//
// Only the turn of rotations moves between two decisions in one world: the phase of a water filling and the answers that
// were handed out stand still, so that the decisions tell who shares the answers as things are.
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
	since   []uint64 // by chain: answers that a fill has given
	alone   *pairs   // knows no client
}

const (
	// MaxTrials is how many worlds are tried for one service.
	MaxTrials = 64
	// maxTrialsAll is how many are tried for one explanation.
	maxTrialsAll = 512
	// turnsTried is how many turns tell whether a service has one, and turnsCounted how many tell its share.
	turnsTried, turnsCounted = 128, 1024
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
	t.status.Held = slices.Clone(s.Status.Held)
	t.world = Snapshot{Generation: s.Generation, Plan: &t.plan, Status: &t.status, standings: slices.Clone(s.standings)}
	t.tables = *t.learned.Copy()
	t.since = make([]uint64, len(t.chain))
	for i, vs := range t.chain {
		c := t.learned.cursor(VirtualServerIndex(vs), FamilyNone)
		if start := c.start.Load(); start>>startTurnBits == s.Generation&generationMask {
			t.since[i] = (c.n.Load() - start) & startTurnMask
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
		t.world.standings[vs] = t.world.stand(vs, &t.base.standings[vs])
	}
}

// reset makes the world the snapshot's.
func (t *trial) reset() {
	s := t.base
	t.plan.locations = s.Plan.locations
	for _, vs := range t.chain {
		t.plan.virtualServers[vs] = s.Plan.virtualServers[vs]
		if vs < len(t.status.Held) {
			t.status.Held[vs] = s.Status.Held[vs]
		}
		for f := range Family(families + otherFamilies) {
			if to := t.tables.cursor(VirtualServerIndex(vs), f); to != nil {
				to.n.Store(t.learned.cursor(VirtualServerIndex(vs), f).n.Load())
			}
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
		c := t.tables.cursor(VirtualServerIndex(vs), FamilyNone)
		c.start.Store(t.base.Generation<<startTurnBits | (c.n.Load()-t.since[i])&startTurnMask)
	}
	for _, i := range t.services {
		t.tables.handed[i].n.Store(t.learned.handed[i].n.Load())
	}
	t.decider.Query = t.asked
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
	for range turnsTried {
		d := t.decide()
		if d.first() == int(target) {
			return true
		}
		if !takesTurns(d.Reason) {
			return false
		}
	}
	return false
}

// takesTurns reports whether another turn may have another service. With the rest of the reasons all turns are alike.
func takesTurns(r Reason) bool {
	switch r {
	case ReasonOnlyOne, ReasonHash, ReasonSession, ReasonProximity, ReasonMeasured, ReasonNobody, ReasonAllDown, ReasonAllEmpty,
		ReasonAllBackup, ReasonAllServFail, ReasonSpillEmpty:
		return false
	}
	return true
}

// shares returns which part of the answers each service gets in the world in use.
func (t *trial) shares() map[ServiceIndex]float64 {
	out := map[ServiceIndex]float64{}
	for range turnsCounted {
		d := t.decide()
		if i := d.first(); i != none {
			out[ServiceIndex(i)]++
		}
		if !takesTurns(d.Reason) {
			break
		}
	}
	sum := 0.0
	for _, n := range out {
		sum += n
	}
	for i := range out {
		out[i] /= sum
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
