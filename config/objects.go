package config

import (
	"slices"
	"sync/atomic"
)

// Object is one object of a document: its canonical text (JSON with sorted keys, no nulls, as it was written otherwise; for a file, the file
// itself) and the hash of that. It never changes.
type Object struct {
	key  ObjectKey
	text []byte
	hash ObjectHash

	decoded atomic.Pointer[decodedObject] // what Assemble made of it; nil: nothing yet, or there were problems
	secrets atomic.Uint32                 // whether it has any: secretsNone or secretsSome; secretsUnknown: nobody looked
	zone    atomic.Pointer[zoneRead]      // the records that a zone was found to have; nil: not known
}

// ObjectHash is the SHA-256 of an object's canonical text.
type ObjectHash [32]byte

// Key returns what the object is called.
func (o *Object) Key() ObjectKey { return o.key }

// Text returns the canonical text. It must not be written to.
func (o *Object) Text() []byte { return o.text }

// Hash returns the hash of Text.
func (o *Object) Hash() ObjectHash { return o.hash }

// Objects is a document as a set of objects, in order of their keys. It never changes: With makes another that shares all that
// stays. It need not be valid as a whole.
type Objects struct {
	list []*Object // ordered by key
	id   atomic.Pointer[string]
	// assembled is what Assemble found, here or in what these objects were made from; nil: nothing yet.
	assembled atomic.Pointer[assembled]
}

// NewObjects makes a set of objects. Of two with one key the later one counts.
func NewObjects(objects []*Object) *Objects {
	return new(Objects).With(objects, nil)
}

// Len returns how many objects there are.
func (s *Objects) Len() int { return len(s.list) }

// All calls yield for each object in order of the keys, until it returns false.
func (s *Objects) All(yield func(*Object) bool) {
	for _, o := range s.list {
		if !yield(o) {
			return
		}
	}
}

// Get returns an object, or nil.
func (s *Objects) Get(key ObjectKey) *Object {
	if i, found := s.find(key); found {
		return s.list[i]
	}
	return nil
}

func (s *Objects) find(key ObjectKey) (int, bool) {
	return slices.BinarySearchFunc(s.list, key, func(o *Object, k ObjectKey) int { return o.key.Compare(k) })
}

// Sharing returns the same objects, with those of another set in place of equal ones: what Assemble knows of them stays known.
func (s *Objects) Sharing(known *Objects) *Objects {
	var put, gone = []*Object(nil), []ObjectKey(nil)
	for _, d := range Diff(known, s) {
		if d.After == nil {
			gone = append(gone, d.Key)
		} else {
			put = append(put, d.After)
		}
	}
	return known.With(put, gone)
}

// With returns the set with some objects put in, in place of those of the same keys, and others left out. What is put in and left out is put in.
func (s *Objects) With(put []*Object, remove []ObjectKey) *Objects {
	edits := make([]ObjectDiff, 0, len(put)+len(remove)) // without Before
	for _, k := range remove {
		edits = append(edits, ObjectDiff{Key: k})
	}
	for _, o := range put {
		edits = append(edits, ObjectDiff{Key: o.key, After: o})
	}
	slices.SortStableFunc(edits, func(a, b ObjectDiff) int { return a.Key.Compare(b.Key) })
	out, rest := make([]*Object, 0, len(s.list)+len(put)), s.list
	for i, e := range edits {
		if i+1 < len(edits) && edits[i+1].Key == e.Key {
			continue // the last one counts
		}
		at, there := slices.BinarySearchFunc(rest, e.Key, func(o *Object, k ObjectKey) int { return o.key.Compare(k) })
		out = append(out, rest[:at]...)
		rest = rest[at:]
		if there {
			if e.After != nil && rest[0].hash == e.After.hash {
				e.After = rest[0] // what is known of it stays known
			}
			rest = rest[1:]
		}
		if e.After != nil {
			out = append(out, e.After)
		}
	}
	made := &Objects{list: append(out, rest...)}
	made.assembled.Store(s.assembled.Load())
	return made
}
