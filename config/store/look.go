package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Condition is how the store in a data directory is.
type Condition string

// Conditions.
const (
	Absent   Condition = "absent"   // there is none yet
	Good     Condition = "good"     // every page and every record was read and has its checksum
	First    Condition = "first"    // it has the first layout, which Open moves over
	InUse    Condition = "in use"   // a process has it open
	Foreign  Condition = "foreign"  // another release wrote it
	Damaged  Condition = "damaged"  // Open would keep it aside
	Unopened Condition = "unopened" // it cannot be opened
)

// Look reads the store in a data directory from end to end and says how it is, and why unless it is Absent or Good. It changes nothing, and a process
// that opens the store meanwhile does not wait for it: then it is InUse.
func Look(dir string) (Condition, error) { return look(dir, func() {}) }

// look calls begun when it has let go of the file and reads.
func look(dir string, begun func()) (Condition, error) {
	path := filepath.Join(dir, FileName)
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return Absent, nil
	}
	if err == nil {
		err = readWhole(f, path, begun)
		_ = f.Close() // it was read only
	}
	if err == nil {
		return Good, nil
	}
	err = fmt.Errorf("read store %q: %w", path, err)
	switch {
	case errors.Is(err, errInUse):
		return InUse, err
	case errors.Is(err, errFirst):
		return First, err
	case errors.Is(err, errLayout):
		return Foreign, err
	case errors.Is(err, errDamaged):
		return Damaged, err
	}
	return Unopened, err
}

// readWhole reads a store that nobody has open. What it finds is of no account when somebody has opened it meanwhile.
func readWhole(f *os.File, path string, begun func()) error {
	before, err := stampOf(f, path)
	if err != nil {
		return err
	}
	begun()
	db, _, found := openFile(path, true, moments)
	if found == nil {
		s := &Store{path: path}
		s.opts.fill()
		found = guard(func() error { return db.View(func(tx *bolt.Tx) error { return s.read(tx) }) })
		found = errors.Join(found, db.Close())
	}
	if errors.Is(found, errInUse) {
		return found
	}
	after, err := stampOf(f, path)
	if err == nil && after != before {
		err = fmt.Errorf("%w, or had while it was read", errInUse)
	}
	if err != nil {
		return err
	}
	return found
}

// stamp tells whether a file was written, or another one put in its place.
type stamp struct {
	written time.Time
	size    int64
	heads   [sha256.Size]byte // of the pages that every commit writes one of
}

// stampOf is the stamp of a file that nobody has open for a moment; it waits for that as Open does.
func stampOf(f *os.File, path string) (s stamp, err error) {
	if err = lock(f, true); err != nil {
		return s, err
	}
	info, err := f.Stat()
	if err == nil {
		var named os.FileInfo
		if named, err = os.Stat(path); err == nil && !os.SameFile(info, named) {
			err = errInUse
		}
	}
	if err == nil {
		heads := make([]byte, 2*pageBytes)
		var n int
		if n, err = f.ReadAt(heads, 0); errors.Is(err, io.EOF) {
			err = nil
		}
		s = stamp{info.ModTime(), info.Size(), sha256.Sum256(heads[:n])}
	}
	return s, errors.Join(err, unlock(f))
}
