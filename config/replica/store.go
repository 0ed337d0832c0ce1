package replica

import (
	"time"

	"fairlead/config"
	"fairlead/config/revision"
)

// Limits of what a store is asked to keep.
const (
	// MaxNote is the most bytes of one note, and MaxNotes how many there are at most.
	MaxNote  = 16 << 20
	MaxNotes = 1024
	// MaxOnce is how many idempotency keys are kept at least for OnceAge, the newest; older ones go.
	MaxOnce = 10_000
	OnceAge = 24 * time.Hour
)

// Store keeps what a site knows of the document. Methods are safe for concurrent use; but Commit is called by one goroutine at a time. Errors of
// a disk that is full, read-only or broken wrap revision.ErrUnavailable, and then nothing of the record was kept. What was kept in part by a
// crash is not there when the store is opened again.
type Store interface {
	// Load returns all that is needed to go on. A new store has an actor of its own, an empty state and no objects.
	//
	// The actor names the store: nobody else ever has it. A store that was restored from a backup, or begun anew after damage, has a new one, so
	// that no number of a revision is used twice.
	Load() (*Loaded, error)
	// Commit keeps a record, all or nothing, and returns when it is on stable storage.
	Commit(*Record) error
	// Texts returns the canonical texts of objects, by hash. Those that are not kept are missing. An object is kept while
	// the state, the log or a revision that is kept names it.
	Texts(hashes []config.ObjectHash) (map[config.ObjectHash][]byte, error)
	// Revisions returns revisions that are not in have, in an order in which they can be applied, until limit bytes of their
	// encodings are reached, but one at least. complete is false when some that come before are not kept any more: then only the state as a
	// whole helps.
	Revisions(have revision.Vector, limit int) (list []*revision.Revision, complete bool, err error)
	// Once returns the id of the revision that was made with an idempotency key; "" when there is none.
	Once(key string) (id string, err error)
	// History, Find and At are those of revision.Documents.
	History(before string, limit int) ([]revision.Entry, error)
	Find(id string) (*revision.Entry, error)
	At(id string) (*config.Objects, error)
}

// Loaded is what a store kept.
type Loaded struct {
	Actor string
	State *revision.State
	// Objects is the document: for each object of the state the one that counts, unless it is removed.
	Objects *config.Objects
	// Applied is when the document came into effect here; View is the id of its revision as the log has it.
	Applied time.Time
	Notes   map[string][]byte
	// Damaged says what happened to a store before this one, and where it is kept aside. Empty: nothing.
	Damaged string
}

// Record is what one write, or what was heard at once, changes. Empty fields change nothing.
type Record struct {
	// State is what is known after it. Keys are the objects whose entries differ from what was committed before; Whole: all may.
	State *revision.State
	Keys  []config.ObjectKey
	Whole bool
	// Revisions are those that the state has taken in, to be kept for peers, in an order in which they can be applied.
	Revisions []*revision.Revision
	// Objects are those that the state or the log names and that may not be kept yet.
	Objects []*config.Object
	// Log is what came into effect here, oldest first. Where a whole state was taken in, the line has a revision that is not one of Revisions.
	Log []LogLine
	// Settled are ids of revisions whose Pending ends: they were confirmed or undone.
	Settled []string
	// Once is the idempotency key of the write and its outcome.
	Once *OnceLine
	// Notes are kept by name; nil removes one.
	Notes map[string][]byte
}

// LogLine is a line of the history with what it changed, so that the document as it was can be had again.
type LogLine struct {
	revision.Entry
	Steps []Step
}

// Step is what a line of the history changed at one object. The zero hash: it was not there.
type Step struct {
	Key           config.ObjectKey
	Before, After config.ObjectHash
}

// OnceLine is an idempotency key and what was made with it.
type OnceLine struct {
	Key      string
	Revision string
	Time     time.Time
}
