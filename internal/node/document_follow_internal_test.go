package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

// TestFollowedFilesBelongTogether: while a link is switched from one release of the files to the next all the time, what is read is of one of them.
func TestFollowedFilesBelongTogether(t *testing.T) {
	dir := t.TempDir()
	release := func(n int) error {
		name := filepath.Join(dir, fmt.Sprint("release-", n))
		err := os.Mkdir(name, 0o700)
		for file, text := range map[string]string{"gslb.yaml": "zones: [{name: a.test, file: a.zone, ttl: %ds}]\n", "a.zone": "n TXT \"%d\"\n"} {
			if err == nil {
				err = os.WriteFile(filepath.Join(name, file), fmt.Appendf(nil, text, n), 0o600)
			}
		}
		if err == nil {
			err = os.Symlink(name, filepath.Join(dir, "next"))
		}
		if err == nil {
			err = os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "current"))
		}
		return err
	}
	if err := release(1); err != nil {
		t.Fatal(err)
	}
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for n := 2; ; n++ {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			if err := release(n); err != nil {
				ended <- err
				return
			}
		}
	}()
	defer func() {
		close(stop)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	var f followed
	whole := 0
	for range 300 {
		f.mu.Lock()
		src, err := f.read(filepath.Join(dir, "current", "gslb.yaml"))
		f.mu.Unlock()
		if err != nil {
			continue
		}
		whole++
		var n int
		if _, err := fmt.Sscanf(string(src.Files["a.zone"]), "n TXT \"%d\"", &n); err != nil || !strings.Contains(string(src.Text), fmt.Sprintf("ttl: %ds", n)) {
			t.Fatalf("the document is %q, its zone file is %q", src.Text, src.Files["a.zone"])
		}
	}
	if whole == 0 {
		t.Error("nothing was read")
	}
}
