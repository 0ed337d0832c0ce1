package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"filippo.io/age"
)

const ageMagic = "age-encryption.org/v1\n"

// Read unpacks a backup into a directory that must not exist yet, and returns what it has when all of it is what was written. Otherwise the directory
// is removed, and the error wraps ErrForeign, ErrDamaged or ErrPassphrase, or is one of the disk.
func Read(r io.Reader, passphrase, dir string) (*Manifest, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, wrap("read backup", err)
	}
	m, err := unpack(r, passphrase, func(name string, content io.Reader) error {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, content)
		return errors.Join(err, f.Sync(), f.Close())
	})
	if err != nil {
		return nil, wrap("read backup", errors.Join(err, os.RemoveAll(dir)))
	}
	return m, nil
}

// Verify reads a backup and says what it has, without writing anything.
func Verify(r io.Reader, passphrase string) (*Manifest, error) {
	m, err := unpack(r, passphrase, func(_ string, content io.Reader) error {
		_, err := io.Copy(io.Discard, content)
		return err
	})
	return m, wrap("read backup", err)
}

// unpack calls keep for each part. Only when it returns without an error they were good.
func unpack(r io.Reader, passphrase string, keep func(name string, content io.Reader) error) (*Manifest, error) {
	plain, encrypted, err := decrypt(r, passphrase)
	if err != nil {
		return nil, err
	}
	packed, err := gzip.NewReader(plain)
	switch {
	case err != nil && encrypted:
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrForeign, err)
	}
	u := &unpacking{archive: tar.NewReader(packed), keep: keep, found: map[string]Entry{}}
	if err := u.head(); err != nil {
		return nil, err
	}
	for {
		m, err := u.next()
		if err != nil {
			return nil, err
		}
		if m == nil {
			continue
		}
		if n, err := io.Copy(io.Discard, io.LimitReader(packed, maxHead)); err != nil || n == maxHead {
			return nil, fmt.Errorf("%w: its end is not right: %w", ErrDamaged, errors.Join(err, io.ErrUnexpectedEOF))
		}
		return m, nil
	}
}

// decrypt returns what is inside age's format, if r has that.
func decrypt(r io.Reader, passphrase string) (plain io.Reader, encrypted bool, err error) {
	buffered := bufio.NewReader(r)
	if start, _ := buffered.Peek(len(ageMagic)); string(start) != ageMagic {
		return buffered, false, nil
	}
	if passphrase == "" {
		return nil, true, ErrPassphrase
	}
	identity, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, true, err
	}
	if plain, err = age.Decrypt(buffered, identity); err != nil {
		return nil, true, fmt.Errorf("%w: %w", ErrPassphrase, err)
	}
	return plain, true, nil
}

// unpacking is an archive on its way out.
type unpacking struct {
	archive *tar.Reader
	keep    func(string, io.Reader) error
	found   map[string]Entry
	octets  int64
}

func (u *unpacking) head() error {
	h, err := u.archive.Next()
	if err != nil || h.Name != headName || h.Size > maxHead {
		return fmt.Errorf("%w: it does not begin like one", ErrForeign)
	}
	var head Head
	b, err := io.ReadAll(u.archive)
	if err == nil {
		err = json.Unmarshal(b, &head)
	}
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case head.Version > Version || head.Version < 1:
		return fmt.Errorf("%w: it has format %d, and this release reads format %d", ErrForeign, head.Version, Version)
	}
	return nil
}

// next unpacks one entry, and returns the manifest when that was the last one.
func (u *unpacking) next() (*Manifest, error) {
	h, err := u.archive.Next()
	if err != nil {
		return nil, fmt.Errorf("%w: it ends too early, or is cut: %w", ErrDamaged, err)
	}
	if h.Name == manifestName {
		return u.manifest(h.Size)
	}
	_, twice := u.found[h.Name]
	u.octets += h.Size
	switch {
	case h.Typeflag != tar.TypeReg, !goodName(h.Name), twice:
		return nil, fmt.Errorf("%w: entry %.100q cannot be in one", ErrDamaged, h.Name)
	case len(u.found) >= MaxParts, u.octets > MaxBytes:
		return nil, fmt.Errorf("%w: it has more than %d files or %d octets", ErrForeign, MaxParts, int64(MaxBytes))
	}
	hash := sha256.New()
	content := &counted{r: io.TeeReader(u.archive, hash)}
	if err := u.keep(h.Name, content); err != nil {
		if content.err != nil {
			return nil, fmt.Errorf("%w: %q: %w", ErrDamaged, h.Name, content.err)
		}
		return nil, err
	}
	u.found[h.Name] = Entry{Name: h.Name, Size: content.n, SHA256: hex.EncodeToString(hash.Sum(nil))}
	return nil, nil
}

// counted counts what is read, and keeps the error of reading apart from those of writing.
type counted struct {
	r   io.Reader
	n   int64
	err error
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

// goodName reports whether a name stays inside the directory that it is unpacked into, on every system.
func goodName(name string) bool {
	return len(name) <= maxName && name != headName && filepath.IsLocal(filepath.FromSlash(name)) && !bytes.ContainsAny([]byte(name), "\\\x00:") &&
		filepath.ToSlash(filepath.Clean(filepath.FromSlash(name))) == name
}

func (u *unpacking) manifest(size int64) (*Manifest, error) {
	if size > maxManifest {
		return nil, fmt.Errorf("%w: its list has %d octets", ErrDamaged, size)
	}
	var m Manifest
	b, err := io.ReadAll(u.archive)
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: its list: %w", ErrDamaged, err)
	}
	listed := map[string]Entry{}
	for _, e := range m.Parts {
		e.Path = ""
		listed[e.Name] = e
	}
	if len(listed) != len(m.Parts) || !maps.Equal(listed, u.found) {
		for _, name := range slices.Sorted(maps.Keys(listed)) {
			if u.found[name] != listed[name] {
				return nil, fmt.Errorf("%w: %q is not what was written", ErrDamaged, name)
			}
		}
		return nil, fmt.Errorf("%w: it has files that are not in its list", ErrDamaged)
	}
	return &m, nil
}
