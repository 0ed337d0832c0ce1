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

// With returns the set with some objects put in, in place of those of the same keys, and others left out.
func (s *Objects) With(put []*Object, remove []ObjectKey) *Objects {
	put = slices.Clone(put)
	slices.SortStableFunc(put, func(a, b *Object) int { return a.key.Compare(b.key) })
	gone := make(map[ObjectKey]bool, len(remove))
	for _, k := range remove {
		gone[k] = true
	}
	out := make([]*Object, 0, len(s.list)+len(put))
	i := 0
	for j, o := range put {
		if j+1 < len(put) && put[j+1].key == o.key {
			continue
		}
		for ; i < len(s.list) && s.list[i].key.Compare(o.key) < 0; i++ {
			if !gone[s.list[i].key] {
				out = append(out, s.list[i])
			}
		}
		if i < len(s.list) && s.list[i].key == o.key {
			if s.list[i].hash == o.hash {
				o = s.list[i] // what is known of it stays known
			}
			i++
		}
		out = append(out, o)
	}
	for ; i < len(s.list); i++ {
		if !gone[s.list[i].key] {
			out = append(out, s.list[i])
		}
	}
	made := &Objects{list: out}
	made.assembled.Store(s.assembled.Load())
	return made
}
