//go:build !windows

package secret

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"fairlead/config"
)

// value is what no error and no log line may hold.
const value = "hunter2-is-the-password"

func write(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// place is directories with files as they are met in the wild.
type place struct{ allowed, other, credentials string }

func newPlace(t *testing.T) place {
	t.Helper()
	p := place{allowed: t.TempDir(), other: t.TempDir(), credentials: t.TempDir()}
	write(t, filepath.Join(p.allowed, "good"), value+"\n", 0o600)
	write(t, filepath.Join(p.allowed, "crlf"), value+"\r\n", 0o600)
	write(t, filepath.Join(p.allowed, "lines"), value+"\n\n", 0o600)
	write(t, filepath.Join(p.allowed, "bare"), value+"\r", 0o600)
	write(t, filepath.Join(p.allowed, "empty"), "\n", 0o600)
	write(t, filepath.Join(p.allowed, "large"), strings.Repeat("x", maxBytes+1), 0o600)
	write(t, filepath.Join(p.allowed, "everyones"), value, 0o666)
	write(t, filepath.Join(p.allowed, "readable"), value, 0o644)
	write(t, filepath.Join(p.other, "outside"), value, 0o600)
	write(t, filepath.Join(p.credentials, "db"), value, 0o400)
	if err := os.MkdirAll(filepath.Join(p.allowed, "below", "..data"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(p.allowed, "below", "..data", "password"), value, 0o600)
	for to, from := range map[string]string{
		"..data/password":                    filepath.Join(p.allowed, "below", "password"), // as Kubernetes mounts them
		filepath.Join(p.allowed, "good"):     filepath.Join(p.other, "inwards"),
		filepath.Join(p.other, "outside"):    filepath.Join(p.allowed, "outwards"),
		filepath.Join(p.credentials, "none"): filepath.Join(p.allowed, "dangling"),
	} {
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(p.allowed, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRead(t *testing.T) {
	p := newPlace(t)
	t.Setenv("SNMP_COMMUNITY", value)
	t.Setenv("OTHER_SECRET", value)
	core, seen := observer.New(zap.DebugLevel)
	s := New(Options{Directories: []string{p.allowed, "/nowhere"}, Environment: []string{"SNMP_COMMUNITY", "NOT_SET_ANYWHERE"}, CredentialsDirectory: p.credentials, Logger: zap.New(core)})
	const outside = "outside of the directories whose files may be read (node file: probes.secrets.directories)"
	tests := []struct{ from, want, problem string }{
		{"file:" + p.allowed + "/good", value, ""},
		{"file:" + p.allowed + "/crlf", value, ""},
		{"file:" + p.allowed + "/lines", value + "\n", ""},
		{"file:" + p.allowed + "/bare", value + "\r", ""},
		{"file:" + p.allowed + "/readable", value, ""},
		{"file:" + p.allowed + "/below/password", value, ""},
		{"file:" + p.other + "/inwards", value, ""},
		{"file:" + p.allowed + "/empty", "", "it is empty"},
		{"file:" + p.allowed + "/large", "", "it is larger than 64 KiB"},
		{"file:" + p.allowed + "/everyones", "", "everyone on this machine can write it (mode 0666): chmod o-w"},
		{"file:" + p.allowed + "/outwards", "", outside},
		{"file:" + p.allowed + "/dangling", "", "no such file"},
		{"file:" + p.allowed + "/missing", "", "no such file"},
		{"file:" + p.allowed + "/pipe", "", "not a regular file"},
		{"file:" + p.allowed + "/below", "", "not a regular file"},
		{"file:/dev/zero", "", outside},
		{"file:/nowhere-at-all/x", "", outside}, // not: no such file
		{"file:" + p.other + "/missing", "", outside},
		{"file:" + p.allowed + "/../" + filepath.Base(p.other) + "/missing", "", outside},
		{"file:" + p.allowed + "/below/../missing", "", "no such file"},
		{"file:" + p.other + "/outside", "", outside},
		{"file:" + p.allowed + "/../" + filepath.Base(p.other) + "/outside", "", outside},
		{"file:secrets/db", "", "not an absolute path"},
		{"env:SNMP_COMMUNITY", value, ""},
		{"env:OTHER_SECRET", "", "not a variable that may be read (node file: probes.secrets.environment)"},
		{"env:NOT_SET_ANYWHERE", "", "this process has no such variable"},
		{"credential:db", value, ""},
		{"credential:none", "", "no such file"},
		{"credential:../" + filepath.Base(p.other) + "/outside", "", "not the name of a credential"},
		{"credential:..", "", "not the name of a credential"},
		{"file:" + p.credentials + "/db", "", outside}, // remembered as a credential, not as a file
		{value, "", "it does not say where it is"},
		{"", "", "it does not say where it is"},
	}
	for range 2 { // the second time much is remembered
		for _, test := range tests {
			got, err := s.Read(config.Secret(test.from))
			switch {
			case test.problem == "" && (err != nil || got != test.want):
				t.Errorf("%s: got %q, %v, want %q", test.from, got, err, test.want)
			case test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)):
				t.Errorf("%s: got %q, %v, want an error with %q", test.from, got, err, test.problem)
			case err != nil && strings.Contains(err.Error(), value):
				t.Errorf("%s: the error has the secret in it: %v", test.from, err)
			}
		}
	}
	entries := seen.All()
	if len(entries) != 1 || entries[0].Message != "monitor.secret_readable" {
		t.Errorf("log: got %v, want one warning of the file that everyone can read", entries)
	}
	if text := fmt.Sprint(entries); strings.Contains(text, value) {
		t.Errorf("the log has the secret in it: %s", text)
	}
}

func TestNothingIsAllowedByDefault(t *testing.T) {
	p := newPlace(t)
	t.Setenv("SNMP_COMMUNITY", value)
	for _, from := range []string{"file:" + p.allowed + "/good", "env:SNMP_COMMUNITY", "credential:db"} {
		if got, err := New(Options{}).Read(config.Secret(from)); err == nil {
			t.Errorf("%s: got %q", from, got)
		}
	}
}

func TestAFileIsReadAgain(t *testing.T) {
	p := newPlace(t)
	path := filepath.Join(p.allowed, "good")
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Directories: []string{p.allowed}})
		read := func(want string) {
			t.Helper()
			if got, err := s.Read(config.Secret("file:" + path)); err != nil || got != want {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		}
		read(value)
		write(t, path, "another", 0o600)
		read(value) // looked at less than a second ago
		time.Sleep(lookAgain)
		read("another")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookAgain)
		if got, err := s.Read(config.Secret("file:" + path)); err == nil {
			t.Errorf("the file is gone: got %q", got)
		}
		write(t, path, "back", 0o600)
		read("back")
	})
}

func TestRelativeDirectories(t *testing.T) {
	p := newPlace(t)
	t.Chdir(filepath.Dir(p.allowed))
	s := New(Options{Directories: []string{"./" + filepath.Base(p.allowed)}})
	if got, err := s.Read(config.Secret("file:" + p.allowed + "/good")); err != nil || got != value {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := s.Read(config.Secret("file:" + p.other + "/outside")); err == nil {
		t.Errorf("outside: got %q", got)
	}
}

// TestAFileIsReplaced: files out of an image have one time for all, and passwords often one length.
func TestAFileIsReplaced(t *testing.T) {
	p := newPlace(t)
	path, fresh := filepath.Join(p.allowed, "good"), filepath.Join(p.allowed, "fresh")
	then := time.Unix(1, 0)
	put := func(t *testing.T, text string) {
		t.Helper()
		write(t, fresh, text, 0o600)
		if err := os.Chtimes(fresh, then, then); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(fresh, path); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Directories: []string{p.allowed}})
		for _, want := range []string{"one", "two"} {
			put(t, want)
			if got, err := s.Read(config.Secret("file:" + path)); err != nil || got != want {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
			time.Sleep(lookAgain)
		}
	})
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	p := newPlace(t)
	s := New(Options{Directories: []string{p.allowed}})
	for i := range maxCached + 10 {
		name := filepath.Join(p.allowed, fmt.Sprint("n", i))
		write(t, name, fmt.Sprint(i), 0o644)
		if got, err := s.Read(config.Secret("file:" + name)); err != nil || got != fmt.Sprint(i) {
			t.Fatalf("secret %d: got %q, %v", i, got, err)
		}
	}
	if len(s.files) > maxCached || len(s.warned) > maxCached {
		t.Errorf("%d files and %d warnings remembered, want at most %d", len(s.files), len(s.warned), maxCached)
	}
}
