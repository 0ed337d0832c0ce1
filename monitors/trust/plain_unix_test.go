//go:build unix

package trust

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fairlead/config"
)

// TestPipesAreRefused: opening a pipe that nobody writes to would not end, and neither would the probe.
func TestPipesAreRefused(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	s := &Store{secret: func(config.Secret) (string, error) { return "", nil }}
	for _, c := range []struct {
		name string
		read func() error
		want string
	}{
		{"client certificate", func() error {
			_, err := s.certificate(&config.TLSProbe{CertFile: pipe})
			return err
		}, "tls.cert_file"},
		{"authorities", func() error {
			_, err := s.authorities.read(pipe)
			return err
		}, "tls.ca_file"},
		{"authorities, a pipe since they were looked at", func() error {
			_, err := readAuthorities(pipe)
			return err
		}, "tls.ca_file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ended := make(chan error, 1)
			go func() { ended <- c.read() }()
			select {
			case err := <-ended:
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "not a plain file") {
					t.Errorf("got %v, want that %s is not a plain file", err, c.want)
				}
			case <-time.After(30 * time.Second):
				t.Fatal("reading a pipe that nobody writes to did not end")
			}
		})
	}
}

// TestReadingEnds: the kernel makes up files that look plain, and have a reader wait until there is more, as a pipe has.
func TestReadingEnds(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	ended := make(chan error, 1)
	go func() {
		_, err := readWithin(r, 10)
		ended <- err
	}()
	select {
	case err := <-ended:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v, want that the time is over", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("reading what nobody writes did not end")
	}
}
