package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
)

// A write that etcd has not answered must not come to count after its author was told that it does not.
func TestUnansweredWriteIsMadeOnceOrNever(t *testing.T) {
	etcd := newFakeEtcd()
	n := startNode(t, etcd, "ams", nil)
	etcd.holdBack = true
	out := n.write(t, &revision.Write{Put: []*config.Object{service(t, "a", "192.0.2.2")}})
	before := etcd.items[headKey]
	etcd.late()
	if after := etcd.items[headKey]; after.version != before.version {
		t.Errorf("what etcd did late moved the head from version %d to %d", before.version, after.version)
	}
	if n.hear(t); n.Current().Revision != out.Revision.ID || n.address("a") != "192.0.2.2" {
		t.Errorf("it has %s, want the second try %s", n.Current().Revision, out.Revision.ID)
	}
	if list, err := n.History("", 10); err != nil || len(list) != 2 {
		t.Errorf("history = %d lines, %v, want the seed and one write", len(list), err)
	}
}

// What another node wrote while a write was in doubt is not overwritten by its second try, no more than by that of a write that was answered.
func TestSecondTryOfUnansweredWriteIsStale(t *testing.T) {
	for name, w := range map[string]func(*testing.T, *testNode) *revision.Write{
		"the same object": func(t *testing.T, _ *testNode) *revision.Write {
			return &revision.Write{Put: []*config.Object{service(t, "a", "192.0.2.2")}}
		},
		"a whole document": func(t *testing.T, n *testNode) *revision.Write {
			return &revision.Write{Replace: n.Current().Objects.With([]*config.Object{service(t, "b", "192.0.2.2")}, nil)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			etcd := newFakeEtcd()
			n, other := startNode(t, etcd, "ams", nil), startNode(t, etcd, "nyc", nil)
			etcd.meanwhile = func() {
				other.write(t, &revision.Write{Put: []*config.Object{service(t, "a", "192.0.2.3")}})
				etcd.holdBack = true
			}
			if _, err := n.Commit(t.Context(), w(t, n)); !errors.Is(err, revision.ErrStale) || n.address("a") != "192.0.2.3" {
				t.Errorf("error = %v, want stale; a is %s", err, n.address("a"))
			}
		})
	}
}

func TestUnknownOutcomeIsToldAndLearned(t *testing.T) {
	for _, tc := range []struct {
		name string
		made bool
	}{{"it was made", true}, {"it was not", false}} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				etcd := newFakeEtcd()
				n := startNode(t, etcd, "ams", nil)
				before := n.Stats()
				if tc.made {
					etcd.swallow, etcd.after = errors.New("deadline exceeded"), errors.New("connection refused")
				} else {
					etcd.holdBack, etcd.afterHeld = true, errors.New("connection refused")
				}
				w := &revision.Write{Put: []*config.Object{service(t, "a", "192.0.2.2")}, Once: "k"}
				began := time.Now()
				_, err := n.Commit(t.Context(), w)
				if !errors.Is(err, revision.ErrOutcome) || !errors.Is(err, revision.ErrUnavailable) || !strings.Contains(err.Error(), "idempotency key") {
					t.Fatalf("error = %v, want that the outcome is not known", err)
				}
				if took := time.Since(began); took > settleFor+time.Second {
					t.Errorf("answered after %v", took)
				}
				if _, err := n.Commit(t.Context(), w); !errors.Is(err, revision.ErrUnavailable) || errors.Is(err, revision.ErrOutcome) {
					t.Errorf("a repetition without etcd: %v", err)
				}
				etcd.setDown(nil)
				n.hear(t) // as it does by itself
				if etcd.late != nil {
					etcd.late()
				}
				if n.hear(t); (n.address("a") == "192.0.2.2") != tc.made {
					t.Errorf("before the repetition a is %s", n.address("a"))
				}
				out := n.write(t, w)
				n.hear(t)
				list, err := n.History("", 10)
				if s := n.Stats(); s.Written != before.Written+1 || s.Merged != 0 || list[0].From != "" {
					t.Errorf("it counts as %+v, and the history says that it is from %q", s, list[0].From)
				}
				if err != nil || len(list) != 2 || out.Revision == nil || list[0].Revision.ID != out.Revision.ID || n.address("a") != "192.0.2.2" || n.doubt != nil {
					t.Errorf("after the repetition: outcome %+v, %d lines, %v; a is %s", out.Revision, len(list), err, n.address("a"))
				}
			})
		})
	}
}

// A node that was away for long takes the document as a whole; what became of its own write is learned all the same.
func TestUnknownOutcomeIsLearnedFarBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		etcd := newFakeEtcd()
		made, not, other := startNode(t, etcd, "ams", nil), startNode(t, etcd, "fra", nil), startNode(t, etcd, "nyc", nil)
		gone := errors.New("connection refused")
		for n, w := range map[*testNode]*revision.Write{made: {Put: []*config.Object{service(t, "a", "192.0.2.2")}}, not: {Remove: []config.ObjectKey{key("a")}}} {
			if n == made {
				etcd.swallow, etcd.after = errors.New("deadline exceeded"), gone
			} else {
				etcd.holdBack, etcd.afterHeld = true, gone
			}
			if _, err := n.Commit(t.Context(), w); !errors.Is(err, revision.ErrOutcome) {
				t.Fatalf("error = %v, want that the outcome is not known", err)
			}
			etcd.setDown(nil)
		}
		for i := range maxBehind + 2 {
			other.write(t, &revision.Write{Put: []*config.Object{service(t, "b", fmt.Sprintf("192.0.2.%d", i%250))}})
		}
		for _, n := range []*testNode{made, not} {
			if got, err := n.settleDoubt(t.Context()); err != nil || got != (n == made) || n.address("a") != "192.0.2.2" {
				t.Errorf("%s: made = %v, %v; a is %s", n.opts.Site, got, err, n.address("a"))
			}
		}
	})
}

// What is in doubt is made once or never, although the node restarts meanwhile.
func TestDoubtOutlivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		etcd := newFakeEtcd()
		n := startNode(t, etcd, "ams", nil)
		etcd.holdBack, etcd.afterHeld = true, errors.New("connection refused")
		if _, err := n.Commit(t.Context(), &revision.Write{Put: []*config.Object{service(t, "a", "192.0.2.2")}}); !errors.Is(err, revision.ErrOutcome) {
			t.Fatalf("error = %v, want that the outcome is not known", err)
		}
		n.restart(t) // without etcd
		etcd.setDown(nil)
		n.hear(t)
		before := etcd.items[headKey].version
		etcd.late()
		if after := etcd.items[headKey].version; after != before || n.doubt != nil {
			t.Errorf("what etcd did late moved the head from version %d to %d; in doubt is %v", before, after, n.doubt)
		}
		n.restart(t)
		if now := etcd.items[headKey].version; now != before {
			t.Errorf("what was learned is learned once more: the head has version %d, and had %d", now, before)
		}
	})
}

func TestEtcdTakesNoWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		etcd := newFakeEtcd()
		n := startNode(t, etcd, "ams", nil)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- n.Run(ctx) }()
		synctest.Wait()
		etcd.setRefuse(fmt.Errorf("%w: database space exceeded", errSaidNo))
		time.Sleep(poll + time.Second)
		if s := n.Sync(); !strings.Contains(s.Unavailable, "space exceeded") || !strings.Contains(s.Unavailable, "this node serves revision") {
			t.Errorf("without a write, sync = %+v", s)
		}
		if _, err := n.Commit(ctx, &revision.Write{Remove: []config.ObjectKey{key("a")}}); !errors.Is(err, revision.ErrUnavailable) || errors.Is(err, revision.ErrOutcome) {
			t.Errorf("a write: %v", err)
		}
		time.Sleep(time.Minute)
		if n.Sync().Unavailable == "" {
			t.Error("it is called available since it can be read")
		}
		etcd.setRefuse(nil)
		time.Sleep(poll + time.Second)
		if s := n.Sync(); s.Unavailable != "" {
			t.Errorf("when there is room again, sync = %+v", s)
		}
		cancel()
		<-ended
	})
}

func TestIdempotencyKeysAreBounded(t *testing.T) {
	etcd := newFakeEtcd()
	n := startNode(t, etcd, "ams", nil)
	for i := range replica.MaxOnce + 3 {
		etcd.set(item{key: fmt.Sprintf("%sold-%05d", onceKey, i)})
	}
	n.write(t, &revision.Write{Put: []*config.Object{service(t, "a", "192.0.2.2")}, Once: "new"})
	n.trimOnces(t.Context())
	kept := etcd.sorted(func(k string) bool { return strings.HasPrefix(k, onceKey) })
	if _, old := etcd.items[onceKey+"old-00003"]; len(kept) != replica.MaxOnce || old {
		t.Errorf("%d keys are kept, want %d without the oldest", len(kept), replica.MaxOnce)
	}
	if _, is := etcd.items[onceKey+"new"]; !is {
		t.Error("the newest is gone")
	}
}

func TestSpoiltHeadIsNotTaken(t *testing.T) {
	etcd := newFakeEtcd()
	n := startNode(t, etcd, "ams", func(o *Options) { o.Access.Prefix = "/fairlead" })
	good := etcd.items[headKey]
	etcd.set(item{key: headKey, value: []byte("nonsense")})
	_, err := n.Commit(t.Context(), &revision.Write{Remove: []config.ObjectKey{key("a")}})
	want := fmt.Sprintf("etcdctl get /fairlead/head --rev=%d --print-value-only | etcdctl put /fairlead/head", etcd.version-1)
	if !errors.Is(err, revision.ErrUnavailable) || !strings.Contains(err.Error(), want) || n.address("a") == "" {
		t.Errorf("error = %v, want it to say %s", err, want)
	}
	etcd.set(item{key: headKey, value: append(good.value, '\n')})
	n.write(t, &revision.Write{Remove: []config.ObjectKey{key("a")}})
}

func TestKeysOfWritesThatWaitPutByHand(t *testing.T) {
	etcd := newFakeEtcd()
	n := startNode(t, etcd, "ams", nil)
	good := n.write(t, &revision.Write{Put: []*config.Object{service(t, "b", "192.0.2.2")}, Confirm: time.Hour})
	etcd.set(item{key: pendingKey + "x", value: []byte("nonsense")}, item{key: pendingKey + "y", value: []byte(`{"revision":"z"}`)},
		item{key: pendingKey + "f00d", value: []byte(`{"revision":"f00d","until":"2001-01-01T00:00:00Z","within":"5m"}`)})
	n.hear(t)
	if len(n.pending) != 2 || n.Sync().Unavailable != "" {
		t.Errorf("%+v wait, want %.8s and f00d; %s", n.pending, good.Revision.ID, n.Sync().Unavailable)
	}
	n.opts.Now = func() time.Time { return time.Now().Add(6 * time.Minute) }
	n.Engine.opts.Now = n.opts.Now
	n.undoDue(t.Context()) // there is nothing to put back
	if len(n.pending) != 1 || n.pending[0].Revision != good.Revision.ID || n.address("b") != "192.0.2.2" {
		t.Errorf("%+v wait, want %.8s; b is %s", n.pending, good.Revision.ID, n.address("b"))
	}
}

// A node whose clock is ahead does not undo early what is still to be confirmed.
func TestClockAheadUndoesNothingEarly(t *testing.T) {
	etcd := newFakeEtcd()
	var ahead time.Duration
	clock := func(more *time.Duration) func(*Options) {
		return func(o *Options) { o.Now = func() time.Time { return time.Now().Add(*more) } }
	}
	writer, other := startNode(t, etcd, "ams", clock(new(time.Duration))), startNode(t, etcd, "nyc", clock(&ahead))
	ahead = time.Hour
	writer.write(t, &revision.Write{Put: []*config.Object{service(t, "a", "192.0.2.2")}, Confirm: 5 * time.Minute})
	other.hear(t)
	for _, tc := range []struct {
		ahead time.Duration
		want  string
	}{{time.Hour, "192.0.2.2"}, {time.Hour + 4*time.Minute, "192.0.2.2"}, {time.Hour + 6*time.Minute, "192.0.2.1"}} {
		ahead = tc.ahead
		if other.undoDue(t.Context()); other.address("a") != tc.want {
			t.Errorf("%v ahead: a is %s, want %s", tc.ahead, other.address("a"), tc.want)
		}
	}
}

// Objects that are too much for one answer are read in several.
func TestLargeAnswers(t *testing.T) {
	etcd := newFakeEtcd()
	n := startNode(t, etcd, "ams", nil)
	var put []*config.Object
	for i := range 2 * maxOps {
		put = append(put, service(t, fmt.Sprint("s", i), "192.0.2.9"))
	}
	n.write(t, &revision.Write{Put: put})
	etcd.most = 7
	if two := startNode(t, etcd, "nyc", nil); two.Current().Document != n.Current().Document {
		t.Error("the other node has another document")
	}
}

func TestSpoiltObjectIsNotTaken(t *testing.T) {
	etcd := newFakeEtcd()
	n := startNode(t, etcd, "ams", nil)
	k := objectKey(key("a"), n.Current().Objects.Get(key("a")).Hash())
	etcd.set(item{key: k, value: []byte(`{"address":"192.0.2.66","name":"a"}`)}, item{key: objectsKey + "service/hand/00", value: []byte(`{"name":"hand"}`)})
	n.hear(t)
	n.write(t, &revision.Write{Put: []*config.Object{service(t, "b", "192.0.2.2")}})
	if n.address("a") != "192.0.2.1" || n.Current().Objects.Get(key("hand")) != nil {
		t.Errorf("a is %s, and what was put by hand is %v", n.address("a"), n.Current().Objects.Get(key("hand")))
	}
	fresh := &testNode{dir: t.TempDir(), opts: Options{Site: "nyc", dial: etcd.dial}}
	if err := fresh.tryStart(); err == nil || !strings.Contains(err.Error(), "the object service/a in etcd was changed by somebody else") {
		t.Errorf("start of a node without a copy: %v", err)
	}
}
