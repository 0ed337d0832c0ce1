package pki

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"fairlead/internal/wholefile"
)

// Names of the authority's files in its directory.
const (
	AuthorityCert = "ca.crt"
	AuthorityKey  = "ca.key"
)

// Permissions: keys are for their owner only.
const (
	dirMode  fs.FileMode = 0o700
	certMode fs.FileMode = 0o644
	keyMode  fs.FileMode = 0o600
)

// Paths names the files of a site's identity: what the node file's mep.tls wants.
type Paths struct {
	Cert, Key, CA string
}

// Init makes an authority in dir, which is created with mode 0700 if it is not there: ca.crt, and ca.key with mode 0600.
// It never overwrites either file.
func Init(dir string, o Options) error {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return fmt.Errorf("make authority in %q: %w", dir, err)
	}
	certPath, keyPath := filepath.Join(dir, AuthorityCert), filepath.Join(dir, AuthorityKey)
	for _, name := range []string{certPath, keyPath} {
		if err := mustBeAbsent(name); err != nil {
			return fmt.Errorf("make authority in %q: %w; use another directory, or move the old authority away", dir, err)
		}
	}
	a, err := NewAuthority(o)
	if err != nil {
		return err
	}
	if err := writePair(a.pair, certPath, keyPath); err != nil {
		return fmt.Errorf("make authority in %q: %w", dir, err)
	}
	return nil
}

// Load reads the authority that Init made in dir.
func Load(dir string) (*Authority, error) {
	cert, err := os.ReadFile(filepath.Join(dir, AuthorityCert))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("load authority in %q: %w; make one with: fairlead pki init", dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("load authority in %q: %w", dir, err)
	}
	key, err := os.ReadFile(filepath.Join(dir, AuthorityKey))
	if err != nil {
		return nil, fmt.Errorf("load authority in %q: %w", dir, err)
	}
	a, err := ParseAuthority(Pair{Cert: cert, Key: key})
	if err != nil {
		return nil, fmt.Errorf("load authority in %q: %w", dir, err)
	}
	return a, nil
}

// Issue makes <site>.crt, and <site>.key with mode 0600, in dir, signed by the authority there. Without Options.Force it
// does not overwrite either.
func Issue(dir, site string, o Options) (Paths, error) {
	paths := Paths{Cert: filepath.Join(dir, site+".crt"), Key: filepath.Join(dir, site+".key"), CA: filepath.Join(dir, AuthorityCert)}
	if err := checkSite(site); err != nil {
		return Paths{}, err
	}
	if paths.Cert == paths.CA {
		return Paths{}, fmt.Errorf("issue certificate for site %q: %w: its files would be the authority's; use another", site, ErrName)
	}
	a, err := Load(dir)
	if err != nil {
		return Paths{}, err
	}
	for _, name := range []string{paths.Cert, paths.Key} {
		if err := mustBeAbsent(name); err != nil && !o.Force {
			return Paths{}, fmt.Errorf("issue certificate for site %q: %w; replace it with --force", site, err)
		}
	}
	pair, err := a.Issue(site, o)
	if err != nil {
		return Paths{}, err
	}
	if err := writePair(pair, paths.Cert, paths.Key); err != nil {
		return Paths{}, fmt.Errorf("issue certificate for site %q: %w", site, err)
	}
	return paths, nil
}

func mustBeAbsent(name string) error {
	_, err := os.Lstat(name)
	switch {
	case err == nil:
		return fmt.Errorf("%q exists", name)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

// writePair writes both files, each whole or not at all. The key comes first: a certificate is only there when its key
// is.
func writePair(p Pair, certPath, keyPath string) error {
	if err := writeFile(keyPath, p.Key, keyMode); err != nil {
		return err
	}
	return writeFile(certPath, p.Cert, certMode)
}

func writeFile(name string, data []byte, perm fs.FileMode) error {
	err := wholefile.Write(name, perm, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err != nil {
		return fmt.Errorf("write %q: %w", name, err)
	}
	return nil
}
