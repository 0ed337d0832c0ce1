package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/config/revision"
)

// Names of notes in the store.
const (
	notePending  = "pending"  // writes that wait to be confirmed: JSON
	noteFollowed = "followed" // id of the objects of the followed file that was written last
)

// pending is a write that is undone unless somebody confirms it.
type pending struct {
	Revision string    `json:"revision"`
	Until    time.Time `json:"until"`
	Within   string    `json:"within"`
	Undo     []undo    `json:"undo"`
}

// undo is one object: what the write put, and what was there before. Zeros: nothing.
type undo struct {
	Kind   config.ObjectKind `json:"kind"`
	Name   string            `json:"name"`
	Put    config.ObjectHash `json:"put"`
	Before config.ObjectHash `json:"before"`
}

func decodePending(note []byte) (list []pending, err error) {
	if len(note) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(note, &list); err != nil {
		return nil, fmt.Errorf("read writes that wait to be confirmed: %w", err)
	}
	return list, nil
}

// notePendingList adds the list to what is stored.
func notePendingList(t *transaction, list []pending) {
	if len(list) == 0 {
		t.note(notePending, nil)
		return
	}
	encoded, err := json.Marshal(list)
	if err == nil {
		t.note(notePending, encoded)
	}
}

// pendWrite returns what waits to be confirmed after a write, and adds it to what is stored.
func (e *Engine) pendWrite(d *draft, r *revision.Revision, t *transaction) []pending {
	if r == nil || d.write.Confirm == 0 {
		return e.pending
	}
	p := pending{Revision: r.ID, Until: t.now.Add(d.write.Confirm), Within: d.write.Confirm.String()}
	for _, c := range d.outcome.Changes {
		u := undo{Kind: c.Key.Kind, Name: c.Key.Name}
		if c.Before != nil {
			u.Before = c.Before.Hash()
		}
		if c.After != nil {
			u.Put = c.After.Hash()
		}
		p.Undo = append(p.Undo, u)
	}
	t.record.Log[len(t.record.Log)-1].Pending = p.Until
	list := append(slices.Clone(e.pending), p)
	notePendingList(t, list)
	return list
}

// Confirm keeps a write that was made with Write.Confirm; see revision.Documents. The id may be its first digits.
func (e *Engine) Confirm(_ context.Context, id, author string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.IndexFunc(e.pending, func(p pending) bool { return len(id) >= 4 && strings.HasPrefix(p.Revision, id) })
	if i < 0 {
		return fmt.Errorf("confirm revision %s: %w: it does not wait to be confirmed", id, revision.ErrUnknown)
	}
	full := e.pending[i].Revision
	if err := e.settlePending(full, slices.Delete(slices.Clone(e.pending), i, i+1)); err != nil {
		return err
	}
	e.log.Info("config.confirmed", zap.String("revision", full), zap.String("author", author))
	e.event("config.confirmed", &revision.Revision{ID: full, Author: author, Site: e.opts.Site}, "")
	return nil
}

// undone is what waits to be confirmed when one of it was undone. A later write that was made over it goes back to what was before both, since
// nobody has confirmed what was between.
func (e *Engine) undone(p pending) []pending {
	var list []pending
	for _, q := range e.pending {
		if q.Revision == p.Revision {
			continue
		}
		q.Undo = slices.Clone(q.Undo)
		for i := range q.Undo {
			for _, u := range p.Undo {
				if v := &q.Undo[i]; v.Kind == u.Kind && v.Name == u.Name && v.Before == u.Put {
					v.Before = u.Before
				}
			}
		}
		list = append(list, q)
	}
	return list
}

// settlePending forgets that a write waits; list is what waits then.
func (e *Engine) settlePending(id string, list []pending) error {
	t := e.begin()
	notePendingList(t, list)
	t.record.Settled = []string{id}
	if err := e.store(t); err != nil {
		return err
	}
	e.pending = list
	return nil
}

// undoPending undoes what was not confirmed in time. What did not work is tried again later, as UndoTries says.
func (e *Engine) undoPending(ctx context.Context) {
	now := e.opts.Now()
	e.undoTries.Only(func(id string) bool {
		return slices.ContainsFunc(e.pending, func(p pending) bool { return p.Revision == id })
	})
	for _, waits := range slices.Clone(e.pending) {
		i := slices.IndexFunc(e.pending, func(p pending) bool { return p.Revision == waits.Revision })
		p := e.pending[i] // as it is after others were undone
		if now.Before(p.Until) || !e.undoTries.Due(p.Revision, now) {
			continue
		}
		if err := e.undo(ctx, p); err != nil {
			if e.undoTries.Failed(p.Revision, err.Error(), now) {
				e.log.Error("config.undo.failed", zap.String("revision", p.Revision), zap.Error(err))
			}
			if errors.Is(err, revision.ErrUnavailable) {
				return
			}
		}
	}
}

// undo puts back what was there before a write, where nobody has written since.
func (e *Engine) undo(ctx context.Context, p pending) error {
	w := &revision.Write{Author: "node " + e.opts.Site, Source: "rollback", Force: true, Reason: fmt.Sprintf("revision %.8s was not confirmed within %s", p.Revision, p.Within)}
	var wanted []config.ObjectHash
	for _, u := range p.Undo {
		wanted = append(wanted, u.Before)
	}
	texts, err := e.opts.Store.Texts(wanted)
	if err != nil {
		return err
	}
	for _, u := range p.Undo {
		key := config.ObjectKey{Kind: u.Kind, Name: u.Name}
		var now config.ObjectHash
		if o := e.Current().Objects.Get(key); o != nil {
			now = o.Hash()
		}
		switch {
		case now != u.Put || u.Put == u.Before:
		case u.Before == config.ObjectHash{}:
			w.Remove = append(w.Remove, key)
		default:
			o, err := config.ObjectFromCanonical(key, texts[u.Before])
			if err != nil {
				return err
			}
			w.Put = append(w.Put, o)
		}
	}
	if len(w.Put)+len(w.Remove) == 0 {
		return e.settlePending(p.Revision, e.undone(p))
	}
	list := e.undone(p)
	if err := e.writeOurs(ctx, w, func(t *transaction) {
		t.record.Settled = []string{p.Revision}
		notePendingList(t, list)
	}); err != nil {
		return err
	}
	e.pending = list
	e.stats.undone.Add(1)
	e.log.Warn("config.undone", zap.String("revision", p.Revision), zap.String("why", w.Reason))
	e.event("config.undone", &revision.Revision{ID: p.Revision, Site: e.opts.Site}, w.Reason)
	return nil
}

// writeOurs makes a write that the engine itself wants. What is wrong with its result is left out, since the rest must not wait for it.
func (e *Engine) writeOurs(ctx context.Context, w *revision.Write, also func(*transaction)) error {
	view := e.Current()
	d := &draft{write: w, byUs: true, outcome: &revision.Outcome{View: view}, objects: view.Objects.With(w.Put, w.Remove)}
	for _, c := range config.Diff(view.Objects, d.objects) {
		d.outcome.Changes = append(d.outcome.Changes, revision.ObjectChange(c))
		d.keys = append(d.keys, c.Key)
	}
	if len(d.keys) > 0 {
		var err error
		if d.candidate, err = e.opts.Compiler.Compile(ctx, d.objects, true); err != nil {
			return err
		}
	}
	return e.commit(d, also)
}
