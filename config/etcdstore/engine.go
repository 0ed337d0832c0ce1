package etcdstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
)

// Limits and times of an Engine.
const (
	tick     = time.Second
	poll     = 5 * time.Second // at which etcd is asked although nothing was heard, so that its loss is seen
	soonest  = 500 * time.Millisecond
	latest   = 15 * time.Second // between two tries to reach etcd
	collect  = time.Hour
	startFor = 30 * time.Second // is waited for etcd at start
	// answerWithin is how long a write may take, with the time that it waits for others; settleFor comes on top of it.
	answerWithin = 15 * time.Second

	// AcceptEmpty is what Options.Accept says where etcd has lost its document and this node's is to be put there.
	AcceptEmpty = "empty"
	// minAccept is how many first digits of a revision Options.Accept needs.
	minAccept = 8
)

// Options is what an Engine is made of. Site, Access, Store and Compiler are required.
type Options struct {
	Site     string
	Access   Access
	ReadOnly bool // nothing is written by this node
	// Accept is the first digits, at least 8, of a revision in etcd that counts although it does not follow what this node has; or AcceptEmpty.
	Accept string
	// Store is the node's own copy.
	Store    replica.Store
	Compiler replica.Compiler
	// Seed returns the document to begin with when neither etcd nor the store has one. nil, or a nil result: none.
	Seed func() (*config.Objects, error)
	// Event is told what happens, with a lock held: it must not block, or call the engine. nil: nobody is.
	Event  func(replica.Event)
	Now    func() time.Time // nil: time.Now
	Logger *zap.Logger      // nil: none

	dial func(Access) (keyspace, error) // nil: etcd
}

// Engine is revision.Documents with the document in etcd. It is safe for concurrent use; writes are made one after the other.
type Engine struct {
	opts    Options
	log     *zap.Logger
	running atomic.Bool
	current atomic.Pointer[revision.View]
	wake    chan struct{} // capacity 1: the head has changed
	reached chan struct{} // capacity 1: what etcd has was taken in, maybe by a write

	link sync.Mutex
	keys keyspace // nil: not connected

	work      sync.Mutex // one write is made, or taken in, at a time; over what follows
	head      *head      // of what is served; nil: it was never in etcd
	version   int64      // of the head in etcd, as it was seen last
	at        int64      // revision that etcd had then
	cluster   uint64     // where it was
	state     *revision.State
	candidate replica.Candidate
	instead   *replica.Substitute // is served in place of the document that counts; nil: that is
	turn      int64               // as of seen, when a write looked last
	behind    bool                // the store lacks what is served
	doubt     *doubt
	taken     []string     // ids of the revisions that were taken in last
	onces     atomic.Int64 // idempotency keys that were written since it was looked how many there are
	stats     counters

	mu          sync.Mutex // over what people are told
	unavailable string
	sinceWhen   time.Time // of unavailable
	refusing    bool      // etcd answers, and takes no writes
	copying     string    // why the store could not keep what is served
	damaged     string
	refused     *revision.Quarantined
	pending     []waiting
	waits       map[string]time.Time // by revision: when this node heard that it waits
	undoTries   replica.UndoTries
	strangest   int64 // version of the newest key that was told of by strange
}

// noteHead is the name of a note in the store: what of etcd the store has.
const noteHead = "etcd"

type known struct {
	Cluster uint64 `json:"cluster"`
	Head    *head  `json:"head"`
}

// New makes an Engine, has the store's copy served, and then what etcd has. It fails when there is neither, so it does not need etcd at a second
// start. Of a document that cannot be served here, as much is as can be; when nothing of it can be, it starts without names. It starts nothing.
func New(ctx context.Context, o Options) (*Engine, error) {
	if o.Site == "" || len(o.Access.Endpoints) == 0 && o.dial == nil || o.Store == nil || o.Compiler == nil {
		return nil, errors.New("make engine of documents in etcd: site, endpoints, store or compiler is missing")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Event == nil {
		o.Event = func(replica.Event) {}
	}
	if o.dial == nil {
		o.dial = dial
	}
	e := &Engine{opts: o, log: o.Logger, wake: make(chan struct{}, 1), reached: make(chan struct{}, 1)}
	unserved, err := e.load(ctx)
	if err != nil {
		return nil, fmt.Errorf("load the document of site %q: %w", o.Site, err)
	}
	ctx, cancel := context.WithTimeout(ctx, startFor)
	defer cancel()
	err = e.refresh(ctx)
	if e.candidate == nil && unserved != nil && e.serveNothing(ctx, unserved) {
		unserved = nil
	}
	switch {
	case e.candidate == nil && unserved != nil:
		return nil, errors.Join(fmt.Errorf("load the document of site %q: %w", o.Site, unserved), err, e.disconnect())
	case e.candidate == nil:
		return nil, errors.Join(fmt.Errorf("this node has no copy of the document, and etcd gives none: %w", err), e.disconnect())
	case err != nil:
		e.lost(err)
	}
	return e, nil
}

// load has the store's copy served, or what can be in place of it. unserved says why nothing of a copy that is there can be.
func (e *Engine) load(ctx context.Context) (unserved, err error) {
	loaded, err := e.opts.Store.Load()
	if err != nil {
		return nil, err
	}
	e.state, e.damaged = loaded.State, loaded.Damaged
	var k known
	if note := loaded.Notes[noteHead]; note != nil {
		if err := json.Unmarshal(note, &k); err != nil {
			return nil, fmt.Errorf("read what the store has of etcd: %w", err)
		}
		if note := loaded.Notes[noteDoubt]; note != nil {
			d := &doubt{kept: true}
			if err := json.Unmarshal(note, d); err != nil {
				return nil, fmt.Errorf("read which write to etcd is in doubt: %w", err)
			}
			e.doubt = d
		}
		// A store that has written on its own since is not that copy any more.
		if k.Head != nil && len(e.state.Vector()) == 1 && e.state.ID() == k.Head.Revision {
			e.head, e.cluster = k.Head, k.Cluster
		}
	}
	if loaded.Objects == nil || len(e.state.Vector()) == 0 {
		objects := config.NewObjects(nil)
		e.current.Store(&revision.View{Objects: objects, Document: objects.ID()})
		return nil, nil
	}
	c, err := e.opts.Compiler.Compile(ctx, loaded.Objects, true)
	if err != nil {
		return e.substitute(ctx, loaded.Objects, err), nil
	}
	e.adopt(c, loaded.Objects)
	return nil, nil
}

// adopt has a document served.
func (e *Engine) adopt(c replica.Candidate, objects *config.Objects) {
	v := e.view(objects)
	v.Inert = c.Inert()
	e.candidate, e.instead = c, nil
	e.current.Store(v)
	e.opts.Compiler.Adopt(c, v)
}

// view is a document with what is known of it now.
func (e *Engine) view(objects *config.Objects) *revision.View {
	v := &revision.View{Revision: e.state.ID(), Document: objects.ID(), Objects: objects, Time: e.state.Newest()}
	for _, h := range e.state.Heads() {
		v.Heads = append(v.Heads, h.ID)
	}
	return v
}

// connected returns etcd.
func (e *Engine) connected() (keyspace, error) {
	e.link.Lock()
	defer e.link.Unlock()
	if e.keys != nil {
		return e.keys, nil
	}
	keys, err := e.opts.dial(e.opts.Access)
	if err != nil {
		return nil, err
	}
	e.keys = keys
	return keys, nil
}

// disconnect ends the connection: the next one is made anew, with files read again.
func (e *Engine) disconnect() error {
	e.link.Lock()
	defer e.link.Unlock()
	if e.keys == nil {
		return nil
	}
	err := e.keys.close()
	e.keys = nil
	return err
}

// Close ends the connection of an Engine that does not Run.
func (e *Engine) Close() error { return e.disconnect() }

// Run follows etcd until ctx ends, and returns when all that it started has ended. An Engine runs once.
func (e *Engine) Run(ctx context.Context) error {
	if !e.running.CompareAndSwap(false, true) {
		return errors.New("run engine of documents in etcd: it ran before")
	}
	wait := soonest
	for ctx.Err() == nil {
		began := e.opts.Now()
		err := e.follow(ctx)
		if ctx.Err() != nil {
			break
		}
		select {
		case <-e.reached: // before it was lost
		default:
		}
		if !errors.Is(err, errCompacted) {
			e.lost(err)
			_ = e.disconnect() // it is gone anyway
		}
		if e.opts.Now().Sub(began) > poll {
			wait = soonest
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait/2 + rand.N(wait/2)):
			wait = min(wait*2, latest)
		case <-e.reached:
			wait = soonest
		}
	}
	return e.disconnect()
}

// follow takes in what is in etcd as it changes, until it cannot.
func (e *Engine) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	if err := e.ask(ctx); err != nil {
		cancel()
		return err
	}
	keys, err := e.connected()
	if err != nil {
		cancel()
		return err
	}
	ended := make(chan error, 1)
	e.work.Lock()
	from := e.at
	e.work.Unlock()
	go func() { ended <- keys.watch(ctx, headKey, from, e.signal) }()
	err = e.keepTime(ctx, ended)
	cancel()
	<-ended
	return err
}

// keepTime is what follow does while the watch goes on. It leaves one value in ended.
func (e *Engine) keepTime(ctx context.Context, ended chan error) error {
	clock := time.NewTicker(tick)
	defer clock.Stop()
	for passed := tick; ; {
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			ended <- nil
			return err
		case <-e.wake:
			if err := e.refresh(ctx); err != nil {
				return err
			}
			continue
		case <-clock.C:
		}
		passed += tick
		e.undoDue(ctx)
		if passed%poll == 0 {
			if err := e.ask(ctx); err != nil {
				return err
			}
			e.trimOnces(ctx)
		}
		if passed%collect == 0 {
			e.collect(ctx)
		}
	}
}

func (e *Engine) signal() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// ask takes in what etcd has, and looks whether it takes writes.
func (e *Engine) ask(ctx context.Context) error {
	if err := e.refresh(ctx); err != nil {
		return err
	}
	keys, err := e.connected()
	if err == nil && !e.opts.ReadOnly {
		err = keys.probe(ctx)
	}
	switch {
	case errors.Is(err, errSaidNo):
		e.lost(err) // what it has can be had all the same
		return nil
	case err == nil:
		e.obeyed()
	}
	return err
}

// lost notes that etcd is not reached, that what it has is not taken, or that it takes no writes.
func (e *Engine) lost(err error) {
	now, view := e.opts.Now().UTC(), e.Current()
	e.mu.Lock()
	changed := e.unavailable == ""
	if changed {
		e.sinceWhen = now
	}
	e.refusing = errors.Is(err, errSaidNo)
	does := "serves"
	if view.NotServed != "" {
		does = "has"
	}
	e.unavailable = fmt.Sprintf("etcd at %s: %v. So it is since %s; this node %s revision %.8s, written %s", strings.Join(e.opts.Access.Endpoints, ", "), err,
		e.sinceWhen.Format(timeForm), does, view.Revision, view.Time.UTC().Format(timeForm))
	text := e.unavailable
	e.mu.Unlock()
	if changed {
		e.log.Error("config.unavailable", zap.Error(err), zap.String("then", "the document that was had last stays; nothing can be written"),
			zap.String("revision", view.Revision), zap.Time("written", view.Time), zap.Duration("age", now.Sub(view.Time)))
		e.event("config.unavailable", nil, text)
	}
}

// timeForm is how times are written to people.
const timeForm = "2006-01-02T15:04:05Z"

// found notes that etcd is reached, and that what it has is taken.
func (e *Engine) found() {
	e.mu.Lock()
	changed := e.unavailable != "" && !e.refusing
	if changed {
		e.unavailable = ""
	}
	e.mu.Unlock()
	select {
	case e.reached <- struct{}{}:
	default:
	}
	if changed {
		e.log.Info("config.available")
		e.event("config.available", nil, "")
	}
}

// obeyed notes that etcd takes writes.
func (e *Engine) obeyed() {
	e.mu.Lock()
	e.refusing = false
	e.mu.Unlock()
	e.found()
}

func (e *Engine) event(name string, r *revision.Revision, text string) {
	ev := replica.Event{Name: name, Text: text, Time: e.opts.Now()}
	if r != nil {
		ev.Revision, ev.Site, ev.Author = r.ID, r.Site, r.Author
	}
	e.opts.Event(ev)
}

var _ revision.Documents = (*Engine)(nil)
