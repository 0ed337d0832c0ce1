package store

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
)

var epoch = time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)

// site writes as an engine would, over an open store.
type site struct {
	t     testing.TB
	store *Store
	actor string
	state *revision.State
	seq   uint64
	docs  map[string]*config.Objects // by view: what At must return
	now   *config.Objects
}

func open(t testing.TB, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newSite(t testing.TB, s *Store) *site {
	t.Helper()
	l, err := s.Load()
	if err != nil {
		t.Fatal(err)
	}
	return &site{t: t, store: s, actor: l.Actor, state: l.State, seq: l.State.Vector()[l.Actor], docs: map[string]*config.Objects{}, now: l.Objects}
}

func service(t testing.TB, name, address string) *config.Object {
	t.Helper()
	o, err := config.NewObject(config.ObjectService, name, []byte(fmt.Sprintf("{site: ams, address: %s, port: 443}", address)))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// record makes the record of a write by an actor.
func (w *site) record(actor string, put []*config.Object, remove ...config.ObjectKey) *replica.Record {
	w.t.Helper()
	r := &replica.Record{State: w.state.Fork(), Objects: put}
	rev := &revision.Revision{Dot: revision.Dot{Actor: actor, Seq: w.state.Vector()[actor] + 1}, Seen: w.state.Vector().Clone(), Site: "ams",
		Author: "ops", Source: "api", Reason: fmt.Sprint("write ", w.seq), Time: w.state.NextTime(epoch)}
	for _, h := range w.state.Heads() {
		rev.Parents = append(rev.Parents, h.ID)
	}
	line := replica.LogLine{Entry: revision.Entry{Revision: rev, Applied: rev.Time}}
	step := func(key config.ObjectKey, after config.ObjectHash) {
		rev.Changes = append(rev.Changes, revision.Change{Key: key, Hash: after})
		s := replica.Step{Key: key, After: after}
		if o := w.now.Get(key); o != nil {
			s.Before = o.Hash()
		}
		line.Steps = append(line.Steps, s)
		r.Keys = append(r.Keys, key)
	}
	for _, o := range put {
		step(o.Key(), o.Hash())
	}
	for _, k := range remove {
		step(k, config.ObjectHash{})
	}
	if err := rev.Seal(); err != nil {
		w.t.Fatal(err)
	}
	if err := r.State.Apply(rev); err != nil {
		w.t.Fatal(err)
	}
	line.View = r.State.ID()
	r.Revisions, r.Log = []*revision.Revision{rev}, []replica.LogLine{line}
	return r
}

// write commits a change and returns its view.
func (w *site) write(put []*config.Object, remove ...config.ObjectKey) string {
	w.t.Helper()
	r := w.record(w.actor, put, remove...)
	if err := w.store.Commit(r); err != nil {
		w.t.Fatal(err)
	}
	return w.took(r, put, remove)
}

func (w *site) took(r *replica.Record, put []*config.Object, remove []config.ObjectKey) string {
	w.state, w.now = r.State, w.now.With(put, remove)
	w.seq++
	view := w.state.ID()
	w.docs[view] = w.now
	return view
}

// same compares what a store has with what was written.
func (w *site) same(s *Store) {
	w.t.Helper()
	l, err := s.Load()
	if err != nil {
		w.t.Fatal(err)
	}
	if got, want := l.Objects.ID(), w.now.ID(); got != want {
		w.t.Errorf("document: got %s with %d objects, want %s with %d", got, l.Objects.Len(), want, w.now.Len())
	}
	if got, want := l.State.ID(), w.state.ID(); got != want {
		w.t.Errorf("state: got %s, want %s", got, want)
	}
	if !l.State.Vector().Equal(w.state.Vector()) {
		w.t.Errorf("vector: got %v, want %v", l.State.Vector(), w.state.Vector())
	}
}

// counts are the mirrors that a store keeps by adding up.
type counts struct {
	uses         map[config.ObjectHash]int
	size         int64
	lines, revs  int
	commit, last uint64
}

func countsOf(s *Store) counts {
	c := counts{uses: maps.Clone(s.uses), size: s.size, lines: s.lines, revs: len(s.revs), commit: s.commit, last: s.inState}
	delete(c.uses, noHash)
	return c
}
