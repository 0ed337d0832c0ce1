package replica

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"
	"fairlead/config/revision"
)

// PlayKept plays random writes, partitions and restarts at three sites whose stores are in directories. Then it compares what each of them has
// with what it has after it was opened again, and its history with the document.
func PlayKept(t *testing.T, course uint64, open func(dir string) (Store, func() error, error)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := newWorld(t, 3, course)
		defer c.stopAll()
		for i, s := range c.sites {
			s.seed = config.NewObjects([]*config.Object{service("s0", `{"v":1}`), service(fmt.Sprintf("s%d", 1+i%2), `{"v":1}`)})
			s.store = c.newStore()
			s.open = func() (Store, func() error, error) { return open(filepath.Join(dir, s.name)) }
		}
		c.startAll()
		for range 60 {
			c.keptStep()
		}
		c.heal()
		time.Sleep(2 * time.Minute)
		c.agree("healed")
		first := c.sites[0].engine.Current()
		for _, s := range c.sites {
			c.stop(s)
			c.start(s)
			if v := s.engine.Current(); v.Revision != first.Revision || v.Document != first.Document {
				t.Fatalf("%s: opened again it has %s, want %s", s.name, v.Revision, first.Revision)
			}
			history := must[[]revision.Entry](t)(s.engine.History("", 10))
			if len(history) == 0 || history[0].View != first.Revision {
				t.Fatalf("%s: the history ends with %+v", s.name, history)
			}
			for _, line := range history {
				if _, err := s.engine.At(line.View); err != nil {
					t.Fatalf("%s: the document at %s: %v", s.name, line.View, err)
				}
			}
			if now := must[*config.Objects](t)(s.engine.At(first.Revision)); now.ID() != first.Document {
				t.Fatalf("%s: the document at %s is %s, want %s", s.name, first.Revision, now.ID(), first.Document)
			}
		}
	})
}

func (w *world) keptStep() {
	s, o := w.sites[w.random(3)], w.sites[w.random(3)]
	switch n := w.random(20); {
	case n < 12 && s.engine != nil:
		write := &revision.Write{Author: "ops", Source: "api", Once: fmt.Sprint(w.random(1000))}
		key := serviceKey(fmt.Sprintf("s%d", w.random(6)))
		if s.engine.Current().Objects.Get(key) != nil && n < 3 {
			write.Remove = append(write.Remove, key)
		} else {
			write.Put = append(write.Put, service(key.Name, fmt.Sprintf(`{"v":%d}`, w.random(1000))))
		}
		if n == 5 {
			write.Confirm = 20 * time.Second
		}
		must[*revision.Outcome](w.t)(s.engine.Commit(context.Background(), write))
	case n < 14 && s != o:
		w.setCut(s, o, !w.cut[pair(s.name, o.name)])
	case n < 17:
		time.Sleep(time.Duration(w.random(15000)) * time.Millisecond)
	case n < 19 && s.engine != nil:
		w.stop(s)
	case s.engine == nil:
		w.start(s)
	}
}

// PlayLater has a site take in an object of a kind that only a later release knows, and opens its store again.
func PlayLater(t *testing.T, open func() (Store, func() error, error)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, 1)
		defer w.stopAll()
		s := w.sites[0]
		s.seed, s.open = config.NewObjects([]*config.Object{service("a", `{"v":1}`)}), open
		w.startAll()
		e := s.engine
		e.opts.Send = func(context.Context, string, uint8, []byte) error { return nil }
		e.PeerUp("nyc")
		text := `{"later":true}`
		object := service("a", `{"v":2}`)
		later := sealed(t, &revision.Revision{Dot: revision.Dot{Actor: "nyc1", Seq: 1}, Seen: s.state().Vector().Clone(), Extra: []byte("later"),
			Changes: []revision.Change{{Key: object.Key(), Hash: object.Hash()}, {Key: config.ObjectKey{Kind: 99, Name: "x"}, Hash: sha256.Sum256([]byte(text))}}})
		e.Hear("nyc", KindRevisions, told(t, []*revision.Revision{later}, text, string(object.Text())))
		time.Sleep(time.Second)
		if s.text("a") != string(object.Text()) || e.Current().Revision != later.ID || e.Current().Objects.Len() != 2 {
			t.Fatalf("after the later release's write: %s, %s, %s\n%s", s.text("a"), e.Current().Revision, e.Sync().Unavailable, w.dump())
		}
		// A whole document of this release does not remove it.
		must[*revision.Outcome](t)(e.Commit(context.Background(), &revision.Write{Replace: fileOf(object, service("b", `{"v":1}`))}))
		if got := s.engine.Current().Objects.Len(); got != 3 {
			t.Errorf("after a whole document it has %d objects", got)
		}
		w.stop(s)
		w.start(s)
		if s.text("b") == "" || s.engine.Current().Objects.Len() != 3 {
			t.Errorf("opened again it has %d objects", s.engine.Current().Objects.Len())
		}
		if s.text("a") != string(object.Text()) || !s.state().Vector().Covers(later.Dot) {
			t.Errorf("opened again: %s, %s", s.text("a"), s.engine.Current().Revision)
		}
	})
}
