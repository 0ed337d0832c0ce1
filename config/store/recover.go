package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
	"fairlead/config/store/layout1"
)

// firstCommit is the number of the commit that makes a database.
const firstCommit = 1

// maxAside is how many files of one second can be kept aside.
const maxAside = 100

// begin makes the database of a data directory that has none.
func (s *Store) begin() error {
	_, copied := os.Stat(filepath.Join(s.dir, copyName))
	_, exported := os.Stat(filepath.Join(s.dir, ExportName))
	journals, _ := tailFiles(s.dir)
	if copied == nil || exported == nil || len(journals) > 0 {
		return s.recover(damagedf("it is not there, though its copy is"))
	}
	if err := createFile(s.path, func(tx *bolt.Tx) error { return s.fill(tx, &contents{state: revision.NewState()}) }); err != nil {
		return unavailable("create store", s.path, err)
	}
	return nil
}

// recover makes a database in place of a damaged one, which is kept aside.
func (s *Store) recover(why error) error {
	aside, err := s.setAside("damaged-" + s.opts.Now().UTC().Format("20060102T150405Z"))
	if err != nil {
		return unavailable("keep aside the damaged store", s.path, err)
	}
	c, from := s.whatIsLeft()
	if err := createFile(s.path, func(tx *bolt.Tx) error { return s.fill(tx, c) }); err != nil {
		return unavailable("make a new store in place of the damaged", s.path, err)
	}
	s.damaged = fmt.Sprintf("%s: %v", s.path, why)
	if aside != "" {
		s.damaged += fmt.Sprintf("; it is kept aside as %s", aside)
	}
	s.damaged += "; " + from
	s.log.Error("config.store.damaged", zap.String("file", s.path), zap.Error(why), zap.String("aside", aside), zap.String("then", from))
	return nil
}

// whatIsLeft returns what a new database is made of, and says so.
func (s *Store) whatIsLeft() (*contents, string) {
	c, err := loadCopy(s.dir)
	if err == nil {
		return c, "the document and its state are those of the copy and the journal; the history begins anew"
	}
	exported, exportErr := s.loadExport()
	if exportErr == nil {
		return exported, fmt.Sprintf("the copy cannot be used (%v); the document is that of the export, and gives way to what other sites have", err)
	}
	return &contents{state: revision.NewState()},
		fmt.Sprintf("neither the copy (%v) nor the export (%v) can be used: the document comes from other sites or the file that the node file names", err, exportErr)
}

// setAside gives the database a second name, so that there is no moment without one. It returns "" when there is no database.
func (s *Store) setAside(suffix string) (string, error) {
	for i := range maxAside {
		name := s.path + "." + suffix
		if i > 0 {
			name = fmt.Sprintf("%s-%d", name, i+1)
		}
		err := os.Link(s.path, name)
		switch {
		case err == nil:
			return name, nil
		case errors.Is(err, os.ErrExist):
			continue
		case errors.Is(err, os.ErrNotExist):
			return "", nil
		}
		return name, copyFile(name, s.path) // a file system without links
	}
	return "", fmt.Errorf("%d files of this name are there already", maxAside)
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// moveOver makes a database of one of the first layout, which is kept beside it. The newest document is moved, as a seed would be read; the
// history before stays where it is.
func (s *Store) moveOver() error {
	old, err := layout1.Open(s.dir)
	if err != nil {
		return err
	}
	head, found, err := old.Head()
	if err = errors.Join(err, old.Close()); err != nil {
		return err
	}
	c := &contents{state: revision.NewState()}
	if found {
		objects, report := head.Document.Objects()
		if err := report.Err(); err != nil {
			return fmt.Errorf("move the document of %q over to this release: %w", s.path, err)
		}
		if c, err = seeded(objects, s.opts.Now()); err != nil {
			return fmt.Errorf("move the document of %q over to this release: %w", s.path, err)
		}
	}
	aside, err := s.setAside("layout1")
	if err != nil {
		return unavailable("keep the store of the first layout", s.path, err)
	}
	if err := createFile(s.path, func(tx *bolt.Tx) error { return s.fill(tx, c) }); err != nil {
		return unavailable("make a store in place of the one of the first layout", s.path, err)
	}
	s.log.Info("config.store.moved", zap.String("file", s.path), zap.String("old", aside))
	return nil
}

// seeded is what a store has after a seed was read.
func seeded(objects *config.Objects, now time.Time) (*contents, error) {
	seed, err := revision.Seed(objects)
	if err != nil {
		return nil, err
	}
	c := &contents{state: revision.NewState(), objects: map[ref]*config.Object{}}
	if err := c.state.Apply(seed); err != nil {
		return nil, err
	}
	c.line = &replica.LogLine{Entry: revision.Entry{Revision: seed, View: c.state.ID(), Applied: now}}
	for o := range objects.All {
		c.objects[ref{o.Key(), o.Hash()}] = o
		c.line.Steps = append(c.line.Steps, replica.Step{Key: o.Key(), After: o.Hash()})
	}
	return c, nil
}

// fill writes all of a new database, whose actor is a new one: numbers of revisions that were given out and forgotten are never used again.
func (s *Store) fill(tx *bolt.Tx, c *contents) error {
	meta := map[string][]byte{string(keyActor): []byte(newActor()), string(keyCreated): appendTime(nil, s.opts.Now()), string(keyCommit): numberKey(firstCommit)}
	for name, value := range meta {
		if err := put(tx, bucketMeta, []byte(name), value); err != nil {
			return err
		}
	}
	state, err := c.state.Encode()
	if err != nil {
		return err
	}
	if err := put(tx, bucketState, keySnapshot, append([]byte{0}, state...)); err != nil {
		return err
	}
	for ref, o := range c.objects {
		if !named(c.state, ref) {
			continue
		}
		packed, err := pack(o.Text())
		if err != nil {
			return err
		}
		if err := put(tx, bucketObjects, ref.hash[:], packed); err != nil {
			return err
		}
	}
	for name, note := range c.notes {
		if err := put(tx, bucketNotes, []byte(name), note); err != nil {
			return err
		}
	}
	if c.line == nil {
		return nil
	}
	b, err := encodeLine(c.line)
	if err != nil {
		return err
	}
	for _, id := range ids(c.line) {
		if err := put(tx, bucketIDs, []byte(id), numberKey(1)); err != nil {
			return err
		}
	}
	return put(tx, bucketLog, numberKey(1), b)
}

func named(state *revision.State, r ref) bool {
	for _, register := range state.Registers(r.key) {
		if register.Hash == r.hash {
			return true
		}
	}
	return false
}
