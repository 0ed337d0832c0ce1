package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/zap"

	"fairlead/config"
	"fairlead/config/replica"
	"fairlead/config/revision"
)

// Names of files in the data directory.
const (
	FileName   = "fairlead.db"
	copyName   = "fairlead.copy"    // the state and the document, written whole some time after a change
	journal    = "fairlead.journal" // with a number after it: what was committed since
	ExportName = "export"           // directory: the document for people
)

// Limits and defaults.
const (
	// DefaultRevisions and DefaultSize are how much history is kept: what is older goes when either is reached.
	DefaultRevisions = 1000
	DefaultSize      = 256 << 20
	// DefaultCopyEvery is the least time between two copies.
	DefaultCopyEvery = 10 * time.Second
	// compactAbove is how large a file is that is made smaller at start when more than half of it is unused.
	compactAbove = 64 << 20
)

// Options say how a store is kept. The zero value is usable.
type Options struct {
	Revisions    int           // lines of the history, and revisions for other sites, that are kept; 0: DefaultRevisions
	Size         int64         // octets of history and objects that are kept; the document itself is kept however large it is. 0: DefaultSize
	CopyEvery    time.Duration // least time between two copies; 0: DefaultCopyEvery
	Logger       *zap.Logger   // nil: none
	Now          func() time.Time
	noSync       bool                          // for tests of what is not the disk
	compactAbove int64                         // for tests; 0: compactAbove
	room         func(dir string) (room, bool) // of the disk, for tests; nil: roomOf
}

// Store is an open store. It is safe for concurrent use. It is the Store of package replica.
type Store struct {
	dir, path string
	opts      Options
	log       *zap.Logger
	db        *bolt.DB
	file      *os.File // the database's
	broken    bool     // the database has fallen over, with its locks held: nothing of it is used any more
	readOnly  error    // why nothing can be written; nil: it can
	damaged   string
	anew      bool                   // the database was just made of something else
	wake      chan struct{}          // something was committed that no copy has
	bad       atomic.Pointer[string] // what was seen of the disk at the last look: why writes will fail; empty: they will not

	mu      sync.RWMutex // over all that follows, which mirrors the database
	stuck   error        // why nothing is written any more until the next start
	actor   string
	created time.Time
	commit  uint64
	state   *revision.State // never changed; replaced
	objects *config.Objects
	last    *revision.Entry
	uses    map[config.ObjectHash]int
	size    int64
	lines   int
	revs    []kept
	inState uint64 // number of the last revision that the snapshot has
	tail    tail
	copied  uint64 // commit that the copy has
}

// kept is a revision that is kept for other sites.
type kept struct {
	number uint64
	dot    revision.Dot
}

var _ replica.Store = (*Store)(nil)

// Open opens the store in a data directory and creates what is missing: the directory with mode 0700, the file with 0600. One process can have
// it open; a second one gets an error that names the file after two seconds.
//
// A database that is damaged is kept aside, and a new one is made of the copy and the journal, or of the export; Load says so. One that cannot
// be written is opened for reading, and every Commit returns an error. A database of the first layout is moved over, and kept beside the new one.
// Errors of the disk wrap revision.ErrUnavailable.
func Open(dir string, o Options) (*Store, error) {
	o.fill()
	s := &Store{dir: dir, path: filepath.Join(dir, FileName), opts: o, log: o.Logger, wake: make(chan struct{}, 1)}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unavailable("create data directory", dir, err)
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	if err := s.compact(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.tail.dir = s.dir
	if s.anew {
		s.copyNow() // the one that is there is of the store before
	}
	if s.copied != s.commit {
		s.signal()
	}
	return s, nil
}

func (o *Options) fill() {
	if o.Revisions <= 0 {
		o.Revisions = DefaultRevisions
	}
	if o.Size <= 0 {
		o.Size = DefaultSize
	}
	if o.CopyEvery <= 0 {
		o.CopyEvery = DefaultCopyEvery
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.room == nil {
		o.room = roomOf
	}
}

// open opens the database, or another one in its place.
func (s *Store) open() error {
	err := s.tryOpen()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		if err := s.begin(); err != nil {
			return err
		}
	case errors.Is(err, errFirst):
		if err := s.moveOver(); err != nil {
			return err
		}
	case errors.Is(err, errDamaged):
		if err := s.recover(err); err != nil {
			return err
		}
	case errors.Is(err, errInUse), errors.Is(err, errLayout):
		return fmt.Errorf("open store %q: %w", s.path, err)
	default:
		return unavailable("open store", s.path, err)
	}
	s.anew = true
	if err := s.tryOpen(); err != nil {
		return fmt.Errorf("open store %q, which was just made: %w", s.path, err)
	}
	return nil
}

// tryOpen opens the database and reads all of it.
func (s *Store) tryOpen() (err error) {
	s.readOnly = nil
	if s.db, s.file, err = openFile(s.path, false, whileOpen); errors.Is(err, fs.ErrPermission) || isReadOnly(err) {
		why := err
		if s.db, s.file, err = openFile(s.path, true, whileOpen); err != nil {
			return err
		}
		s.readOnly = why
	}
	if err != nil {
		return err
	}
	s.db.NoSync = s.opts.noSync
	if err := guard(func() error { return s.db.View(s.read) }); err != nil {
		return errors.Join(err, s.db.Close())
	}
	if err := s.compareCopy(); err != nil {
		return errors.Join(err, s.db.Close())
	}
	return nil
}

// Close closes the store. It waits for calls that are under way.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return errors.Join(unlock(s.file), s.file.Close(), s.tail.close())
	}
	if err := errors.Join(s.db.Close(), s.tail.close()); err != nil {
		return fmt.Errorf("close store %q: %w", s.path, err)
	}
	return nil
}

// Load returns all that is needed to go on.
func (s *Store) Load() (*replica.Loaded, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	l := &replica.Loaded{Actor: s.actor, State: s.state.Fork(), Objects: s.objects, Damaged: s.damaged}
	if s.last != nil {
		l.Applied = s.last.Applied
	}
	err := s.view("notes", func(tx *bolt.Tx) (err error) {
		l.Notes, err = readNotes(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Key returns 32 octets, for a purpose, that are the same at each start. Nobody knows them but who has this store, and other sites, which have the whole
// document anyway: they are made of the store's name, so no error, log line or answer to a request has that in it.
func (s *Store) Key(purpose string) []byte {
	s.mu.RLock()
	defer s.mu.RUnlock()
	mac := hmac.New(sha256.New, []byte(s.actor))
	mac.Write([]byte(purpose))
	return mac.Sum(nil)
}

// Unavailable says why nothing can be stored now; empty: it can.
func (s *Store) Unavailable() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch {
	case s.readOnly != nil:
		return unavailable("write to", s.path, s.readOnly).Error()
	case s.stuck != nil:
		return s.stuck.Error()
	}
	if why := s.bad.Load(); why != nil {
		return *why
	}
	return ""
}

// Run keeps the copy and the export up to date until ctx ends, and once more then. It looks at the disk on the way.
func (s *Store) Run(ctx context.Context) error {
	look := time.NewTicker(freeInterval)
	defer look.Stop()
	again := time.NewTimer(0) // when the next copy may be made
	defer again.Stop()
	<-again.C
	for wake := s.wake; ; {
		select {
		case <-ctx.Done():
			s.copyNow()
			return nil
		case <-look.C:
			s.lookAtDisk()
		case <-wake:
			s.copyNow()
			wake = nil
			again.Reset(s.opts.CopyEvery)
		case <-again.C:
			wake = s.wake
		}
	}
}

func (s *Store) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// view reads from the database.
func (s *Store) view(what string, f func(*bolt.Tx) error) error {
	if s.broken {
		return fmt.Errorf("read %s from %q: %w", what, s.path, s.stuck)
	}
	if err := guard(func() error { return s.db.View(f) }); err != nil {
		if errors.Is(err, errDamaged) {
			return fmt.Errorf("read %s from %q: %w; what is served stays, and the next start makes a new file of the copy", what, s.path, err)
		}
		return fmt.Errorf("read %s from %q: %w", what, s.path, err)
	}
	return nil
}
