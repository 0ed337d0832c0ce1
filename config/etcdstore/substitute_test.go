package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
	"fairlead/config/store"
)

// picky is a compiler that takes no document with some services, as another release does, or as of a moment.
type picky struct {
	*plain
	bad []string
}

func (p *picky) Compile(ctx context.Context, o *config.Objects, lenient bool) (replica.Candidate, error) {
	if o.Get(config.ObjectKey{Kind: config.ObjectSite, Name: "ams"}) == nil {
		return nil, errors.New("no site ams")
	}
	for _, name := range p.bad {
		if o.Get(key(name)) != nil {
			return nil, fmt.Errorf("service %s cannot be compiled", name)
		}
	}
	return p.plain.Compile(ctx, o, lenient)
}

// again makes an engine of what a node has kept, with a compiler that refuses.
func (n *testNode) again(t *testing.T, bad ...string) (*Engine, *picky, []replica.Event, error) {
	t.Helper()
	c, o := &picky{new(plain), bad}, n.opts
	var events []replica.Event
	o.Compiler, o.Event = c, func(e replica.Event) { events = append(events, e) }
	e, err := New(context.Background(), o)
	return e, c, events, err
}

func names(o *config.Objects) string {
	var list []string
	for o := range o.All {
		if o.Key().Kind == config.ObjectService {
			list = append(list, o.Key().Name)
		}
	}
	return strings.Join(list, " ")
}

func withSite(t *testing.T, services ...string) func(*Options) {
	return func(o *Options) {
		site, err := config.NewObject(config.ObjectSite, "ams", []byte(`{"address": "192.0.2.1"}`))
		if err != nil {
			t.Fatal(err)
		}
		objects, err := seed(t, services...)()
		o.Seed = func() (*config.Objects, error) { return objects.With([]*config.Object{site}, nil), err }
	}
}

// TestStartWithoutWhatCompiles: a kept document that does not compile is served by what came before it, or by what is left of it, with etcd and without.
func TestStartWithoutWhatCompiles(t *testing.T) {
	for _, tc := range []struct {
		name    string
		history bool // there was a good document before
		bad     []string
		left    string
		says    string
		down    bool
	}{
		{"a history", true, []string{"x"}, "a b c", "is served in place of it", false},
		{"one object", false, []string{"b"}, "a c", "without 1 objects (service/b)", false},
		{"two objects, and no etcd", false, []string{"a", "c"}, "b", "without 2 objects (service/a, service/c)", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			etcd := newFakeEtcd()
			n := startNode(t, etcd, "ams", withSite(t, "a", "b", "c"))
			good := n.Current().Revision
			if tc.history {
				n.write(t, &revision.Write{Put: []*config.Object{service(t, "x", "192.0.2.9")}})
			}
			kept := n.Current()
			if tc.down {
				etcd.setDown(errors.New("connection refused"))
			}
			e, c, events, err := n.again(t, tc.bad...)
			if err != nil {
				t.Fatalf("it does not start: %v", err)
			}
			if got := names(c.served.Objects); got != tc.left {
				t.Errorf("served: %s, want %s", got, tc.left)
			}
			v := e.Current()
			if v.Revision != kept.Revision || v.Document != kept.Document || !strings.Contains(v.NotServed, tc.says) || !strings.Contains(v.NotServed, kept.Revision) {
				t.Errorf("what counts is %s (%s), want %s, and that it says %q", v.Revision, v.NotServed, kept.Revision, tc.says)
			}
			if tc.history && (c.served.Revision != good || !strings.Contains(v.NotServed, good)) {
				t.Errorf("served as %s, want %s", c.served.Revision, good)
			}
			if len(events) == 0 || events[0].Name != "config.substitute" {
				t.Errorf("events = %+v", events)
			}
			if why := e.Sync().Unavailable; tc.down != (why != "") || strings.Contains(why, "serves revision") {
				t.Errorf("unavailable = %q", why)
			}
		})
	}
}

// TestSubstituteEnds: writes here and at other nodes are taken while something else is served, until one makes a document that compiles.
func TestSubstituteEnds(t *testing.T) {
	etcd := newFakeEtcd()
	n, other := startNode(t, etcd, "ams", withSite(t, "a", "b", "c")), startNode(t, etcd, "nyc", nil)
	e, c, _, err := n.again(t, "b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Commit(t.Context(), &revision.Write{Put: []*config.Object{service(t, "d", "192.0.2.4")}}); err == nil {
		t.Error("a write that mends nothing was taken")
	}
	out := other.write(t, &revision.Write{Put: []*config.Object{service(t, "a", "192.0.2.5")}}) // nor does this one
	if err := e.refresh(t.Context()); err != nil {
		t.Fatalf("what mends nothing was not taken in: %v", err)
	}
	if v := e.Current(); v.Revision != out.Revision.ID || v.NotServed == "" || names(c.served.Objects) != "a c" {
		t.Errorf("after another node's write: %+v; served: %s", v, names(c.served.Objects))
	}
	mended, err := e.Commit(t.Context(), &revision.Write{Remove: []config.ObjectKey{key("b")}})
	if err != nil || mended.View.NotServed != "" || c.served != mended.View || names(c.served.Objects) != "a c" {
		t.Errorf("after what mends it: %+v, %v", mended, err)
	}
	other.write(t, &revision.Write{Put: []*config.Object{service(t, "b", "192.0.2.6")}})
	if err := e.refresh(t.Context()); err == nil || e.Current().Revision != mended.Revision.ID || len(e.Sync().Quarantine) != 1 {
		t.Errorf("a document that does not compile, while one is served: %v, %+v", err, e.Current())
	}
	if s := e.Stats(); s.Written != 1 || s.Merged != 1 || s.Refused != 1 || s.Quarantined != 1 {
		t.Errorf("counted: %+v", s)
	}
}

// failing is a store that keeps nothing for a while.
type failing struct {
	replica.Store
	err error
}

func (f *failing) Commit(r *replica.Record) error {
	if f.err != nil {
		return f.err
	}
	return f.Store.Commit(r)
}

// TestCopyIsWholeOrOld: a store that lacks a revision is not told that it has it, when the write is confirmed elsewhere.
func TestCopyIsWholeOrOld(t *testing.T) {
	etcd := newFakeEtcd()
	n, other := startNode(t, etcd, "ams", nil), startNode(t, etcd, "nyc", nil)
	before := n.Current().Revision
	disk := &failing{n.store, errors.New("no space left on device")}
	n.Engine.opts.Store = disk
	out := n.write(t, &revision.Write{Put: []*config.Object{service(t, "a", "192.0.2.2")}, Confirm: time.Hour})
	disk.err = nil
	other.hear(t)
	if err := other.Confirm(t.Context(), out.Revision.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	n.hear(t)
	etcd.setDown(errors.New("connection refused"))
	if n.restart(t); n.Current().Revision != before || n.address("a") != "192.0.2.1" {
		t.Errorf("without etcd it has revision %.8s with a %s, want the one before, %.8s", n.Current().Revision, n.address("a"), before)
	}
	etcd.setDown(nil)
	if n.hear(t); n.Current().Revision != out.Revision.ID || n.address("a") != "192.0.2.2" {
		t.Errorf("with etcd it has revision %.8s with a %s", n.Current().Revision, n.address("a"))
	}
}

func emptyStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestNothingCompiles: a node for which nothing of a document can be served, of its copy or of etcd's, starts without names, says so, and serves what
// mends it.
func TestNothingCompiles(t *testing.T) {
	for _, tc := range []struct {
		name       string
		copy, down bool
	}{{"a copy", true, false}, {"a copy, and no etcd", true, true}, {"no copy", false, false}} {
		t.Run(tc.name, func(t *testing.T) {
			etcd := newFakeEtcd()
			n := startNode(t, etcd, "nyc", nil) // without the site that picky asks for
			other := startNode(t, etcd, "fra", nil)
			if !tc.copy {
				n.opts.Store = emptyStore(t)
			}
			if tc.down {
				etcd.setDown(errors.New("connection refused"))
			}
			n.opts.Site = "ams"
			e, c, events, err := n.again(t)
			if err != nil {
				t.Fatalf("it does not start: %v", err)
			}
			if v := e.Current(); !v.Nothing || !strings.Contains(v.NotServed, "no site ams") || v.Revision != other.Current().Revision || v.Objects.Len() == 0 {
				t.Errorf("what counts: %+v", v)
			}
			if c.served == nil || c.served.Objects.Len() != 1 || len(events) == 0 || events[0].Name != "config.substitute" {
				t.Errorf("served: %+v; events: %+v", c.served, events)
			}
			etcd.setDown(nil)
			ruined := other.write(t, &revision.Write{Put: []*config.Object{service(t, "d", "192.0.2.4")}})
			if err := e.refresh(t.Context()); err != nil || e.Current().Revision != ruined.Revision.ID || !e.Current().Nothing {
				t.Errorf("after what mends nothing: %v, %+v", err, e.Current())
			}
			var o Options
			withSite(t)(&o)
			site, err := o.Seed()
			if err != nil {
				t.Fatal(err)
			}
			out := other.write(t, &revision.Write{Put: []*config.Object{site.Get(config.ObjectKey{Kind: config.ObjectSite, Name: "ams"})}})
			if err := e.refresh(t.Context()); err != nil || e.Current().Revision != out.Revision.ID || c.served != e.Current() || e.Current().NotServed != "" || e.Current().Nothing {
				t.Errorf("after what mends it: %v, %+v", err, e.Current())
			}
		})
	}
}

// TestNewcomerServesAPart: a node without a copy begins with what of etcd's document can be served.
func TestNewcomerServesAPart(t *testing.T) {
	etcd := newFakeEtcd()
	n := startNode(t, etcd, "ams", withSite(t, "a", "b", "c"))
	n.opts.Store = emptyStore(t)
	e, c, _, err := n.again(t, "b")
	if err != nil {
		t.Fatalf("it does not start: %v", err)
	}
	if v := e.Current(); v.Revision != n.Current().Revision || v.Nothing || !strings.Contains(v.NotServed, "without 1 objects (service/b)") || names(c.served.Objects) != "a c" {
		t.Errorf("what counts: %+v; served: %s", v, names(c.served.Objects))
	}
	if e, c, _, err = n.again(t, "b"); err != nil || names(c.served.Objects) != "a c" || e.Current().NotServed == "" {
		t.Errorf("started again: %v, %s", err, names(c.served.Objects))
	}
}
