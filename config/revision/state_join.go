package revision

import (
	"fmt"
	"slices"
	"time"

	"fairlead/config"
)

// Join takes in all that another state has, and returns the objects whose registers changed, ordered. It is as if all revisions of the other one
// had been applied; what one side has seen and not kept is gone.
func (s *State) Join(o *State) ([]config.ObjectKey, error) {
	if o.vector.OnlySeeds() && !s.vector.OnlySeeds() {
		return nil, nil
	}
	merged := s.vector.Clone()
	merged.Join(o.vector)
	if s.vector.OnlySeeds() && !o.vector.OnlySeeds() {
		return s.become(o), nil
	}
	if len(merged) > MaxActors {
		return nil, fmt.Errorf("join states: %d stores have written, which is above the limit of %d", len(merged), MaxActors)
	}
	var changed []config.ObjectKey
	for key := range union(s, o) {
		mine, theirs := s.Registers(key), o.Registers(key)
		if kept := joinRegisters(mine, s.vector, theirs, o.vector); !sameRegisters(mine, kept) {
			changed = append(changed, key)
			s.over[key] = kept
		}
	}
	s.joinHeads(o)
	s.vector = merged
	if o.newest.After(s.newest) {
		s.newest = o.newest
	}
	s.settle()
	slices.SortFunc(changed, config.ObjectKey.Compare)
	return changed, nil
}

// become takes another state in place of this one.
func (s *State) become(o *State) []config.ObjectKey {
	var changed []config.ObjectKey
	for key := range union(s, o) {
		if !sameRegisters(s.Registers(key), o.Registers(key)) {
			changed = append(changed, key)
		}
	}
	slices.SortFunc(changed, config.ObjectKey.Compare)
	*s = *o.Fork()
	return changed
}

// union calls yield for each key of either state once.
func union(s, o *State) func(func(config.ObjectKey) bool) {
	return func(yield func(config.ObjectKey) bool) {
		keys := make([]config.ObjectKey, 0, len(s.base)+len(s.over))
		for key := range s.Keys {
			keys = append(keys, key)
		}
		for key := range o.Keys {
			if len(s.Registers(key)) == 0 {
				keys = append(keys, key)
			}
		}
		for _, key := range keys {
			if !yield(key) {
				return
			}
		}
	}
}

// joinRegisters keeps what both have, and what one has and the other has not seen.
func joinRegisters(a []Register, seenByA Vector, b []Register, seenByB Vector) []Register {
	var kept []Register
	for _, r := range a {
		if !seenByB.Covers(r.Origin.Dot) || hasDot(b, r.Origin.Dot) {
			kept = append(kept, r)
		}
	}
	for _, r := range b {
		if !seenByA.Covers(r.Origin.Dot) {
			kept = append(kept, r)
		}
	}
	slices.SortFunc(kept, func(a, b Register) int { return b.Origin.compare(a.Origin) })
	return kept
}

func hasDot(list []Register, d Dot) bool {
	return slices.ContainsFunc(list, func(r Register) bool { return r.Origin.Dot == d })
}

func sameRegisters(a, b []Register) bool {
	return slices.EqualFunc(a, b, func(a, b Register) bool { return a.Origin.Dot == b.Origin.Dot && a.Hash == b.Hash })
}

func (s *State) joinHeads(o *State) {
	has := func(list []Head, d Dot) bool {
		return slices.ContainsFunc(list, func(h Head) bool { return h.Dot == d })
	}
	mine := s.heads
	s.heads = slices.DeleteFunc(slices.Clone(mine), func(h Head) bool { return o.vector.Covers(h.Dot) && !has(o.heads, h.Dot) })
	for _, h := range o.heads {
		if !s.vector.Covers(h.Dot) {
			s.addHead(h)
		}
	}
}

// Conflicts returns the objects that were written differently at several sites at once, ordered.
func (s *State) Conflicts() []config.ObjectKey {
	var out []config.ObjectKey
	for key := range s.Keys {
		all := s.Registers(key)
		if len(all) > 1 && slices.ContainsFunc(all[1:], func(r Register) bool { return r.Hash != all[0].Hash }) {
			out = append(out, key)
		}
	}
	slices.SortFunc(out, config.ObjectKey.Compare)
	return out
}

// Prune forgets removed objects that all sites know of, by the set of revisions that all have, when they are older than TombstoneAge or when there
// are more than MaxTombstones. It returns the objects concerned.
func (s *State) Prune(known Vector, now time.Time) []config.ObjectKey {
	type tombstone struct {
		key    config.ObjectKey
		origin *Origin
	}
	var all []tombstone
	count := 0
	for key := range s.Keys {
		registers := s.Registers(key)
		if len(registers) != 1 || registers[0].Hash != (config.ObjectHash{}) {
			continue
		}
		if count++; known.Covers(registers[0].Origin.Dot) {
			all = append(all, tombstone{key, registers[0].Origin})
		}
	}
	slices.SortFunc(all, func(a, b tombstone) int { return a.origin.Time.Compare(b.origin.Time) })
	var gone []config.ObjectKey
	for _, t := range all {
		if count <= MaxTombstones && now.Sub(t.origin.Time) < TombstoneAge {
			break
		}
		s.set(t.key, nil)
		gone = append(gone, t.key)
		count--
	}
	return gone
}
