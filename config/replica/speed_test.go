package replica

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"
	"fairlead/config/revision"
)

// quickCompiler takes any document, and says when one is served.
type quickCompiler struct{ served chan string }

func (c *quickCompiler) Compile(_ context.Context, objects *config.Objects, _ bool) (Candidate, error) {
	return &testCandidate{objects: objects}, nil
}

func (c *quickCompiler) Effect(context.Context, Candidate, Candidate) (*revision.Effect, error) {
	return nil, nil
}

func (c *quickCompiler) Adopt(_ Candidate, v *revision.View) { c.served <- v.Revision }

// manyServices is a document of some length.
func manyServices(n int) *config.Objects {
	var list []*config.Object
	for i := range n {
		list = append(list, service(fmt.Sprintf("service-%05d", i), fmt.Sprintf(`{"site":"ams","address":"192.0.2.1","port":%d,"monitors":["http"],"weight":10}`, 1+i)))
	}
	return config.NewObjects(list)
}

// eight starts sites that hear each other at once. It returns them, and what says that a site serves something else.
func eight(t testing.TB, objects *config.Objects) ([]*Engine, chan string, func()) {
	served := make(chan string, 1000)
	ctx, cancel := context.WithCancel(context.Background())
	engines := make([]*Engine, 8)
	done := make(chan error, len(engines))
	for i := range engines {
		e, err := New(ctx, Options{Site: fmt.Sprint(i), Mode: ModeSeed, Store: trusted(newMemoryStore(fmt.Sprint("store", i), 100)), Compiler: &quickCompiler{served},
			Seed: func() (*config.Objects, error) { return objects, nil },
			Send: func(_ context.Context, to string, kind uint8, body []byte) error {
				engines[to[0]-'0'].Hear(fmt.Sprint(i), kind, body)
				return nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		engines[i] = e
		<-served
	}
	for i, e := range engines {
		for j := range engines {
			if i != j {
				e.PeerUp(fmt.Sprint(j))
			}
		}
		go func() { done <- e.Run(ctx) }()
	}
	return engines, served, func() {
		cancel()
		for range engines {
			<-done
		}
	}
}

func trusted(s *memoryStore) *memoryStore {
	s.trusting = true
	return s
}

// TestEightSites: a change of one of 10,000 services is served by eight sites within a second.
func TestEightSites(t *testing.T) {
	engines, served, stop := eight(t, manyServices(10_000))
	defer stop()
	const tries = 5 // other programs may delay one, but not all
	var took time.Duration
	for weight := range tries {
		start := time.Now()
		out, err := engines[3].Commit(context.Background(), &revision.Write{Put: []*config.Object{service("service-00077", fmt.Sprintf(`{"weight":%d}`, 11+weight))}})
		if err != nil {
			t.Fatal(err)
		}
		here := time.Since(start)
		for range engines {
			if got := <-served; got != out.Revision.ID {
				t.Fatalf("a site serves %s, want %s", got, out.Revision.ID)
			}
		}
		took = time.Since(start)
		t.Logf("written in %v, served by all in %v", here, took)
		if took <= time.Second {
			return
		}
	}
	t.Errorf("it took %v, and no less before", took)
}

// TestWholeDocumentTravels: a document of 12,000 services reaches a new site.
func TestWholeDocumentTravels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, 1)
		defer w.stopAll()
		w.sites[0].seed = manyServices(12_000)
		w.sites[0].store, w.sites[1].store = trusted(w.newStore()), trusted(w.newStore())
		w.startAll()
		time.Sleep(time.Minute)
		w.agree("told")
		if got := w.sites[1].engine.Current().Objects.Len(); got != 12_000 {
			t.Errorf("the new site has %d services", got)
		}
	})
}

// BenchmarkCommit changes one of 10,000 services: what the engine costs, without compiling and storing.
func BenchmarkCommit(b *testing.B) {
	served := make(chan string, 1)
	e, err := New(context.Background(), Options{Site: "ams", Mode: ModeSeed, Store: trusted(newMemoryStore("own", 10)), Compiler: &quickCompiler{served},
		Seed: func() (*config.Objects, error) { return manyServices(10_000), nil }})
	if err != nil {
		b.Fatal(err)
	}
	<-served
	n := 0
	for b.Loop() {
		n++
		if _, err := e.Commit(context.Background(), &revision.Write{Put: []*config.Object{service("service-00077", fmt.Sprintf(`{"weight":%d}`, n))}}); err != nil {
			b.Fatal(err)
		}
		<-served
	}
}
