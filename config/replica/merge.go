package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/config/revision"
)

const (
	// maxBatch is how many revisions are taken in at once.
	maxBatch = 1000
	// maxSingle is how many of those that do not work together are tried one by one.
	maxSingle = 16
	// orphanAge is how long a revision waits for those before it, or its objects. When a store was lost just after it told of its newest revision,
	// nobody has them.
	orphanAge = time.Hour
)

// advance takes in what can be: a whole state, and then revisions.
func (e *Engine) advance(ctx context.Context) {
	before := e.state
	if e.incoming != nil && len(e.incoming.lacks) == 0 {
		in := e.incoming
		e.incoming = nil
		if err := e.mergeState(ctx, in); err != nil {
			e.log.Warn("config.state.refused", zap.String("site", in.from), zap.Error(err))
			if p := e.peers[in.from]; p != nil {
				p.lastError, p.wanted = err.Error(), e.opts.Now().Add(askAgain)
			}
		} else if p := e.peers[in.from]; p != nil && !e.state.Vector().Equal(before.Vector()) {
			p.wanted = time.Time{} // it may have told of more while its state was on its way
		}
	}
	for {
		ready := e.ready()
		if len(ready) == 0 || !e.mergeAll(ctx, ready) {
			break
		}
	}
	e.dropTexts()
	if e.state != before {
		e.putBack(ctx)
		e.tellAllHeads()
	}
}

// ready returns revisions that can be taken in now, in order. A seed comes with a write that has seen it, or when nobody has written.
func (e *Engine) ready() (out []*held) {
	v, now := e.state.Vector().Clone(), e.opts.Now()
	seen, wrote := revision.Vector{}, !e.state.Vector().OnlySeeds()
	for _, h := range e.inOrder() {
		r := h.revision
		if e.state.Vector().Covers(r.Dot) {
			e.release(h)
			continue
		}
		if h.early = r.Time.Sub(now) > MaxAhead; h.early {
			e.quarantine(h)
		}
		if now.Sub(h.since) > orphanAge && !h.early {
			e.release(h) // a site that has what comes before it has it, too
			continue
		}
		if h.early || h.refused != "" || h.broken != "" || len(h.lacks) > 0 || v[r.Dot.Actor]+1 != r.Dot.Seq || !v.Includes(r.Seen) || len(out) >= maxBatch {
			continue
		}
		v[r.Dot.Actor] = r.Dot.Seq
		out = append(out, h)
		if !r.Dot.Seed() {
			wrote = true
			seen.Join(r.Seen)
		}
	}
	return slices.DeleteFunc(out, func(h *held) bool {
		alone := wrote && h.revision.Dot.Seed() && !seen.Covers(h.revision.Dot)
		if alone && now.Sub(h.since) > askAgain {
			e.release(h)
		}
		return alone
	})
}

// ripe reports whether a revision's time has come.
func (e *Engine) ripe() bool {
	now := e.opts.Now()
	for _, h := range e.held {
		if h.early && h.revision.Time.Sub(now) <= MaxAhead {
			return true
		}
	}
	return false
}

// quarantine tells once that a revision is not taken.
func (e *Engine) quarantine(h *held) {
	if h.told {
		return
	}
	h.told = true
	e.stats.quarantined.Add(1)
	why := h.why(e.opts.Now())
	e.log.Warn("config.quarantined", zap.String("revision", h.revision.ID), zap.String("site", h.from), zap.String("why", why))
	e.event("config.quarantined", h.revision, why)
}

// mergeAll takes in revisions together, or those of them that work. It reports whether any was.
func (e *Engine) mergeAll(ctx context.Context, list []*held) bool {
	err := e.merge(ctx, list)
	if err == nil {
		return true
	}
	if errors.Is(err, revision.ErrUnavailable) {
		return false
	}
	if len(list) > 1 && len(list) <= maxSingle {
		some := false
		for _, h := range list {
			if v := e.state.Vector(); v.Includes(h.revision.Seen) && v[h.revision.Dot.Actor]+1 == h.revision.Dot.Seq {
				some = e.mergeAll(ctx, []*held{h}) || some
			}
		}
		return some
	}
	for _, h := range list {
		if h.broken == "" {
			h.refused = err.Error()
		}
		e.quarantine(h)
	}
	return false
}

// merge takes in revisions, all or none.
func (e *Engine) merge(ctx context.Context, list []*held) error {
	t := e.begin()
	all := make([]*revision.Revision, len(list))
	for i, h := range list {
		all[i] = h.revision
	}
	t.state.Expect(all)
	for _, h := range list {
		if err := t.apply(h.revision, h.from); err != nil {
			return err
		}
		for _, c := range h.revision.Changes {
			if err := e.keepObject(t, c.Key, c.Hash); err != nil {
				if errors.Is(err, errMalformed) {
					h.broken = err.Error()
				}
				return err
			}
		}
	}
	return e.finishMerge(ctx, t, list[0].from)
}

// keepObject adds an object that was heard to what is stored.
func (e *Engine) keepObject(t *transaction, key config.ObjectKey, hash config.ObjectHash) error {
	if hash == (config.ObjectHash{}) {
		return nil
	}
	if o := e.Current().Objects.Get(key); o != nil && o.Hash() == hash {
		return nil
	}
	text, heard := e.texts[hash]
	if !heard {
		o, err := e.stored(key, hash)
		if err == nil {
			t.record.Objects = append(t.record.Objects, o)
		}
		return err
	}
	o, err := config.ObjectFromCanonical(key, text)
	if err != nil {
		return fmt.Errorf("%w: %w", errMalformed, err)
	}
	t.record.Objects = append(t.record.Objects, o)
	return nil
}

// finishMerge compiles what a transaction makes of the document, stores it, and has it served.
func (e *Engine) finishMerge(ctx context.Context, t *transaction, from string) error {
	fresh := make(map[config.ObjectKey][]*config.Object, len(t.record.Objects))
	for _, o := range t.record.Objects {
		fresh[o.Key()] = append(fresh[o.Key()], o)
	}
	var put []*config.Object
	var remove []config.ObjectKey
	for _, c := range t.changes() {
		if c.After == (config.ObjectHash{}) {
			remove = append(remove, c.Key)
			continue
		}
		i := slices.IndexFunc(fresh[c.Key], func(o *config.Object) bool { return o.Hash() == c.After })
		if i >= 0 {
			put = append(put, fresh[c.Key][i])
			continue
		}
		o, err := e.stored(c.Key, c.After)
		if err != nil {
			return err
		}
		put = append(put, o)
	}
	objects := e.Current().Objects.With(put, remove)
	c, serves := e.candidate, true
	if len(put)+len(remove) > 0 || c == nil {
		next, err := e.opts.Compiler.Compile(ctx, objects, true)
		if err != nil && e.instead == nil {
			return err
		}
		c, serves = next, err == nil
	} else if e.instead != nil {
		serves = false
	}
	before := e.state
	if err := e.store(t); err != nil {
		return err
	}
	for _, h := range e.inOrder() {
		if e.state.Vector().Covers(h.revision.Dot) {
			e.release(h)
		}
	}
	if serves {
		e.adopt(c, objects)
	} else { // what counted before could not be served either: what mends it may be on its way
		e.counting(objects)
	}
	e.merged(t, before, from)
	return nil
}

// stored returns an object that is kept.
func (e *Engine) stored(key config.ObjectKey, hash config.ObjectHash) (*config.Object, error) {
	if o := e.Current().Objects.Get(key); o != nil && o.Hash() == hash {
		return o, nil
	}
	texts, err := e.opts.Store.Texts([]config.ObjectHash{hash})
	if err != nil {
		return nil, err
	}
	text, kept := texts[hash]
	if !kept {
		return nil, fmt.Errorf("object %s is not kept", key)
	}
	return config.ObjectFromCanonical(key, text)
}

// merged tells what was taken in, and which conflicts came with it.
func (e *Engine) merged(t *transaction, before *revision.State, from string) {
	e.stats.merged.Add(uint64(len(t.record.Log)))
	e.log.Info("config.merged", zap.String("site", from), zap.Int("revisions", len(t.record.Log)), zap.String("revision", e.state.ID()))
	for i := range t.record.Log {
		e.event("config.merged", t.record.Log[i].Revision, "heard from site "+from)
	}
	told := 0
	for _, k := range t.record.Keys {
		all := e.state.Registers(k)
		if differ(all) && !differ(before.Registers(k)) {
			if told++; told > maxConflictsTold {
				break
			}
			e.log.Warn("config.conflict", zap.Stringer("object", k), zap.String("counts", all[0].Origin.Site), zap.String("other", all[1].Origin.Site))
			e.event("config.conflict", &revision.Revision{ID: all[0].Origin.ID, Site: all[0].Origin.Site, Author: all[0].Origin.Author}, k.String())
		}
	}
}

// maxConflictsTold bounds what the log and events tell of one merge; Conflicts lists all.
const maxConflictsTold = 20

func differ(all []revision.Register) bool {
	return len(all) > 1 && slices.ContainsFunc(all[1:], func(r revision.Register) bool { return r.Hash != all[0].Hash })
}
