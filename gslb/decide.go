package gslb

import (
	"fairlead/config"
	"time"
)

// Snapshot is everything a decision reads: compiled intent, belief, and what follows from both alone. Immutable.
type Snapshot struct {
	Generation uint64
	Plan       *Plan
	Status     *Status
}

// NewSnapshot compiles belief into standings. prev, which may be nil, is the snapshot before: what did not change is reused.
func NewSnapshot(generation uint64, plan *Plan, status *Status, prev *Snapshot) *Snapshot {
	return &Snapshot{generation, plan, status}
}

// Learned is what queries may write: round-robin cursors and counts of answers handed out. It belongs to one Plan. Safe for concurrent use.
type Learned struct{}

// NewLearned returns an empty Learned for plan.
func NewLearned(plan *Plan) *Learned { return &Learned{} }

// Copy returns a Learned with the same content that the original never sees changes of: for explain.
func (l *Learned) Copy() *Learned { return l }

// Decide says what a client gets. It is pure: everything that can change the answer is an argument. trace may be nil.
func Decide(s *Snapshot, q Query, learned *Learned, now time.Time, trace *Trace) Decision {
	panic("being written")
}

var _ = config.RoundRobin
