package etcdstore

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"fairlead/config/replica"
	"fairlead/config/revision"
)

const (
	// keepRevisions is how many revisions etcd keeps at least, with their objects.
	keepRevisions = 1000
	// writeFor is longer than any write takes: what was put longer ago, and is named by nothing, was left by a write that lost.
	writeFor = time.Hour
	// lockFor is how long one node looks at most, in seconds.
	lockFor = 120
	// maxCollect is how many keys are removed at once, at most.
	maxCollect = 10_000
	// keyPage is how many keys without values one answer has.
	keyPage = 5000
	// maxTrims is how often at once the oldest idempotency keys are removed.
	maxTrims = 10
)

// mark says which revision etcd had at a time.
type mark struct {
	Version int64     `json:"version"`
	Time    time.Time `json:"time"`
}

// collect removes from etcd what nobody needs any more. One node does it at a time; what goes wrong is tried again after an hour.
func (e *Engine) collect(ctx context.Context) {
	if e.opts.ReadOnly {
		return
	}
	n, err := e.collectOnce(ctx)
	if err != nil {
		e.log.Warn("config.collect.failed", zap.Error(err))
	} else if n > 0 {
		e.log.Info("config.collected", zap.Int("keys", n))
	}
}

// trimOnces removes the oldest idempotency keys where there are more than replica.MaxOnce, when this node has added some.
func (e *Engine) trimOnces(ctx context.Context) {
	added := e.onces.Swap(0)
	if added == 0 {
		return
	}
	keys, err := e.connected()
	for left := maxTrims; err == nil && left > 0; left-- {
		var n int
		if n, err = keys.trim(ctx, onceKey, replica.MaxOnce); n < maxTrim {
			break
		}
	}
	if err != nil {
		e.onces.Add(added) // at the next time
		e.log.Warn("config.collect.failed", zap.Error(err))
	}
}

// collectOnce removes what was not touched since the mark that was left writeFor ago or longer, and leaves a new one.
func (e *Engine) collectOnce(ctx context.Context) (int, error) {
	keys, err := e.connected()
	if err != nil {
		return 0, err
	}
	if mine, err := keys.lock(ctx, lockKey, lockFor); err != nil || !mine {
		return 0, err
	}
	s, err := e.look(ctx)
	if err != nil || s.head == nil {
		return 0, err
	}
	all, _, err := keys.read(ctx, collectKey)
	if err != nil {
		return 0, err
	}
	var m mark
	now := e.opts.Now().UTC()
	if len(all[0]) > 0 {
		if err := json.Unmarshal(all[0][0].value, &m); err != nil {
			return 0, fmt.Errorf("read %s in etcd: %w", collectKey, err)
		}
		if now.Sub(m.Time) < writeFor {
			return 0, nil
		}
	}
	n := 0
	if m.Version > 0 {
		if n, err = e.remove(ctx, keys, s, m.Version); err != nil {
			return n, err
		}
	}
	text, err := json.Marshal(mark{s.version, now})
	if err != nil {
		return n, err
	}
	return n, keys.put(ctx, []item{{key: collectKey, value: text}})
}

// remove removes what is not needed and was not changed after a revision of etcd.
func (e *Engine) remove(ctx context.Context, keys keyspace, s *seen, after int64) (int, error) {
	e.work.Lock()
	if e.head == nil || e.head.Revision != s.head.Revision {
		e.work.Unlock()
		return 0, nil // at the next time
	}
	state := e.state
	e.work.Unlock()
	needed := map[string]bool{}
	for k := range state.Keys {
		needed[objectKey(k, state.Winner(k).Hash)] = true
	}
	if err := e.needHistory(ctx, s, needed); err != nil {
		return 0, err
	}
	var garbage []string
	for _, prefix := range []string{objectsKey, revisionsKey, manifestsKey, undoKey} {
		for from := prefix; len(garbage) < maxCollect; {
			items, err := keys.scan(ctx, from, prefix+"~", keyPage, true)
			if err != nil {
				return 0, err
			}
			for _, it := range items {
				if !needed[wholeKey(it.key)] && it.version <= after && !recent(it.key, s.head.Number) {
					garbage = append(garbage, it.key)
				}
			}
			if len(items) < keyPage {
				break
			}
			from = items[len(items)-1].key + "\x00"
		}
	}
	n := 0
	for part := range slices.Chunk(garbage, maxOps) {
		done, err := keys.drop(ctx, headKey, s.key, part, after)
		if err != nil || !done {
			return n, err
		}
		n += len(part)
	}
	return n, nil
}

// recent reports whether a key is that of a revision which is kept.
func recent(key string, number uint64) bool {
	rest, is := strings.CutPrefix(key, revisionsKey)
	if !is {
		return false
	}
	digits, _, _ := strings.Cut(rest, "-")
	n, err := strconv.ParseUint(digits, 10, 64)
	return err != nil || n+keepRevisions > number
}

// needHistory notes what the revisions that are kept, the manifest, and writes that wait to be confirmed need.
func (e *Engine) needHistory(ctx context.Context, s *seen, needed map[string]bool) error {
	first := uint64(1)
	if s.head.Number > keepRevisions {
		first = s.head.Number - keepRevisions + 1
	}
	for ; first <= s.head.Number; first += maxBehind {
		texts, err := e.texts(ctx, first, min(first+maxBehind-1, s.head.Number))
		if err != nil {
			return err
		}
		for _, key := range slices.Sorted(maps.Keys(texts)) {
			r, err := revision.Decode(texts[key])
			if err != nil {
				return fmt.Errorf("read %s in etcd: %w", key, err)
			}
			for _, c := range r.Changes {
				needed[objectKey(c.Key, c.Hash)] = true
			}
		}
	}
	needed[numbered(manifestsKey, s.head.Manifest, s.head.Base)] = true
	needed[numbered(revisionsKey, s.head.Manifest, s.head.Base)] = true
	for _, p := range s.pending {
		if err := e.needUndo(ctx, p.Revision, needed); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) needUndo(ctx context.Context, id string, needed map[string]bool) error {
	keys, err := e.connected()
	if err != nil {
		return err
	}
	all, _, err := keys.read(ctx, undoKey+id)
	if err != nil {
		return err
	}
	needed[undoKey+id] = true
	var lines []undoLine
	if err := json.Unmarshal(joined(all[0]), &lines); err != nil {
		return fmt.Errorf("read %s%s in etcd: %w", undoKey, id, err)
	}
	for _, u := range lines {
		if u.Before != [32]byte{} {
			needed[objectKey(keyOf(u), u.Before)] = true
		}
	}
	return nil
}
