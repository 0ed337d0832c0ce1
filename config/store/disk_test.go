package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"fairlead/config"
	"fairlead/config/revision"
)

// smallDisk mounts a file system of some octets, or skips.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("mounting a small file system needs Linux and root")
	}
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("a small file system cannot be mounted: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil { //nolint:noctx // the test's context has ended
			t.Logf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// TestFullDisk: writes are refused with a reason, what was acknowledged stays, and when there is room again writes go on.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, "2m")
	s := open(t, dir, Options{})
	w := newSite(t, s)
	rnd := rand.New(rand.NewPCG(5, 6))
	var refused error
	for i := 0; i < 1000 && refused == nil; i++ {
		text := make([]byte, 20_000)
		for j := range text {
			text[j] = byte(rnd.Uint32())
		}
		put := []*config.Object{config.NewFile(fmt.Sprint(i, ".zone"), text)}
		r := w.record(w.actor, put)
		if refused = s.Commit(r); refused == nil {
			w.took(r, put, nil)
		}
		if i%20 == 19 {
			s.copyNow() // which must not be what fails a write
		}
	}
	if !errors.Is(refused, revision.ErrUnavailable) || !strings.Contains(refused.Error(), "make room") || !strings.Contains(refused.Error(), s.path) {
		t.Fatalf("got %v, want an error that says that the disk is full, and where", refused)
	}
	w.same(s)
	if got := s.Unavailable(); got != "" {
		t.Errorf("it is stuck: %s", got)
	}
	if h, err := s.History("", 1); err != nil || h[0].View != w.state.ID() {
		t.Errorf("history: %v", err)
	}
	s = reopen(t, s, Options{})
	w.same(s)
	w.store = s
	if out, err := exec.CommandContext(t.Context(), "mount", "-o", "remount,size=64m", dir).CombinedOutput(); err != nil {
		t.Fatalf("remount: %v: %s", err, out)
	}
	w.write([]*config.Object{service(t, "a", "192.0.2.1")})
	w.same(reopen(t, s, Options{}))
}

// TestReadOnlyDisk: the store opens for reading, and says why nothing can be written.
func TestReadOnlyDisk(t *testing.T) {
	dir := smallDisk(t, "8m")
	s := open(t, dir, Options{})
	w := newSite(t, s)
	view := w.write([]*config.Object{service(t, "a", "192.0.2.1")})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "mount", "-o", "remount,ro", dir).CombinedOutput(); err != nil {
		t.Fatalf("remount: %v: %s", err, out)
	}
	s = open(t, dir, Options{})
	w.same(s)
	if _, err := s.At(view); err != nil {
		t.Error(err)
	}
	err := s.Commit(w.record(w.actor, []*config.Object{service(t, "b", "192.0.2.2")}))
	if !errors.Is(err, revision.ErrUnavailable) || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("commit: %v", err)
	}
	if got := s.Unavailable(); !strings.Contains(got, "mount it for writing") {
		t.Errorf("unavailable: %q", got)
	}
	s.copyNow()
	var b bytes.Buffer
	if err := s.Backup(&b); err != nil || b.Len() == 0 {
		t.Errorf("backup: %v", err)
	}
}

func BenchmarkCommitOneOf10000(b *testing.B) {
	s := open(b, b.TempDir(), Options{noSync: true})
	w := newSite(b, s)
	w.write(many(b, 10_000))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.write([]*config.Object{service(b, "web-00500", fmt.Sprint("192.0.2.", i%250))})
	}
}

func BenchmarkCommit10000(b *testing.B) {
	s := open(b, b.TempDir(), Options{noSync: true})
	w := newSite(b, s)
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		list := many(b, 10_000, i)
		b.StartTimer()
		w.write(list)
	}
}

func BenchmarkOpen10000(b *testing.B) {
	s := open(b, b.TempDir(), Options{noSync: true})
	w := newSite(b, s)
	w.write(many(b, 10_000))
	for range 100 {
		w.write([]*config.Object{service(b, "web-00500", fmt.Sprint("192.0.2.", w.seq))})
	}
	for b.Loop() {
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		var err error
		if s, err = Open(s.dir, Options{noSync: true}); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Load(); err != nil {
			b.Fatal(err)
		}
	}
	_ = s.Close()
}

func many(t testing.TB, n int, add ...int) []*config.Object {
	out := make([]*config.Object, n)
	for i := range out {
		out[i] = service(t, fmt.Sprintf("web-%05d", i), fmt.Sprintf("10.%d.%d.%d", len(add), (i>>8)&255, (i+sum(add))&255))
	}
	return out
}

func sum(list []int) (n int) {
	for _, v := range list {
		n += v
	}
	return n
}
