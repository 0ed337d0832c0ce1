//go:build unix

package backup

import (
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// TestNodeFileThroughAPipe: a node that read its node file through a pipe has none to back up, and nobody waits for the pipe.
func TestNodeFileThroughAPipe(t *testing.T) {
	o, _ := site(t)
	isNodeFile := func(p Part) bool { return p.Name == nodeDir+"node.yaml" }
	for _, c := range []struct {
		name string
		make func(path string) error
		want bool
	}{
		{"a file", func(path string) error { put(t, path, "site: ams\n"); return nil }, true},
		{"a pipe", func(path string) error { return syscall.Mkfifo(path, 0o600) }, false},
	} {
		o.NodeFile = filepath.Join(t.TempDir(), "node.yaml")
		if err := c.make(o.NodeFile); err != nil {
			t.Fatal(err)
		}
		contents, err := Gather(o)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.ContainsFunc(contents.Parts, isNodeFile); got != c.want {
			t.Errorf("%s: the node file is in the backup: %v, want %v", c.name, got, c.want)
		}
	}
}
