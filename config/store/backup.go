package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"fairlead/config"
)

// Backup writes the database as it is at one moment, with all history, while it is in use. What was removed from it is not in it.
func (s *Store) Backup(w io.Writer) (err error) {
	if s.broken {
		return fmt.Errorf("back up %q: %w", s.path, s.stuck)
	}
	dir, err := os.MkdirTemp("", "fairlead-backup-*")
	if err != nil {
		return fmt.Errorf("back up %q: %w", s.path, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, FileName)
	if err := guard(func() error { return s.compactTo(path) }); err != nil {
		return fmt.Errorf("back up %q: %w", s.path, err)
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: openTimeout, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("back up %q: %w", s.path, err)
	}
	err = db.View(func(tx *bolt.Tx) error {
		_, err := tx.WriteTo(w)
		return err
	})
	return errors.Join(err, db.Close())
}

// Secrets lists the objects of the document that hold secrets themselves, and counts earlier versions of objects that did and are kept.
func (s *Store) Secrets() (now []config.ObjectKey, before int, err error) {
	s.mu.RLock()
	objects := s.objects
	s.mu.RUnlock()
	counted := map[config.ObjectHash]bool{}
	for o := range objects.All {
		if counted[o.Hash()] = true; o.HasSecrets() {
			now = append(now, o.Key())
		}
	}
	err = s.view("objects", func(tx *bolt.Tx) error {
		return tx.Bucket(bucketObjects).ForEach(func(k, _ []byte) error {
			var h config.ObjectHash
			if copy(h[:], k); counted[h] {
				return nil
			}
			text, err := readText(tx, h)
			if err == nil && config.TextHasSecrets(text) {
				before++
			}
			return err
		})
	})
	return now, before, err
}

// Document returns the document as it is, and the id of its revision.
func (s *Store) Document() (objects *config.Objects, revision string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.objects, s.state.ID()
}

// Restore makes the database of a data directory, which must have none, of what Backup wrote. All of it is checked before. The store has another
// actor than the one that was backed up, because that one may have gone on writing.
func Restore(dir string, r io.Reader) error {
	path := filepath.Join(dir, FileName)
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("restore store %q: there is one already", path)
	}
	temporary := path + ".new"
	if err := writeFile(temporary, r); err != nil {
		return unavailable("write", temporary, err)
	}
	if err := renew(temporary); err != nil {
		return fmt.Errorf("restore store %q: %w", path, errors.Join(err, os.Remove(temporary)))
	}
	if err := errors.Join(os.Rename(temporary, path), syncDirectory(dir)); err != nil {
		return unavailable("write", path, err)
	}
	return nil
}

func writeFile(path string, r io.Reader) error {
	if err := removeIfThere(path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Sync(), f.Close())
}

// renew checks a database and gives it a new actor.
func renew(path string) error {
	db, _, err := openFile(path, false, whileOpen)
	if err != nil {
		return err
	}
	s := &Store{path: path}
	s.opts.fill()
	err = guard(func() error { return db.View(s.read) })
	if err == nil {
		err = guard(func() error {
			return db.Update(func(tx *bolt.Tx) error { return put(tx, bucketMeta, keyActor, []byte(newActor())) })
		})
	}
	return errors.Join(err, db.Close())
}

// NotInUse returns an error if a process has the store of a data directory open. It changes nothing; there need be no store.
func NotInUse(dir string) error {
	f, err := os.Open(filepath.Join(dir, FileName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(lock(f, false), f.Close())
}
