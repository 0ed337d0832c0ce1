package store

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Layout of the database, version 2. Every value but the layout's number ends with a checksum of its bucket, its key and itself (sealed.go). Numbers
// in keys are 8 octets, big-endian, so that order of keys is order of time.
//
//	meta       "version" -> "2"; "actor" -> who this store is; "created" -> time; "commit" -> number of the last commit
//	objects    SHA-256 of an object's text -> 0 and the text, or 1 and the text with gzip
//	state      "snapshot" -> number of the last revision that is in it, and the state
//	revisions  number -> revision, in the order in which they were learned
//	log        number -> line of the history (lines.go)
//	ids        id of a revision or of a view -> number of the newest line with it
//	once       idempotency key -> time, id, number
//	order      number -> idempotency key
//	notes      name -> note
var (
	bucketMeta      = []byte("meta")
	bucketObjects   = []byte("objects")
	bucketState     = []byte("state")
	bucketRevisions = []byte("revisions")
	bucketLog       = []byte("log")
	bucketIDs       = []byte("ids")
	bucketOnce      = []byte("once")
	bucketOrder     = []byte("order")
	bucketNotes     = []byte("notes")

	keyLayout   = []byte("version") // as in layout 1, so that each release refuses what it does not know
	keyActor    = []byte("actor")
	keyCreated  = []byte("created")
	keyCommit   = []byte("commit")
	keySnapshot = []byte("snapshot")
)

const (
	layout     = "2"
	pageBytes  = 4096 // on all systems, so that a backup of one opens on another
	actorBytes = 16
	// openTimeout is how long Open waits for another process to let go of the file, lockPoll how often it looks.
	openTimeout = 2 * time.Second
	lockPoll    = 20 * time.Millisecond
)

var (
	errInUse  = errors.New("another process has it open")
	errLayout = errors.New("another release wrote it")
	errFirst  = errors.New("it has the first layout")
)

func buckets() [][]byte {
	return [][]byte{bucketMeta, bucketObjects, bucketState, bucketRevisions, bucketLog, bucketIDs, bucketOnce, bucketOrder, bucketNotes}
}

// hold is how long openFile keeps others from opening a database: while it is open, or only for moments, by who looks and finds out afterwards whether
// somebody wrote meanwhile.
type hold bool

const (
	whileOpen hold = false
	moments   hold = true
)

// openFile opens a database after checking it. Errors wrap errDamaged, errInUse, errLayout, errFirst, or are those of the system.
func openFile(path string, readOnly bool, held hold) (db *bolt.DB, file *os.File, err error) {
	var why error
	first := true
	open := func(name string, flag int, mode fs.FileMode) (*os.File, error) {
		f, err := os.OpenFile(name, flag&^os.O_CREATE, mode)
		if err != nil || !first {
			return f, err
		}
		first = false
		if why = examine(f, readOnly, held); why != nil {
			return nil, errors.Join(why, f.Close())
		}
		file = f
		return f, nil
	}
	err = guard(func() (err error) {
		db, err = bolt.Open(path, 0o600, &bolt.Options{Timeout: openTimeout, OpenFile: open, ReadOnly: readOnly})
		return err
	})
	switch {
	case why != nil:
		return nil, nil, why
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, nil, errInUse
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, nil, fmt.Errorf("%w: %w", errDamaged, err)
	case err != nil:
		return nil, nil, err
	}
	if held == moments {
		if err := unlock(file); err != nil {
			return nil, nil, errors.Join(err, db.Close())
		}
	}
	if err := guard(func() error { return db.View(checkLayout) }); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, file, nil
}

func examine(f *os.File, readOnly bool, held hold) error {
	err := lock(f, readOnly)
	if err == nil && held == moments {
		err = unlock(f)
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return checkPages(f, info.Size())
}

func checkLayout(tx *bolt.Tx) error {
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		return damagedf("it is a database of something else")
	}
	switch got := string(meta.Get(keyLayout)); {
	case got == "1":
		return errFirst
	case got == "":
		return damagedf("it is a database of something else")
	case got != layout:
		return fmt.Errorf("%w: it has layout %q; this release reads layout %q", errLayout, got, layout)
	}
	for _, name := range buckets() {
		if tx.Bucket(name) == nil {
			return damagedf("it has no %s", name)
		}
	}
	return nil
}

// createFile makes a database whole: it is filled under another name and renamed when it is on stable storage.
func createFile(path string, fill func(*bolt.Tx) error) error {
	temporary := path + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := bolt.Open(temporary, 0o600, &bolt.Options{Timeout: openTimeout, PageSize: pageBytes})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range buckets() {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		if err := tx.Bucket(bucketMeta).Put(keyLayout, []byte(layout)); err != nil {
			return err
		}
		return fill(tx)
	})
	if err = errors.Join(err, db.Close()); err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return errors.Join(err, removeIfThere(temporary))
	}
	return syncDirectory(filepath.Dir(path))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// newActor returns a name that no store ever had.
func newActor() string {
	var b [actorBytes]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// put stores a sealed value.
func put(tx *bolt.Tx, bucket, key, value []byte) error {
	return tx.Bucket(bucket).Put(key, seal(bucket, key, value))
}

// get returns a value without its checksum, nil when there is none. It is good as long as the transaction.
func get(tx *bolt.Tx, bucket, key []byte) ([]byte, error) {
	sealed := tx.Bucket(bucket).Get(key)
	if sealed == nil {
		return nil, nil
	}
	return unseal(bucket, key, sealed)
}

func numberKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// lastNumber returns the greatest key of a bucket with numbers, 0 when there is none.
func lastNumber(tx *bolt.Tx, bucket []byte) uint64 {
	k, _ := tx.Bucket(bucket).Cursor().Last()
	if len(k) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(k)
}

// guard turns a panic of the database into an error. A file that loses its end while it is open faults when the missing part is looked at,
// because the database maps it into memory.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = damagedf("%v", r)
		}
	}()
	return f()
}
