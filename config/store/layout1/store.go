package layout1

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"fairlead/config"
)

// Limits of a store.
const (
	// FileName is the database's name inside the data directory.
	FileName = "fairlead.db"
	// KeptRevisions is how many revisions are kept; each Append beyond that drops the oldest.
	KeptRevisions = 1000
	// MaxParents is how many parents one revision can have.
	MaxParents = 16
	// MaxTextField bounds author, source and reason, in bytes.
	MaxTextField = 4096
	// openTimeout is how long Open waits for another process to let go of the file.
	openTimeout = 2 * time.Second
)

// advice ends errors about a damaged file.
const advice = "move it away: the node then starts from the file that its config names"

// ErrNotHead says that a revision was based on one that is not the newest: somebody else's change came between.
var ErrNotHead = errors.New("the revision is not based on the newest one")

// Revision is one accepted change. Times are kept with nanoseconds and in UTC.
type Revision struct {
	ID       string        // Document.ID()
	Parents  []string      // ids of the revisions it was made from; none for the first
	Author   string        // who
	Source   string        // how it came: "file", "api", "cli", "console", "peer", "rollback"
	Reason   string        // why, in the author's words
	Time     time.Time     // when it was accepted
	Document config.Source // the content; empty in what History returns
}

// Store is an open store. It is safe for concurrent use.
type Store struct {
	db   *bolt.DB
	path string
}

// Open opens the store in a data directory and creates what is missing: the directory with mode 0700, the file with 0600.
// One process can have it open; a second one gets an error that names the file after two seconds.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create data directory %q: %w", dir, err)
	}
	path := filepath.Join(dir, FileName)
	var db *bolt.DB
	err := guard(func() (err error) {
		db, err = bolt.Open(path, 0o600, &bolt.Options{Timeout: openTimeout})
		return err
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("open store %q: another process has it open", path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("open store %q: %w", path, err)
	case err != nil:
		return nil, fmt.Errorf("open store %q: %w; if the file is damaged, %s", path, err, advice)
	}
	s := &Store{db: db, path: path}
	if err := guard(func() error { return db.Update(prepare) }); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare store %q: %w", path, err), db.Close())
	}
	return s, nil
}

// Close closes the store. It waits for calls that are under way.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close store %q: %w", s.path, err)
	}
	return nil
}

// Head returns the newest revision; false when there is none.
func (s *Store) Head() (Revision, bool, error) {
	return s.view("head", func(tx *bolt.Tx) (uint64, bool) { return lastSequence(tx) })
}

// Get returns the newest revision with an id; false when it is not kept.
func (s *Store) Get(id string) (Revision, bool, error) {
	return s.view(id, func(tx *bolt.Tx) (uint64, bool) { return sequenceOf(tx, id) })
}

func (s *Store) view(what string, pick func(*bolt.Tx) (uint64, bool)) (rev Revision, ok bool, err error) {
	err = s.read(func(tx *bolt.Tx) error {
		seq, found := pick(tx)
		if !found {
			return nil
		}
		rec, err := readRecord(tx, seq)
		if err != nil {
			return err
		}
		ok = true
		rev, err = rec.revision(tx, true)
		return err
	})
	if err != nil {
		return Revision{}, false, fmt.Errorf("read revision %q from %q: %w", what, s.path, err)
	}
	return rev, ok, nil
}

// History returns at most limit revisions, newest first, without their content.
func (s *Store) History(limit int) ([]Revision, error) {
	var out []Revision
	err := s.read(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketRevisions).Cursor()
		for k, v := c.Last(); k != nil && len(out) < limit; k, v = c.Prev() {
			rec, err := decodeRecord(v)
			if err != nil {
				return err
			}
			rev, err := rec.revision(tx, false)
			if err != nil {
				return err
			}
			out = append(out, rev)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read history from %q: %w", s.path, err)
	}
	return out, nil
}

// Append makes rev the newest revision and returns when it is on stable storage. rev.ID must be the hash of its content.
// Parents must name the newest revision, or the error is ErrNotHead; a revision without parents gets the newest one as its
// parent. Appending the content that is the newest already changes nothing.
func (s *Store) Append(rev Revision) error {
	if err := rev.check(); err != nil {
		return fmt.Errorf("append revision %q: %w", rev.ID, err)
	}
	if err := guard(func() error { return s.db.Update(func(tx *bolt.Tx) error { return appendRevision(tx, rev) }) }); err != nil {
		return fmt.Errorf("append revision %q to %q: %w", rev.ID, s.path, err)
	}
	return nil
}

func (s *Store) read(f func(*bolt.Tx) error) error {
	return guard(func() error { return s.db.View(f) })
}

// guard turns a panic of the database on a damaged file into an error. A file that lost its end faults when the missing
// part is looked at, because the database maps it into memory.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the file is damaged (%v); %s", r, advice)
		}
	}()
	return f()
}

func (r *Revision) check() error {
	if want := r.Document.ID(); r.ID != want {
		return fmt.Errorf("the content's id is %q", want)
	}
	if len(r.Parents) > MaxParents {
		return fmt.Errorf("%d parents; the limit is %d", len(r.Parents), MaxParents)
	}
	for _, text := range []string{r.Author, r.Source, r.Reason} {
		if len(text) > MaxTextField {
			return fmt.Errorf("author, source and reason have at most %d bytes each", MaxTextField)
		}
	}
	return nil
}
