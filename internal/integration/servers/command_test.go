//go:build integration

package servers

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// built is the command fairlead, which is built once for all tests that run it.
var built struct {
	once sync.Once
	dir  string
	out  []byte
	err  error
}

// command returns the path of the command fairlead.
func command(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "fairlead"); built.err == nil {
			built.out, built.err = exec.Command("go", "build", "-ldflags=-s -w", "-o", filepath.Join(built.dir, "fairlead"), "fairlead/cmd/fairlead").CombinedOutput()
		}
	})
	if built.err != nil {
		t.Fatalf("build: %v\n%s", built.err, built.out)
	}
	return filepath.Join(built.dir, "fairlead")
}

// TestMain removes what was built.
func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}
