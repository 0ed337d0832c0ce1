package replica

import (
	"sync/atomic"
	"testing"
	"time"
)

// readOnlyStore is a Store whose disk cannot be written, and that knows.
type readOnlyStore struct {
	*memoryStore
	why atomic.Pointer[string]
}

func (s *readOnlyStore) Unavailable() string {
	if why := s.why.Load(); why != nil {
		return *why
	}
	return ""
}

// TestStoreIsWatched: a store that cannot be written is told without a write, and so is one that can be again.
func TestStoreIsWatched(t *testing.T) {
	played(t, 1, func(w *world) {
		w.startAll()
		e := w.sites[0].engine
		s := &readOnlyStore{memoryStore: w.sites[0].store}
		e.mu.Lock()
		e.opts.Store = s
		e.mu.Unlock()
		why := "the disk is read-only"
		s.why.Store(&why)
		s.memoryStore.fail(func() error { return errFull }, nil)
		pass(2 * time.Second)
		if got := e.Sync().Unavailable; got != why {
			t.Errorf("unavailable = %q, want %q", got, why)
		}
		if !w.sites[0].noted(func(e Event) bool { return e.Name == "config.unavailable" }) {
			t.Error("nobody was told")
		}
		s.why.Store(nil)
		pass(storeAgain + 2*time.Second)
		if e.Sync().Unavailable == "" {
			t.Error("it is called available while nothing can be written")
		}
		s.memoryStore.fail(nil, nil)
		pass(storeAgain + 2*time.Second)
		if got := e.Sync().Unavailable; got != "" {
			t.Errorf("a store that works again: %q", got)
		}
	})
}
