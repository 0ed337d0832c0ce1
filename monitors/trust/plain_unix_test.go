//go:build unix

package trust

import (
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
			case <-time.After(3 * time.Second):
				t.Fatal("reading a pipe that nobody writes to did not end")
			}
		})
	}
}
