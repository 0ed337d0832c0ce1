package replica

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/config/revision"
	"fairlead/config/writes"
)

// Mode is who may write at a node. The numbers are part of the protocol: append only.
type Mode uint8

// Modes.
const (
	ModeSeed     Mode = 1 // anybody who may; a file was read once at most
	ModeFollow   Mode = 2 // a file is the truth
	ModeReadOnly Mode = 3 // the parent tells
)

var modeNames = [...]string{"unknown", "seed", "follow", "read_only"}

// String returns the mode as the node file has it.
func (m Mode) String() string {
	if int(m) >= len(modeNames) {
		return modeNames[0]
	}
	return modeNames[m]
}

// Role is what another site is to this one.
type Role uint8

// Roles.
const (
	RoleMesh   Role = iota // it writes, as this one does
	RoleParent             // this one reports to it
	RoleChild              // it reports to this one: it is told, and never believed
	RoleNone               // it is not told of documents
)

// Limits and times of an Engine.
const (
	// MaxAhead is how far in the future a revision may be; one that is further waits.
	MaxAhead = 5 * time.Minute
	// MaxPending is how many writes may wait to be confirmed, and MaxConfirm how long.
	MaxPending = 16
	MaxConfirm = writes.MaxConfirm
	// maxOnceKey bounds an idempotency key.
	maxOnceKey = 128

	tick     = time.Second
	askAgain = 30 * time.Second // at which Heads are told anew, and what did not work is tried again
	prune    = time.Hour
	maxInbox = 64 << 20 // bytes of messages that wait to be read
)

// Options is what an Engine is made of. Site, Mode, Store and Compiler are required.
type Options struct {
	Site     string
	Mode     Mode
	Follows  string // the file of ModeFollow, as people are told
	Release  string // told to other sites, for people
	Store    Store
	Compiler Compiler
	// Seed returns the document to begin with when the store has none. nil, or a nil result: none. Sites with equal seeds are not in conflict.
	Seed func() (*config.Objects, error)
	// Role says what a site is to this one now. nil: all are of the mesh.
	Role func(site string) Role
	// Parent is the site that this one reports to now; empty: none. A site with a parent is ModeReadOnly in place of ModeSeed, since
	// nobody would hear what it writes. nil: it has none.
	Parent func() string
	// Members returns the other sites that write or are told; removed objects are remembered until all of them know. nil: those that were heard.
	Members func() []string
	// Send sends a message to a site that is up and returns when it was written, as mep.Exchange.SendConfig does. nil: there are no others.
	Send func(ctx context.Context, site string, kind uint8, body []byte) error
	// Event is told what happens, with a lock held: it must not block, or call the engine. nil: nobody is.
	Event  func(Event)
	Now    func() time.Time // nil: time.Now
	Logger *zap.Logger      // nil: none
}

// Event is something that happened to the document.
type Event struct {
	// Name is config.written, config.merged, config.undone, config.confirmed, config.conflict, config.quarantined, config.substitute,
	// config.unavailable or config.available.
	Name     string
	Revision string
	Site     string // that wrote it, or was heard
	Author   string
	Text     string
	Time     time.Time
}

// Engine is revision.Documents for one site. It is safe for concurrent use; writes are made one after the other.
type Engine struct {
	opts Options
	log  *zap.Logger

	running atomic.Bool
	current atomic.Pointer[revision.View]
	stats   counters
	wake    chan struct{} // capacity 1: something was heard, or a peer came

	inbox inbox

	mu          sync.Mutex
	actor       string
	damaged     string
	state       *revision.State
	candidate   Candidate   // of what is served; nil: nothing is
	instead     *Substitute // is served in place of the document that counts; nil: that is
	pending     []pending
	undoTries   UndoTries
	file        *config.Objects // that is followed, as it was read last
	followed    string          // id of the file that was written last
	unavailable string
	storeTried  time.Time // when it was looked last whether a store that failed works again
	peers       map[string]*peer
	held        map[revision.Dot]*held
	heldBytes   int
	texts       map[config.ObjectHash][]byte // of objects that were heard and are not kept yet
	textBytes   int
	partial     map[string]*partial // by peer
	incoming    *incoming
	rng         *rand.Rand
}

// Stats are counts since the start.
type Stats struct {
	Written, Merged, Undone, Refused, Quarantined uint64
	Lies                                          uint64 // messages that were malformed or said what cannot be
	Dropped                                       uint64 // messages for which there was no room
	Sent, Heard                                   uint64 // messages
}

type counters struct {
	written, merged, undone, refused, quarantined, lies, dropped, sent, heard atomic.Uint64
}

// New makes an Engine of what its store has, and has it served. It starts nothing.
func New(ctx context.Context, o Options) (*Engine, error) {
	if o.Site == "" || o.Store == nil || o.Compiler == nil || o.Mode < ModeSeed || o.Mode > ModeReadOnly {
		return nil, errors.New("make engine of documents: site, mode, store or compiler is missing")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Role == nil {
		o.Role = func(string) Role { return RoleMesh }
	}
	if o.Parent == nil {
		o.Parent = func() string { return "" }
	}
	if o.Event == nil {
		o.Event = func(Event) {}
	}
	e := &Engine{opts: o, log: o.Logger, wake: make(chan struct{}, 1), peers: map[string]*peer{}, held: map[revision.Dot]*held{},
		texts: map[config.ObjectHash][]byte{}, partial: map[string]*partial{}, rng: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))}
	if err := e.load(ctx); err != nil {
		return nil, fmt.Errorf("load the document of site %q: %w", o.Site, err)
	}
	return e, nil
}

func (e *Engine) load(ctx context.Context) error {
	loaded, err := e.opts.Store.Load()
	if err != nil {
		return err
	}
	e.actor, e.damaged, e.state = loaded.Actor, loaded.Damaged, loaded.State
	e.followed = string(loaded.Notes[noteFollowed])
	if e.pending, err = decodePending(loaded.Notes[notePending]); err != nil {
		return err
	}
	objects := loaded.Objects
	if objects == nil {
		objects = config.NewObjects(nil)
	}
	if len(e.state.Vector()) == 0 && e.opts.Seed != nil {
		seed, err := e.opts.Seed()
		if err != nil {
			return fmt.Errorf("read the document to begin with: %w", err)
		}
		if seed != nil {
			return e.plant(ctx, seed)
		}
	}
	if len(e.state.Vector()) == 0 {
		e.current.Store(&revision.View{Objects: objects, Document: objects.ID()})
		return nil
	}
	c, err := e.opts.Compiler.Compile(ctx, objects, true)
	if err != nil {
		return e.substitute(ctx, objects, err)
	}
	e.adopt(c, objects)
	return nil
}

// plant begins with a seed.
func (e *Engine) plant(ctx context.Context, seed *config.Objects) error {
	c, err := e.opts.Compiler.Compile(ctx, seed, false)
	if err != nil {
		return err
	}
	r, err := revision.Seed(seed)
	if err != nil {
		return err
	}
	t := e.begin()
	if err := t.apply(r, ""); err != nil {
		return err
	}
	for o := range seed.All {
		t.record.Objects = append(t.record.Objects, o)
	}
	if e.opts.Mode == ModeFollow {
		t.note(noteFollowed, []byte(seed.ID()))
	}
	if err := e.opts.Store.Commit(t.finish()); err != nil {
		return err
	}
	e.state = t.state
	e.adopt(c, seed)
	return nil
}

// mode is who may write here now.
func (e *Engine) mode() Mode {
	if e.opts.Mode == ModeSeed && e.opts.Parent() != "" {
		return ModeReadOnly
	}
	return e.opts.Mode
}

// adopt has a document served. What it is made of is in the store.
func (e *Engine) adopt(c Candidate, objects *config.Objects) {
	v := e.view(objects)
	if c != nil {
		v.Inert = c.Inert()
	}
	e.candidate, e.instead = c, nil
	e.current.Store(v)
	if c != nil {
		e.opts.Compiler.Adopt(c, v)
	}
}

// view is a document with what is known of it now.
func (e *Engine) view(objects *config.Objects) *revision.View {
	v := &revision.View{Revision: e.state.ID(), Document: objects.ID(), Objects: objects, Time: e.state.Newest()}
	for _, h := range e.state.Heads() {
		v.Heads = append(v.Heads, h.ID)
	}
	return v
}

// Current returns the document that counts. It does not wait.
func (e *Engine) Current() *revision.View { return e.current.Load() }

// Stats returns counts since the start.
func (e *Engine) Stats() Stats {
	c := &e.stats
	return Stats{c.written.Load(), c.merged.Load(), c.undone.Load(), c.refused.Load(), c.quarantined.Load(), c.lies.Load(), c.dropped.Load(), c.sent.Load(), c.heard.Load()}
}

// History lists what came into effect here; see revision.Documents.
func (e *Engine) History(before string, limit int) ([]revision.Entry, error) {
	return e.opts.Store.History(before, limit)
}

// Find returns one line of the history; see revision.Documents.
func (e *Engine) Find(id string) (*revision.Entry, error) { return e.opts.Store.Find(id) }

// At returns the document as it was here; see revision.Documents.
func (e *Engine) At(id string) (*config.Objects, error) { return e.opts.Store.At(id) }

// Run hears other sites and keeps time until ctx ends, and returns when all that it started has ended. An Engine runs once.
func (e *Engine) Run(ctx context.Context) error {
	if !e.running.CompareAndSwap(false, true) {
		return errors.New("run engine of documents: it ran before")
	}
	var senders sync.WaitGroup
	defer senders.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	clock := time.NewTicker(tick)
	defer clock.Stop()
	anew, pruned := e.jittered(askAgain), prune
	for passed := time.Duration(0); ; {
		e.startSenders(ctx, &senders)
		select {
		case <-ctx.Done():
			return nil
		case <-e.wake:
			e.read(ctx)
		case <-clock.C:
			passed += tick
			e.keepTime(ctx)
			if passed >= anew {
				anew = passed + e.jittered(askAgain)
				e.askAll(ctx)
			}
			if passed >= pruned {
				pruned = passed + prune
				e.prune()
			}
		}
	}
}

// jittered shortens a time by up to a fifth, so that sites do not do all at one moment.
func (e *Engine) jittered(d time.Duration) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return d - time.Duration(e.rng.Int64N(int64(d)/5))
}

func (e *Engine) signal() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

func (e *Engine) event(name string, r *revision.Revision, text string) {
	ev := Event{Name: name, Text: text, Time: e.opts.Now()}
	if r != nil {
		ev.Revision, ev.Site, ev.Author = r.ID, r.Site, r.Author
	}
	e.opts.Event(ev)
}
