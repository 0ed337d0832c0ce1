package etcdstore

import (
	"bytes"
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

func TestNodesShareADocument(t *testing.T) {
	etcd := newFakeEtcd()
	one, two := startNode(t, etcd, "ams", nil), startNode(t, etcd, "nyc", func(o *Options) { o.Seed = seed(t, "other") })
	if a, b := one.Current(), two.Current(); a.Revision != b.Revision || a.Document != b.Document || a.Objects.Len() != 3 {
		t.Fatalf("the second node has %+v, want what the first one planted: %+v", b, a)
	}
	out := one.write(t, &revision.Write{Put: []*config.Object{service(t, "a", "192.0.2.9")}, Remove: []config.ObjectKey{key("c")}, Author: "ann", Reason: "moved"})
	if out.Revision == nil || out.View != one.Current() || one.compiler.served != out.View || len(out.Changes) != 2 {
		t.Errorf("outcome = %+v", out)
	}
	two.hear(t)
	if two.Current().Revision != out.Revision.ID || two.address("a") != "192.0.2.9" || two.Current().Objects.Len() != 2 || two.compiler.served != two.Current() {
		t.Errorf("the second node serves %+v, want revision %s", two.Current(), out.Revision.ID)
	}
	list, err := two.History("", 10)
	if err != nil || len(list) != 2 || list[0].Revision.Author != "ann" || list[0].From != "etcd" || list[1].Revision.Source != "seed" {
		t.Errorf("history of the second node = %+v, %v", list, err)
	}
	before, err := two.At(list[1].Revision.ID)
	if err != nil || before.Len() != 3 {
		t.Errorf("the document at the seed = %v, %v", before, err)
	}
	two.write(t, &revision.Write{Replace: before, Source: "rollback"})
	one.hear(t)
	if one.address("a") != "192.0.2.1" || one.Current().Objects.Len() != 3 || one.Current().Document != before.ID() {
		t.Errorf("after the rollback the first node has %+v", one.Current())
	}
	if s := one.Sync(); s.Mode != "etcd" || s.Unavailable != "" || len(one.Conflicts()) != 0 {
		t.Errorf("sync = %+v", s)
	}
}

func TestWritesAtOnce(t *testing.T) {
	put := func(name, address string) func(*testing.T, *testNode) *revision.Write {
		return func(t *testing.T, _ *testNode) *revision.Write {
			return &revision.Write{Put: []*config.Object{service(t, name, address)}}
		}
	}
	for _, tc := range []struct {
		name  string
		write func(*testing.T, *testNode) *revision.Write
		stale bool
	}{
		{"another object", put("b", "192.0.2.3"), false},
		{"the same object", put("a", "192.0.2.3"), true},
		{"from a base", func(t *testing.T, n *testNode) *revision.Write {
			return &revision.Write{Base: n.Current().Revision, Put: []*config.Object{service(t, "b", "192.0.2.3")}}
		}, true},
		{"a whole document", func(t *testing.T, n *testNode) *revision.Write {
			return &revision.Write{Replace: n.Current().Objects.With([]*config.Object{service(t, "b", "192.0.2.3")}, nil)}
		}, true},
		{"an object that must not have changed", func(t *testing.T, n *testNode) *revision.Write {
			return &revision.Write{Put: []*config.Object{service(t, "b", "192.0.2.3")}, Match: map[config.ObjectKey]config.ObjectHash{key("a"): n.Current().Objects.Get(key("a")).Hash()}}
		}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			etcd := newFakeEtcd()
			one, two := startNode(t, etcd, "ams", nil), startNode(t, etcd, "nyc", nil)
			w := tc.write(t, two)
			etcd.meanwhile = func() { one.write(t, &revision.Write{Put: []*config.Object{service(t, "a", "192.0.2.2")}}) }
			_, err := two.Commit(context.Background(), w)
			if errors.Is(err, revision.ErrStale) != tc.stale || err != nil != tc.stale {
				t.Fatalf("the slower write: %v, want stale: %v", err, tc.stale)
			}
			one.hear(t)
			if one.address("a") != "192.0.2.2" || (one.address("b") == "192.0.2.3") == tc.stale || one.Current().Document != two.Current().Document {
				t.Errorf("after both a is %s and b is %s", one.address("a"), one.address("b"))
			}
		})
	}
}

func TestAnswerIsLost(t *testing.T) {
	etcd := newFakeEtcd()
	n := startNode(t, etcd, "ams", nil)
	etcd.swallow = errors.New("deadline exceeded")
	out := n.write(t, &revision.Write{Put: []*config.Object{service(t, "a", "192.0.2.2")}})
	if out.Revision == nil || n.Current().Revision != out.Revision.ID || n.address("a") != "192.0.2.2" || n.Sync().Unavailable != "" {
		t.Errorf("a write that was made without an answer: %+v, %+v", out, n.Sync())
	}
}

func TestIdempotencyKeyIsSharedByNodes(t *testing.T) {
	etcd := newFakeEtcd()
	one, two := startNode(t, etcd, "ams", nil), startNode(t, etcd, "nyc", nil)
	w := func(address string) *revision.Write {
		return &revision.Write{Put: []*config.Object{service(t, "a", address)}, Once: "k/1"}
	}
	first := one.write(t, w("192.0.2.2"))
	again := two.write(t, w("192.0.2.3"))
	if again.Revision == nil || again.Revision.ID != first.Revision.ID || two.address("a") != "192.0.2.2" {
		t.Errorf("the second write made %+v, want the first one's %s", again.Revision, first.Revision.ID)
	}
	etcd.meanwhile = func() {
		two.write(t, &revision.Write{Put: []*config.Object{service(t, "b", "192.0.2.6")}, Once: "k/0"})
	}
	at, err := one.Commit(t.Context(), &revision.Write{Put: []*config.Object{service(t, "b", "192.0.2.6")}, Once: "k/0"})
	if err != nil || at.Revision == nil || at.Revision.ID != two.Current().Revision {
		t.Errorf("the same write at both nodes at once: %+v, %v, want the outcome of the first, %s", at, err, two.Current().Revision)
	}
	nothing := &revision.Write{Put: []*config.Object{service(t, "a", "192.0.2.2")}, Once: "k/2"}
	one.write(t, nothing)
	if out := two.write(t, &revision.Write{Put: []*config.Object{service(t, "a", "192.0.2.5")}, Once: "k/2"}); out.Revision != nil {
		t.Errorf("a key of a write that changed nothing made %+v", out.Revision)
	}
}

func TestEtcdIsLostAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		etcd := newFakeEtcd()
		one, two := startNode(t, etcd, "ams", nil), startNode(t, etcd, "nyc", nil)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- two.Run(ctx) }()
		etcd.setDown(errors.New("connection refused"))
		time.Sleep(poll + time.Second)
		if s := two.Sync(); !strings.Contains(s.Unavailable, "connection refused") {
			t.Errorf("sync = %+v, want it unavailable", s)
		}
		if _, err := two.Commit(ctx, &revision.Write{Remove: []config.ObjectKey{key("a")}}); !errors.Is(err, revision.ErrUnavailable) {
			t.Errorf("write without etcd: %v", err)
		}
		if out, err := two.Plan(ctx, &revision.Write{Remove: []config.ObjectKey{key("a")}}); err != nil || len(out.Changes) != 1 {
			t.Errorf("plan without etcd: %+v, %v", out, err)
		}
		time.Sleep(time.Hour)
		before := etcd.asked()
		time.Sleep(time.Hour)
		if n := etcd.asked() - before; n > 600 {
			t.Errorf("%d requests in an hour without etcd", n)
		}
		etcd.setDown(nil)
		one.write(t, &revision.Write{Put: []*config.Object{service(t, "a", "192.0.2.2")}})
		time.Sleep(latest + time.Second)
		if s := two.Sync(); s.Unavailable != "" || two.address("a") != "192.0.2.2" {
			t.Errorf("after its return: %+v, a = %s", s, two.address("a"))
		}
		one.write(t, &revision.Write{Put: []*config.Object{service(t, "a", "192.0.2.3")}})
		synctest.Wait()
		if two.address("a") != "192.0.2.3" {
			t.Error("the watch does not tell of a change")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A node that waits before it tries to reach etcd again follows it as soon as a write has reached it.
func TestWriteEndsTheWaitForEtcd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		etcd := newFakeEtcd()
		one, two := startNode(t, etcd, "ams", nil), startNode(t, etcd, "nyc", nil)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- two.Run(ctx) }()
		for i := range 20 {
			etcd.setDown(errors.New("connection refused"))
			time.Sleep(time.Minute + time.Duration(i)*time.Second)
			etcd.setDown(nil)
			two.write(t, &revision.Write{Put: []*config.Object{service(t, "b", fmt.Sprintf("192.0.3.%d", i))}})
			time.Sleep(soonest)
			address := fmt.Sprintf("192.0.2.%d", 10+i)
			one.write(t, &revision.Write{Put: []*config.Object{service(t, "a", address)}})
			if synctest.Wait(); two.address("a") != address {
				t.Fatalf("after loss %d it does not follow what it can reach", i)
			}
		}
		cancel()
		<-ended
	})
}

func TestStartWithoutEtcd(t *testing.T) {
	etcd := newFakeEtcd()
	n := startNode(t, etcd, "ams", nil)
	n.write(t, &revision.Write{Put: []*config.Object{service(t, "a", "192.0.2.2")}})
	etcd.setDown(errors.New("connection refused"))
	n.restart(t)
	if n.address("a") != "192.0.2.2" || n.compiler.served == nil || n.Sync().Unavailable == "" {
		t.Errorf("a = %s, sync = %+v", n.address("a"), n.Sync())
	}
	fresh := &testNode{dir: t.TempDir(), opts: Options{Site: "nyc", dial: etcd.dial, Seed: seed(t, "old")}}
	if err := fresh.tryStart(); err == nil || !strings.Contains(err.Error(), "no copy of the document") {
		t.Errorf("start of a node without anything: %v", err)
	}
}

func TestRestoredEtcdIsRefused(t *testing.T) {
	etcd := newFakeEtcd()
	one, two := startNode(t, etcd, "ams", nil), startNode(t, etcd, "nyc", nil)
	old := etcd.backup()
	one.write(t, &revision.Write{Put: []*config.Object{service(t, "a", "192.0.2.2")}})
	two.hear(t)
	etcd.restore(old)
	for name, prepare := range map[string]func(){
		"older": func() {},
		"as long": func() {
			third := startNode(t, etcd, "fra", nil)
			third.write(t, &revision.Write{Put: []*config.Object{service(t, "b", "192.0.2.7")}})
		},
		"longer": func() {
			third := startNode(t, etcd, "fra", nil)
			third.write(t, &revision.Write{Put: []*config.Object{service(t, "b", "192.0.2.7")}})
			third.write(t, &revision.Write{Put: []*config.Object{service(t, "b", "192.0.2.8")}})
		},
		"without history": func() {
			third := startNode(t, etcd, "fra", nil)
			for i := range maxBehind + 2 {
				third.write(t, &revision.Write{Put: []*config.Object{service(t, "b", fmt.Sprintf("192.0.2.%d", i%250))}})
			}
			etcd.cluster = 2
		},
		"empty":   func() { etcd.restore(newFakeEtcd()) },
		"another": func() { etcd.restore(newFakeEtcd()); startNode(t, etcd, "fra", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			etcd.restore(old)
			etcd.cluster = 1
			prepare()
			for range 2 {
				_, err := two.Commit(t.Context(), &revision.Write{Remove: []config.ObjectKey{key("c")}})
				if !errors.Is(err, revision.ErrUnavailable) || !errors.Is(err, errOther) || !strings.Contains(err.Error(), "accept: ") || two.address("a") != "192.0.2.2" {
					t.Errorf("write: %v; a is %s", err, two.address("a"))
				}
				two.restart(t)
			}
			if !strings.Contains(two.Sync().Unavailable, "accept: ") {
				t.Errorf("sync = %+v", two.Sync())
			}
		})
	}
	etcd.restore(old)
	h, err := one.look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	one.opts.Accept = h.head.Revision[:12]
	one.restart(t)
	if one.address("a") != "192.0.2.1" || one.Sync().Unavailable != "" || one.Current().Revision != h.head.Revision {
		t.Errorf("after the operator accepted it: a is %s, %+v", one.address("a"), one.Sync())
	}
	one.write(t, &revision.Write{Put: []*config.Object{service(t, "a", "192.0.2.5")}})
	etcd.restore(newFakeEtcd())
	one.opts.Accept = AcceptEmpty
	one.restart(t)
	if third := startNode(t, etcd, "fra", nil); third.address("a") != "192.0.2.5" {
		t.Errorf("a node that is new has a = %s, want what was put there", third.address("a"))
	}
}

func TestUnconfirmedWriteIsUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		etcd := newFakeEtcd()
		one, two := startNode(t, etcd, "ams", nil), startNode(t, etcd, "nyc", nil)
		w := &revision.Write{Put: []*config.Object{service(t, "a", "192.0.2.2"), service(t, "new", "192.0.2.3")}, Remove: []config.ObjectKey{key("b")}, Confirm: time.Minute}
		out := one.write(t, w)
		one.write(t, &revision.Write{Put: []*config.Object{service(t, "new", "192.0.2.4")}})
		one.stop(t) // another node does it
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- two.Run(ctx) }()
		time.Sleep(30 * time.Second)
		if e, err := two.Find(out.Revision.ID); err != nil || e.Pending.IsZero() || two.address("b") != "" {
			t.Errorf("before its time: %+v, %v; b is %q", e, err, two.address("b"))
		}
		time.Sleep(40 * time.Second)
		if two.address("a") != "192.0.2.1" || two.address("b") != "192.0.2.1" || two.address("new") != "192.0.2.4" {
			t.Errorf("a is %s, b is %s, and what was written since is %s", two.address("a"), two.address("b"), two.address("new"))
		}
		kept := two.write(t, &revision.Write{Put: []*config.Object{service(t, "a", "192.0.2.9")}, Confirm: time.Minute})
		if err := two.Confirm(ctx, kept.Revision.ID[:8], "ann"); err != nil {
			t.Error(err)
		}
		if err := two.Confirm(ctx, kept.Revision.ID[:8], "ann"); !errors.Is(err, revision.ErrUnknown) {
			t.Errorf("a second confirmation: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if e, err := two.Find(kept.Revision.ID); err != nil || !e.Pending.IsZero() || two.address("a") != "192.0.2.9" {
			t.Errorf("confirmed: %+v, %v; a is %s", e, err, two.address("a"))
		}
		cancel()
		<-ended
	})
}

func TestLongAbsence(t *testing.T) {
	etcd := newFakeEtcd()
	one, two := startNode(t, etcd, "ams", nil), startNode(t, etcd, "nyc", nil)
	big := config.NewFile("big.zone", bytes.Repeat([]byte("a IN A 192.0.2.1\n"), 3*maxChunk/17))
	one.write(t, &revision.Write{Put: []*config.Object{big}})
	for i := range maxBehind + 10 {
		one.write(t, &revision.Write{Put: []*config.Object{service(t, "a", fmt.Sprintf("192.0.2.%d", i%250))}})
	}
	two.hear(t)
	if two.Current().Document != one.Current().Document || two.Current().Revision != one.Current().Revision {
		t.Errorf("after a long absence the document is %s, want %s", two.Current().Document, one.Current().Document)
	}
	two.write(t, &revision.Write{Put: []*config.Object{service(t, "b", "192.0.2.77")}})
	one.hear(t)
	if one.address("b") != "192.0.2.77" {
		t.Error("a write on top of a manifest is not taken")
	}
	two.restart(t)
	if two.Sync().Unavailable != "" || two.address("b") != "192.0.2.77" {
		t.Errorf("after a restart: %+v", two.Sync())
	}
}

func TestSomeWritesWaitAtMost(t *testing.T) {
	n := startNode(t, newFakeEtcd(), "ams", nil)
	waits := func(i int) *revision.Write {
		return &revision.Write{Put: []*config.Object{service(t, "a", fmt.Sprintf("192.0.2.%d", 10+i))}, Confirm: time.Hour}
	}
	for i := range replica.MaxPending {
		n.write(t, waits(i))
	}
	if _, err := n.Commit(t.Context(), waits(replica.MaxPending)); !errors.Is(err, revision.ErrRefused) || !strings.Contains(err.Error(), "confirm one of them") {
		t.Errorf("one more: %v, want that it is refused", err)
	}
	if got := n.address("a"); got != "192.0.2.25" {
		t.Errorf("a is %q, want what the last one that was taken says", got)
	}
}

func TestCollect(t *testing.T) {
	etcd := newFakeEtcd()
	now := time.Now()
	n := startNode(t, etcd, "ams", func(o *Options) { o.Now = func() time.Time { return now } })
	orphan := item{key: objectsKey + "service/lost/0000", value: []byte("{}")}
	if err := etcd.put(t.Context(), []item{orphan}); err != nil {
		t.Fatal(err)
	}
	n.write(t, &revision.Write{Put: []*config.Object{service(t, "a", "192.0.2.2")}, Confirm: 24 * time.Hour})
	n.write(t, &revision.Write{Remove: []config.ObjectKey{key("b")}})
	for _, want := range []int{0, 1, 0} {
		if got, err := n.collectOnce(t.Context()); got != want || err != nil {
			t.Fatalf("collected %d, %v, want %d", got, err, want)
		}
		now = now.Add(writeFor)
	}
	if _, kept := etcd.items[orphan.key]; kept {
		t.Error("what nothing names is kept")
	}
	if third := startNode(t, etcd, "fra", nil); third.Current().Document != n.Current().Document {
		t.Error("a new node does not find all that it needs")
	}
}

func TestRefusedWrites(t *testing.T) {
	etcd := newFakeEtcd()
	n := startNode(t, etcd, "ams", nil)
	reader := startNode(t, etcd, "nyc", func(o *Options) { o.ReadOnly = true })
	remove := &revision.Write{Remove: []config.ObjectKey{key("a")}}
	if _, err := reader.Commit(t.Context(), remove); !errors.Is(err, revision.ErrReadOnly) {
		t.Errorf("write at a node that only reads: %v", err)
	}
	if _, err := n.Commit(t.Context(), &revision.Write{Remove: []config.ObjectKey{key("none")}}); !errors.Is(err, revision.ErrUnknown) {
		t.Errorf("remove what is not there: %v", err)
	}
	n.compiler.lost = []string{"www.example.com"}
	if _, err := n.Commit(t.Context(), remove); !errors.Is(err, revision.ErrRefused) {
		t.Errorf("leave a name without an answer: %v", err)
	}
	n.write(t, &revision.Write{Remove: []config.ObjectKey{key("a")}, Force: true})
	reader.compiler.refuse = errors.New("this site is not in the document")
	if err := reader.refresh(t.Context()); err == nil || len(reader.Sync().Quarantine) != 1 || reader.address("a") == "" {
		t.Errorf("a document that cannot be served here: %v, %+v", err, reader.Sync().Quarantine)
	}
	reader.compiler.refuse = nil
	reader.hear(t)
	if len(reader.Sync().Quarantine) != 0 || reader.address("a") != "" {
		t.Errorf("when it can: %+v", reader.Sync().Quarantine)
	}
}

func TestHeadIsChecked(t *testing.T) {
	for name, text := range map[string]string{"no JSON": "x", "layout": `{"layout":2}`, "lineage": `{"layout":1,"number":1,"revision":"a","manifest":1,"base":"a"}`,
		"manifest": `{"layout":1,"lineage":"l","number":1,"revision":"a","manifest":2,"base":"a"}`} {
		if h, err := decodeHead([]byte(text)); err == nil {
			t.Errorf("%s: %+v", name, h)
		}
	}
}

func FuzzHead(f *testing.F) {
	f.Add([]byte(`{"layout":1,"lineage":"l","number":1,"revision":"a","manifest":1,"base":"a"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if h, err := decodeHead(text); err == nil && (h.Number == 0 || h.Manifest > h.Number) {
			t.Errorf("taken: %+v", h)
		}
	})
}
