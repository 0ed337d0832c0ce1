//go:build integration

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// commandDir has the command that all tests here run, built from this tree once.
var commandDir = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fairlead-integration-")
	if err != nil {
		return "", err
	}
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "fairlead"), "fairlead/cmd/fairlead").CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build: %w\n%s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	status := m.Run()
	if dir, _ := commandDir(); dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(status)
}

// putCommand gives a lab the command as a file of its own, at path.
func putCommand(t *testing.T, path string) {
	t.Helper()
	dir, err := commandDir()
	if err == nil {
		err = os.Link(filepath.Join(dir, "fairlead"), path)
	}
	if err != nil {
		t.Fatal(err)
	}
}
