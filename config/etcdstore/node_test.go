package etcdstore

import (
	"context"
	"fmt"
	"testing"

	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
	"fairlead/config/store"
)

// plain compiles anything, and remembers what is served.
type plain struct {
	served *revision.View
	lost   []string
	refuse error
}

type plainCandidate struct{ objects *config.Objects }

func (plainCandidate) Warnings() []config.Problem { return nil }
func (plainCandidate) Inert() []config.Problem    { return nil }

func (p *plain) Compile(_ context.Context, o *config.Objects, _ bool) (replica.Candidate, error) {
	return plainCandidate{o}, p.refuse
}

func (p *plain) Effect(context.Context, replica.Candidate, replica.Candidate) (*revision.Effect, error) {
	return &revision.Effect{LostNames: p.lost}, nil
}

func (p *plain) Adopt(_ replica.Candidate, v *revision.View) { p.served = v }

func service(t testing.TB, name, address string) *config.Object {
	t.Helper()
	o, err := config.NewObject(config.ObjectService, name, fmt.Appendf(nil, `{"name":%q,"address":%q}`, name, address))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func key(name string) config.ObjectKey {
	return config.ObjectKey{Kind: config.ObjectService, Name: name}
}

func seed(t testing.TB, names ...string) func() (*config.Objects, error) {
	var list []*config.Object
	for _, n := range names {
		list = append(list, service(t, n, "192.0.2.1"))
	}
	return func() (*config.Objects, error) { return config.NewObjects(list), nil }
}

// testNode is an engine with its store and compiler.
type testNode struct {
	*Engine
	compiler *plain
	store    *store.Store
	dir      string
	opts     Options
}

func startNode(t testing.TB, etcd *fakeEtcd, site string, with func(*Options)) *testNode {
	t.Helper()
	n := &testNode{dir: t.TempDir(), opts: Options{Site: site, dial: etcd.dial, Seed: seed(t, "a", "b", "c")}}
	if with != nil {
		with(&n.opts)
	}
	n.start(t)
	t.Cleanup(func() { n.stop(t) })
	return n
}

func (n *testNode) start(t testing.TB) {
	t.Helper()
	if err := n.tryStart(); err != nil {
		t.Fatal(err)
	}
}

func (n *testNode) tryStart() (err error) {
	if n.store, err = store.Open(n.dir, store.Options{}); err != nil {
		return err
	}
	n.compiler = new(plain)
	n.opts.Store, n.opts.Compiler = n.store, n.compiler
	if n.Engine, err = New(context.Background(), n.opts); err != nil {
		_ = n.store.Close()
		n.store = nil
	}
	return err
}

func (n *testNode) stop(t testing.TB) {
	if n.store != nil {
		if err := n.store.Close(); err != nil {
			t.Error(err)
		}
	}
	n.store = nil
}

func (n *testNode) restart(t testing.TB) {
	t.Helper()
	n.stop(t)
	n.start(t)
}

func (n *testNode) write(t testing.TB, w *revision.Write) *revision.Outcome {
	t.Helper()
	out, err := n.Commit(context.Background(), w)
	if err != nil {
		t.Fatalf("write at %s: %v", n.opts.Site, err)
	}
	return out
}

func (n *testNode) address(name string) string {
	if o := n.Current().Objects.Get(key(name)); o != nil {
		return o.Field("address")
	}
	return ""
}

func (n *testNode) hear(t testing.TB) {
	t.Helper()
	if err := n.refresh(context.Background()); err != nil {
		t.Fatalf("refresh at %s: %v", n.opts.Site, err)
	}
}
