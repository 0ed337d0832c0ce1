package backup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"fairlead/config"
	"fairlead/config/store"
)

// RestoredName is the directory inside the data directory where files are put that were elsewhere: the node file, tokens, keys and secrets.
const RestoredName = "restored"

// RestoreOptions say what to restore, and where.
type RestoreOptions struct {
	From       io.Reader
	Passphrase string
	DataDir    string // of a node that is stopped
	Now        time.Time
}

// Restored is what was done.
type Restored struct {
	Manifest *Manifest
	Aside    string  // where the data directory from before is; empty: there was none
	Files    []Entry // with their names in the data directory, and where they were
}

// Restore makes a data directory of a backup. The new one is made whole beside it and takes its place in the end; the one from before is kept aside. When
// an error is returned nothing has changed. The store has a new actor: what the node writes next is not taken for what it wrote after the backup.
func Restore(o RestoreOptions) (*Restored, error) {
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return nil, wrap("restore", err)
	}
	if err := store.NotInUse(dir); err != nil {
		return nil, fmt.Errorf("restore %q: %w: stop the node first", dir, err)
	}
	stamp := o.Now.UTC().Format("20060102T150405Z")
	unpacked, fresh := dir+".unpacked-"+stamp, dir+".restored-"+stamp
	m, err := Read(o.From, o.Passphrase, unpacked)
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(unpacked) }()
	r := &Restored{Manifest: m}
	if err := r.fill(fresh, unpacked); err != nil {
		return nil, wrap("restore", errors.Join(err, os.RemoveAll(fresh)))
	}
	if err := r.swap(dir, fresh, dir+".before-restore-"+stamp); err != nil {
		return nil, wrap("restore", errors.Join(err, os.RemoveAll(fresh)))
	}
	return r, nil
}

// fill makes the new data directory.
func (r *Restored) fill(fresh, unpacked string) error {
	if err := os.Mkdir(fresh, 0o700); err != nil {
		return err
	}
	for _, e := range r.Manifest.Parts {
		from := filepath.Join(unpacked, filepath.FromSlash(e.Name))
		name, inData := strings.CutPrefix(e.Name, dataDir)
		switch {
		case e.Name == dataDir+store.FileName:
			if err := restoreStore(fresh, from); err != nil {
				return err
			}
			continue
		case strings.HasPrefix(e.Name, exportDir):
			continue
		case !inData:
			name = RestoredName + "/" + e.Name
			r.Files = append(r.Files, Entry{Name: name, Path: e.Path, Size: e.Size, SHA256: e.SHA256})
		}
		to := filepath.Join(fresh, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.Rename(from, to); err != nil {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(fresh, store.FileName)); err != nil {
		return fmt.Errorf("%w: it has no document", ErrDamaged)
	}
	return nil
}

func restoreStore(dir, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return store.Restore(dir, f)
}

// swap puts the new directory in place of the old one.
func (r *Restored) swap(dir, fresh, aside string) error {
	switch err := os.Rename(dir, aside); {
	case err == nil:
		r.Aside = aside
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w; a data directory that is a mount cannot be replaced: restore into a directory beside it, and move the files", err)
	}
	if err := os.Rename(fresh, dir); err != nil {
		if r.Aside != "" {
			err = errors.Join(err, os.Rename(aside, dir))
		}
		return err
	}
	return nil
}

// Document returns the document of a backup that was unpacked into a directory, to be written as a new revision at a node that runs.
func Document(dir string) (*config.Objects, error) {
	scratch := filepath.Join(dir, "store")
	if err := os.Mkdir(scratch, 0o700); err != nil {
		return nil, wrap("read document of backup", err)
	}
	if err := restoreStore(scratch, filepath.Join(dir, filepath.FromSlash(dataDir), store.FileName)); err != nil {
		return nil, wrap("read document of backup", err)
	}
	s, err := store.Open(scratch, store.Options{})
	if err != nil {
		return nil, wrap("read document of backup", err)
	}
	objects, _ := s.Document()
	return objects, s.Close()
}
