package node

import (
	"os"
	"path/filepath"
	"testing"
)

// TestFollowedFilesAreSeen: each way in which a document and its zone files change is seen once, those that were missing included, and nothing
// is seen where nothing changed.
func TestFollowedFilesAreSeen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "gslb.yaml")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rename := func(from, to string) {
		t.Helper()
		if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, name string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, "new-link")); err != nil {
			t.Fatal(err)
		}
		rename("new-link", name)
	}
	write("gslb.yaml", "zones: [{name: a.test, file: a.zone}]\n")
	var f followed
	read := func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		_, _ = f.read(path) // it is looked at again, whatever was wrong with it
	}
	read()
	steps := []struct {
		name string
		make func()
	}{
		{"a zone file that was missing comes", func() { write("a.zone", "www A 192.0.2.1\n") }},
		{"it changes", func() { write("a.zone", "www A 192.0.2.1\n$INCLUDE more.zone\n") }},
		{"what it includes comes", func() { write("more.zone", "x A 192.0.2.1\n") }},
		{"what it includes is replaced by one of the same length", func() { write("new", "y A 192.0.2.1\n"); rename("new", "more.zone") }},
		{"the document is replaced by one with another zone file", func() { write("new", "zones: [{name: b.test, file: b.zone}]\n"); rename("new", "gslb.yaml") }},
		{"that zone file comes", func() { write("b.zone", "www A 192.0.2.1\n") }},
		{"the document is no YAML", func() { write("gslb.yaml", "zones: [\n") }},
		{"the document becomes a link", func() { write("v1.yaml", "zones: []\n"); link("v1.yaml", "gslb.yaml") }},
		{"the link points elsewhere", func() { write("v2.yaml", "zones: []\n"); link("v2.yaml", "gslb.yaml") }},
		{"the document goes", func() { rename("gslb.yaml", "away") }},
		{"it comes back", func() { rename("away", "gslb.yaml") }},
	}
	for _, s := range steps {
		if _, changed := f.look(path); changed {
			t.Errorf("before %q: a change is seen that is not there", s.name)
		}
		s.make()
		if _, changed := f.look(path); !changed {
			t.Errorf("%s: not seen", s.name)
		}
		read()
	}
	if _, changed := f.look(path); changed {
		t.Error("in the end a change is seen that is not there")
	}
}
