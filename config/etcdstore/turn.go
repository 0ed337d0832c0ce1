package etcdstore

import (
	"context"
	"time"
)

const (
	// turnAfter is how many other writes may be faster than one before it asks for its turn: a node that knows the head, since it wrote it, is
	// always faster than one that has to take it in first.
	turnAfter = 3
	// turnFor is how long a turn lasts at most, and how long one write waits for the turns of others.
	turnFor = 5 * time.Second
	// turnEvery is between two looks whether a turn is over.
	turnEvery = 20 * time.Millisecond
)

// awaitTurn lets another node write first that was too late several times, and asks for that itself where this write was. Turns are manners, not
// locks: nothing depends on them but who waits. The error is that of currentNow.
func (e *Engine) awaitTurn(ctx context.Context, d *draft, lost int) error {
	if e.turn == 0 {
		d.turn = false // it is over
	}
	for began := time.Now(); e.turn != 0 && !d.turn && time.Since(began) < turnFor; {
		timer := time.NewTimer(turnEvery)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil // whoever asks next finds out
		}
		if err := e.currentNow(ctx); err != nil {
			return err
		}
	}
	if lost < turnAfter || d.turn {
		return nil
	}
	if keys, err := e.connected(); err == nil {
		d.turn, _ = keys.lock(ctx, turnKey, int64(turnFor/time.Second)) // without it the write is tried all the same
	}
	return nil
}

// endTurn ends the turn of a write that was not made, if it had one and that can be done: else it ends by itself.
func (e *Engine) endTurn(ctx context.Context, d *draft) {
	if !d.turn {
		return
	}
	if keys, err := e.connected(); err == nil {
		_, _, _ = keys.commit(ctx, &move{key: headKey, version: e.version, remove: []string{turnKey}})
	}
}
