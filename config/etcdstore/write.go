package etcdstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
	"fairlead/config/writes"
)

const (
	// maxTries is how often a write is made anew since another one was faster; answerWithin ends it sooner where etcd is not close.
	maxTries = 200
	// maxOnceKey bounds an idempotency key.
	maxOnceKey = 128
	// onceNothing is kept for a write that changed nothing.
	onceNothing = "-"
	// lookAgainFor is how long a write goes on trying to read what is current, where etcd says that it has no leader or does not answer at all.
	lookAgainFor   = time.Second
	lookAgainEvery = 200 * time.Millisecond
)

// draft is a write that was checked, and is not stored.
type draft struct {
	write     *revision.Write
	outcome   *revision.Outcome
	objects   *config.Objects // after it
	candidate replica.Candidate
	keys      []config.ObjectKey
	confirmed string // a write that waits and does not after this one
	turn      bool   // others wait for it
}

// Plan says what a write would do to what this node has; see revision.Documents. It does not ask etcd.
func (e *Engine) Plan(ctx context.Context, w *revision.Write) (*revision.Outcome, error) {
	e.work.Lock()
	defer e.work.Unlock()
	d := &draft{write: w}
	err := e.draft(ctx, d)
	return d.outcome, err
}

// Commit makes a write; see revision.Documents. When another node was faster it is made anew on top of that, unless it has a Base, is a whole
// document, or changes an object that the other one has changed: then the error wraps ErrStale.
func (e *Engine) Commit(ctx context.Context, w *revision.Write) (*revision.Outcome, error) {
	if len(w.Once) > maxOnceKey {
		return nil, fmt.Errorf("%w: an idempotency key of %d bytes is above the limit of %d", revision.ErrRefused, len(w.Once), maxOnceKey)
	}
	d := &draft{write: w}
	ctx, cancel := context.WithTimeoutCause(ctx, answerWithin, fmt.Errorf("%w: it was not made within %v", revision.ErrUnavailable, answerWithin))
	defer cancel()
	e.work.Lock()
	defer e.work.Unlock()
	err := e.writable()
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: other writes were before it, and etcd is slow", context.Cause(ctx))
	}
	if err == nil {
		err = e.commit(ctx, d)
	}
	e.endTurn(ctx, d)
	if err != nil {
		e.stats.refused.Add(1)
		e.log.Info("config.write.refused", zap.String("author", w.Author), zap.String("source", w.Source), zap.Error(err))
	}
	return d.outcome, err
}

func (e *Engine) writable() error {
	if e.opts.ReadOnly {
		return fmt.Errorf("%w: config.read_only is set at this node of site %s; write at another one", revision.ErrReadOnly, e.opts.Site)
	}
	return nil
}

// currentNow takes in what etcd has now. The error wraps ErrUnavailable.
func (e *Engine) currentNow(ctx context.Context) error {
	s, err := e.lookAgain(ctx)
	if err == nil {
		e.turn = s.turn
		err = e.take(ctx, s)
	}
	if err == nil {
		err = e.dispel(ctx)
	}
	if err != nil {
		e.hung(err)
		e.lost(err)
		return fmt.Errorf("%w: nothing was written: %w", revision.ErrUnavailable, err)
	}
	return nil
}

// lookAgain is look with some tries more, since members of etcd take over from each other in less time than people do. What is only read can be
// asked again.
func (e *Engine) lookAgain(ctx context.Context) (s *seen, err error) {
	for began := time.Now(); ; {
		if s, err = e.look(ctx); err == nil || time.Since(began) > lookAgainFor || errors.Is(err, errSaidNo) || errors.Is(err, context.DeadlineExceeded) {
			return s, err
		}
		timer := time.NewTimer(lookAgainEvery)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, err
		}
	}
}

// hung ends a connection over which nothing comes: it may be open at this end alone, and the next one takes less time than it takes to find out.
func (e *Engine) hung(err error) {
	if errors.Is(err, context.DeadlineExceeded) {
		_ = e.disconnect() // it is gone anyway
	}
}

func (e *Engine) commit(ctx context.Context, d *draft) error {
	if err := e.currentNow(ctx); err != nil {
		return err
	}
	if err := e.awaitTurn(ctx, d, 0); err != nil {
		return err
	}
	var before *config.Objects // from which it was made last
	for try := 0; ; try++ {
		if done, err := e.once(ctx, d); done || err != nil {
			return err
		}
		if err := e.overtaken(ctx, d, before, try); err != nil {
			return err
		}
		d.outcome, d.candidate, d.keys = nil, nil, nil
		if err := e.draft(ctx, d); err != nil {
			return err
		}
		if len(d.keys) == 0 && d.write.Once == "" && d.confirmed == "" {
			return nil
		}
		before = e.Current().Objects // settling a doubt takes in what others wrote
		done, err := e.move(ctx, d)
		if d.turn = d.turn && !done; done && d.write.Once != "" {
			e.onces.Add(1)
		}
		if done || err != nil {
			return err
		}
		if err := e.currentNow(ctx); err != nil {
			return err
		}
		if err := e.awaitTurn(ctx, d, try+1); err != nil {
			return err
		}
	}
}

// overtaken says why a write is not tried again, after as many tries: the document that it was made from was changed in a way that matters to it, or
// it takes too long.
func (e *Engine) overtaken(ctx context.Context, d *draft, before *config.Objects, tries int) error {
	if tries == 0 {
		return nil
	}
	w := d.write
	touched := config.Diff(before, e.Current().Objects)
	same := slices.IndexFunc(touched, func(c config.ObjectDiff) bool { return slices.Contains(d.keys, c.Key) })
	switch {
	case len(touched) > 0 && (w.Base != "" || w.Replace != nil):
		return fmt.Errorf("%w: another write was faster, and revision %s is current now", revision.ErrStale, e.Current().Revision)
	case same >= 0:
		return fmt.Errorf("%w: another write was faster and changed %s, too", revision.ErrStale, touched[same].Key)
	case tries == maxTries || ctx.Err() != nil:
		return fmt.Errorf("%w: nothing was written: other writes were faster %d times; try again", revision.ErrUnavailable, tries)
	}
	return nil
}

// once finds what was made with the same idempotency key.
func (e *Engine) once(ctx context.Context, d *draft) (bool, error) {
	if d.write.Once == "" {
		return false, nil
	}
	keys, err := e.connected()
	if err != nil {
		return false, fmt.Errorf("%w: nothing was written: %w", revision.ErrUnavailable, err)
	}
	key := onceKey + url.PathEscape(d.write.Once)
	all, _, err := keys.read(ctx, key)
	if err != nil {
		e.hung(err)
		return false, fmt.Errorf("%w: nothing was written: %w", revision.ErrUnavailable, err)
	}
	i := slices.IndexFunc(all[0], func(it item) bool { return it.key == key })
	if i < 0 {
		return false, nil
	}
	d.outcome = &revision.Outcome{View: e.Current()}
	if id := string(all[0][i].value); id != onceNothing {
		d.outcome.Revision = &revision.Revision{ID: id}
		if entry, err := e.opts.Store.Find(id); err == nil {
			d.outcome.Revision = entry.Revision
		}
	}
	return true, nil
}

// draft checks a write against what is there and fills in the rest of d. The outcome may be there with an error, too.
func (e *Engine) draft(ctx context.Context, d *draft) error {
	w, view := d.write, e.Current()
	if err := writes.CheckTexts(w); err != nil {
		return err
	}
	if err := writes.CheckStale(w, view); err != nil {
		return err
	}
	if len(w.Resolve) > 0 {
		return fmt.Errorf("resolve the conflict of %s: %w: a document in etcd has no conflicts", w.Resolve[0], revision.ErrUnknown)
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

// move writes what a draft needs and moves the head. It reports false when another write was faster.
func (e *Engine) move(ctx context.Context, d *draft) (bool, error) {
	w := d.write
	m := &move{key: headKey, version: e.version}
	if d.confirmed != "" {
		m.present, m.remove = pendingKey+d.confirmed, []string{pendingKey + d.confirmed}
	}
	if d.turn {
		m.remove = append(m.remove, turnKey)
	}
	if w.Once != "" {
		m.absent = onceKey + url.PathEscape(w.Once)
		m.once = &item{key: m.absent, value: []byte(onceNothing)}
	}
	if len(d.keys) == 0 {
		done, _, err := e.moved(ctx, m, nil)
		return done, err
	}
	a, items, err := e.revisionOf(d)
	if err != nil {
		return false, fmt.Errorf("%w: %w", revision.ErrRefused, err)
	}
	r := a.lines[0].Revision
	if m.once != nil {
		m.once.value = []byte(r.ID)
	}
	if w.Confirm > 0 {
		if items, err = e.pend(a, m, d, items); err != nil {
			return false, err
		}
	}
	return e.moveTo(ctx, d, a, m, items)
}

// revisionOf makes a write's revision, and all that has to be in etcd before it counts.
func (e *Engine) revisionOf(d *draft) (*arrival, []item, error) {
	w, now := d.write, e.opts.Now()
	h := &head{Layout: layout, Lineage: e.head.Lineage, Number: e.head.Number + 1, Manifest: e.head.Manifest, Base: e.head.Base}
	r := &revision.Revision{Dot: revision.Dot{Actor: h.actor(), Seq: h.Number}, Seen: e.state.Vector().Clone(), Site: e.opts.Site, Author: w.Author,
		Source: w.Source, Reason: w.Reason, Time: e.state.NextTime(now), Parents: []string{e.head.Revision}}
	a := &arrival{seen: &seen{moment: moment{cluster: e.cluster}, head: h}, state: e.state.Fork(), fresh: map[config.ObjectHash]*config.Object{},
		objects: d.objects, candidate: d.candidate}
	var items []item
	for _, k := range d.keys {
		c := revision.Change{Key: k}
		if o := d.objects.Get(k); o != nil {
			c.Hash = o.Hash()
			a.fresh[c.Hash] = o
			items = append(items, chunked(objectKey(k, c.Hash), o.Text())...)
		}
		r.Changes = append(r.Changes, c)
	}
	if err := r.Seal(); err != nil {
		return nil, nil, err
	}
	items, err := e.finish(a, r, items)
	return a, items, err
}

// finish adds a revision, and a manifest when one is due, to what has to be in etcd.
func (e *Engine) finish(a *arrival, r *revision.Revision, items []item) ([]item, error) {
	if err := e.applyAll(a, []*revision.Revision{r}); err != nil {
		return nil, err
	}
	text, err := r.Encode()
	if err != nil {
		return nil, err
	}
	h := a.head
	items = append(items, chunked(numbered(revisionsKey, h.Number, r.ID), text)...)
	if h.Manifest == 0 || h.Number-h.Manifest >= manifestEvery {
		if text, err = a.state.Encode(); err != nil {
			return nil, err
		}
		h.Manifest, h.Base = h.Number, r.ID
		items = append(items, chunked(numbered(manifestsKey, h.Number, r.ID), text)...)
	}
	h.Revision, h.Document, h.Site, h.Author, h.Source, h.Reason, h.Time = r.ID, a.objects.ID(), r.Site, r.Author, r.Source, r.Reason, r.Time
	return items, nil
}

// moveTo writes and moves, and has what was written served.
func (e *Engine) moveTo(ctx context.Context, d *draft, a *arrival, m *move, items []item) (bool, error) {
	r := a.lines[0].Revision
	text, err := json.Marshal(a.head)
	if err != nil {
		return false, err
	}
	m.put = append(m.put, item{key: headKey, value: text})
	done, version, err := e.moved(ctx, m, items)
	if errors.Is(err, errNoAnswer) && m.version > 0 {
		e.doubt = &doubt{Revision: r.ID, Number: a.head.Number, Version: m.version}
		return e.settleNow(ctx, d, r, err)
	}
	switch {
	case err != nil:
		return false, err
	case !done:
		return false, nil
	default:
		a.key = version
		e.mu.Lock()
		for _, p := range e.pending {
			if p.Revision != d.confirmed {
				a.pending = append(a.pending, p)
			}
		}
		e.mu.Unlock()
		e.arrive(a)
	}
	d.outcome.Revision, d.outcome.View = r, e.Current()
	return true, nil
}

// moved puts items and does a move. The error wraps ErrUnavailable, and errNoAnswer where the move may have been done.
func (e *Engine) moved(ctx context.Context, m *move, items []item) (bool, int64, error) {
	keys, err := e.connected()
	if err == nil {
		err = keys.put(ctx, items)
	}
	var done bool
	var version int64
	if err == nil {
		done, version, err = keys.commit(ctx, m)
	}
	switch {
	case err == nil:
		e.obeyed()
		return done, version, nil
	case errors.Is(err, errNoAnswer):
		err = fmt.Errorf("%w, %w: etcd: %w", revision.ErrUnavailable, revision.ErrOutcome, err)
	default:
		err = fmt.Errorf("%w: nothing was written: %w", revision.ErrUnavailable, err)
	}
	e.hung(err)
	e.lost(err)
	return false, 0, err
}

// plant begins a history in etcd with this node's document.
func (e *Engine) plant(ctx context.Context, s *seen) error {
	objects := e.Current().Objects
	if objects.Len() == 0 && e.opts.Seed != nil {
		seed, err := e.opts.Seed()
		if err != nil {
			return fmt.Errorf("read the document to begin with: %w", err)
		}
		if seed != nil {
			objects = seed
		}
	}
	if objects.Len() == 0 {
		return errors.New("it has no document, and this node has none to put there: set config.seed in the node file of one node")
	}
	c, err := e.opts.Compiler.Compile(ctx, objects, false)
	if err != nil {
		return err
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // it never fails
	h := &head{Layout: layout, Lineage: hex.EncodeToString(random[:]), Number: 1}
	r := &revision.Revision{Dot: revision.Dot{Actor: h.actor(), Seq: 1}, Seen: revision.Vector{}, Site: e.opts.Site, Author: "node " + e.opts.Site,
		Source: "seed", Reason: "etcd had no document", Time: e.state.NextTime(e.opts.Now())}
	a := &arrival{seen: &seen{moment: s.moment, head: h}, state: revision.NewState(), whole: true, objects: objects, candidate: c, keys: map[config.ObjectKey]bool{},
		fresh: map[config.ObjectHash]*config.Object{}}
	for k := range e.state.Keys {
		a.keys[k] = true
	}
	var items []item
	for o := range objects.All {
		r.Changes = append(r.Changes, revision.Change{Key: o.Key(), Hash: o.Hash()})
		items = append(items, chunked(objectKey(o.Key(), o.Hash()), o.Text())...)
	}
	if err := r.Seal(); err != nil {
		return err
	}
	if items, err = e.finish(a, r, items); err != nil {
		return err
	}
	a.lines[0].Steps = a.steps(e.state)
	d := &draft{write: &revision.Write{}, outcome: &revision.Outcome{}}
	done, err := e.moveTo(ctx, d, a, &move{key: headKey}, items) // what is in doubt is found at the next try
	if err != nil || done {
		return err
	}
	return e.currentNow(ctx) // another node was faster
}
