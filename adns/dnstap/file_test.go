package dnstap

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// contents reads a file as tools do.
func contents(t *testing.T, path string) (got string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := bytes.NewReader(b)
	if start, err := readControl(r); err != nil || start.kind != controlStart {
		t.Fatalf("%s begins with %+v, %v; want START", path, start, err)
	}
	if err := readFrames(r, func(m tapped) { got += m.Response }); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if r.Len() > 0 {
		t.Fatalf("%s: %d octets behind STOP", path, r.Len())
	}
	return got
}

func frame(text string) []byte { return appendFrame(nil, nil, authResponse, message(text)) }

func TestFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tap")
	for _, text := range []string{"first", "", "second", "third"} {
		out, err := openFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if text != "" {
			if err := out.write(frame(text)); err != nil {
				t.Fatal(err)
			}
		}
		if err := out.close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := contents(t, path); got != "third" {
		t.Errorf("the file itself: got %q, want third", got)
	}
	older, err := filepath.Glob(path + ".*")
	if err != nil || len(older) != 2 {
		t.Fatalf("older files: got %q, %v; want two, none for the empty one", older, err)
	}
	if a, b := contents(t, older[0]), contents(t, older[1]); a+b != "firstsecond" {
		t.Errorf("older files: got %q and %q", a, b)
	}
}

func TestFileNamesDoNotCollide(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tap")
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, want := range []string{"tap.20260102T030405Z", "tap.20260102T030405Z.2", "tap.20260102T030405Z.3"} {
		if err := os.WriteFile(path, bytes.Repeat([]byte("x"), 100), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := rotate(path, now); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), want)); err != nil {
			t.Error(err)
		}
	}
}

func TestFileRefusesWhatIsNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tap")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := openFile(path); err == nil {
		t.Error("a directory was taken for a file")
	}
	if _, err := os.Stat(path); err != nil {
		t.Error("the directory is gone")
	}
}

// TestFileIsWholeAfterAFailure cuts a write short, as a full disk does.
func TestFileIsWholeAfterAFailure(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tap")
	out, err := openFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := out.write(frame("kept")); err != nil {
		t.Fatal(err)
	}
	o := out.(*file)
	if n, err := o.f.Write(frame("lost")[:3]); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	if err := o.undo(3, errors.New("disk full")); err == nil {
		t.Error("the error is gone")
	}
	if err := out.close(); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, path); got != "kept" {
		t.Errorf("got %q, want kept", got)
	}
}

// TestSinkReopens runs a sink on a file, without waiting: what counts is what the files hold at the end.
func TestSinkReopens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tap")
	s, stop := start(t, Options{File: path, Responses: true})
	source := s.Source()
	source.Response(message("before"))
	source.Flush()
	s.Reopen()
	for s.Stats().Connects < 2 { // until the second file has begun
		runtime.Gosched()
	}
	source.Response(message("after"))
	source.Flush()
	stop()
	if got := contents(t, path); got != "after" {
		t.Errorf("new file: got %q, want after", got)
	}
	older, _ := filepath.Glob(path + ".*")
	if len(older) != 1 || contents(t, older[0]) != "before" {
		t.Errorf("older files: %q, want one that holds before", older)
	}
}
