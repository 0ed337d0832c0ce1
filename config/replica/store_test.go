package replica

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"fairlead/config"
	"fairlead/config/revision"
)

// memoryStore is a Store in memory. What was committed survives the engine; nothing else does.
type memoryStore struct {
	mu       sync.Mutex
	actor    string
	keep     int // revisions for peers
	state    *revision.State
	texts    map[config.ObjectHash][]byte
	list     []*revision.Revision
	all      map[revision.Dot]*revision.Revision // every one that was ever kept
	log      []LogLine
	once     map[string]string
	notes    map[string][]byte
	trusting bool         // it does not look whether records name all that they change
	before   func() error // called before a record is kept; an error refuses it
	after    func() error // called then; an error is a crash whose write was not acknowledged
}

func newMemoryStore(actor string, keep int) *memoryStore {
	return &memoryStore{actor: actor, keep: keep, state: revision.NewState(), texts: map[config.ObjectHash][]byte{},
		all: map[revision.Dot]*revision.Revision{}, once: map[string]string{}, notes: map[string][]byte{}}
}

// fail sets what happens before and after a record is kept.
func (s *memoryStore) fail(before, after func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.after = before, after
}

func (s *memoryStore) covers(d revision.Dot) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Vector().Covers(d)
}

// ever adds all revisions that were ever kept.
func (s *memoryStore) ever(all map[revision.Dot]*revision.Revision) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(all, s.all)
}

// document is what is kept as the document.
func (s *memoryStore) document() (*config.Objects, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.objects()
}

func (s *memoryStore) Load() (*Loaded, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	objects, err := s.objects()
	return &Loaded{Actor: s.actor, State: s.state.Fork(), Objects: objects, Notes: s.notes}, err
}

func (s *memoryStore) objects() (*config.Objects, error) {
	var list []*config.Object
	for k := range s.state.Keys {
		if h := s.state.Winner(k).Hash; h != (config.ObjectHash{}) {
			text, kept := s.texts[h]
			if !kept {
				return nil, fmt.Errorf("object %s is not kept", k)
			}
			o, err := config.ObjectFromCanonical(k, text)
			if err != nil {
				return nil, err
			}
			list = append(list, o)
		}
	}
	return config.NewObjects(list), nil
}

func (s *memoryStore) Commit(r *Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.before != nil {
		if err := s.before(); err != nil {
			return err
		}
	}
	if r.State != nil {
		if !r.Whole && !s.trusting {
			s.sameBut(r)
		}
		s.state = r.State.Fork()
	}
	for _, o := range r.Objects {
		s.texts[o.Hash()] = o.Text()
	}
	for _, v := range r.Revisions {
		if len(s.list) == s.keep {
			s.list = slices.Delete(s.list, 0, 1)
		}
		s.list = append(s.list, v)
		s.all[v.Dot] = v
	}
	s.log = append(s.log, r.Log...)
	for i := range s.log {
		if slices.Contains(r.Settled, s.log[i].Revision.ID) {
			s.log[i].Pending = s.log[i].Applied.Add(-1)
		}
	}
	for k, v := range r.Notes {
		s.notes[k] = v
	}
	if r.Once != nil {
		s.once[r.Once.Key] = r.Once.Revision
	}
	if s.after != nil {
		return s.after()
	}
	return nil
}

// sameBut panics when a record changes what it does not name: a store on a disk would lose that.
func (s *memoryStore) sameBut(r *Record) {
	same := func(k config.ObjectKey) bool {
		return slices.EqualFunc(s.state.Registers(k), r.State.Registers(k), func(a, b revision.Register) bool { return a.Origin.ID == b.Origin.ID && a.Hash == b.Hash })
	}
	for _, st := range []*revision.State{s.state, r.State} {
		for k := range st.Keys {
			if !slices.Contains(r.Keys, k) && !same(k) {
				panic(fmt.Sprintf("%s changed and is not named", k))
			}
		}
	}
}

func (s *memoryStore) Texts(hashes []config.ObjectHash) (map[config.ObjectHash][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[config.ObjectHash][]byte{}
	for _, h := range hashes {
		if text, kept := s.texts[h]; kept {
			out[h] = text
		}
	}
	return out, nil
}

func (s *memoryStore) Revisions(have revision.Vector, limit int) (out []*revision.Revision, complete bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := 0
	missing := s.state.Vector().Clone()
	for _, r := range s.list {
		if have.Covers(r.Dot) {
			continue
		}
		if missing[r.Dot.Actor] = min(missing[r.Dot.Actor], r.Dot.Seq-1); size < limit {
			encoded, err := r.Encode()
			if err != nil {
				return nil, false, err
			}
			size += len(encoded)
			out = append(out, r)
		}
	}
	return out, have.Includes(missing), nil
}

func (s *memoryStore) Once(key string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.once[key], nil
}

func (s *memoryStore) History(before string, limit int) (out []revision.Entry, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := before == ""
	for _, line := range slices.Backward(s.log) {
		if found && len(out) < limit {
			out = append(out, line.Entry)
		}
		found = found || line.View == before
	}
	return out, nil
}

func (s *memoryStore) Find(id string) (*revision.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range slices.Backward(s.log) {
		if strings.HasPrefix(line.Revision.ID, id) || strings.HasPrefix(line.View, id) {
			return &line.Entry, nil
		}
	}
	return nil, revision.ErrUnknown
}

// At walks back through the steps of the log.
func (s *memoryStore) At(id string) (*config.Objects, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	objects, err := s.objects()
	if err != nil {
		return nil, err
	}
	for _, line := range slices.Backward(s.log) {
		if line.Revision.ID == id || line.View == id {
			return objects, nil
		}
		for _, step := range line.Steps {
			if step.Before == (config.ObjectHash{}) {
				objects = objects.With(nil, []config.ObjectKey{step.Key})
				continue
			}
			o, err := config.ObjectFromCanonical(step.Key, s.texts[step.Before])
			if err != nil {
				return nil, err
			}
			objects = objects.With([]*config.Object{o}, nil)
		}
	}
	return nil, revision.ErrUnknown
}

var errFull = errors.New("no space left on device")
