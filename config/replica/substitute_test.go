package replica

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"
	"fairlead/config/revision"
)

// refusing is a compiler with objects that it takes no document with, as a release has that was told of them by another one.
type refusing struct {
	*testCompiler
	bad func(*config.Objects) error
}

func (c *refusing) Compile(ctx context.Context, o *config.Objects, lenient bool) (Candidate, error) {
	if err := c.bad(o); err != nil {
		return nil, err
	}
	return c.testCompiler.Compile(ctx, o, lenient)
}

func ownSite(t testing.TB) *config.Object {
	return must[*config.Object](t)(config.NewObject(config.ObjectSite, "ams", []byte(`{"address": "192.0.2.1"}`)))
}

// needsSiteAndNo refuses documents without the own site, or with one of some services.
func needsSiteAndNo(names ...string) func(*config.Objects) error {
	return func(o *config.Objects) error {
		if o.Get(config.ObjectKey{Kind: config.ObjectSite, Name: "ams"}) == nil {
			return errors.New("no site ams")
		}
		for _, n := range names {
			if o.Get(serviceKey(n)) != nil {
				return fmt.Errorf("service %s cannot be compiled", n)
			}
		}
		return nil
	}
}

// TestStartWithoutWhatCompiles: a kept document that does not compile is served by what came before it, or by what is left of it; it is kept, and mended.
func TestStartWithoutWhatCompiles(t *testing.T) {
	for _, c := range []struct {
		name    string
		history bool // there was a good document before
		bad     []string
		left    string // services that are served
		says    string
		mend    func(*Engine) (*revision.Outcome, error)
	}{
		{"one object, and a history", true, []string{"s3"}, "s0 s1", "revision %s is served", nil},
		{"one object", false, []string{"s3"}, "s0 s1 s2 s4 s5 s6 s7", "without 1 objects (service/s3)", nil},
		{"several objects", false, []string{"s0", "s3", "s7"}, "s1 s2 s4 s5 s6", "without 3 objects (service/s0, service/s3, service/s7)", nil},
		{"mended by a write", false, []string{"s3"}, "s0 s1 s2 s4 s5 s6 s7", "without 1 objects", func(e *Engine) (*revision.Outcome, error) {
			return e.Commit(t.Context(), &revision.Write{Remove: []config.ObjectKey{serviceKey("s3")}, Author: "ops", Source: "api"})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newMemoryStore("store", 100)
			compiler := &testCompiler{}
			open := func(c Compiler) (*Engine, error) {
				return New(t.Context(), Options{Site: "ams", Mode: ModeSeed, Store: s, Compiler: c})
			}
			e := must[*Engine](t)(open(compiler))
			good := ""
			put := []*config.Object{ownSite(t)}
			for i := range 8 {
				put = append(put, service(fmt.Sprint("s", i), `{"v":1}`))
			}
			if c.history {
				good = must[*revision.Outcome](t)(e.Commit(t.Context(), &revision.Write{Put: put[:3], Author: "ops", Source: "api"})).View.Revision
			}
			kept := must[*revision.Outcome](t)(e.Commit(t.Context(), &revision.Write{Put: put, Author: "ops", Source: "api"})).View

			picky := &refusing{compiler, needsSiteAndNo(c.bad...)}
			again, err := open(picky)
			if err != nil {
				t.Fatalf("it does not start: %v", err)
			}
			var names []string
			for o := range again.candidate.(*testCandidate).objects.All {
				if o.Key().Kind == config.ObjectService {
					names = append(names, o.Key().Name)
				}
			}
			if got := strings.Join(names, " "); got != c.left {
				t.Errorf("served: %s, want %s", got, c.left)
			}
			says := c.says
			if good != "" {
				says = fmt.Sprintf(says, good)
			}
			v := again.Current()
			if !strings.Contains(v.NotServed, says) || !strings.Contains(v.NotServed, kept.Revision) || v.Revision != kept.Revision || v.Document != kept.Document {
				t.Errorf("what counts is %s with document %s (%s); want %s with %s, and that it says %q", v.Revision, v.Document, v.NotServed, kept.Revision, kept.Document, says)
			}
			if served := compiler.served(); good != "" && served.Revision != good || served.Document == kept.Document {
				t.Errorf("served as revision %s, document %s", served.Revision, served.Document)
			}
			if c.mend == nil {
				if _, err := again.Commit(t.Context(), &revision.Write{Put: []*config.Object{service("new", `{"v":1}`)}, Author: "ops"}); err == nil {
					t.Error("a write that mends nothing was taken")
				}
				if doc, err := s.document(); err != nil || doc.ID() != kept.Document {
					t.Errorf("the kept document is gone: %v", err)
				}
				return
			}
			if out, err := c.mend(again); err != nil || out.View.NotServed != "" || compiler.served().Document != out.View.Document {
				t.Errorf("mended: %+v, %v", out, err)
			}
		})
	}
}

// TestNothingCompiles: without a document that could be served the start fails, with the reason.
func TestNothingCompiles(t *testing.T) {
	s := newMemoryStore("store", 100)
	e := must[*Engine](t)(New(t.Context(), Options{Site: "ams", Mode: ModeSeed, Store: s, Compiler: &testCompiler{}}))
	must[*revision.Outcome](t)(e.Commit(t.Context(), &revision.Write{Put: []*config.Object{service("s0", `{"v":1}`)}, Author: "ops"}))
	_, err := New(t.Context(), Options{Site: "ams", Mode: ModeSeed, Store: s, Compiler: &refusing{&testCompiler{}, needsSiteAndNo()}})
	if err == nil || !strings.Contains(err.Error(), "no site ams") {
		t.Errorf("got %v", err)
	}
}

// TestAnotherSiteMends: a site whose kept document does not compile takes in what others write, until that mends it.
func TestAnotherSiteMends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, 7)
		defer w.stopAll()
		a, b := w.sites[0], w.sites[1]
		w.startAll()
		must[*revision.Outcome](t)(a.put("self", `{"v":1}`))
		must[*revision.Outcome](t)(a.put("x", `{"v":1}`))
		time.Sleep(time.Minute)
		must[*revision.Outcome](t)(b.engine.Commit(t.Context(), &revision.Write{Remove: []config.ObjectKey{serviceKey("self")}, Author: "ops", Source: "api", Force: true}))
		time.Sleep(time.Minute)
		w.stop(a)
		a.compiler.need("self") // as of the release that starts now
		w.start(a)
		if v := a.engine.Current(); v.NotServed == "" || a.text("self") != "" {
			t.Fatalf("served: %+v", v)
		}
		if !a.noted(func(e Event) bool { return e.Name == "config.substitute" }) {
			t.Error("no event says so")
		}
		must[*revision.Outcome](t)(b.put("x", `{"v":2}`)) // mends nothing, and is taken all the same
		time.Sleep(time.Minute)
		if v := a.engine.Current(); v.NotServed == "" || !strings.Contains(a.text("x"), `"v":2`) {
			t.Fatalf("after what mends nothing: %q, %s", v.NotServed, a.text("x"))
		}
		must[*revision.Outcome](t)(b.put("self", `{"v":2}`))
		time.Sleep(time.Minute)
		if v := a.engine.Current(); v.NotServed != "" {
			t.Errorf("after what mends it: %q", v.NotServed)
		}
		w.agree("mended")
	})
}
