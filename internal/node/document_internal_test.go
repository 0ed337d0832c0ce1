package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"fairlead/config"
	"fairlead/config/geodata"
	"fairlead/config/revision"
)

// stillNode is a node that does not run, with one site and one balanced name.
func stillNode(t *testing.T) *Node {
	t.Helper()
	text := `{zones: [{name: example.test, nameservers: [ns.example.test], records: "ns 60 A 192.0.2.53"}],
  sites: [{name: here, address: 127.0.0.1}], services: [{name: web, site: here, addresses: [192.0.2.1]}],
  virtual_servers: [{name: www, domains: [{name: www.example.test}], method: round-robin, members: [{service: web}]}]}`
	n, err := New(Options{Config: &config.Node{Site: "here", API: config.NodeAPI{Listen: "127.0.0.1:0"}, DNS: config.NodeDNS{Listen: []string{"127.0.0.1:0"}, Workers: 1}},
		Source: &config.Source{Name: "test.yaml", Text: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func webAt(t *testing.T, address string) *config.Object {
	t.Helper()
	o, err := config.NewObject(config.ObjectService, "web", fmt.Appendf(nil, `{"site": "here", "addresses": [%q]}`, address))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestAdoptKeepsWhatCameBeside: what a plan and zones are made of besides the text may change between a document's compilation and its
// adoption, and a document whose objects stay is adopted again as it was compiled first. Neither may bring back what was before.
func TestAdoptKeepsWhatCameBeside(t *testing.T) {
	n := stillNode(t)
	c := compiler{n}
	now := n.documents.Current()
	compiled := func(o *config.Objects) *intent {
		t.Helper()
		candidate, err := c.Compile(context.Background(), o, false)
		if err != nil {
			t.Fatal(err)
		}
		return candidate.(*intent)
	}
	same, next := compiled(now.Objects), compiled(now.Objects.With([]*config.Object{webAt(t, "192.0.2.2")}, nil))
	table := new(geodata.Table)
	n.geo.table.Store(table)
	n.replan()
	for _, tt := range []struct {
		name string
		in   *intent
	}{{"the same document", same}, {"another document", next}, {"the first one again", same}} {
		c.Adopt(tt.in, &revision.View{Revision: tt.name})
		if n.newest.id != tt.in.id || n.newest.revision != tt.name {
			t.Errorf("%s: serving document %s of revision %q, want %s", tt.name, n.newest.id, n.newest.revision, tt.in.id)
		}
		if n.newest.plan.Geo() != table {
			t.Errorf("%s: clients are located by the files as they were when it was compiled", tt.name)
		}
	}
}

// TestWritesBesideReplans: documents are compiled while location files, groups and zones of primaries have plans made anew.
func TestWritesBesideReplans(t *testing.T) {
	n := stillNode(t)
	const times = 50
	var both sync.WaitGroup
	both.Go(func() {
		for range times {
			n.geo.table.Store(new(geodata.Table))
			n.replan()
		}
	})
	both.Go(func() {
		for i := range times {
			w := &revision.Write{Put: []*config.Object{webAt(t, fmt.Sprintf("192.0.2.%d", i+2))}, Author: "ops", Source: "api"}
			if _, err := n.documents.Commit(context.Background(), w); err != nil {
				t.Error(err)
			}
		}
	})
	both.Wait()
	if got, want := n.newest.id, n.documents.Current().Document; got != want {
		t.Errorf("serving document %s, and %s was written last", got, want)
	}
	if n.newest.plan.Geo() != n.geo.table.Load() {
		t.Error("clients are located by files as they were before")
	}
}

// TestWriteAfterTheEnd: a request that outlives the node is refused as what cannot be stored.
func TestWriteAfterTheEnd(t *testing.T) {
	n := stillNode(t)
	if err := n.store.Close(); err != nil {
		t.Fatal(err)
	}
	w := &revision.Write{Put: []*config.Object{webAt(t, "192.0.2.2")}, Author: "ops", Source: "api"}
	if _, err := n.documents.Commit(context.Background(), w); !errors.Is(err, revision.ErrUnavailable) {
		t.Errorf("a write without a store: %v, want %v", err, revision.ErrUnavailable)
	}
	if n.documents.Current().Objects.Get(w.Put[0].Key()).Hash() == w.Put[0].Hash() {
		t.Error("what was not stored counts")
	}
}
