package replica

import (
	"maps"
	"time"
)

const (
	// undoAgain is how long an undo that failed waits before it is tried again; each further time it is twice as long.
	undoAgain = time.Second
	// maxUndoAgain is the longest such wait.
	maxUndoAgain = time.Minute
)

// UndoTries paces the undoing of writes that nobody confirmed: one that fails is tried again after growing waits, of a minute at most, and is told of when
// it fails first and when it fails for another reason. The zero value is ready. It has no more entries than writes that wait (MaxPending), as long as Only
// is called. It is not safe for concurrent use.
type UndoTries struct {
	failed map[string]undoTry // by revision
}

type undoTry struct {
	why  string
	wait time.Duration
	next time.Time
}

// Only forgets all revisions but those that wait still.
func (u *UndoTries) Only(waits func(revision string) bool) {
	maps.DeleteFunc(u.failed, func(revision string, _ undoTry) bool { return !waits(revision) })
}

// Due reports whether a revision may be tried now.
func (u *UndoTries) Due(revision string, now time.Time) bool {
	return !now.Before(u.failed[revision].next)
}

// Failed notes that undoing a revision did not work, and reports whether that is to be told.
func (u *UndoTries) Failed(revision, why string, now time.Time) (tell bool) {
	if u.failed == nil {
		u.failed = map[string]undoTry{}
	}
	last, again := u.failed[revision]
	wait := undoAgain
	if again {
		wait = min(2*last.wait, maxUndoAgain)
	}
	u.failed[revision] = undoTry{why, wait, now.Add(wait)}
	return !again || why != last.why
}
