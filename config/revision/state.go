package revision

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"fairlead/config"
)

// ErrGap says that a revision was based on others that the state has not.
var ErrGap = errors.New("revisions before it are missing")

// Limits of a State.
const (
	// MaxTombstones and TombstoneAge: removed objects are remembered until all sites know of it, and beyond that the newest ones for that long.
	MaxTombstones = 10_000
	TombstoneAge  = 30 * 24 * time.Hour

	// overMost is how many changed registers a State holds apart before it makes a new base of all.
	overMost = 512
)

// Origin is what is known of the revision that wrote an entry.
type Origin struct {
	ID                           string
	Dot                          Dot
	Site, Author, Source, Reason string
	Time                         time.Time
}

// Register is what one revision wrote to one object, and no later one replaced. The zero Hash: removed.
type Register struct {
	Origin *Origin
	Hash   config.ObjectHash
}

// Head is a revision that no other has seen.
type Head struct {
	ID  string
	Dot Dot
}

// State is what follows from a set of revisions. It is not safe for concurrent use while it is changed; Fork makes another that shares what stays.
//
// A set in which somebody has written holds of seed files only those that a write has seen: a site that has nothing but its seed gives way
// to others that have more, and nothing of an old seed comes back.
type State struct {
	vector Vector
	heads  []Head // in order of the ids
	newest time.Time
	expect Vector                          // seeds that stay when the first write comes, since one that follows it has seen them
	base   map[config.ObjectKey][]Register // never written to: shared among forks
	over   map[config.ObjectKey][]Register // in place of base; empty ones: there is none. Slices are never written to
}

// NewState returns the state of no revisions.
func NewState() *State {
	return &State{vector: Vector{}, over: map[config.ObjectKey][]Register{}}
}

// Fork returns a state with the same content, which can be changed while this one stays as it is. It costs microseconds, however large the
// document is.
func (s *State) Fork() *State {
	f := &State{vector: s.vector.Clone(), heads: slices.Clone(s.heads), newest: s.newest, base: s.base}
	f.over = make(map[config.ObjectKey][]Register, len(s.over)+8)
	for k, v := range s.over {
		f.over[k] = v
	}
	return f
}

// Vector returns the set of revisions. It must not be written to.
func (s *State) Vector() Vector { return s.vector }

// Heads returns the revisions that no other has seen, in order of their ids.
func (s *State) Heads() []Head { return s.heads }

// Newest returns the greatest time of all revisions.
func (s *State) Newest() time.Time { return s.newest }

// NextTime returns the time of a new revision: now, or just after all that were seen, so that a clock that is behind loses to nobody it
// has heard of.
func (s *State) NextTime(now time.Time) time.Time {
	now = now.UTC().Truncate(time.Microsecond)
	if after := s.newest.Add(time.Microsecond); now.Before(after) {
		return after
	}
	return now
}

// ID returns the id of the newest revision, or of the merge of the newest ones: equal at all sites with the same set. Empty: there is none.
func (s *State) ID() string {
	switch len(s.heads) {
	case 0:
		return ""
	case 1:
		return s.heads[0].ID
	}
	h := sha256.New()
	h.Write([]byte("merge"))
	for _, head := range s.heads {
		h.Write([]byte(head.ID))
	}
	return hex.EncodeToString(h.Sum(nil)[:idSize])
}

// Registers returns what was written to an object and not replaced, the one that counts first. It must not be written to.
func (s *State) Registers(key config.ObjectKey) []Register {
	if r, changed := s.over[key]; changed {
		return r
	}
	return s.base[key]
}

// Winner returns what counts for an object. Its Origin is nil when nothing is known of it.
func (s *State) Winner(key config.ObjectKey) Register {
	if all := s.Registers(key); len(all) > 0 {
		return all[0]
	}
	return Register{}
}

// Keys calls yield for each object of which something is known, in no order, until it returns false.
func (s *State) Keys(yield func(config.ObjectKey) bool) {
	for k, r := range s.over {
		if len(r) > 0 && !yield(k) {
			return
		}
	}
	for k := range s.base {
		if _, changed := s.over[k]; !changed && !yield(k) {
			return
		}
	}
}

// Apply takes in a revision, whose ID must be set. One that is known already changes nothing. The error wraps ErrGap when one that it was based on
// is missing.
func (s *State) Apply(r *Revision) error {
	switch {
	case r.ID == "":
		return fmt.Errorf("apply revision of site %q: it has no id", r.Site)
	case s.vector.Covers(r.Dot):
		return nil
	case s.vector[r.Dot.Actor]+1 != r.Dot.Seq, !s.vector.Includes(r.Seen):
		return fmt.Errorf("apply revision %.8s: %w", r.ID, ErrGap)
	case len(s.vector) >= MaxActors && s.vector[r.Dot.Actor] == 0:
		return fmt.Errorf("apply revision %.8s: more than %d stores have written", r.ID, MaxActors)
	}
	if !r.Dot.Seed() && s.vector.OnlySeeds() {
		s.keepSeeds(r.Seen)
	}
	origin := &Origin{ID: r.ID, Dot: r.Dot, Site: r.Site, Author: r.Author, Source: r.Source, Reason: r.Reason, Time: r.Time}
	for _, c := range r.Changes {
		kept := []Register{{origin, c.Hash}}
		for _, old := range s.Registers(c.Key) {
			if !r.Seen.Covers(old.Origin.Dot) {
				kept = append(kept, old)
			}
		}
		s.set(c.Key, kept)
	}
	s.heads = slices.DeleteFunc(s.heads, func(h Head) bool { return r.Seen.Covers(h.Dot) })
	s.addHead(Head{r.ID, r.Dot})
	s.vector[r.Dot.Actor] = r.Dot.Seq
	if r.Time.After(s.newest) {
		s.newest = r.Time
	}
	if len(s.over) > overMost {
		s.settle()
	}
	return nil
}

// Expect announces revisions that will be applied together, before the first of them: a seed that any of them has seen does not give way.
func (s *State) Expect(list []*Revision) {
	s.expect = Vector{}
	for _, r := range list {
		s.expect.Join(r.Seen)
	}
}

// keepSeeds forgets seeds that the first write has not seen, nor those that are expected with it.
func (s *State) keepSeeds(seen Vector) {
	seen = seen.Clone()
	seen.Join(s.expect)
	if seen.Includes(s.vector) {
		return
	}
	for key := range s.Keys {
		all := s.Registers(key)
		kept := make([]Register, 0, len(all))
		for _, r := range all {
			if seen.Covers(r.Origin.Dot) {
				kept = append(kept, r)
			}
		}
		if len(kept) != len(all) {
			s.over[key] = kept
		}
	}
	s.heads = slices.DeleteFunc(s.heads, func(h Head) bool { return !seen.Covers(h.Dot) })
	for actor := range s.vector {
		if seen[actor] == 0 {
			delete(s.vector, actor)
		}
	}
	s.settle()
}

// set replaces the registers of an object.
func (s *State) set(key config.ObjectKey, all []Register) {
	if len(all) > 1 {
		slices.SortFunc(all, func(a, b Register) int { return b.Origin.compare(a.Origin) })
	}
	s.over[key] = all
}

// settle makes a new base.
func (s *State) settle() {
	base := make(map[config.ObjectKey][]Register, len(s.base)+len(s.over))
	for key := range s.Keys {
		base[key] = s.Registers(key)
	}
	s.base, s.over = base, make(map[config.ObjectKey][]Register)
}

func (s *State) addHead(h Head) {
	i, found := slices.BinarySearchFunc(s.heads, h, func(a, b Head) int { return strings.Compare(a.ID, b.ID) })
	if !found {
		s.heads = slices.Insert(s.heads, i, h)
	}
}

// compare orders revisions by which counts more: (time, site, actor, number).
func (o *Origin) compare(p *Origin) int {
	return cmp.Or(o.Time.Compare(p.Time), strings.Compare(o.Site, p.Site), strings.Compare(o.Dot.Actor, p.Dot.Actor), cmp.Compare(o.Dot.Seq, p.Dot.Seq))
}
