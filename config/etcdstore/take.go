package etcdstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
)

const (
	// maxBehind is how many revisions are taken in one by one; a node that is further behind takes a manifest.
	maxBehind = 256
	// maxTexts bounds the revisions that are read at once, in bytes.
	maxTexts = 512 << 20
)

var (
	// errOther says that what is in etcd does not follow what this node has.
	errOther = errors.New("not taken")
	// errGone says that etcd does not keep all revisions that are needed.
	errGone = errors.New("etcd does not have all revisions any more")
)

// seen is what etcd has at one moment.
type seen struct {
	moment
	head    *head // nil: no document
	text    []byte
	key     int64 // version of the head; 0: none
	pending []waiting
	turn    int64 // version of turnKey; 0: it is nobody's turn
}

// look reads what etcd has.
func (e *Engine) look(ctx context.Context) (*seen, error) {
	keys, err := e.connected()
	if err != nil {
		return nil, err
	}
	all, at, err := keys.read(ctx, headKey, pendingKey, turnKey)
	if err != nil {
		return nil, err
	}
	s := &seen{moment: at}
	for _, it := range all[0] {
		if it.key != headKey {
			continue
		}
		s.key, s.text = it.version, it.value
		if s.head, err = decodeHead(it.value); err != nil {
			return nil, e.spoilt(err, it.version)
		}
	}
	if len(all[2]) > 0 && all[2][0].key == turnKey {
		s.turn = all[2][0].version
	}
	for _, it := range all[1] {
		var w waiting
		if err := json.Unmarshal(it.value, &w); err != nil || it.key != pendingKey+w.Revision {
			e.strange(it)
			continue
		}
		s.pending = append(s.pending, w)
	}
	return s, nil
}

// strange tells once of a key that is no write that waits to be confirmed. It does nothing.
func (e *Engine) strange(it item) {
	e.mu.Lock()
	told := e.strangest >= it.version
	e.strangest = max(e.strangest, it.version)
	e.mu.Unlock()
	if !told {
		e.log.Warn("config.undo.failed", zap.String("key", it.key), zap.String("error", "somebody else than Fairlead has written it, so it does nothing: remove it"))
	}
}

// spoilt says what to do about a head that cannot be read.
func (e *Engine) spoilt(err error, version int64) error {
	if errors.Is(err, errLayout) {
		return err
	}
	key := e.opts.Access.Prefix + "/" + headKey
	return fmt.Errorf("%w: somebody else than Fairlead has written it; put back what was there: etcdctl get %s --rev=%d --print-value-only | etcdctl put %s", err, key, version-1, key)
}

// refresh takes in what etcd has now.
func (e *Engine) refresh(ctx context.Context) error {
	s, err := e.look(ctx)
	if err != nil {
		return err
	}
	e.work.Lock()
	defer e.work.Unlock()
	if s.key != e.version { // maybe it was looked at before a write of ours
		if s, err = e.look(ctx); err != nil {
			return err
		}
	}
	if err := e.take(ctx, s); err != nil {
		return err
	}
	return e.dispel(ctx)
}

// take takes in what etcd had when it was looked at. The error wraps errOther when that is older than what this node has, or another history.
func (e *Engine) take(ctx context.Context, s *seen) error {
	if s.head == nil {
		return e.takeNone(ctx, s)
	}
	var err error
	if e.head != nil {
		err = e.precedes(s)
	}
	if err == nil && e.head != nil && s.head.Number == e.head.Number {
		e.version, e.cluster, e.at = s.key, s.cluster, s.moment.version
		e.settlePending(s)
		e.found()
		return nil
	}
	a := &arrival{seen: s, from: "etcd"}
	if err == nil {
		err = e.collectRevisions(ctx, a)
	}
	if errors.Is(err, errOther) && e.accepts(s.head.Revision) {
		e.log.Warn("config.accepted", zap.String("revision", s.head.Revision), zap.String("instead", e.Current().Revision))
		err = e.wholeState(ctx, a)
	}
	if err == nil {
		err = e.fetchObjects(ctx, a)
	}
	if err == nil {
		err = e.compileArrival(ctx, a)
	}
	if err != nil {
		return err
	}
	e.arrive(a)
	return nil
}

// accepts reports whether the operator has said that a revision counts, whatever this node has.
func (e *Engine) accepts(id string) bool {
	a := e.opts.Accept
	return len(a) >= minAccept && strings.HasPrefix(id, a)
}

// precedes reports whether what this node has can come before what etcd has, as far as both heads tell.
func (e *Engine) precedes(s *seen) error {
	ours, theirs := e.head, s.head
	var what string
	switch {
	case theirs.Lineage != ours.Lineage:
		what = "its document has another history than this node's"
	case theirs.Number < ours.Number:
		what = "its document is older than this node's: it was restored from a backup"
	case theirs.Number == ours.Number && theirs.Revision != ours.Revision:
		what = "its document has another history than this node's since it was restored from a backup"
	default:
		return nil
	}
	return e.other(what, theirs)
}

func (e *Engine) other(what string, theirs *head) error {
	return fmt.Errorf("%w: %s. etcd has revision %.8s, number %d of %s by %q; this node has %.8s, number %d of %s. If etcd's is meant, set config.store.etcd.accept: %.16s in the node file; if not, restore a newer backup of etcd",
		errOther, what, theirs.Revision, theirs.Number, theirs.Time.Format(timeForm), theirs.Author, e.head.Revision, e.head.Number,
		e.head.Time.Format(timeForm), theirs.Revision)
}

// takeNone is for etcd without a document: what this node has is put there if etcd never had any.
func (e *Engine) takeNone(ctx context.Context, s *seen) error {
	if e.head != nil && e.opts.Accept != AcceptEmpty {
		return fmt.Errorf("%w: it has no document, and this node has revision %.8s of one that was there. Restore a backup of etcd; or set config.store.etcd.accept: %s in the node file of one node, to put this node's document there",
			errOther, e.head.Revision, AcceptEmpty)
	}
	return e.plant(ctx, s)
}

// arrival is what is about to come into effect.
type arrival struct {
	*seen
	from      string // empty: written here
	state     *revision.State
	whole     bool // the state is not the one that this node had with revisions on top
	lines     []replica.LogLine
	revisions []*revision.Revision
	keys      map[config.ObjectKey]bool
	fresh     map[config.ObjectHash]*config.Object
	objects   *config.Objects
	candidate replica.Candidate   // nil: it does not compile
	instead   *replica.Substitute // begins to be served in place of it; nil: none does
}

// collectRevisions gets what leads from this node's document to etcd's.
func (e *Engine) collectRevisions(ctx context.Context, a *arrival) error {
	if e.head == nil {
		return e.wholeState(ctx, a)
	}
	list, err := e.since(ctx, a.head, e.head.Number, e.head.Revision)
	if errors.Is(err, errGone) {
		if a.cluster != e.cluster || a.moment.version < e.version {
			return e.other("etcd is another cluster than before, or was restored from a backup, and does not keep the revisions that would show that its document follows this node's", a.head)
		}
		return e.wholeState(ctx, a)
	}
	if err != nil {
		return err
	}
	a.state = e.state.Fork()
	return e.applyAll(a, list)
}

// wholeState gets a manifest and the revisions behind it.
func (e *Engine) wholeState(ctx context.Context, a *arrival) error {
	keys, err := e.connected()
	if err != nil {
		return err
	}
	both, _, err := keys.read(ctx, numbered(manifestsKey, a.head.Manifest, a.head.Base), numbered(revisionsKey, a.head.Manifest, a.head.Base))
	if err != nil {
		return err
	}
	if len(both[0]) == 0 || len(both[1]) == 0 {
		return fmt.Errorf("etcd lacks the manifest of revision %d", a.head.Manifest)
	}
	if a.state, err = revision.DecodeState(joined(both[0])); err != nil {
		return fmt.Errorf("read the manifest of revision %d in etcd: %w", a.head.Manifest, err)
	}
	if v := a.state.Vector(); len(v) != 1 || v[a.head.actor()] != a.head.Manifest || a.state.ID() != a.head.Base {
		return fmt.Errorf("the manifest of revision %d in etcd is of something else", a.head.Manifest)
	}
	base, err := decodeRevision(joined(both[1]), a.head, a.head.Manifest, a.head.Base)
	if err != nil {
		return err
	}
	list, err := e.since(ctx, a.head, a.head.Manifest, a.head.Base)
	if err != nil {
		return err
	}
	a.whole, a.keys = true, map[config.ObjectKey]bool{}
	for k := range e.state.Keys {
		a.keys[k] = true
	}
	for k := range a.state.Keys {
		a.keys[k] = true
	}
	a.line(base, a.steps(e.state), e)
	return e.applyAll(a, list)
}

// steps returns how a state differs from that before an arrival.
func (a *arrival) steps(before *revision.State) (out []replica.Step) {
	for _, k := range slices.SortedFunc(maps.Keys(a.keys), config.ObjectKey.Compare) {
		if b, n := before.Winner(k).Hash, a.state.Winner(k).Hash; b != n {
			out = append(out, replica.Step{Key: k, Before: b, After: n})
		}
	}
	return out
}

// applyAll puts revisions on top of a state.
func (e *Engine) applyAll(a *arrival, list []*revision.Revision) error {
	if a.keys == nil {
		a.keys = map[config.ObjectKey]bool{}
	}
	fork := a.state
	if !a.whole && len(e.state.Vector()) == 0 {
		a.whole = true
	}
	for _, r := range list {
		steps := make([]replica.Step, 0, len(r.Changes))
		for _, c := range r.Changes {
			a.keys[c.Key] = true
			if before := fork.Winner(c.Key).Hash; before != c.Hash {
				steps = append(steps, replica.Step{Key: c.Key, Before: before, After: c.Hash})
			}
		}
		if err := fork.Apply(r); err != nil {
			return fmt.Errorf("take in what etcd has: %w", err)
		}
		a.line(r, steps, e)
	}
	if !a.whole {
		a.revisions = list
	}
	return nil
}

func (a *arrival) line(r *revision.Revision, steps []replica.Step, e *Engine) {
	l := replica.LogLine{Entry: revision.Entry{Revision: r, View: r.ID, Applied: e.opts.Now().UTC(), From: a.from}, Steps: steps}
	if e.doubt != nil && e.doubt.Revision == r.ID {
		l.From = "" // it was written here
	}
	for _, p := range a.pending {
		if p.Revision == r.ID {
			l.Pending = p.Until
		}
	}
	a.lines = append(a.lines, l)
}

// since returns the revisions that lead from one to the head, oldest first.
func (e *Engine) since(ctx context.Context, h *head, number uint64, id string) ([]*revision.Revision, error) {
	if h.Number-number > maxBehind {
		return nil, errGone
	}
	texts, err := e.texts(ctx, number+1, h.Number)
	if err != nil {
		return nil, err
	}
	var list []*revision.Revision
	next := h.Revision
	for n := h.Number; n > number; n-- {
		text, kept := texts[numbered(revisionsKey, n, next)]
		if !kept {
			return nil, errGone
		}
		r, err := decodeRevision(text, h, n, next)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
		next = ""
		if len(r.Parents) == 1 {
			next = r.Parents[0]
		}
	}
	if next != id {
		return nil, e.other("its document has another history than this node's since it was restored from a backup", h)
	}
	slices.Reverse(list)
	return list, nil
}

// texts returns what etcd has as revisions with some numbers: those that count, and those that lost.
func (e *Engine) texts(ctx context.Context, from, to uint64) (map[string][]byte, error) {
	keys, err := e.connected()
	if err != nil {
		return nil, err
	}
	out, size := map[string][]byte{}, 0
	first, last := numbered(revisionsKey, from, ""), numbered(revisionsKey, to, "~")
	for {
		items, err := keys.scan(ctx, first, last, pageKeys, false)
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			if size += len(it.key) + len(it.value); size > maxTexts {
				return nil, fmt.Errorf("etcd has more than %d MiB as revisions %d to %d: somebody else than Fairlead has written below %s/%s", maxTexts>>20, from, to,
					e.opts.Access.Prefix, revisionsKey)
			}
			k := wholeKey(it.key)
			out[k] = append(out[k], it.value...)
		}
		if len(items) < pageKeys {
			return out, nil
		}
		first = items[len(items)-1].key + "\x00"
	}
}

// fetchObjects gets the objects that an arrival names, and makes its document.
func (e *Engine) fetchObjects(ctx context.Context, a *arrival) error {
	now := e.Current().Objects
	wanted := map[config.ObjectHash]config.ObjectKey{}
	for _, l := range a.lines {
		for _, s := range l.Steps {
			if o := now.Get(s.Key); s.After != (config.ObjectHash{}) && (o == nil || o.Hash() != s.After) {
				wanted[s.After] = s.Key
			}
		}
	}
	var err error
	if a.fresh, err = e.fetch(ctx, wanted); err != nil {
		return err
	}
	var put []*config.Object
	var remove []config.ObjectKey
	for k := range a.keys {
		h := a.state.Winner(k).Hash
		o := now.Get(k)
		switch {
		case h == config.ObjectHash{}:
			remove = append(remove, k)
		case o != nil && o.Hash() == h:
		case a.fresh[h] != nil && a.fresh[h].Key() == k:
			put = append(put, a.fresh[h])
		default: // two objects of different names have one text
			one, err := e.fetch(ctx, map[config.ObjectHash]config.ObjectKey{h: k})
			if err != nil {
				return err
			}
			put = append(put, one[h])
		}
	}
	a.objects = now.With(put, remove)
	return nil
}

// fetch gets objects, of the store or of etcd.
func (e *Engine) fetch(ctx context.Context, wanted map[config.ObjectHash]config.ObjectKey) (map[config.ObjectHash]*config.Object, error) {
	out := make(map[config.ObjectHash]*config.Object, len(wanted))
	if len(wanted) == 0 {
		return out, nil
	}
	texts, err := e.opts.Store.Texts(slices.Collect(maps.Keys(wanted)))
	if err != nil {
		texts = nil // etcd has them
	}
	keys, err := e.connected()
	if err != nil {
		return nil, err
	}
	var ask []string
	var hashes []config.ObjectHash
	get := func() error {
		all, err := readAll(ctx, keys, ask)
		if err != nil {
			return err
		}
		for i, items := range all {
			if out[hashes[i]], err = objectOf(wanted[hashes[i]], hashes[i], joined(items)); err != nil {
				return err
			}
		}
		ask, hashes = ask[:0], hashes[:0]
		return nil
	}
	for h, k := range wanted {
		if text, kept := texts[h]; kept {
			if o, err := objectOf(k, h, text); err == nil {
				out[h] = o
				continue
			}
		}
		ask, hashes = append(ask, objectKey(k, h)), append(hashes, h)
		if len(ask) == maxOps {
			if err := get(); err != nil {
				return nil, err
			}
		}
	}
	if len(ask) > 0 {
		err = get()
	}
	return out, err
}

// readAll reads what never changes, in parts where it is too much for one answer.
func readAll(ctx context.Context, keys keyspace, ask []string) ([][]item, error) {
	all, _, err := keys.read(ctx, ask...)
	if n := len(ask) / 2; errors.Is(err, errTooMuch) && n > 0 {
		if all, err = readAll(ctx, keys, ask[:n]); err == nil {
			var rest [][]item
			rest, err = readAll(ctx, keys, ask[n:])
			all = append(all, rest...)
		}
	}
	return all, err
}

func objectOf(k config.ObjectKey, hash config.ObjectHash, text []byte) (*config.Object, error) {
	if len(text) == 0 && k.Kind != config.ObjectFile {
		return nil, fmt.Errorf("etcd lacks the object %s that its document has", k)
	}
	o, err := config.ObjectFromCanonical(k, text)
	if err != nil {
		return nil, fmt.Errorf("read the object %s in etcd: %w", k, err)
	}
	if o.Hash() != hash {
		return nil, fmt.Errorf("the object %s in etcd was changed by somebody else than Fairlead", k)
	}
	return o, nil
}

// compileArrival makes a candidate. What does not work at this node is told.
func (e *Engine) compileArrival(ctx context.Context, a *arrival) error {
	var err error
	if a.candidate, err = e.opts.Compiler.Compile(ctx, a.objects, true); err == nil {
		return nil
	}
	if a.candidate = nil; e.instead != nil {
		return nil // what counted before could not be served either: what mends it may be on its way
	}
	if e.candidate == nil { // a start without a copy, or with one of which nothing can be served
		if a.instead = e.newcomer(ctx, a, err); a.instead != nil {
			return nil
		}
	}
	last := a.lines[len(a.lines)-1].Revision
	e.mu.Lock()
	told := e.refused != nil && e.refused.Revision.ID == last.ID
	if !told {
		e.refused = &revision.Quarantined{Revision: last, From: "etcd", Why: err.Error(), Since: e.opts.Now()}
	}
	e.mu.Unlock()
	if !told {
		e.stats.quarantined.Add(1)
		e.log.Warn("config.quarantined", zap.String("revision", last.ID), zap.String("site", last.Site), zap.Error(err))
		e.event("config.quarantined", last, err.Error())
	}
	return fmt.Errorf("revision %.8s cannot be served here: %w", last.ID, err)
}
