package revision

import (
	"context"
	"errors"
	"strings"
	"time"

	"fairlead/config"
)

// Errors of Documents. Callers match with errors.Is; the text says the rest.
var (
	// ErrStale says that the write is based on what is not current any more.
	ErrStale = errors.New("the document has changed since")
	// ErrReadOnly says that documents are not written here: the node follows a file, is a child, or has lost its store.
	ErrReadOnly = errors.New("documents are not written at this node")
	// ErrRefused says that the write would leave a name without an answer that has one, and was not forced.
	ErrRefused = errors.New("refused")
	// ErrUnknown says that there is no such revision, object or conflict.
	ErrUnknown = errors.New("not found")
	// ErrUnavailable says that nothing could be stored: the disk is full or read-only, or etcd is not reached. What is served stays.
	ErrUnavailable = errors.New("cannot be stored now")
	// ErrOutcome says that a write was sent off, and that nobody answered: it may count, or not. An error that wraps it wraps ErrUnavailable, too.
	ErrOutcome = errors.New("outcome unknown")
)

// InvalidError is a write whose result would not be a valid document. Problems name objects and places in them.
type InvalidError struct{ Problems []config.Problem }

// View is the document at one moment. It is immutable.
type View struct {
	Revision string // id of the newest revision, or of the merge of the newest ones
	Document string // hash of the objects: equal at sites that hold the same document
	Objects  *config.Objects
	Heads    []string // newest revisions: one, or those that were merged
	Time     time.Time
	// Inert lists what of the document has no effect, since a merge made it wrong: references to what another site removed.
	Inert []config.Problem
	// NotServed says why, since a start, something else is served in place of this document, and what. Empty: this one is.
	NotServed string
	// Nothing says with it that nothing is served: neither a part of this document nor one before it can be.
	Nothing bool
}

// Write is a change that somebody wants.
type Write struct {
	// Base is the revision that it was made from; when that is not current any more the error wraps ErrStale. Empty: whatever is.
	Base string
	// Match is the hash that an object must have; the zero hash: it must not exist. All must hold, else the error wraps ErrStale.
	Match map[config.ObjectKey]config.ObjectHash
	// Put and Remove change objects; Replace is a whole document in place of them.
	Put     []*config.Object
	Remove  []config.ObjectKey
	Replace *config.Objects
	// Resolve lists objects whose conflicts are settled by this write, with what it puts or with what counts now.
	Resolve []config.ObjectKey

	Author, Source, Reason string
	Force                  bool          // leave names without an answer
	Confirm                time.Duration // undo it after that unless Confirm is called; 0: it stays
	Once                   string        // idempotency key: a second write with it returns the first one's outcome; at most 128 bytes
}

// ObjectChange is what a write does to one object. Before is nil for an added one, After for a removed one.
type ObjectChange struct {
	Key           config.ObjectKey
	Before, After *config.Object
}

// Outcome is what a write did, or would do.
type Outcome struct {
	Revision *Revision // nil for a dry run, and when nothing changed
	View     *View     // after it
	Changes  []ObjectChange
	Effect   *Effect
	Warnings []config.Problem
}

// Effect is what a write does to answers, by the same decisions as are made for queries, with what is believed now.
type Effect struct {
	Queries   uint64  // recent ones that were looked at
	Moved     float64 // share of them whose answer differs, 0 to 1
	NewNames  []string
	LostNames []string // names that had an answer and would have none; at most 100, as all lists here
	Names     []NameEffect
	More      int // names that are not listed
}

// NameEffect is the effect on one name.
type NameEffect struct {
	Name    string
	Queries uint64
	Moved   float64 // share, 0 to 1
	From    []Share // services that answers went to, and where they go
	To      []Share
}

// Share is how much of a name's answers a service gets, 0 to 1.
type Share struct {
	Service string
	Part    float64
}

// Entry is one line of the history: a revision as it came into effect at this site.
type Entry struct {
	Revision *Revision
	View     string    // id of the document's revision after it
	Applied  time.Time // here
	From     string    // site that it was heard from; empty: written here
	Pending  time.Time // undone at that time unless confirmed; zero: not pending
}

// Conflict is one object that was changed at several sites at once.
type Conflict struct {
	Key    config.ObjectKey
	Winner Side
	Losers []Side // greatest (time, site) first
}

// Side is what one site wrote. Object is nil where it was removed.
type Side struct {
	Revision string
	Site     string
	Author   string
	Reason   string
	Time     time.Time
	Object   *config.Object
}

// PeerSync is how the document stands with another site.
type PeerSync struct {
	Site          string
	Connected     bool
	Revision      string // that it told last
	Document      string
	Mode          string // seed, follow or read_only
	Version       string
	Ahead, Behind int // revisions that we have and it has not, and the other way round
	Heard         time.Time
	LastError     string
}

// Quarantined is a revision that was heard and not taken.
type Quarantined struct {
	Revision *Revision
	From     string
	Why      string
	Since    time.Time
}

// Sync is how documents are shared.
type Sync struct {
	Mode        string // seed, follow, read_only or etcd
	Follows     string // the file, or the endpoints
	Peers       []PeerSync
	Conflicts   int
	Quarantine  []Quarantined
	Inert       []config.Problem
	Unavailable string // why nothing can be stored now; empty: it can
	Damaged     string // what happened to a store that was damaged, and where it is kept aside
}

// Documents is where the document is kept: in the data directory, replicated among sites, or in etcd. It is safe for concurrent use.
type Documents interface {
	// Current returns the document that counts. It does not wait.
	Current() *View
	// Plan says what a write would do. It returns the errors of Commit.
	Plan(ctx context.Context, w *Write) (*Outcome, error)
	// Commit makes a write. When it returns without error the write is on stable storage and is being served. Errors are *InvalidError or
	// wrap one of the package's.
	Commit(ctx context.Context, w *Write) (*Outcome, error)
	// Confirm keeps a write that was made with Write.Confirm.
	Confirm(ctx context.Context, revision, author string) error
	// History lists what came into effect here, newest first, from the one after the revision before; "" is the newest.
	History(before string, limit int) ([]Entry, error)
	// Find returns one line of the history by the id of its revision or of the merge, or by at least 4 first digits of it that are unique.
	Find(revision string) (*Entry, error)
	// At returns the document as it was here after a revision, by the names that Find takes.
	At(revision string) (*config.Objects, error)
	// Conflicts lists objects that were changed at several sites at once.
	Conflicts() []Conflict
	// Sync says how documents are shared.
	Sync() *Sync
}

// Error lists the problems, one a line.
func (e *InvalidError) Error() string {
	var lines []string
	for i := range e.Problems {
		lines = append(lines, e.Problems[i].String())
	}
	return strings.Join(lines, "\n")
}
