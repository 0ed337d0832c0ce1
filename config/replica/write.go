package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/config/revision"
	"fairlead/config/writes"
)

// draft is a write that was checked, and is not stored.
type draft struct {
	write     *revision.Write
	outcome   *revision.Outcome
	objects   *config.Objects // after it
	candidate Candidate       // nil: nothing changes
	keys      []config.ObjectKey
	byUs      bool // the engine's own: not asked for modes, and taken when it is no worse than what is there
}

// Plan says what a write would do; see revision.Documents. With an error that wraps ErrRefused there is an outcome, too.
func (e *Engine) Plan(ctx context.Context, w *revision.Write) (*revision.Outcome, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	d := &draft{write: w}
	err := e.draft(ctx, d)
	return d.outcome, err
}

// Commit makes a write; see revision.Documents. It needs no other site.
func (e *Engine) Commit(ctx context.Context, w *revision.Write) (*revision.Outcome, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if w.Once != "" {
		if out, err := e.once(w.Once); out != nil || err != nil {
			return out, err
		}
	}
	d := &draft{write: w}
	err := e.draft(ctx, d)
	if err == nil {
		err = e.commit(d, nil)
	}
	if err != nil {
		e.stats.refused.Add(1)
		e.log.Info("config.write.refused", zap.String("author", w.Author), zap.String("source", w.Source), zap.Error(err))
	}
	return d.outcome, err
}

// once returns the outcome of a write that was made before with the same key.
func (e *Engine) once(key string) (*revision.Outcome, error) {
	if len(key) > maxOnceKey {
		return nil, fmt.Errorf("%w: an idempotency key of %d bytes is above the limit of %d", revision.ErrRefused, len(key), maxOnceKey)
	}
	id, err := e.opts.Store.Once(key)
	if err != nil || id == "" {
		return nil, err
	}
	out := &revision.Outcome{View: e.Current()}
	if id == onceNothing {
		return out, nil
	}
	entry, err := e.opts.Store.Find(id)
	if errors.Is(err, revision.ErrUnknown) {
		out.Revision = &revision.Revision{ID: id} // the key is remembered for longer than the line of the history
		return out, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find what was made with the idempotency key: %w", err)
	}
	out.Revision = entry.Revision
	return out, nil
}

// onceNothing is kept for a write that changed nothing.
const onceNothing = "-"

// writable says why documents are not written here.
func (e *Engine) writable() error {
	switch e.mode() {
	case ModeFollow:
		return fmt.Errorf("%w: site %s follows the file %s; change that", revision.ErrReadOnly, e.opts.Site, e.opts.Follows)
	case ModeReadOnly:
		return fmt.Errorf("%w: site %s takes its document from its parent%s; write there", revision.ErrReadOnly, e.opts.Site, prefixed(" ", e.opts.Parent()))
	}
	for _, site := range e.peerNames() {
		if p := e.peers[site]; p.up && p.heads != nil && p.heads.mode == ModeFollow && e.opts.Role(site) == RoleMesh {
			return fmt.Errorf("%w: site %s follows a file, which is the truth for all sites; change that, or set its config.seed in place of config.follow",
				revision.ErrReadOnly, site)
		}
	}
	return nil
}

// prefixed is a text with something before it, unless it is empty.
func prefixed(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

// draft checks a write against what is there and fills in the rest of d. The outcome may be there with an error, too.
func (e *Engine) draft(ctx context.Context, d *draft) error {
	w, view := d.write, e.Current()
	if !d.byUs {
		if err := e.writable(); err != nil {
			return err
		}
	}
	if err := writes.CheckTexts(w); err != nil {
		return err
	}
	if w.Confirm > 0 && len(e.pending) >= MaxPending {
		return fmt.Errorf("%w: %d writes wait to be confirmed, which is the limit; confirm one of them, or wait until one is undone", revision.ErrRefused, MaxPending)
	}
	if err := writes.CheckStale(w, view); err != nil {
		return err
	}
	var err error
	if d.objects, err = writes.After(w, view.Objects); err != nil {
		return err
	}
	d.outcome = &revision.Outcome{View: view}
	for _, c := range config.Diff(view.Objects, d.objects) {
		d.outcome.Changes = append(d.outcome.Changes, revision.ObjectChange(c))
		d.keys = append(d.keys, c.Key)
	}
	for _, k := range w.Resolve {
		if len(e.state.Registers(k)) < 2 {
			return fmt.Errorf("resolve the conflict of %s: %w", k, revision.ErrUnknown)
		}
		if !slices.Contains(d.keys, k) {
			d.keys = append(d.keys, k)
		}
	}
	if len(d.keys) == 0 {
		return nil
	}
	if d.candidate, err = writes.Compile(ctx, e.opts.Compiler, d.objects, view); err != nil {
		return err
	}
	d.outcome.Warnings = d.candidate.Warnings()
	if d.outcome.Effect, err = e.opts.Compiler.Effect(ctx, e.candidate, d.candidate); err != nil {
		return fmt.Errorf("compute the effect: %w", err)
	}
	return writes.RefuseLost(w, d.outcome.Effect)
}

// commit stores a draft, has it served, and tells others. also may add to what is stored.
func (e *Engine) commit(d *draft, also func(*transaction)) error {
	t := e.begin()
	w := d.write
	r := &revision.Revision{Dot: revision.Dot{Actor: e.actor, Seq: e.state.Vector()[e.actor] + 1}, Seen: e.state.Vector().Clone(), Site: e.opts.Site,
		Author: w.Author, Source: w.Source, Reason: w.Reason, Time: e.state.NextTime(t.now)}
	for _, h := range e.state.Heads() {
		r.Parents = append(r.Parents, h.ID)
	}
	for _, k := range d.keys {
		c := revision.Change{Key: k}
		if o := d.objects.Get(k); o != nil {
			c.Hash = o.Hash()
			t.record.Objects = append(t.record.Objects, o)
		}
		r.Changes = append(r.Changes, c)
	}
	if len(d.keys) > 0 {
		if err := errors.Join(r.Seal(), t.apply(r, "")); err != nil {
			return fmt.Errorf("%w: %w", revision.ErrRefused, err)
		}
	} else {
		r = nil
	}
	list := e.pendWrite(d, r, t)
	if also != nil {
		also(t)
	}
	if w.Once != "" {
		t.record.Once = &OnceLine{w.Once, onceNothing, t.now}
		if r != nil {
			t.record.Once.Revision = r.ID
		}
	}
	if r == nil && t.record.Once == nil && t.record.Notes == nil {
		return nil
	}
	if err := e.store(t); err != nil {
		return err
	}
	e.pending = list
	if r == nil {
		return nil
	}
	e.adopt(d.candidate, d.objects)
	d.outcome.Revision, d.outcome.View = r, e.Current()
	e.written(r)
	e.push(r, t.record.Objects)
	return nil
}

// store commits a transaction and makes its state the one that is known. The error wraps ErrUnavailable.
func (e *Engine) store(t *transaction) error {
	if err := e.opts.Store.Commit(t.finish()); err != nil {
		if !errors.Is(err, revision.ErrUnavailable) {
			err = fmt.Errorf("%w: %w", revision.ErrUnavailable, err)
		}
		e.storeFailed(err.Error())
		return err
	}
	e.storeWorks()
	e.state = t.state
	return nil
}

func (e *Engine) written(r *revision.Revision) {
	e.stats.written.Add(1)
	e.log.Info("config.written", zap.String("revision", r.ID), zap.String("author", r.Author), zap.String("source", r.Source), zap.Int("objects", len(r.Changes)))
	e.event("config.written", r, r.Reason)
}
