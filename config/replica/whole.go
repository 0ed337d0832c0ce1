package replica

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"fairlead/config"
	"fairlead/config/revision"
)

// takeState takes a whole state in hand: objects that it names are asked for, and then it is joined.
func (e *Engine) takeState(p *peer, s *revision.State) error {
	now := e.opts.Now()
	p.wanted = now // nothing else is asked for until its objects are there
	if own := e.state.Vector()[e.actor]; s.Vector()[e.actor] > own {
		return ownActor(s.Vector()[e.actor], own)
	}
	if ahead := s.Newest().Sub(now); ahead > MaxAhead {
		p.lastError = fmt.Sprintf("the newest of its revisions is %v ahead of this site's clock; it is taken when it is at most %v", ahead.Round(time.Second), MaxAhead)
		p.wanted = now.Add(askAgain - wantPatience)
		return nil
	}
	if s.Vector().OnlySeeds() && !e.state.Vector().OnlySeeds() {
		return nil
	}
	e.incoming = &incoming{state: s, from: p.site, lacks: e.lacking(namedBy(s))}
	return nil
}

// namedBy returns the objects that a state names, each once.
func namedBy(s *revision.State) []config.ObjectHash {
	all := map[config.ObjectHash]bool{}
	for k := range s.Keys {
		for _, r := range s.Registers(k) {
			all[r.Hash] = true
		}
	}
	delete(all, config.ObjectHash{})
	return slices.Collect(maps.Keys(all))
}

// mergeState joins a whole state. A child takes it in place of a seed of its own.
func (e *Engine) mergeState(ctx context.Context, in *incoming) error {
	t := e.begin()
	if e.mode() == ModeReadOnly && e.onlySeedsBeyond(in.state.Vector()) {
		keys := map[config.ObjectKey]bool{}
		for k := range t.state.Keys {
			keys[k] = true
		}
		t.state, t.keys = revision.NewState(), keys
	}
	if err := t.join(in.state, in.from); err != nil {
		return err
	}
	for k := range in.state.Keys {
		for _, r := range t.state.Registers(k) {
			if err := e.keepObject(t, k, r.Hash); err != nil {
				return err
			}
		}
	}
	return e.finishMerge(ctx, t, in.from)
}
