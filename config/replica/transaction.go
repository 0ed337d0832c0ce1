package replica

import (
	"fmt"
	"slices"
	"time"

	"fairlead/config"
	"fairlead/config/revision"
)

// transaction is a state to be, and what a store has to keep for it.
type transaction struct {
	now    time.Time
	old    *revision.State
	state  *revision.State
	record Record
	keys   map[config.ObjectKey]bool
}

// begin starts with what is known. Nothing of the engine changes with it.
func (e *Engine) begin() *transaction {
	return &transaction{now: e.opts.Now().UTC(), old: e.state, state: e.state.Fork(), keys: map[config.ObjectKey]bool{}}
}

func (t *transaction) note(name string, body []byte) {
	if t.record.Notes == nil {
		t.record.Notes = map[string][]byte{}
	}
	t.record.Notes[name] = body
}

// apply takes in a revision and notes what it changed.
func (t *transaction) apply(r *revision.Revision, from string) error {
	keys := make([]config.ObjectKey, 0, len(r.Changes))
	for _, c := range r.Changes {
		keys = append(keys, c.Key)
	}
	if !r.Dot.Seed() && t.state.Vector().OnlySeeds() && !r.Seen.Includes(t.state.Vector()) {
		// Seeds give way: any object may go with them.
		for k := range t.state.Keys {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, config.ObjectKey.Compare)
		keys = slices.Compact(keys)
		t.record.Whole = true
	}
	steps := make([]Step, len(keys))
	for i, k := range keys {
		steps[i] = Step{Key: k, Before: t.state.Winner(k).Hash}
	}
	if err := t.state.Apply(r); err != nil {
		return err
	}
	for i, k := range keys {
		steps[i].After = t.state.Winner(k).Hash
	}
	t.line(r, from, keys, steps)
	t.record.Revisions = append(t.record.Revisions, r)
	return nil
}

// stateActor stands in the history where a whole state was taken in. There is no revision of it.
const stateActor = "state"

// join takes in a whole state.
func (t *transaction) join(o *revision.State, from string) error {
	keys, err := t.state.Join(o)
	if err != nil {
		return err
	}
	steps := make([]Step, len(keys))
	for i, k := range keys {
		steps[i] = Step{k, t.old.Winner(k).Hash, t.state.Winner(k).Hash}
	}
	t.record.Whole = true
	r := &revision.Revision{Dot: revision.Dot{Actor: stateActor, Seq: 1}, Seen: revision.Vector{}, Site: from, Source: "state",
		Reason: fmt.Sprintf("the history of site %s as a whole", from), Time: t.state.Newest()}
	for _, s := range steps {
		r.Changes = append(r.Changes, revision.Change{Key: s.Key, Hash: s.After})
	}
	if err := r.Seal(); err != nil {
		return err
	}
	t.line(r, from, keys, steps)
	return nil
}

func (t *transaction) line(r *revision.Revision, from string, keys []config.ObjectKey, steps []Step) {
	for _, k := range keys {
		t.keys[k] = true
	}
	steps = slices.DeleteFunc(steps, func(s Step) bool { return s.Before == s.After })
	t.record.Log = append(t.record.Log, LogLine{revision.Entry{Revision: r, View: t.state.ID(), Applied: t.now, From: from}, steps})
}

// changes returns what counts after it and did not before.
func (t *transaction) changes() []Step {
	var out []Step
	for k := range t.keys {
		if before, after := t.old.Winner(k).Hash, t.state.Winner(k).Hash; before != after {
			out = append(out, Step{k, before, after})
		}
	}
	slices.SortFunc(out, func(a, b Step) int { return a.Key.Compare(b.Key) })
	return out
}

// finish returns the record to commit.
func (t *transaction) finish() *Record {
	t.record.State = t.state
	t.record.Keys = make([]config.ObjectKey, 0, len(t.keys))
	for k := range t.keys {
		t.record.Keys = append(t.record.Keys, k)
	}
	slices.SortFunc(t.record.Keys, config.ObjectKey.Compare)
	return &t.record
}
