package replica

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fairlead/config"
	"fairlead/config/revision"
)

func fileOf(objects ...*config.Object) *config.Objects { return config.NewObjects(objects) }

// TestFollow: the file is the truth. What another site writes while it cannot be heard is put back, once.
func TestFollow(t *testing.T) {
	played(t, 2, func(w *world) {
		a, b := w.sites[0], w.sites[1]
		a.mode = ModeFollow
		w.startAll()
		pass(time.Second)
		if _, err := a.put("a", `{"v":2}`); !errors.Is(err, revision.ErrReadOnly) || !strings.Contains(err.Error(), "site0.yaml") {
			t.Errorf("a write at the follower: %v", err)
		}
		if _, err := b.put("a", `{"v":2}`); !errors.Is(err, revision.ErrReadOnly) || !strings.Contains(err.Error(), "site0 follows a file") {
			t.Errorf("a write beside the follower: %v", err)
		}
		file := fileOf(service("a", `{"v":"file"}`), service("c", `{"v":"file"}`))
		if out, err := a.engine.Follow(context.Background(), file, false); err != nil || len(out.Changes) != 3 {
			t.Fatalf("follow: %+v, %v", out, err)
		}
		pass(time.Second)
		w.agree("the file")
		w.setCut(a, b, true)
		must[*revision.Outcome](t)(b.put("a", `{"v":"hand"}`))
		must[*revision.Outcome](t)(b.put("d", `{"v":"hand"}`))
		w.setCut(a, b, false)
		pass(time.Second)
		w.agree("put back")
		if got := b.engine.Current().Document; got != file.ID() {
			t.Errorf("the document is %s, want the file: %s", got, file.ID())
		}
		entry := must[*revision.Entry](t)(a.engine.Find(a.engine.Current().Revision))
		if r := entry.Revision; r.Source != "file" || !strings.Contains(r.Reason, "of site site1 had changed what it says") {
			t.Errorf("the answer is %+v", r)
		}
		at := a.engine.Current().Revision
		w.stop(a)
		w.start(a)
		must[*revision.Outcome](t)(a.engine.Follow(context.Background(), file, false))
		pass(time.Minute)
		if w.agree("restarted"); a.engine.Current().Revision != at {
			t.Errorf("a restart with the same file wrote something")
		}
	})
}

// TestTwoFiles: two sites that follow different files do not fight. The newer one counts, and both say that they differ.
func TestTwoFiles(t *testing.T) {
	played(t, 2, func(w *world) {
		a, b := w.sites[0], w.sites[1]
		a.mode, b.mode = ModeFollow, ModeFollow
		w.startAll()
		must[*revision.Outcome](t)(a.engine.Follow(context.Background(), fileOf(service("a", `{"v":"a"}`)), false))
		pass(time.Second)
		must[*revision.Outcome](t)(b.engine.Follow(context.Background(), fileOf(service("a", `{"v":"b"}`)), false))
		pass(5 * time.Minute)
		w.agree("two files")
		if a.text("a") != `{"name":"a","v":"b"}` || a.engine.Stats().Written != 1 || b.engine.Stats().Written != 1 {
			t.Errorf("%s counts; written %d and %d times", a.text("a"), a.engine.Stats().Written, b.engine.Stats().Written)
		}
		if p := a.engine.Sync().Peers[0]; !strings.Contains(p.LastError, "differs from site0.yaml") || !strings.Contains(p.LastError, "service/a") {
			t.Errorf("shown: %+v", p)
		}
	})
}

// TestChild: a child takes what its parent has in place of its own seed, refuses writes, and is not believed.
func TestChild(t *testing.T) {
	played(t, 3, func(w *world) {
		parent, other, child := w.sites[0], w.sites[1], w.sites[2]
		child.mode = ModeReadOnly
		child.seed = fileOf(service("old", `{"v":1}`))
		w.role = familyOf(parent, child)
		w.startAll()
		must[*revision.Outcome](t)(other.put("a", `{"v":2}`))
		pass(2 * time.Second)
		w.agree("told")
		if _, err := child.put("a", `{"v":3}`); !errors.Is(err, revision.ErrReadOnly) {
			t.Errorf("a write at the child: %v", err)
		}
		// A child that does not keep to its mode.
		child.engine.mu.Lock()
		child.engine.opts.Mode = ModeSeed
		child.engine.mu.Unlock()
		out := must[*revision.Outcome](t)(child.put("a", `{"v":"child"}`))
		pass(time.Minute)
		if parent.engine.Current().Revision == out.Revision.ID || parent.text("a") != `{"name":"a","v":2}` {
			t.Error("the parent believed its child")
		}
		child.store = w.newStore()
		w.stop(child)
		w.start(child)
		pass(time.Second)
		w.agree("with a new store")
	})
}

// TestChildCatchesUp: what its parent hears from others while its whole state travels to a child does not wait until the child would ask again.
func TestChildCatchesUp(t *testing.T) {
	for after := range 40 {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 3, uint64(after))
			defer w.stopAll()
			parent, other, child := w.sites[0], w.sites[1], w.sites[2]
			for _, s := range w.sites {
				s.seed = config.NewObjects([]*config.Object{service("a", `{"v":1}`), service("b", `{"v":1}`)})
			}
			child.mode, child.seed = ModeReadOnly, fileOf(service("old", `{"v":1}`))
			w.role = familyOf(parent, child)
			w.startAll()
			pass(time.Duration(after) * 2 * time.Millisecond)
			must[*revision.Outcome](t)(other.put("a", `{"v":2}`))
			pass(2 * time.Second)
			w.agree(fmt.Sprintf("written after %d ms", 2*after))
		})
	}
}

// familyOf is the roles where one site is the child of another one, and the others are in the mesh with the parent.
func familyOf(parent, child *testSite) func(self, site string) Role {
	return func(self, site string) Role {
		switch {
		case self == child.name && site == parent.name:
			return RoleParent
		case site == child.name && self == parent.name:
			return RoleChild
		case site == child.name || self == child.name:
			return RoleNone
		}
		return RoleMesh
	}
}

// TestChildWithASeed: a parent that has nothing but a seed is believed by a child that has another one.
func TestChildWithASeed(t *testing.T) {
	played(t, 2, func(w *world) {
		parent, child := w.sites[0], w.sites[1]
		child.mode, child.seed = ModeReadOnly, fileOf(service("old", `{"v":1}`))
		w.role = func(self, _ string) Role {
			if self == child.name {
				return RoleParent
			}
			return RoleChild
		}
		w.startAll()
		pass(time.Minute)
		if w.agree("told"); child.text("old") != "" || parent.text("old") != "" {
			t.Error("the child's seed is still there")
		}
	})
}

// TestChildBySite: a site that has a parent by its document does not write, whatever its node file says, as long as it has one.
func TestChildBySite(t *testing.T) {
	played(t, 2, func(w *world) {
		parent, child := w.sites[0], w.sites[1]
		var orphan atomic.Bool
		child.seed = fileOf(service("old", `{"v":1}`))
		child.parent = func() string {
			if orphan.Load() {
				return ""
			}
			return parent.name
		}
		w.role = func(self, _ string) Role {
			switch {
			case orphan.Load():
				return RoleMesh
			case self == child.name:
				return RoleParent
			}
			return RoleChild
		}
		w.startAll()
		pass(time.Minute)
		if w.agree("told"); child.text("old") != "" {
			t.Error("the child's seed is still there")
		}
		if _, err := child.put("a", `{"v":3}`); !errors.Is(err, revision.ErrReadOnly) || !strings.Contains(err.Error(), "its parent site0; write there") {
			t.Errorf("a write at the child: %v", err)
		}
		if got := child.engine.Sync().Mode; got != "read_only" {
			t.Errorf("the mode is shown as %q", got)
		}
		orphan.Store(true)
		must[*revision.Outcome](t)(child.put("a", `{"v":4}`))
		pass(time.Minute)
		if w.agree("no child any more"); parent.text("a") != `{"name":"a","v":4}` {
			t.Errorf("the parent has %s", parent.text("a"))
		}
	})
}

// TestRoleChanges: a site that was nothing to this one becomes one of the mesh while the session goes on.
func TestRoleChanges(t *testing.T) {
	played(t, 2, func(w *world) {
		var stranger atomic.Bool
		stranger.Store(true)
		w.role = func(string, string) Role {
			if stranger.Load() {
				return RoleNone
			}
			return RoleMesh
		}
		w.startAll()
		must[*revision.Outcome](t)(w.sites[0].put("a", `{"v":2}`))
		pass(time.Minute)
		if w.sites[1].text("a") != `{"name":"a","v":1}` {
			t.Error("a stranger was told")
		}
		stranger.Store(false)
		pass(time.Minute)
		w.agree("one mesh")
	})
}
