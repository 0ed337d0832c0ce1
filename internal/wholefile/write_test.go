package wholefile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "zone")
	put := func(text string, fails error) error {
		return Write(path, 0o640, func(w io.Writer) error {
			if _, err := io.WriteString(w, text); err != nil {
				t.Fatal(err)
			}
			return fails
		})
	}
	broken := errors.New("broken")
	for _, tt := range []struct {
		name, text string
		fails      error
		want       string
	}{
		{"fails before there is one", "half", broken, ""},
		{"new", strings.Repeat("long", 10_000), nil, strings.Repeat("long", 10_000)},
		{"replaced by a shorter one", "short", nil, "short"},
		{"fails", "half", broken, "short"},
		{"empty", "", nil, ""},
	} {
		if err := put(tt.text, tt.fails); !errors.Is(err, tt.fails) {
			t.Fatalf("%s: got error %v, want %v", tt.name, err, tt.fails)
		}
		got, err := os.ReadFile(path)
		if string(got) != tt.want || err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: got %d octets and %v, want %d", tt.name, len(got), err, len(tt.want))
		}
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if f.Name() != "zone" {
				t.Errorf("%s: %s was left", tt.name, f.Name())
			}
		}
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("got mode %v and %v, want 0640", info.Mode(), err)
	}
	if err := Write(filepath.Join(dir, "none", "zone"), 0o600, func(io.Writer) error { return nil }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without the directory: got %v", err)
	}
}
