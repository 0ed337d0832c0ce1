package revision

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"fairlead/config"
)

// idSize is how many bytes of the SHA-256 of its encoding are a revision's id.
const idSize = 16

// Seal puts parents and changes in order, checks all limits, and sets the ID.
func (r *Revision) Seal() error {
	slices.Sort(r.Parents)
	r.Parents = slices.Compact(r.Parents)
	slices.SortStableFunc(r.Changes, func(a, b Change) int { return a.Key.Compare(b.Key) })
	if !r.Time.IsZero() {
		r.Time = r.Time.UTC().Truncate(time.Microsecond)
	}
	r.ID = ""
	encoded, err := r.Encode()
	if err != nil {
		return fmt.Errorf("seal revision: %w", err)
	}
	r.ID = idOf(encoded)
	return nil
}

// Seed returns the revision of a seed file with these objects: the same at every site that has the same.
func Seed(objects *config.Objects) (*Revision, error) {
	r := &Revision{Dot: Dot{seedPrefix + objects.ID(), 1}, Seen: Vector{}, Source: "seed"}
	for o := range objects.All {
		r.Changes = append(r.Changes, Change{o.Key(), o.Hash()})
	}
	return r, r.Seal()
}

func idOf(encoded []byte) string {
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:idSize])
}

// check says what is wrong with a revision that is in order.
func (r *Revision) check() error {
	if err := r.Dot.check(); err != nil {
		return err
	}
	for _, t := range []struct{ name, text string }{{"site", r.Site}, {"author", r.Author}, {"source", r.Source}, {"reason", r.Reason}} {
		if len(t.text) > MaxText || !utf8.ValidString(t.text) {
			return fmt.Errorf("%s of %d bytes: at most %d of UTF-8 are allowed", t.name, len(t.text), MaxText)
		}
	}
	switch {
	case len(r.Parents) > MaxParents:
		return fmt.Errorf("%d parents are above the limit of %d", len(r.Parents), MaxParents)
	case len(r.Changes) > MaxChanges:
		return fmt.Errorf("%d changed objects are above the limit of %d; write them in several parts", len(r.Changes), MaxChanges)
	case r.Seen[r.Dot.Actor] != r.Dot.Seq-1:
		return fmt.Errorf("number %d of its store has seen %d before it", r.Dot.Seq, r.Seen[r.Dot.Actor])
	case r.Dot.Seed() && (r.Dot.Seq != 1 || len(r.Seen) > 0 || !r.Time.IsZero()):
		return fmt.Errorf("a seed comes first and has no time")
	case !r.Time.IsZero() && (r.Time.UnixMicro() == 0 || r.Time.Year() < 1970 || r.Time.Year() > maxYear):
		return fmt.Errorf("its time is in the year %d", r.Time.Year())
	}
	for i, p := range r.Parents {
		if raw, err := hex.DecodeString(p); err != nil || len(raw) != idSize || p != strings.ToLower(p) || i > 0 && r.Parents[i-1] >= p {
			return fmt.Errorf("parent %d is no id, or not in order", i)
		}
	}
	if err := r.Seen.check(); err != nil {
		return err
	}
	for i, c := range r.Changes {
		if len(c.Key.Name) == 0 || len(c.Key.Name) > MaxName || c.Key.Kind == 0 {
			return fmt.Errorf("change %d: a name of %d bytes: 1 to %d are allowed", i, len(c.Key.Name), MaxName)
		}
		if i > 0 && r.Changes[i-1].Key.Compare(c.Key) >= 0 {
			return fmt.Errorf("change %d: %s is not after %s", i, c.Key, r.Changes[i-1].Key)
		}
	}
	return nil
}

// maxYear keeps times within what a clock of nanoseconds can tell.
const maxYear = 2200

// check says what is wrong with a dot, without the store's name: who reads of an error may be told of no store (see config/store.Store.Key).
func (d Dot) check() error {
	if len(d.Actor) == 0 || len(d.Actor) > MaxActor || !utf8.ValidString(d.Actor) || d.Seq == 0 || d.Seq > maxSeq {
		return fmt.Errorf("number %d of a store with a name of %d bytes is not allowed: 1 to %d bytes of UTF-8, counted from 1", d.Seq, len(d.Actor), MaxActor)
	}
	return nil
}

// maxSeq bounds numbers, so that one more never overflows.
const maxSeq = 1 << 62

func (v Vector) check() error {
	if len(v) > MaxActors {
		return fmt.Errorf("%d stores are above the limit of %d", len(v), MaxActors)
	}
	for actor, seq := range v {
		if seq == 0 {
			continue
		}
		if err := (Dot{actor, seq}).check(); err != nil {
			return err
		}
	}
	return nil
}
