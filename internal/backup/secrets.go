package backup

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxSniffed is how much of a file is looked at for a private key. Keys in PEM stand at the beginning, behind certificates at most.
const maxSniffed = 64 << 10

// maxNamed is how many objects that hold secrets people are told.
const maxNamed = 10

// literal says which objects hold secrets themselves. They cannot be left out: hashes say what each version of an object is.
func literal(s Store) error {
	now, before, err := s.Secrets()
	if err != nil || len(now)+before == 0 {
		return err
	}
	var what []string
	for _, key := range now[:min(len(now), maxNamed)] {
		what = append(what, key.String())
	}
	if more := len(now) - len(what); more > 0 {
		what = append(what, fmt.Sprintf("%d objects more", more))
	}
	if before > 0 {
		what = append(what, fmt.Sprintf("%d earlier versions of objects in the history", before))
	}
	return fmt.Errorf("%w: %s; give a passphrase, or write places of secrets (file:, env:, credential:) into the document", ErrSecrets, strings.Join(what, ", "))
}

// secretFiles are files that no backup without a passphrase has, wherever they lie: a node file may well name a key in the data directory.
type secretFiles struct {
	paths []string // that the node file names
	real  map[string]bool
	known bool // they are parts of their own
}

// secrets finds out which files these are.
func (o *GatherOptions) secrets() (*secretFiles, error) {
	s := &secretFiles{real: map[string]bool{}, known: o.Secrets && o.Node != nil}
	if o.Node == nil {
		return s, nil
	}
	var err error
	if s.paths, err = secretPaths(o.Node); err != nil {
		return nil, err
	}
	for _, path := range s.paths {
		s.real[whole(path)] = true
	}
	return s, nil
}

// whole is a path without links, as far as there is such a file.
func whole(path string) string {
	if at, err := filepath.EvalSymlinks(path); err == nil {
		path = at
	}
	if at, err := filepath.Abs(path); err == nil {
		path = at
	}
	return path
}

// has reports whether a file of the data directory is one of them: named by the node file, or a private key by what it holds.
func (s *secretFiles) has(path string) bool {
	if s.real[whole(path)] {
		return true
	}
	if s.known {
		return false // the backup is encrypted
	}
	f, err := os.Open(path)
	if err != nil {
		return false // it is told when it is to be read
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxSniffed))
	return err == nil && bytes.Contains(text, []byte("PRIVATE KEY-----"))
}
