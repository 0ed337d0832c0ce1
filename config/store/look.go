package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

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

// Look reads the store in a data directory from end to end and says how it is, and why unless it is Absent or Good. It changes nothing; a process that
// opens the store meanwhile waits for it, for two seconds at most.
func Look(dir string) (Condition, error) {
	path := filepath.Join(dir, FileName)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return Absent, nil
	}
	db, _, err := openFile(path, true)
	if err == nil {
		s := &Store{path: path}
		s.opts.fill()
		err = guard(func() error { return db.View(func(tx *bolt.Tx) error { return s.read(tx) }) })
		err = errors.Join(err, db.Close())
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
