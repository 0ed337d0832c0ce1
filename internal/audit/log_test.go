package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, o Options) *Log {
	t.Helper()
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func entry(object string) Entry {
	return Entry{Who: Who{Name: "ci", Kind: "token", ID: "tk1"}, Action: "put", Object: object, Outcome: Accepted}
}

func add(t *testing.T, l *Log, objects ...string) {
	t.Helper()
	for _, o := range objects {
		if err := l.Append(t.Context(), entry(o)); err != nil {
			t.Fatal(err)
		}
	}
}

func verify(t *testing.T, path, known string) Verdict {
	t.Helper()
	files, err := Files(path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := Verify(files, known)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func objects(p Page) string {
	var out []string
	for _, l := range p.Lines {
		out = append(out, l.Object)
	}
	return strings.Join(out, " ")
}

func TestChain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := open(t, Options{Path: path})
	add(t, l, "service/a", "service/b")
	noted := l.Head()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), entry("service/x")); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: got %v, want ErrClosed", err)
	}
	l = open(t, Options{Path: path})
	if l.Head() != noted {
		t.Errorf("opened again: head %v, want %v", l.Head(), noted)
	}
	add(t, l, "service/c")
	v := verify(t, path, noted.Hash)
	if v.Broken != nil || v.Lines != 3 || v.First != 1 || v.Head != l.Head() || !v.Seen || v.Unfinished {
		t.Errorf("got %+v", v)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
}

func TestTampering(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := open(t, Options{Path: path})
	add(t, l, "service/a", "service/b", "service/c", "service/d")
	head := l.Head()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(bytes.TrimSuffix(whole, []byte("\n")), []byte("\n"))
	lines[3] = append(lines[3], '\n')
	join := func(order ...int) []byte {
		var out []byte
		for _, i := range order {
			out = append(out, lines[i]...)
		}
		return out
	}
	for _, c := range []struct {
		name string
		text []byte
		line int // 0: nothing is broken
		why  string
	}{
		{"untouched", whole, 0, ""},
		{"a word changed", bytes.Replace(whole, []byte("service/b"), []byte("service/x"), 1), 3, "hash of line 2"},
		{"the last line changed", bytes.Replace(whole, []byte("service/d"), []byte("service/x"), 1), 0, ""},
		{"a line removed", join(0, 2, 3), 2, "lines are missing"},
		{"the first line removed", join(1, 2, 3), 0, ""},
		{"two lines change places", join(0, 2, 1, 3), 2, "another order"},
		{"a line twice", join(0, 1, 1, 2, 3), 3, "another order"},
		{"the last line removed", join(0, 1, 2), 0, ""},
		{"no entry", append(join(0), "{}\n"...), 2, "no number"},
		{"a space added", bytes.Replace(whole, []byte(`"action":`), []byte(`"action": `), 1), 2, "hash of line 1"},
		{"first line with a past", bytes.Replace(whole, []byte(`"prev":"0`), []byte(`"prev":"1`), 1), 1, "first line of all"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(path, c.text, 0o600); err != nil {
				t.Fatal(err)
			}
			v := verify(t, path, head.Hash)
			switch {
			case c.line == 0 && v.Broken != nil:
				t.Errorf("got %+v, want nothing", *v.Broken)
			case c.line != 0 && (v.Broken == nil || v.Broken.Line != c.line || !strings.Contains(v.Broken.Why, c.why)):
				t.Errorf("got %+v, want line %d: %s", v.Broken, c.line, c.why)
			}
			// What the chain alone cannot show, a head that was noted shows.
			if lost := strings.HasPrefix(c.name, "the last line"); v.Broken == nil && v.Seen == lost {
				t.Errorf("head seen: %v, want %v", v.Seen, !lost)
			}
		})
	}
}

func TestTornEnd(t *testing.T) {
	for _, c := range []struct {
		name, end string
		lines     uint64 // whole ones of the three
		repaired  bool
	}{
		{"nothing torn", "", 3, false},
		{"half a line", `{"seq":4,"prev":"`, 3, true},
		{"a line without its end", strings.Repeat("x", 70_000), 3, true},
		{"a hole", "\x00\x00\x00", 3, true},
		{"a hole with an end", "\x00\x00\x00\n", 3, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.jsonl")
			l := open(t, Options{Path: path})
			add(t, l, "service/a", "service/b", "service/c")
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString(c.end); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if v := verify(t, path, ""); c.repaired && !strings.HasSuffix(c.end, "\n") && (!v.Unfinished || v.Broken != nil) {
				t.Errorf("before the repair: got %+v, want unfinished", v)
			}
			l = open(t, Options{Path: path})
			add(t, l, "service/d")
			want := c.lines + 1
			if c.repaired {
				want++
			}
			if v := verify(t, path, ""); v.Broken != nil || v.Lines != want || v.Unfinished {
				t.Errorf("after the repair: got %+v, want %d lines", v, want)
			}
			aside, err := filepath.Glob(path + ".torn-*")
			if err != nil || (len(aside) == 1) != c.repaired {
				t.Fatalf("put aside: %v, %v", aside, err)
			}
			if !c.repaired {
				return
			}
			if text, err := os.ReadFile(aside[0]); string(text) != c.end || err != nil {
				t.Errorf("put aside: got %d bytes and %v, want %d", len(text), err, len(c.end))
			}
			page, err := l.List(t.Context(), Filter{})
			if err != nil {
				t.Fatal(err)
			}
			if got := page.Lines[1]; got.Action != "repair" || got.Object != aside[0] {
				t.Errorf("the line that says so: got %+v", got)
			}
		})
	}
}

func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := open(t, Options{Path: path, MaxBytes: 1000, Keep: 3})
	for i := range 40 {
		add(t, l, fmt.Sprintf("service/%d", i+1))
	}
	files, err := Files(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 4 || files[3] != path {
		t.Fatalf("got files %v, want three and %s", files, path)
	}
	v := verify(t, path, "")
	if v.Broken != nil || v.Head.Seq != 40 || v.First < 2 {
		t.Errorf("got %+v, want the end of a chain of 40", v)
	}
	var seen int
	for before := uint64(0); ; {
		page, err := l.List(t.Context(), Filter{Before: before, Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range page.Lines {
			if want := uint64(40 - seen); line.Seq != want {
				t.Fatalf("got line %d, want %d", line.Seq, want)
			}
			seen++
		}
		if before = page.Next; before == 0 {
			break
		}
	}
	if want := int(40 - v.First + 1); seen != want {
		t.Errorf("%d lines on all pages, want %d", seen, want)
	}
	// A file that is missing in the middle shows.
	if err := os.Remove(files[1]); err != nil {
		t.Fatal(err)
	}
	if v := verify(t, path, ""); v.Broken == nil || v.Broken.File != files[2] || v.Broken.Line != 1 {
		t.Errorf("a file removed: got %+v", v.Broken)
	}
	// The chain goes on over an empty file.
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, olderName(path, 40)); err != nil {
		t.Fatal(err)
	}
	if l = open(t, Options{Path: path}); l.Head() != v.Head {
		t.Errorf("after the file was moved: head %v, want %v", l.Head(), v.Head)
	}
}

func TestList(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := open(t, Options{Path: path})
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for i, o := range []string{"service/a", "service/b", "site/a", "service/a", "service/ab"} {
		e := entry(o)
		e.Time = start.Add(time.Duration(i) * time.Hour)
		if i == 3 {
			e.Who = Who{Name: "ann", Kind: "certificate"}
		}
		if err := l.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		filter Filter
		want   string
		next   uint64
	}{
		{"all", Filter{}, "service/ab service/a site/a service/b service/a", 0},
		{"a page", Filter{Limit: 2}, "service/ab service/a", 4},
		{"the next", Filter{Limit: 2, Before: 4}, "site/a service/b", 2},
		{"the last", Filter{Limit: 2, Before: 2}, "service/a", 0},
		{"who", Filter{Who: "ann"}, "service/a", 0},
		{"who by id", Filter{Who: "tk1", Limit: 1}, "service/ab", 5},
		{"object", Filter{Object: "service/a"}, "service/a service/a", 0},
		{"kind", Filter{Object: "service"}, "service/ab service/a service/b service/a", 0},
		{"since", Filter{Since: start.Add(3 * time.Hour)}, "service/ab service/a", 0},
		{"nothing", Filter{Who: "nobody"}, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			page, err := l.List(t.Context(), c.filter)
			if err != nil {
				t.Fatal(err)
			}
			if got := objects(page); got != c.want || page.Next != c.next {
				t.Errorf("got %q, next %d, want %q, next %d", got, page.Next, c.want, c.next)
			}
		})
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := l.List(ended, Filter{}); err != nil {
		t.Errorf("a short list with an ended context: %v", err)
	}
}

func TestManyAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := open(t, Options{Path: path, MaxBytes: 20_000, Keep: 100})
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			for j := range 20 {
				if err := l.Append(t.Context(), entry(fmt.Sprintf("service/%d-%d", i, j))); err != nil {
					t.Error(err)
				}
				if j%5 == 0 {
					if _, err := l.List(t.Context(), Filter{Limit: 5}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	if v := verify(t, path, ""); v.Broken != nil || v.Lines != 400 {
		t.Errorf("got %+v, want 400 lines", v)
	}
}

func TestDiskFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	core, logs := observer.New(zap.InfoLevel)
	l := open(t, Options{Path: path, Logger: zap.New(core)})
	add(t, l, "service/a")
	readOnly, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.file.Close(); err != nil {
		t.Fatal(err)
	}
	l.file = readOnly
	head := l.Head()
	if err := l.Append(t.Context(), entry("service/b")); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a write that fails: got %v", err)
	}
	if l.Head() != head {
		t.Errorf("head %v after a failure, want %v", l.Head(), head)
	}
	if logs.FilterMessage("audit.failed").Len() != 1 {
		t.Errorf("got %v, want audit.failed", logs.All())
	}
	add(t, l, "service/c")
	if v := verify(t, path, ""); v.Broken != nil || v.Lines != 2 {
		t.Errorf("got %+v, want 2 lines", v)
	}
}

func TestUnusableAtFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zap.InfoLevel)
	l := open(t, Options{Path: path, Logger: zap.New(core)})
	if err := l.Append(t.Context(), entry("service/a")); err == nil {
		t.Error("written into a directory")
	}
	if logs.FilterMessage("audit.unusable").Len() != 1 {
		t.Errorf("got %v, want audit.unusable", logs.All())
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	add(t, l, "service/a")
	if _, err := Open(Options{}); err == nil {
		t.Error("opened without a path")
	}
}

func TestLongEntry(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := open(t, Options{Path: path})
	e := entry("service/" + strings.Repeat("n", 5000))
	e.Diff = strings.Repeat("\x01", MaxDiff+1)
	e.Reason = strings.Repeat("ü", maxText)
	if err := l.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	page, err := l.List(t.Context(), Filter{})
	if err != nil {
		t.Fatal(err)
	}
	got := page.Lines[0]
	if len(got.Object) != maxText || len(got.Diff) != MaxDiff || !got.Cut || len(got.Reason) != maxText {
		t.Errorf("got %d, %d and %d bytes, cut %v", len(got.Object), len(got.Diff), len(got.Reason), got.Cut)
	}
	if v := verify(t, path, ""); v.Broken != nil {
		t.Errorf("got %+v", v.Broken)
	}
}

func TestHeadIsLogged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		l, err := Open(Options{Path: path, Logger: zap.New(core)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- l.Run(ctx) }()
		add(t, l, "service/a")
		time.Sleep(2*headInterval + time.Minute)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		got := logs.FilterMessage("audit.head").All()
		if len(got) != 3 || got[2].ContextMap()["head"] != l.Head().Hash {
			t.Errorf("got %v, want two and one at the end with %s", got, l.Head().Hash)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}
