package store

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fairlead/config"
)

// TestDiskIsLookedAt: a disk that becomes full or read-only is told before a write fails, without one, once in the log, and no longer when it is well.
func TestDiskIsLookedAt(t *testing.T) {
	core, lines := observer.New(zap.ErrorLevel)
	for _, c := range []struct {
		name  string
		seen  room
		known bool
		want  string
	}{
		{"well", room{free: minFree}, true, ""},
		{"full", room{free: minFree - 1}, true, "make room"},
		{"read-only", room{free: 1 << 40, readOnly: true}, true, "mount it for writing"},
		{"not known", room{}, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var looks atomic.Int32
				var bad atomic.Bool
				bad.Store(true)
				s := open(t, t.TempDir(), Options{Logger: zap.New(core), room: func(string) (room, bool) {
					looks.Add(1)
					if bad.Load() {
						return c.seen, c.known
					}
					return room{free: 1 << 40}, true
				}})
				before := s.commit
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- s.Run(ctx) }()
				s.signal() // a copy is made, and the next one waits
				time.Sleep(3*freeInterval + time.Second)
				got := s.Unavailable()
				if got == "" != (c.want == "") || !strings.Contains(got, c.want) || c.want != "" && !strings.Contains(got, s.path) {
					t.Errorf("unavailable: %q, want %q", got, c.want)
				}
				if n := looks.Load(); n != 3 {
					t.Errorf("%d looks in 31 s", n)
				}
				if n := lines.TakeAll(); c.want != "" && len(n) != 1 || c.want == "" && len(n) != 0 {
					t.Errorf("told %d times", len(n))
				}
				bad.Store(false)
				time.Sleep(freeInterval)
				if got := s.Unavailable(); got != "" || s.commit != before {
					t.Errorf("the disk is well: %q; commits: %d, before %d", got, s.commit, before)
				}
				stop()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestDiskThatBecomesFull: with a real disk, of which somebody else takes all.
func TestDiskThatBecomesFull(t *testing.T) {
	dir := smallDisk(t, "8m")
	s := open(t, dir, Options{})
	w := newSite(t, s)
	w.write([]*config.Object{service(t, "a", "192.0.2.1")})
	s.lookAtDisk()
	if got := s.Unavailable(); got != "" {
		t.Fatalf("a disk with room: %q", got)
	}
	r, _ := roomOf(dir)
	greedy := filepath.Join(dir, "greedy")
	if err := os.WriteFile(greedy, make([]byte, r.free-minFree/2), 0o600); err != nil {
		t.Fatal(err)
	}
	if s.lookAtDisk(); !strings.Contains(s.Unavailable(), "make room") {
		t.Errorf("a full disk: %q", s.Unavailable())
	}
	if err := os.Remove(greedy); err != nil {
		t.Fatal(err)
	}
	if s.lookAtDisk(); s.Unavailable() != "" {
		t.Errorf("there is room again: %q", s.Unavailable())
	}
	w.write([]*config.Object{service(t, "a", "192.0.2.2")})
}
