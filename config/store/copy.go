package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
	"fairlead/internal/wholefile"
)

// copyMagic begins the copy.
const copyMagic = "fairlead copy 2\n"

var noHash config.ObjectHash

// ref names one text of one object.
type ref struct {
	key  config.ObjectKey
	hash config.ObjectHash
}

// contents is what a store is made of anew.
type contents struct {
	from    string // where it is from
	commit  uint64
	state   *revision.State
	line    *replica.LogLine // nil: none
	objects map[ref]*config.Object
	notes   map[string][]byte
}

// copyNow writes the copy and the export, if something was committed since the last ones.
func (s *Store) copyNow() {
	if err := s.writeCopy(); err != nil {
		s.log.Warn("config.copy.failed", zap.String("file", filepath.Join(s.dir, copyName)), zap.Error(err),
			zap.String("then", "the journal is kept instead"))
		return
	}
	if err := s.export(); err != nil {
		s.log.Warn("config.export.failed", zap.String("directory", filepath.Join(s.dir, ExportName)), zap.Error(err))
	}
}

// writeCopy writes the copy and lets go of the journal before it.
func (s *Store) writeCopy() error {
	s.mu.Lock()
	if s.copied == s.commit || s.readOnly != nil {
		s.mu.Unlock()
		return nil
	}
	f, err := s.wholeFrame()
	err = errors.Join(err, s.tail.close()) // what is committed from now on is in another file
	s.mu.Unlock()
	if err != nil {
		return err
	}
	b := f.encode()
	err = wholefile.Write(filepath.Join(s.dir, copyName), 0o600, func(w io.Writer) error {
		if _, err := io.WriteString(w, copyMagic); err != nil {
			return err
		}
		_, err := w.Write(b)
		return err
	})
	if err != nil {
		return unavailable("write", filepath.Join(s.dir, copyName), err)
	}
	s.mu.Lock()
	s.copied = f.commit
	s.mu.Unlock()
	paths, numbers := tailFiles(s.dir)
	for i, path := range paths {
		if numbers[i] <= f.commit {
			err = errors.Join(err, removeIfThere(path))
		}
	}
	return err
}

// readCopy returns the copy's frame. Errors wrap errDamaged, or are those of reading.
func readCopy(dir string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(dir, copyName))
	if err != nil {
		return nil, err
	}
	b, ok := bytes.CutPrefix(b, []byte(copyMagic))
	body, _ := nextFrame(b)
	if !ok || body == nil {
		return nil, damagedf("%s is not what was written", copyName)
	}
	return body, nil
}

// loadCopy returns what the copy and the journal lead to.
func loadCopy(dir string) (*contents, error) {
	body, err := readCopy(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	c := &contents{from: "the copy and the journal", state: revision.NewState(), objects: map[ref]*config.Object{}, notes: map[string][]byte{}}
	actor := ""
	if body != nil {
		f, err := decodeFrame(body)
		if err != nil {
			return nil, err
		}
		if err := c.take(f); err != nil {
			return nil, err
		}
		actor = f.actor
	}
	paths, _ := tailFiles(dir)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for body, rest := nextFrame(b); body != nil; body, rest = nextFrame(rest) {
			whose, commit := frameOf(body)
			switch {
			case actor == "" && commit == firstCommit+1:
				actor, c.commit = whose, firstCommit
			}
			switch {
			case whose != actor || commit <= c.commit:
				continue
			case commit != c.commit+1:
				return c.checked() // what was between is not there
			}
			f, err := decodeFrame(body)
			if err == nil {
				err = c.take(f)
			}
			if err != nil {
				return c.checked()
			}
		}
	}
	if c.commit == 0 {
		return nil, fmt.Errorf("%s: %w", copyName, os.ErrNotExist)
	}
	return c.checked()
}

// take adds a frame. On an error nothing of it was taken.
func (c *contents) take(f *frame) (err error) {
	state := c.state
	if len(f.state) > 0 {
		if state, err = revision.DecodeState(f.state); err != nil {
			return damagedf("%v", err)
		}
	} else if len(f.revs) > 0 {
		state = c.state.Fork()
	}
	for _, b := range f.revs {
		r, err := revision.Decode(b)
		if err != nil {
			return damagedf("%v", err)
		}
		if len(f.state) > 0 {
			continue
		}
		if err := state.Apply(r); err != nil {
			return damagedf("%v", err)
		}
	}
	if len(f.line) > 0 {
		if c.line, err = decodeLine(f.line, false); err != nil {
			return err
		}
	}
	c.state, c.commit = state, f.commit
	for _, o := range f.objects {
		c.objects[ref{o.Key(), o.Hash()}] = o
	}
	for name, note := range f.notes {
		if note == nil {
			delete(c.notes, name)
		} else {
			c.notes[name] = note
		}
	}
	return nil
}

// checked returns c if all that its state names is there.
func (c *contents) checked() (*contents, error) {
	for key := range c.state.Keys {
		for _, r := range c.state.Registers(key) {
			if r.Hash != noHash && c.objects[ref{key, r.Hash}] == nil {
				return nil, damagedf("%s names %s, which is not in it", c.from, key)
			}
		}
	}
	return c, nil
}
