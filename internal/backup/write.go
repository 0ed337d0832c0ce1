package backup

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"filippo.io/age"
)

// Write writes a backup. One with secrets needs a passphrase; any can have one. A part is written to a temporary file first, because its size comes
// before it. What was written is no backup when an error is returned.
func Write(w io.Writer, c Contents, passphrase string) error {
	if c.Secrets && passphrase == "" {
		return errors.New("write backup: keys and secrets are only written with a passphrase")
	}
	if len(c.Parts) > MaxParts {
		return fmt.Errorf("write backup: %d files; the limit is %d", len(c.Parts), MaxParts)
	}
	if passphrase == "" && c.Open != nil {
		if err := c.Open(); err != nil {
			return wrap("write backup", err)
		}
	}
	if passphrase == "" {
		return wrap("write backup", writePlain(w, c))
	}
	if len(passphrase) < MinPassphrase {
		return fmt.Errorf("write backup: the passphrase has %d characters; at least %d are needed", len(passphrase), MinPassphrase)
	}
	to, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return wrap("write backup", err)
	}
	sealed, err := age.Encrypt(w, to)
	if err != nil {
		return wrap("write backup", err)
	}
	return wrap("write backup", errors.Join(writePlain(sealed, c), sealed.Close()))
}

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func writePlain(w io.Writer, c Contents) error {
	packed, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(packed)
	c.Version = Version
	m := Manifest{Head: c.Head}
	if err := writeJSON(archive, headName, c.Head); err != nil {
		return err
	}
	temporary, err := os.CreateTemp("", "fairlead-backup-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	defer func() { _ = temporary.Close() }()
	for _, p := range c.Parts {
		e, err := writePart(archive, temporary, p)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was removed since it was listed
		}
		if err != nil {
			return fmt.Errorf("%q: %w", p.Name, err)
		}
		m.Parts = append(m.Parts, e)
	}
	if err := writeJSON(archive, manifestName, m); err != nil {
		return err
	}
	return errors.Join(archive.Close(), packed.Close())
}

func writeJSON(archive *tar.Writer, name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(b))}); err != nil {
		return err
	}
	_, err = archive.Write(b)
	return err
}

func writePart(archive *tar.Writer, temporary *os.File, p Part) (Entry, error) {
	if _, err := temporary.Seek(0, io.SeekStart); err != nil {
		return Entry{}, err
	}
	if err := temporary.Truncate(0); err != nil {
		return Entry{}, err
	}
	hash := sha256.New()
	if err := p.Write(io.MultiWriter(temporary, hash)); err != nil {
		return Entry{}, err
	}
	size, err := temporary.Seek(0, io.SeekCurrent)
	if err != nil {
		return Entry{}, err
	}
	if _, err := temporary.Seek(0, io.SeekStart); err != nil {
		return Entry{}, err
	}
	if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: p.Name, Mode: 0o600, Size: size}); err != nil {
		return Entry{}, err
	}
	if _, err := io.Copy(archive, temporary); err != nil {
		return Entry{}, err
	}
	return Entry{Name: p.Name, Path: p.Path, Size: size, SHA256: hex.EncodeToString(hash.Sum(nil))}, nil
}
