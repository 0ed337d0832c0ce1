package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"
	"fairlead/config/revision"
)

// played runs a story with sites in a bubble, and stops them in the end.
func played(t *testing.T, sites int, story func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sites, 1)
		for _, s := range w.sites {
			s.seed = config.NewObjects([]*config.Object{service("a", `{"v":1}`), service("b", `{"v":1}`)})
		}
		defer w.stopAll()
		story(w)
	})
}

// pass lets time pass in the bubble.
func pass(d time.Duration) { time.Sleep(d) }

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestCommitHoldsPreconditions(t *testing.T) {
	played(t, 1, func(w *world) {
		w.startAll()
		s := w.sites[0]
		e := s.engine
		first := e.Current()
		a := first.Objects.Get(serviceKey("a"))
		long := strings.Repeat("x", revision.MaxText+1)
		for _, c := range []struct {
			name  string
			write revision.Write
			want  error
			text  string
		}{
			{"base", revision.Write{Base: "00"}, revision.ErrStale, "made from revision 00"},
			{"exists", revision.Write{Match: map[config.ObjectKey]config.ObjectHash{serviceKey("a"): {}}}, revision.ErrStale, "service/a exists"},
			{"changed", revision.Write{Match: map[config.ObjectKey]config.ObjectHash{serviceKey("a"): {1}}}, revision.ErrStale, "service/a was changed"},
			{"gone", revision.Write{Match: map[config.ObjectKey]config.ObjectHash{serviceKey("x"): {1}}}, revision.ErrStale, "does not exist"},
			{"remove nothing", revision.Write{Remove: []config.ObjectKey{serviceKey("x")}}, revision.ErrUnknown, "remove service/x"},
			{"resolve nothing", revision.Write{Resolve: []config.ObjectKey{serviceKey("a")}}, revision.ErrUnknown, "resolve"},
			{"long reason", revision.Write{Reason: long}, revision.ErrRefused, "4097 bytes"},
			{"long confirm", revision.Write{Confirm: MaxConfirm + 1}, revision.ErrRefused, "confirm within"},
			{"long key", revision.Write{Once: long}, revision.ErrRefused, "idempotency key"},
		} {
			_, err := e.Commit(context.Background(), &c.write)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s: got %v, want %v with %q", c.name, err, c.want, c.text)
			}
		}
		out := must[*revision.Outcome](t)(e.Commit(context.Background(), &revision.Write{Base: first.Revision, Match: map[config.ObjectKey]config.ObjectHash{a.Key(): a.Hash()},
			Put: []*config.Object{service("a", `{"v":2}`)}, Author: "ops", Source: "api", Reason: "why", Once: "k1"}))
		if out.Revision.Author != "ops" || len(out.Changes) != 1 || out.View.Revision != out.Revision.ID || s.text("a") != `{"name":"a","v":2}` {
			t.Errorf("outcome %+v, service %s", out, s.text("a"))
		}
		again := must[*revision.Outcome](t)(e.Commit(context.Background(), &revision.Write{Put: []*config.Object{service("a", `{"v":2}`)}, Once: "k1"}))
		if again.Revision.ID != out.Revision.ID {
			t.Errorf("the same key made %v, want %s", again.Revision, out.Revision.ID)
		}
		if same := must[*revision.Outcome](t)(s.put("a", `{"v":2}`)); same.Revision != nil {
			t.Errorf("a write that changes nothing made %v", same.Revision)
		}
		if old := must[*config.Objects](t)(e.At(first.Revision)); old.ID() != first.Document {
			t.Errorf("the document before is %s, want %s", old.ID(), first.Document)
		}
	})
}

func TestLostNamesNeedForce(t *testing.T) {
	played(t, 1, func(w *world) {
		s := w.sites[0]
		www, err := config.NewObject(config.ObjectVirtualServer, "www", []byte(`{"v":1}`))
		if err != nil {
			t.Fatal(err)
		}
		s.seed = s.seed.With([]*config.Object{www}, nil)
		w.startAll()
		write := revision.Write{Remove: []config.ObjectKey{www.Key()}}
		out, err := s.engine.Plan(context.Background(), &write)
		if !errors.Is(err, revision.ErrRefused) || !strings.Contains(err.Error(), "www") || len(out.Effect.LostNames) != 1 {
			t.Fatalf("got %+v, %v", out, err)
		}
		if _, err = s.engine.Commit(context.Background(), &write); !errors.Is(err, revision.ErrRefused) {
			t.Fatalf("got %v", err)
		}
		write.Force = true
		if _, err = s.engine.Commit(context.Background(), &write); err != nil {
			t.Fatal(err)
		}
	})
}

// TestMergeLeavesInert: one site removes what another begins to use. The document is served without the reference, and other writes are taken.
func TestMergeLeavesInert(t *testing.T) {
	played(t, 2, func(w *world) {
		w.startAll()
		a, b := w.sites[0], w.sites[1]
		w.setCut(a, b, true)
		must[*revision.Outcome](t)(a.put("c", `{"backup":"b"}`))
		must[*revision.Outcome](t)(b.engine.Commit(context.Background(), &revision.Write{Remove: []config.ObjectKey{serviceKey("b")}}))
		w.setCut(a, b, false)
		time.Sleep(time.Second)
		w.agree("merged")
		if inert := b.engine.Sync().Inert; len(inert) != 1 || inert[0].Object != "service/c" {
			t.Fatalf("inert: %+v", inert)
		}
		must[*revision.Outcome](t)(b.put("d", `{"v":1}`))
		var invalid *revision.InvalidError
		if _, err := b.put("e", `{"backup":"nothing"}`); !errors.As(err, &invalid) {
			t.Errorf("a write that adds to it: got %v", err)
		}
		must[*revision.Outcome](t)(b.put("b", `{"v":3}`))
		if inert := b.engine.Sync().Inert; len(inert) != 0 {
			t.Errorf("inert after it was put right: %+v", inert)
		}
	})
}

func TestConflictIsKeptAndSettled(t *testing.T) {
	played(t, 2, func(w *world) {
		w.startAll()
		a, b := w.sites[0], w.sites[1]
		w.setCut(a, b, true)
		must[*revision.Outcome](t)(b.put("a", `{"v":"first"}`))
		time.Sleep(time.Minute)
		must[*revision.Outcome](t)(a.put("a", `{"v":"second"}`)) // later, at the site whose name is less
		w.setCut(a, b, false)
		time.Sleep(time.Second)
		w.agree("merged")
		for _, s := range w.sites {
			list := s.engine.Conflicts()
			if len(list) != 1 || list[0].Winner.Site != a.name || len(list[0].Losers) != 1 || string(list[0].Losers[0].Object.Text()) != `{"name":"a","v":"first"}` {
				t.Fatalf("%s: conflicts %+v", s.name, list)
			}
			if !s.noted(func(e Event) bool { return e.Name == "config.conflict" && e.Text == "service/a" }) {
				t.Errorf("%s: no event of the conflict", s.name)
			}
		}
		must[*revision.Outcome](t)(a.engine.Commit(context.Background(), &revision.Write{Resolve: []config.ObjectKey{serviceKey("a")}, Source: "resolve"}))
		time.Sleep(time.Second)
		w.agree("resolved")
		if list := b.engine.Conflicts(); len(list) != 0 || a.text("a") != `{"name":"a","v":"second"}` {
			t.Errorf("conflicts %+v, and %s counts", list, a.text("a"))
		}
	})
}

func TestConfirm(t *testing.T) {
	played(t, 2, func(w *world) {
		w.startAll()
		a, b := w.sites[0], w.sites[1]
		pend := func(name string) string {
			out := must[*revision.Outcome](t)(a.engine.Commit(context.Background(), &revision.Write{Confirm: time.Minute, Source: "api",
				Put: []*config.Object{service(name, `{"v":"new"}`), service("n"+name, `{"v":"new"}`)}}))
			return out.Revision.ID
		}
		kept, undone := pend("a"), pend("b")
		must[*revision.Outcome](t)(b.put("z", `{"v":1}`))
		if err := a.engine.Confirm(context.Background(), kept[:6], "ops"); err != nil {
			t.Fatal(err)
		}
		if err := a.engine.Confirm(context.Background(), kept, "ops"); !errors.Is(err, revision.ErrUnknown) {
			t.Errorf("confirmed twice: %v", err)
		}
		must[*revision.Outcome](t)(a.put("nb", `{"v":"since"}`))
		w.stop(a)
		w.start(a) // the timer survives
		time.Sleep(2 * time.Minute)
		w.agree("undone")
		if got := []string{b.text("a"), b.text("b"), b.text("na"), b.text("nb"), b.text("z")}; !slices.Equal(got,
			[]string{`{"name":"a","v":"new"}`, `{"name":"b","v":1}`, `{"name":"na","v":"new"}`, `{"name":"nb","v":"since"}`, `{"name":"z","v":1}`}) {
			t.Errorf("after the time: %q", got)
		}
		if entry := must[*revision.Entry](t)(a.engine.Find(a.engine.Current().Revision)); entry.Revision.Source != "rollback" || !strings.Contains(entry.Revision.Reason, undone[:8]) {
			t.Errorf("the last line is %+v", entry.Revision)
		}
	})
}

// TestOldSeedStaysAway: a site that lost its store begins with its seed, which names what was removed long ago. It comes back nowhere.
func TestOldSeedStaysAway(t *testing.T) {
	played(t, 3, func(w *world) {
		w.startAll()
		a, b := w.sites[0], w.sites[1]
		must[*revision.Outcome](t)(a.engine.Commit(context.Background(), &revision.Write{Remove: []config.ObjectKey{serviceKey("b")}}))
		time.Sleep(time.Second)
		w.stop(b)
		b.store = w.newStore()
		b.seed = b.seed.With([]*config.Object{service("old", `{"v":1}`)}, nil)
		w.setCut(a, b, true)
		w.setCut(b, w.sites[2], true)
		w.start(b)
		if b.text("old") == "" || b.text("b") == "" {
			t.Fatal("a site alone does not serve its seed")
		}
		w.heal()
		time.Sleep(time.Minute)
		if w.agree("healed"); b.text("old") != "" || b.text("b") != "" || a.text("a") == "" || len(a.engine.Conflicts()) > 0 {
			t.Errorf("an old seed came back: %q, %q, %+v", b.text("old"), b.text("b"), a.engine.Conflicts())
		}
	})
}

// TestUnavailable: a store that keeps nothing refuses the write, and what is served stays.
func TestUnavailable(t *testing.T) {
	played(t, 2, func(w *world) {
		w.startAll()
		a, b := w.sites[0], w.sites[1]
		a.store.fail(func() error { return errFull }, nil)
		before := a.engine.Current()
		if _, err := a.put("a", `{"v":2}`); !errors.Is(err, revision.ErrUnavailable) || !errors.Is(err, errFull) {
			t.Fatalf("got %v", err)
		}
		for i := range 100 { // more than a store keeps for others: they are told the state
			must[*revision.Outcome](t)(b.put("b", fmt.Sprintf(`{"v":%d}`, 2+i)))
		}
		w.setCut(a, b, true)
		w.setCut(a, b, false)
		time.Sleep(10 * time.Minute)
		if sent := a.engine.Stats().Sent + b.engine.Stats().Sent; sent > 600 {
			t.Errorf("the sites sent %d messages while one could keep nothing", sent)
		}
		if a.engine.Current() != before || a.engine.Sync().Unavailable == "" {
			t.Fatal("something is served that is not kept")
		}
		a.store.fail(nil, nil)
		time.Sleep(time.Minute)
		w.agree("with room again")
		if why := a.engine.Sync().Unavailable; why != "" {
			t.Errorf("still unavailable: %s", why)
		}
	})
}

// TestClockGuard: a revision of a clock ten minutes ahead waits until it is at most five, and what was based on it with it.
func TestClockGuard(t *testing.T) {
	played(t, 2, func(w *world) {
		a, b := w.sites[0], w.sites[1]
		a.ahead = 10 * time.Minute
		w.startAll()
		must[*revision.Outcome](t)(a.put("a", `{"v":2}`))
		must[*revision.Outcome](t)(a.put("b", `{"v":2}`))
		time.Sleep(4 * time.Minute)
		q := b.engine.Sync().Quarantine
		if b.text("a") != `{"name":"a","v":1}` || len(q) != 2 || !strings.Contains(q[0].Why, "ahead of this site's clock") || b.engine.Stats().Quarantined == 0 {
			t.Fatalf("after 4 minutes: %s, %+v", b.text("a"), q)
		}
		here, there := a.engine.Sync().Peers[0].LastError, b.engine.Sync().Peers[0].LastError
		if !strings.Contains(here, "the clock here is 10m0s ahead") || there != "" {
			t.Errorf("of the other's clock, the site whose clock is ahead says %q, the other one %q", here, there)
		}
		must[*revision.Outcome](t)(b.put("a", `{"v":"mine"}`))
		time.Sleep(2 * time.Minute)
		w.agree("after 6 minutes")
		if q := b.engine.Sync().Quarantine; len(q) != 0 {
			t.Errorf("still in quarantine: %+v", q)
		}
	})
}

// TestWithoutCompiling: what does not compile at all is not taken, and is when something after it does.
func TestWithoutCompiling(t *testing.T) {
	played(t, 2, func(w *world) {
		a, b := w.sites[0], w.sites[1]
		b.compiler.need("a")
		w.startAll()
		must[*revision.Outcome](t)(a.engine.Commit(context.Background(), &revision.Write{Remove: []config.ObjectKey{serviceKey("a")}}))
		time.Sleep(time.Minute)
		if q := b.engine.Sync().Quarantine; b.text("a") == "" || len(q) != 1 || q[0].Why != "there is no a" {
			t.Fatalf("served: %q, quarantine: %+v", b.text("a"), q)
		}
		must[*revision.Outcome](t)(a.put("a", `{"v":5}`))
		time.Sleep(time.Minute)
		w.agree("with it again")
	})
}

// TestLongHistory: a site that was away for longer than revisions are kept is told the state, with objects of any length.
func TestLongHistory(t *testing.T) {
	played(t, 3, func(w *world) {
		w.startAll()
		a, b, c := w.sites[0], w.sites[1], w.sites[2]
		w.stop(c)
		must[*revision.Outcome](t)(c.restarted(w).put("c", `{"v":"from c"}`))
		w.setCut(a, c, true)
		w.setCut(b, c, true)
		for i := range 100 {
			must[*revision.Outcome](t)(a.put(fmt.Sprintf("s%d", i%50), fmt.Sprintf(`{"v":%d}`, i)))
		}
		long := config.NewFile("big.zone", []byte(strings.Repeat("0123456789abcdef", 700_000)))
		must[*revision.Outcome](t)(b.engine.Commit(context.Background(), &revision.Write{Put: []*config.Object{long, config.NewFile("empty.zone", nil)}}))
		must[*revision.Outcome](t)(c.put("c", `{"v":"alone"}`))
		w.setCut(a, c, false)
		time.Sleep(time.Minute)
		w.setCut(b, c, false)
		time.Sleep(time.Minute)
		w.agree("told")
		if a.text("c") != `{"name":"c","v":"alone"}` || c.text("s49") != `{"name":"s49","v":99}` {
			t.Errorf("a has %s, c has %s", a.text("c"), c.text("s49"))
		}
		for _, s := range w.sites {
			t.Logf("%s: %+v", s.name, s.engine.Stats())
			if sent := s.engine.Stats().Sent; sent > 1000 {
				t.Errorf("%s sent %d messages for 100 writes", s.name, sent)
			}
		}
		if o := c.engine.Current().Objects.Get(long.Key()); o == nil || o.Hash() != long.Hash() {
			t.Error("the long object was not told")
		}
		if list := must[[]revision.Entry](t)(c.store.History("", 1000)); !slices.ContainsFunc(list, func(l revision.Entry) bool { return l.Revision.Source == "state" }) {
			t.Error("the state was not told")
		}
	})
}

func (s *testSite) restarted(w *world) *testSite {
	w.start(s)
	return s
}
