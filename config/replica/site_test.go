package replica

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/config/revision"
	"fairlead/mep"
)

// testCompiler knows two rules: a service may name another one as its "backup", which must be there; and a virtual server that goes is a
// name that is lost. A document without the service "self", once it had it, does not compile at all at a site that says so.
type testCompiler struct {
	mu      sync.Mutex
	needs   string // an object without which nothing compiles
	adopted *revision.View
}

func (c *testCompiler) served() *revision.View {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.adopted
}

// need sets the object without which nothing compiles.
func (c *testCompiler) need(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.needs = name
}

type testCandidate struct {
	objects *config.Objects
	inert   []config.Problem
}

func (c *testCandidate) Warnings() []config.Problem { return nil }
func (c *testCandidate) Inert() []config.Problem    { return c.inert }

func (c *testCompiler) Compile(_ context.Context, objects *config.Objects, lenient bool) (Candidate, error) {
	out := &testCandidate{objects: objects}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.needs != "" && objects.Get(serviceKey(c.needs)) == nil {
		return nil, fmt.Errorf("there is no %s", c.needs)
	}
	for o := range objects.All {
		if o.Key().Kind == config.ObjectFile {
			continue
		}
		var v struct{ Backup string }
		if err := json.Unmarshal(o.Text(), &v); err != nil {
			return nil, err
		}
		if v.Backup != "" && objects.Get(serviceKey(v.Backup)) == nil {
			out.inert = append(out.inert, config.Problem{Object: o.Key().String(), ObjectPath: "/backup", Code: "FL9999", Message: "no service " + v.Backup})
		}
	}
	if len(out.inert) > 0 && !lenient {
		return nil, &revision.InvalidError{Problems: out.inert}
	}
	return out, nil
}

func (c *testCompiler) Effect(_ context.Context, before, after Candidate) (*revision.Effect, error) {
	effect := &revision.Effect{}
	if before != nil {
		for _, d := range config.Diff(before.(*testCandidate).objects, after.(*testCandidate).objects) {
			if d.Key.Kind == config.ObjectVirtualServer && d.After == nil {
				effect.LostNames = append(effect.LostNames, d.Key.Name)
			}
		}
	}
	return effect, nil
}

func (c *testCompiler) Adopt(_ Candidate, v *revision.View) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.adopted = v
}

func serviceKey(name string) config.ObjectKey {
	return config.ObjectKey{Kind: config.ObjectService, Name: name}
}

func service(name, text string) *config.Object {
	o, err := config.NewObject(config.ObjectService, name, []byte(text))
	if err != nil {
		panic(err)
	}
	return o
}

// testSite is a site with its store. engine is nil while it is down.
type testSite struct {
	name     string
	ahead    time.Duration
	mode     Mode
	seed     *config.Objects
	parent   func() string
	store    *memoryStore
	compiler *testCompiler
	engine   *Engine
	cancel   context.CancelFunc
	ended    chan struct{}
	full     bool
	open     func() (Store, func() error, error) // in place of store
	shut     func() error
	mu       sync.Mutex
	events   []Event
}

func (s *testSite) note(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

func (s *testSite) noted(want func(Event) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.events, want)
}

// state is what the site knows.
func (s *testSite) state() *revision.State {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	return s.engine.state
}

// world is sites and the links between them.
type world struct {
	t      testing.TB
	mu     sync.Mutex
	rng    *rand.Rand
	sites  []*testSite
	cut    map[[2]string]bool
	epoch  map[[2]string]int // grows with each session of a link
	stores int
	role   func(self, other string) Role
	slow   time.Duration // longest time that a message travels
}

func newWorld(t testing.TB, sites int, seed uint64) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 1)), cut: map[[2]string]bool{}, epoch: map[[2]string]int{}, slow: 20 * time.Millisecond}
	w.role = func(string, string) Role { return RoleMesh }
	for i := range sites {
		w.sites = append(w.sites, &testSite{name: fmt.Sprintf("site%d", i), mode: ModeSeed, compiler: &testCompiler{}})
	}
	return w
}

func pair(a, b string) [2]string { return [2]string{min(a, b), max(a, b)} }

func (w *world) random(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(n)
}

func (w *world) newStore() *memoryStore {
	w.stores++
	return newMemoryStore(fmt.Sprintf("store%d", w.stores), 3+w.random(30))
}

func (w *world) named(name string) *testSite {
	return w.sites[slices.IndexFunc(w.sites, func(s *testSite) bool { return s.name == name })]
}

// start starts a site and its sessions with all that can be reached.
func (w *world) start(s *testSite) {
	w.t.Helper()
	if s.store == nil {
		s.store = w.newStore()
	}
	ctx, cancel := context.WithCancel(context.Background())
	var store Store = s.store
	if s.open != nil {
		var err error
		if store, s.shut, err = s.open(); err != nil {
			w.t.Fatal(err)
		}
	}
	engine, err := New(ctx, Options{Site: s.name, Mode: s.mode, Follows: s.name + ".yaml", Release: "1.2.3", Store: store, Compiler: s.compiler,
		Seed: func() (*config.Objects, error) { return s.seed, nil }, Role: func(other string) Role { return w.role(s.name, other) },
		Parent: s.parent, Now: func() time.Time { return time.Now().Add(s.ahead) }, Event: s.note,
		Send: func(ctx context.Context, to string, kind uint8, body []byte) error {
			return w.send(ctx, s, to, kind, body)
		}})
	if err != nil {
		w.t.Fatalf("%s: %v", s.name, err)
	}
	w.mu.Lock()
	s.engine, s.cancel, s.ended = engine, cancel, make(chan struct{})
	w.mu.Unlock()
	go func() {
		defer close(s.ended)
		if err := engine.Run(ctx); err != nil {
			w.t.Error(err)
		}
	}()
	for _, o := range w.sites {
		w.join(s, o)
	}
}

func (w *world) startAll() {
	for _, s := range w.sites {
		w.start(s)
	}
}

func (w *world) stop(s *testSite) {
	for _, o := range w.sites {
		w.part(s, o)
	}
	s.cancel()
	<-s.ended
	if s.shut != nil {
		if err := s.shut(); err != nil {
			w.t.Error(err)
		}
		s.shut = nil
	}
	w.mu.Lock()
	s.engine = nil
	w.mu.Unlock()
}

func (w *world) stopAll() {
	for _, s := range w.sites {
		if s.engine != nil {
			w.stop(s)
		}
	}
}

// join begins a session if there can be one.
func (w *world) join(a, b *testSite) {
	if a == b || a.engine == nil || b.engine == nil || w.cut[pair(a.name, b.name)] {
		return
	}
	w.mu.Lock()
	w.epoch[pair(a.name, b.name)]++
	w.mu.Unlock()
	a.engine.PeerUp(b.name)
	b.engine.PeerUp(a.name)
}

func (w *world) part(a, b *testSite) {
	if a == b || a.engine == nil || b.engine == nil {
		return
	}
	w.mu.Lock()
	w.epoch[pair(a.name, b.name)]++
	w.mu.Unlock()
	a.engine.PeerDown(b.name)
	b.engine.PeerDown(a.name)
}

func (w *world) setCut(a, b *testSite, cut bool) {
	if w.cut[pair(a.name, b.name)] == cut {
		return
	}
	w.cut[pair(a.name, b.name)] = cut
	if cut {
		w.part(a, b)
	} else {
		w.join(a, b)
	}
}

func (w *world) heal() {
	for _, s := range w.sites {
		s.store.fail(nil, nil)
		if s.engine == nil {
			w.start(s)
		}
	}
	for i, a := range w.sites {
		for _, b := range w.sites[:i] {
			w.setCut(a, b, false)
		}
	}
}

var errNoSession = errors.New("no session")

// send carries a message. What is on its way when a session ends is lost; now and then there is no room.
func (w *world) send(ctx context.Context, from *testSite, to string, kind uint8, body []byte) error {
	w.mu.Lock()
	epoch, wait, full := w.epoch[pair(from.name, to)], time.Duration(w.rng.Int64N(int64(w.slow))), w.rng.IntN(50) == 0
	w.mu.Unlock()
	if full {
		return fmt.Errorf("send: %w", mep.ErrTooMuchWaits)
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return ctx.Err()
	}
	w.mu.Lock()
	engine, lost := w.named(to).engine, w.epoch[pair(from.name, to)] != epoch
	w.mu.Unlock()
	if lost || engine == nil {
		return errNoSession
	}
	engine.Hear(from.name, kind, body)
	return nil
}

// agree fails unless all sites have the same document, and what is served is that.
func (w *world) agree(what string) {
	w.t.Helper()
	first := w.sites[0].engine.Current()
	for _, s := range w.sites {
		v := s.engine.Current()
		if v.Revision != first.Revision || v.Document != first.Document || s.compiler.served().Document != v.Document || v.Document != v.Objects.ID() {
			w.t.Fatalf("%s: %s has revision %s and document %s, %s has %s and %s\n%s", what, s.name, v.Revision, v.Document,
				w.sites[0].name, first.Revision, first.Document, w.dump())
		}
		if s.open != nil {
			continue
		}
		if kept, err := s.store.document(); err != nil || kept.ID() != v.Document {
			w.t.Fatalf("%s: the store of %s has another document: %v", what, s.name, err)
		}
	}
}

func (w *world) dump() string {
	var b strings.Builder
	for _, s := range w.sites {
		fmt.Fprintf(&b, "%s %v: %+v\n", s.name, s.state().Vector(), s.engine.Stats())
		for _, p := range s.engine.Sync().Peers {
			fmt.Fprintf(&b, "   %+v\n", p)
		}
		for _, q := range s.engine.Sync().Quarantine {
			fmt.Fprintf(&b, "   %v %s %s\n", q.Revision.Dot, q.From, q.Why)
		}
	}
	return b.String()
}

func (s *testSite) pending() int {
	s.engine.mu.Lock()
	defer s.engine.mu.Unlock()
	return len(s.engine.pending)
}

// put commits one service.
func (s *testSite) put(name, text string) (*revision.Outcome, error) {
	return s.engine.Commit(context.Background(), &revision.Write{Put: []*config.Object{service(name, text)}, Author: "ops", Source: "api"})
}

func (s *testSite) text(name string) string {
	if o := s.engine.Current().Objects.Get(serviceKey(name)); o != nil {
		return string(o.Text())
	}
	return ""
}
