package revision

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fairlead/config"
)

// maxRegisters is how many concurrent writes of one object an encoding may have.
const maxRegisters = MaxActors

// Encode returns the state as bytes, the same for the same registers. The error says which limit it is above.
func (s *State) Encode() ([]byte, error) {
	keys := make([]config.ObjectKey, 0, len(s.base)+len(s.over))
	for key := range s.Keys {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, config.ObjectKey.Compare)
	origins, place := s.origins(keys)
	w := writer{make([]byte, 0, 1024+len(keys)*64)}
	w.b = append(w.b, layout)
	w.vector(s.vector)
	w.time(s.newest)
	w.varint(uint64(len(s.heads)))
	for _, h := range s.heads {
		w.id(h.ID)
		w.dot(h.Dot)
	}
	w.varint(uint64(len(origins)))
	for _, o := range origins {
		w.origin(o)
	}
	w.varint(uint64(len(keys)))
	for _, key := range keys {
		w.b = append(w.b, byte(key.Kind))
		w.text(key.Name)
		all := s.Registers(key)
		w.varint(uint64(len(all)))
		for _, r := range all {
			w.varint(uint64(place[r.Origin.Dot]))
			w.b = append(w.b, r.Hash[:]...)
		}
	}
	if len(w.b) > MaxEncoded {
		return nil, fmt.Errorf("encode state: %d objects make %d bytes, which is above the limit of %d", len(keys), len(w.b), MaxEncoded)
	}
	return w.b, nil
}

// origins returns all origins in order, and where each is.
func (s *State) origins(keys []config.ObjectKey) ([]*Origin, map[Dot]int) {
	place := map[Dot]int{}
	var all []*Origin
	for _, key := range keys {
		for _, r := range s.Registers(key) {
			if _, known := place[r.Origin.Dot]; !known {
				place[r.Origin.Dot] = 0
				all = append(all, r.Origin)
			}
		}
	}
	slices.SortFunc(all, func(a, b *Origin) int { return compareDots(a.Dot, b.Dot) })
	for i, o := range all {
		place[o.Dot] = i
	}
	return all, place
}

func compareDots(a, b Dot) int {
	return cmp.Or(strings.Compare(a.Actor, b.Actor), cmp.Compare(a.Seq, b.Seq))
}

// DecodeState reads what Encode wrote. The error wraps ErrMalformed. b is not kept.
func DecodeState(b []byte) (*State, error) {
	if len(b) == 0 || len(b) > MaxEncoded || b[0] != layout {
		return nil, fmt.Errorf("decode state: %w: %d bytes, of layout %d at least", ErrMalformed, len(b), layout)
	}
	in := &reader{b: b[1:]}
	s := NewState()
	s.vector = in.vector()
	s.newest = in.time()
	for n := in.count(MaxParents, idSize+3); n > 0 && in.err == nil; n-- {
		s.readHead(in)
	}
	origins := s.readOrigins(in)
	n := in.count(MaxChanges, 35)
	s.base = make(map[config.ObjectKey][]Register, n)
	var last config.ObjectKey
	for ; n > 0 && in.err == nil; n-- {
		key := in.key()
		if key.Compare(last) <= 0 || key.Kind == 0 || key.Name == "" {
			in.failf("%s is not after %s", key, last)
		}
		last = key
		s.base[key] = readRegisters(in, origins)
	}
	if in.err == nil && len(s.vector) > 0 && len(s.heads) == 0 {
		in.failf("revisions, and none that is newest")
	}
	if in.err != nil {
		return nil, fmt.Errorf("decode state: %w", in.err)
	}
	return s, nil
}

func (s *State) readHead(in *reader) {
	h := Head{in.id(), in.dot()}
	if !s.vector.Covers(h.Dot) || len(s.heads) > 0 && s.heads[len(s.heads)-1].ID >= h.ID {
		in.failf("a newest revision that is not in the set, or not in order")
	}
	s.heads = append(s.heads, h)
}

func (s *State) readOrigins(in *reader) []*Origin {
	n := in.count(MaxChanges, idSize+8)
	all := make([]*Origin, 0, n)
	for ; n > 0 && in.err == nil; n-- {
		o := &Origin{ID: in.id(), Dot: in.dot(), Site: in.text(MaxText), Author: in.text(MaxText), Source: in.text(MaxText), Reason: in.text(MaxText), Time: in.time()}
		if !s.vector.Covers(o.Dot) || len(all) > 0 && compareDots(all[len(all)-1].Dot, o.Dot) >= 0 {
			in.failf("a revision that is not in the set, or not in order")
		}
		if o.Time.After(s.newest) {
			in.failf("a revision newer than the newest")
		}
		all = append(all, o)
	}
	return all
}

// readRegisters reads those of one object.
func readRegisters(in *reader, origins []*Origin) []Register {
	n := in.count(maxRegisters, 33)
	if n == 0 {
		in.failf("an object of which nothing is known")
	}
	all := make([]Register, 0, n)
	for ; n > 0 && in.err == nil; n-- {
		i := in.varint()
		if i >= uint64(len(origins)) {
			in.failf("revision %d of %d", i, len(origins))
			break
		}
		r := Register{origins[i], in.hash()}
		if len(all) > 0 && all[len(all)-1].Origin.compare(r.Origin) <= 0 {
			in.failf("writes of an object that are not in order")
		}
		all = append(all, r)
	}
	return all
}
