//go:build unix

package geodata

import (
	"context"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestOnlyRegularFilesAreRead: opening a pipe would not end, whichever of its two files a format names it as.
func TestOnlyRegularFilesAreRead(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	blocks := write(t, "Blocks.csv", maxmindCity)
	for _, f := range []File{
		{Path: pipe, Format: IPCountry}, {Path: pipe, Format: MMDB}, {Path: blocks, Format: MaxMind, Locations: pipe},
		{Path: blocks, Format: MaxMind, Locations: filepath.Dir(pipe)},
	} {
		_, err := Load(context.Background(), []File{f})
		if err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%+v: got %v", f, err)
		}
	}
}
