package etcdstore

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
	"fairlead/config/replica"
	"fairlead/config/revision"
)

// pend adds to a move that its revision waits to be confirmed, unless replica.MaxPending wait already.
func (e *Engine) pend(a *arrival, m *move, d *draft, items []item) ([]item, error) {
	e.mu.Lock()
	already := len(e.pending)
	e.mu.Unlock()
	if already >= replica.MaxPending {
		return nil, fmt.Errorf("%w: %d writes wait to be confirmed, which is the limit; confirm one of them, or wait until one is undone", revision.ErrRefused, replica.MaxPending)
	}
	r := a.lines[0].Revision
	p := waiting{Site: e.opts.Site, Revision: r.ID, Until: a.lines[0].Applied.Add(d.write.Confirm), Within: d.write.Confirm.String()}
	var lines []undoLine
	for _, c := range d.outcome.Changes {
		u := undoLine{Kind: c.Key.Kind, Name: c.Key.Name}
		if c.Before != nil {
			u.Before = c.Before.Hash()
		}
		if c.After != nil {
			u.Put = c.After.Hash()
		}
		lines = append(lines, u)
	}
	text, err := json.Marshal(lines)
	if err != nil {
		return nil, err
	}
	line, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	a.pending = append(a.pending, p)
	a.lines[0].Pending = p.Until
	m.put = append(m.put, item{key: pendingKey + r.ID, value: line})
	return append(items, chunked(undoKey+r.ID, text)...), nil
}

// Confirm keeps a write that was made with Write.Confirm, at any node; see revision.Documents. The id may be its first digits.
func (e *Engine) Confirm(ctx context.Context, id, author string) error {
	e.work.Lock()
	defer e.work.Unlock()
	if err := e.writable(); err != nil {
		return err
	}
	if err := e.currentNow(ctx); err != nil {
		return err
	}
	e.mu.Lock()
	i := slices.IndexFunc(e.pending, func(p waiting) bool { return len(id) >= 4 && strings.HasPrefix(p.Revision, id) })
	var full string
	if i >= 0 {
		full = e.pending[i].Revision
	}
	e.mu.Unlock()
	if full == "" {
		return fmt.Errorf("confirm revision %s: %w: it does not wait to be confirmed", id, revision.ErrUnknown)
	}
	if err := e.settle(ctx, full); err != nil {
		return err
	}
	e.log.Info("config.confirmed", zap.String("revision", full), zap.String("author", author))
	e.event("config.confirmed", &revision.Revision{ID: full, Author: author, Site: e.opts.Site}, "")
	return nil
}

// settle has a write wait no more.
func (e *Engine) settle(ctx context.Context, id string) error {
	for range maxTries {
		done, _, err := e.moved(ctx, &move{key: headKey, version: e.version, present: pendingKey + id, remove: []string{pendingKey + id}}, nil)
		if err != nil {
			return err
		}
		if err := e.currentNow(ctx); err != nil {
			return err
		}
		e.mu.Lock()
		waits := slices.ContainsFunc(e.pending, func(p waiting) bool { return p.Revision == id })
		e.mu.Unlock()
		if done {
			return nil
		}
		if !waits {
			return fmt.Errorf("confirm revision %.8s: %w: it was confirmed or undone at another node just now", id, revision.ErrUnknown)
		}
	}
	return fmt.Errorf("confirm revision %.8s: %w: other writes were faster", id, revision.ErrUnavailable)
}

// nowWaits notes which writes wait to be confirmed. e.mu is held.
func (e *Engine) nowWaits(list []waiting) {
	now, since := e.opts.Now(), map[string]time.Time{}
	for _, p := range list {
		heard, known := e.waits[p.Revision]
		if !known {
			heard = now
		}
		since[p.Revision] = heard
	}
	e.pending, e.waits = list, since
}

// isDue reports whether a write was not confirmed in time. A node whose clock is ahead of the writer's must not undo it early, so each but the writer
// waits as long as the writer gave, from when it heard of it, too. e.mu is held.
func (e *Engine) isDue(p waiting, now time.Time) bool {
	if now.Before(p.Until) {
		return false
	}
	within, err := time.ParseDuration(p.Within)
	return p.Site == e.opts.Site || err != nil || now.Sub(e.waits[p.Revision]) >= within
}

// undoDue undoes what was not confirmed in time. All nodes try; one is the first. What did not work is tried again later, as
// replica.UndoTries says.
func (e *Engine) undoDue(ctx context.Context) {
	if e.opts.ReadOnly {
		return
	}
	now := e.opts.Now()
	e.mu.Lock()
	e.undoTries.Only(func(id string) bool {
		return slices.ContainsFunc(e.pending, func(p waiting) bool { return p.Revision == id })
	})
	due := slices.DeleteFunc(slices.Clone(e.pending), func(p waiting) bool { return !e.isDue(p, now) || !e.undoTries.Due(p.Revision, now) })
	e.mu.Unlock()
	for _, p := range due {
		e.work.Lock()
		err := e.undo(ctx, p)
		e.work.Unlock()
		if err == nil {
			continue
		}
		e.mu.Lock()
		tell := e.undoTries.Failed(p.Revision, err.Error(), now)
		e.mu.Unlock()
		if tell {
			e.log.Warn("config.undo.failed", zap.String("revision", p.Revision), zap.Error(err))
		}
	}
}

// undo puts back what was there before a write, where nobody has written since.
func (e *Engine) undo(ctx context.Context, p waiting) error {
	if err := e.currentNow(ctx); err != nil {
		return err
	}
	e.mu.Lock()
	waits := slices.ContainsFunc(e.pending, func(q waiting) bool { return q.Revision == p.Revision })
	e.mu.Unlock()
	if !waits {
		return nil
	}
	keys, err := e.connected()
	if err != nil {
		return err
	}
	all, _, err := keys.read(ctx, undoKey+p.Revision)
	if err != nil {
		return err
	}
	var lines []undoLine
	if err := json.Unmarshal(joined(all[0]), &lines); err != nil { // nor will it be at the next try
		return errors.Join(fmt.Errorf("etcd lacks what was there before, so the write stays: %w", err), e.settle(ctx, p.Revision))
	}
	d := &draft{confirmed: p.Revision, write: &revision.Write{Author: "node " + e.opts.Site, Source: "rollback",
		Reason: fmt.Sprintf("revision %.8s was not confirmed within %s", p.Revision, p.Within)}}
	if err := e.before(ctx, d.write, lines); err != nil {
		return err
	}
	if len(d.write.Put)+len(d.write.Remove) == 0 {
		return e.settle(ctx, p.Revision)
	}
	view := e.Current()
	d.objects, d.outcome = view.Objects.With(d.write.Put, d.write.Remove), &revision.Outcome{View: view}
	for _, c := range config.Diff(view.Objects, d.objects) {
		d.keys = append(d.keys, c.Key)
	}
	if d.candidate, err = e.opts.Compiler.Compile(ctx, d.objects, true); err != nil {
		return err
	}
	done, err := e.move(ctx, d)
	if err != nil || !done {
		return err
	}
	e.stats.undone.Add(1)
	e.log.Warn("config.undone", zap.String("revision", p.Revision), zap.String("why", d.write.Reason))
	e.event("config.undone", &revision.Revision{ID: p.Revision, Site: e.opts.Site}, d.write.Reason)
	return nil
}

// before adds to a write what was there, for each object that is still as it was put.
func (e *Engine) before(ctx context.Context, w *revision.Write, lines []undoLine) error {
	for _, u := range lines {
		key := keyOf(u)
		var now config.ObjectHash
		if o := e.Current().Objects.Get(key); o != nil {
			now = o.Hash()
		}
		switch {
		case now != u.Put || u.Put == u.Before:
		case u.Before == config.ObjectHash{}:
			w.Remove = append(w.Remove, key)
		default:
			one, err := e.fetch(ctx, map[config.ObjectHash]config.ObjectKey{u.Before: key})
			if err != nil {
				return err
			}
			w.Put = append(w.Put, one[u.Before])
		}
	}
	return nil
}

func keyOf(u undoLine) config.ObjectKey { return config.ObjectKey{Kind: u.Kind, Name: u.Name} }
