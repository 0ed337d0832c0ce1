package revision

import (
	"maps"
	"strings"
)

// seedPrefix begins the actor of a revision that was made from a seed file: what follows is the id of its objects, so that sites with
// the same seed have the same revision.
const seedPrefix = "seed:"

// Seed reports whether the dot is that of a seed file.
func (d Dot) Seed() bool { return strings.HasPrefix(d.Actor, seedPrefix) }

// Covers reports whether a revision is in the set.
func (v Vector) Covers(d Dot) bool { return d.Seq <= v[d.Actor] }

// Includes reports whether all of another set is in this one.
func (v Vector) Includes(o Vector) bool {
	for actor, seq := range o {
		if seq > v[actor] {
			return false
		}
	}
	return true
}

// Lacks returns how many revisions of another set are not in this one.
func (v Vector) Lacks(o Vector) int {
	n := uint64(0)
	for actor, seq := range o {
		if have := v[actor]; seq > have {
			n += seq - have
		}
	}
	return int(min(n, 1<<31-1))
}

// Join adds another set to v, which must not be nil.
func (v Vector) Join(o Vector) {
	for actor, seq := range o {
		if seq > v[actor] {
			v[actor] = seq
		}
	}
}

// Equal reports whether two sets are the same.
func (v Vector) Equal(o Vector) bool { return v.Includes(o) && o.Includes(v) }

// Clone returns a copy that is not nil.
func (v Vector) Clone() Vector {
	if v == nil {
		return Vector{}
	}
	return maps.Clone(v)
}

// OnlySeeds reports whether nobody has written yet: all of the set are seed files, or it is empty.
func (v Vector) OnlySeeds() bool {
	for actor, seq := range v {
		if seq > 0 && !strings.HasPrefix(actor, seedPrefix) {
			return false
		}
	}
	return true
}
