package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/zap"

	"fairlead/config/replica"
)

// tail is the journal: files of frames, each named for the first commit that can be in it. A new one begins with each copy, so that those before
// can go when the copy is written.
type tail struct {
	dir  string
	file *os.File // nil: the next frame begins a file
}

// append writes a frame and returns when it is on stable storage.
func (t *tail) append(f *frame, sync bool) error {
	if t.file == nil {
		path := filepath.Join(t.dir, fmt.Sprintf("%s.%016x", journal, f.commit))
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		if err := syncDirectory(t.dir); err != nil {
			return errors.Join(err, file.Close())
		}
		t.file = file
	}
	if _, err := t.file.Write(f.encode()); err != nil {
		return errors.Join(err, t.close()) // what follows would not be found behind half a frame
	}
	if !sync {
		return nil
	}
	if err := t.file.Sync(); err != nil {
		return errors.Join(err, t.close())
	}
	return nil
}

// close ends the file that is being written.
func (t *tail) close() error {
	if t.file == nil {
		return nil
	}
	file := t.file
	t.file = nil
	return file.Close()
}

// tailFiles lists the journal's files, oldest first, with the number in their name.
func tailFiles(dir string) (paths []string, numbers []uint64) {
	all, err := filepath.Glob(filepath.Join(dir, journal+".*"))
	if err != nil {
		return nil, nil
	}
	slices.Sort(all)
	for _, path := range all {
		n, err := strconv.ParseUint(strings.TrimPrefix(filepath.Base(path), journal+"."), 16, 64)
		if err == nil {
			paths, numbers = append(paths, path), append(numbers, n)
		}
	}
	return paths, numbers
}

// keepInJournal writes what was committed once more. That it fails is no reason to refuse what is stored already: a copy is made instead.
func (s *Store) keepInJournal(c *change) {
	f := &frame{actor: s.actor, commit: s.commit, created: s.created, objects: c.r.Objects, notes: c.r.Notes}
	err := func() (err error) {
		for _, r := range c.r.Revisions {
			b, err := r.Encode()
			if err != nil {
				return err
			}
			f.revs = append(f.revs, b)
		}
		if c.r.State != nil && (c.r.Whole || !c.explained()) {
			if f.state, err = s.state.Encode(); err != nil {
				return err
			}
		}
		if f.line, err = s.newestLine(); err != nil {
			return err
		}
		return s.tail.append(f, !s.opts.noSync)
	}()
	if err != nil {
		s.log.Warn("config.copy.failed", zap.String("file", filepath.Join(s.dir, journal)), zap.Error(unavailable("write", s.dir, err)),
			zap.String("then", "the change is stored; a copy of it is not there until the disk works"))
	}
}

// newestLine returns the newest line of the history without its steps, nil when there is none.
func (s *Store) newestLine() ([]byte, error) {
	if s.last == nil {
		return nil, nil
	}
	return encodeLine(&replica.LogLine{Entry: *s.last})
}

// compareCopy says that the database is damaged when it has not what the copy or the journal have: they are written after it.
func (s *Store) compareCopy() error {
	s.copied = 0
	newest := s.commit
	if b, err := readCopy(s.dir); err == nil {
		if actor, commit := frameOf(b); actor == s.actor {
			s.copied = commit
			newest = max(newest, commit)
		}
	}
	paths, _ := tailFiles(s.dir)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for body, rest := nextFrame(b); body != nil; body, rest = nextFrame(rest) {
			if actor, commit := frameOf(body); actor == s.actor {
				newest = max(newest, commit)
			}
		}
	}
	if newest > s.commit {
		return damagedf("it ends with change %d, and the journal with change %d", s.commit, newest)
	}
	return nil
}

// wholeFrame is everything but the history, as it is now, and what the next commit is preceded by.
func (s *Store) wholeFrame() (*frame, error) {
	f := &frame{actor: s.actor, commit: s.commit, created: s.created}
	var err error
	if f.line, err = s.newestLine(); err != nil {
		return nil, err
	}
	if f.state, err = s.state.Encode(); err != nil {
		return nil, err
	}
	f.objects = slices.Collect(s.objects.All)
	err = s.view("losing sides", func(tx *bolt.Tx) (err error) {
		for key := range s.state.Keys {
			for _, r := range s.state.Registers(key)[1:] {
				if r.Hash == noHash {
					continue
				}
				o, err := readObject(tx, key, r.Hash)
				if err != nil {
					return err
				}
				f.objects = append(f.objects, o)
			}
		}
		f.notes, err = readNotes(tx)
		return err
	})
	return f, err
}
