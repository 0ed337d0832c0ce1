package etcdstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"fairlead/config/replica"
	"fairlead/config/revision"
)

const (
	// settleFor is how long is tried, before its author is answered, to learn whether a write was made that etcd did not answer.
	settleFor = 8 * time.Second
	// settleEvery is between two tries.
	settleEvery = 250 * time.Millisecond
)

// noteDoubt is the name of a note in the store: a write whose author was told that its outcome is not known.
const noteDoubt = "etcd.doubt"

// doubt is a write that etcd was asked to make and did not answer.
type doubt struct {
	Revision string `json:"revision"`
	Number   uint64 `json:"number"`
	Version  int64  `json:"version"` // of the head, that it must have for the write to be made

	kept bool // in the store
}

// keepDoubt has a write that is in doubt be learned of after a restart, too.
func (e *Engine) keepDoubt() {
	if e.behind {
		return // the store would have the state without its objects
	}
	text, err := json.Marshal(e.doubt)
	if err == nil {
		err = e.opts.Store.Commit(&replica.Record{State: e.state, Notes: map[string][]byte{noteDoubt: text}})
	}
	if e.doubt.kept = err == nil; err != nil {
		e.keptCopy(err)
	}
}

// endDoubt forgets it.
func (e *Engine) endDoubt() {
	if e.doubt.kept && !e.behind {
		if err := e.opts.Store.Commit(&replica.Record{State: e.state, Notes: map[string][]byte{noteDoubt: nil}}); err != nil {
			e.keptCopy(err) // it is learned once more after a restart, which does nothing
		}
	}
	e.doubt = nil
}

// settleNow learns what became of a write: true when it was made, false when it was not and never will be, so that it can be tried again. Where
// etcd says nothing in time the error wraps ErrOutcome.
func (e *Engine) settleNow(ctx context.Context, d *draft, r *revision.Revision, asked error) (bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleFor)
	defer cancel()
	for {
		made, err := e.settleDoubt(ctx)
		switch {
		case err == nil && made:
			d.outcome.Revision, d.outcome.View = r, e.Current()
			return true, nil
		case err == nil:
			return false, nil
		}
		e.hung(err)
		again := time.NewTimer(settleEvery)
		select {
		case <-again.C:
			continue
		case <-ctx.Done():
		}
		again.Stop()
		e.keepDoubt()
		e.log.Warn("config.write.unknown", zap.String("revision", r.ID), zap.Error(asked))
		return false, fmt.Errorf("%w. It would be revision %.8s: look whether the history has it when etcd is there again; or repeat the request with the same idempotency key, if it had one, which is harmless and tells",
			asked, r.ID)
	}
}

// dispel learns what became of a write whose author was told that it is not known.
func (e *Engine) dispel(ctx context.Context) error {
	if e.doubt == nil {
		return nil
	}
	id := e.doubt.Revision
	made, err := e.settleDoubt(ctx)
	if err != nil {
		return fmt.Errorf("learn whether revision %.8s was made: %w", id, err)
	}
	e.log.Warn("config.write.settled", zap.String("revision", id), zap.Bool("made", made))
	return nil
}

// settleDoubt finds out whether the write in doubt counts, and sees to it that it will not come to count later: it is for one version of the head,
// and the head is given another one. An error says that it is not known.
func (e *Engine) settleDoubt(ctx context.Context) (bool, error) {
	for range maxTries {
		s, err := e.look(ctx)
		if err == nil {
			err = e.take(ctx, s)
		}
		if err != nil {
			return false, err
		}
		if s.key != e.doubt.Version {
			made, err := e.isMade(ctx)
			if err == nil {
				e.endDoubt()
			}
			return made, err
		}
		keys, err := e.connected()
		if err != nil {
			return false, err
		}
		if _, _, err = keys.commit(ctx, &move{key: headKey, version: s.key, put: []item{{key: headKey, value: s.text}}}); err != nil {
			return false, err
		}
	}
	return false, errors.New("the head moves all the time")
}

// isMade reports whether the write in doubt counts, where the head has moved since.
func (e *Engine) isMade(ctx context.Context) (bool, error) {
	if slices.Contains(e.taken, e.doubt.Revision) {
		return true, nil
	}
	if _, err := e.opts.Store.Find(e.doubt.Revision); err == nil {
		return true, nil
	}
	// A node that was far behind has not taken in each revision: one that follows the write, or that lost and was to follow it, was made by who saw it.
	next, err := e.texts(ctx, e.doubt.Number+1, e.doubt.Number+1)
	if err != nil {
		return false, err
	}
	for _, text := range next {
		if r, err := revision.Decode(text); err == nil && slices.Contains(r.Parents, e.doubt.Revision) {
			return true, nil
		}
	}
	return false, nil
}
