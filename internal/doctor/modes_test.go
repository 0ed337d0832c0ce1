//go:build unix

package doctor

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func pipe(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestGroups: a group may read secrets only when it is the service's.
func TestGroups(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives files to other groups")
	}
	const strange = 54321
	for _, tt := range []struct {
		name    string
		mode    os.FileMode
		gid     int
		dataGID int // -1: there is no data directory
		want    string
	}{
		{"closed", 0o600, strange, -1, "ok 1 file"},
		{"own group", 0o640, os.Getegid(), -1, "ok 1 file"},
		{"strange group", 0o640, strange, -1, "warning has mode 0640, and is of group 54321"},
		{"strange group that writes", 0o620, strange, strange + 1, "warning has mode 0620, and is of group 54321"},
		{"group of the data directory", 0o640, strange, strange, "ok 1 file"},
		{"everyone", 0o644, os.Getegid(), -1, "warning has mode 0644"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, time.Hour, "")
			key := filepath.Join(s.dir, "pki", "ams.key")
			must(t, os.Chown(key, 0, tt.gid))
			must(t, os.Chmod(key, tt.mode))
			if tt.dataGID >= 0 {
				must(t, os.Mkdir(filepath.Join(s.dir, "data"), 0o700))
				must(t, os.Chown(filepath.Join(s.dir, "data"), 0, tt.dataGID))
			}
			r := Run(t.Context(), Options{Config: s.file, Dial: s.nyc(t, "nyc"), ResolvConf: "/no/such/file", Timeout: 8 * time.Second})
			if got := examined(r, "secrets"); !has(got, tt.want) {
				t.Errorf("there is no %q in %v", tt.want, got)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
