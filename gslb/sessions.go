package gslb

import (
	"math"
	"net/netip"
	"sync/atomic"
)

// SessionKey is whose session it is: a persistence id (virtual servers with the same id share sessions) and a client's
// address, masked. IPv4 and IPv4-mapped addresses are the same client.
type SessionKey struct {
	ID     uint32
	Client netip.Addr
}

// Sessions remembers which service a client was given. It is bounded: when there is no room, the session nearest its end
// of those with the same place gives way. Times are Unix seconds, and come from callers alone. A session lives until its
// end, and no longer at it.
//
// Sites can share sessions: EachNote and WalkNotes say what others are to be told, Hear takes in what they tell.
//
// Safe for concurrent use; nothing waits for a lock longer than a session takes to write. The memory is taken when the
// first session comes.
type Sessions struct {
	key HashKey
	max atomic.Int64
	// current is the table in use; nil: nothing was kept yet. While sessions move there from an older one, its previous is
	// that, and whoever looks for a client moves the client's bucket first.
	current atomic.Pointer[sessionTable]
	growing atomic.Bool

	used      atomic.Int64 // slots taken, by sessions that have ended, too
	evictions atomic.Uint64
	swept     atomic.Int64 // the time of the last Expire
	sweep     atomic.Int64 // the bucket that Expire goes on with

	shared  atomic.Bool // what changes is noted
	pressed atomic.Bool // something is to be told at once
	noteAt  int         // the word of notes that EachNote goes on with; its caller's

	ends atomic.Pointer[map[uint32]*atomic.Uint64] // by id: sessions that have come to their end; nil: not counted
}

// SessionOptions are the bounds of a Sessions.
type SessionOptions struct {
	Max int     // sessions remembered, give or take a tenth; below 1: 1
	Key HashKey // secret, so that clients cannot aim at each other's places
}

// SessionStats counts what a Sessions holds and did.
type SessionStats struct {
	Entries   int    // sessions, and some that have ended since they were looked at last
	Max       int    // most entries, give or take a tenth
	Bytes     int    // memory of the table
	Evictions uint64 // sessions that gave way before their end, or were left out for want of room
}

// NewSessions returns an empty table.
func NewSessions(o SessionOptions) *Sessions {
	s := &Sessions{key: o.Key}
	s.max.Store(int64(max(o.Max, 1)))
	return s
}

// Find returns the service of a session that has not ended at the time at.
func (s *Sessions) Find(k SessionKey, at int64) (service uint64, ok bool) {
	service, _, ok = s.Lookup(k, at)
	return service, ok
}

// Lookup is Find with the session's end.
func (s *Sessions) Lookup(k SessionKey, at int64) (service uint64, until int64, ok bool) {
	service, until, ok = s.lookUp(s.seek(k))
	return service, until, ok && until > at && service != dropped
}

// refreshShare is the part of a session's time-out that its end must move by to be written again: the end is late by at
// most that, and a busy client's session is written a few times only.
const refreshShare = 16

// Keep remembers a client's service until a time after at. Of a session that is there with the same service, the end
// moves, unless that is by less than a sixteenth of the time-out.
func (s *Sessions) Keep(k SessionKey, service uint64, at, until int64) {
	if until <= at {
		return
	}
	seen := s.see(k)
	s.keepSeen(&seen, service, at, until)
}

// seenSession is a client's place in a table and what is there: who looks for a session and keeps it then, looks once.
type seenSession struct {
	sought
	service uint64
	until   int64 // 0: there is none
}

// see looks a session up, whether it has ended or not.
func (s *Sessions) see(k SessionKey) (seen seenSession) {
	seen.sought = s.seek(k)
	seen.service, seen.until, _ = s.lookUp(seen.sought)
	return seen
}

// keepSeen is Keep of what see saw a moment ago.
func (s *Sessions) keepSeen(seen *seenSession, service uint64, at, until int64) {
	if until <= at {
		return
	}
	if seen.until != 0 && seen.service == service && seen.until <= until && until-seen.until < max(1, (until-at)/refreshShare) {
		return
	}
	c := sessionChange{sought: seen.sought, service: service, at: at, until: until}
	if s.shared.Load() && worthTelling(seen, service, at, until) {
		c.marks = markTell
	}
	s.write(&c)
}

// Merge takes in a session that another table kept, and reports whether it did. Of two services for one client the one with
// the later end wins, of two with the same end the one with the greater number: whoever merges all has the same. A session
// that would find no room but that of later ones is left out.
func (s *Sessions) Merge(k SessionKey, service uint64, until int64) bool {
	if until <= 0 {
		return false
	}
	return s.write(&sessionChange{sought: s.seek(k), service: service, at: s.swept.Load(), until: until, wins: mergeWins})
}

// mergeWins reports whether a session replaces the one that is there.
func mergeWins(service uint64, until int64, old uint64, end int64) bool {
	return until > end || until == end && service > old
}

// Drop forgets a session, and reports whether there was one.
func (s *Sessions) Drop(k SessionKey) bool {
	w := s.seek(k)
	for {
		t := s.table(w.hash)
		if t == nil {
			return false
		}
		if ok, sealed := t.bucket(w.hash).drop(&w); !sealed {
			if ok {
				s.used.Add(-1)
			}
			return ok
		}
	}
}

// Len returns the number of sessions, with those that have ended and were not noticed yet (Expire), or that were dropped.
func (s *Sessions) Len() int { return int(s.used.Load()) }

// Stats returns counters.
func (s *Sessions) Stats() SessionStats {
	out := SessionStats{Entries: s.Len(), Max: int(s.max.Load()), Evictions: s.evictions.Load()}
	if t := s.current.Load(); t != nil {
		out.Bytes = t.bytes()
	}
	return out
}

// Each calls f for each session, in no order, until f returns false. Sessions that have ended may be among them. One that
// is kept or dropped meanwhile may be seen or not; when the table changes its size meanwhile, some are seen twice.
func (s *Sessions) Each(f func(k SessionKey, service uint64, until int64) bool) {
	for t := s.settled(); t != nil; {
		if t.walk(0, remembered(f)) > 0 {
			return
		}
		next := s.settled()
		if next == t {
			return
		}
		t = next // what had not been seen has moved there
	}
}

// Walk is Each from a position on: 0, or what an earlier Walk returned. When f returned false, next is the position to go
// on with; else it is 0. While the table has its size, a session keeps its position.
func (s *Sessions) Walk(from int, f func(k SessionKey, service uint64, until int64) bool) (next int) {
	t := s.settled()
	if t == nil || from < 0 {
		return 0
	}
	return t.walk(from, remembered(f))
}

// remembered leaves out what was dropped.
func remembered(f func(k SessionKey, service uint64, until int64) bool) func(k SessionKey, service uint64, until int64) bool {
	return func(k SessionKey, service uint64, until int64) bool {
		return service == dropped || f(k, service, until)
	}
}

// Expire forgets sessions that have ended at the time at. It looks at a share of the table, a different one at each call:
// all of it after parts calls. One caller at a time.
func (s *Sessions) Expire(at int64, parts int) {
	t := s.settled()
	if t == nil {
		return
	}
	s.swept.Store(at)
	first := int(s.sweep.Load()) % len(t.buckets)
	n := (len(t.buckets) + parts - 1) / max(parts, 1)
	for i := range min(n, len(t.buckets)) {
		if removed := t.buckets[(first+i)%len(t.buckets)].expire(s, at); removed > 0 {
			s.used.Add(int64(-removed))
		}
	}
	s.sweep.Store(int64((first + n) % len(t.buckets)))
}

// Grow changes the most sessions that are remembered. All of them move to the new table as far as it has room, and the table
// goes on being used meanwhile. It does nothing while another Grow is at work.
func (s *Sessions) Grow(most int) {
	most = max(most, 1)
	if int64(most) == s.max.Load() || !s.growing.CompareAndSwap(false, true) {
		return
	}
	defer s.growing.Store(false)
	s.max.Store(int64(most))
	old := s.current.Load()
	if old == nil {
		// The first Keep may be making a table of the old size at this moment: it must not win.
		if s.current.CompareAndSwap(nil, newSessionTable(most)) {
			return
		}
		old = s.current.Load()
	}
	next := newSessionTable(most)
	next.previous.Store(old)
	s.current.Store(next)
	s.settled()
	next.previous.Store(nil)
}

// settled returns the table after everything has moved there.
func (s *Sessions) settled() *sessionTable {
	t := s.current.Load()
	if t == nil {
		return nil
	}
	if old := t.previous.Load(); old != nil {
		for i := range old.buckets {
			s.move(&old.buckets[i], t)
		}
	}
	return t
}

// table returns the table in use for a hash, nil when there is none yet.
func (s *Sessions) table(hash uint64) *sessionTable {
	t := s.current.Load()
	if t == nil {
		return nil
	}
	if old := t.previous.Load(); old != nil {
		s.move(old.bucket(hash), t)
	}
	return t
}

// move takes a bucket's sessions to a newer table, once. Who comes to the bucket afterwards finds it sealed, and goes on in
// the newer table.
func (s *Sessions) move(from *sessionBucket, to *sessionTable) {
	version, ok := from.acquire()
	if !ok {
		return
	}
	for i := range from.slots {
		if from.tag(i) == 0 {
			continue
		}
		c := from.slots[i].session()
		w := sought{high: c.high, low: c.low, id: c.id}
		w.hash = s.key.client(w.high, w.low, w.id)
		s.used.Add(-1) // put counts it again
		marks := from.marksOf(i)
		to.bucket(w.hash).put(s, &sessionChange{sought: w, service: c.service, until: c.until, at: s.swept.Load(), wins: mergeWins, moves: true, marks: marks})
		if marks&markNotes != 0 {
			to.note(w.hash)
		}
	}
	from.seal(version)
}

// seek hashes a key.
func (s *Sessions) seek(k SessionKey) (w sought) {
	w.high, w.low = words(k.Client)
	w.id = k.ID
	w.hash = s.key.client(w.high, w.low, w.id)
	return w
}

// lookUp finds a session, whether it has ended or not.
func (s *Sessions) lookUp(w sought) (service uint64, until int64, ok bool) {
	for {
		t := s.table(w.hash)
		if t == nil {
			return 0, 0, false
		}
		service, until, sealed := t.bucket(w.hash).find(&w)
		if !sealed {
			return service, until, until != 0
		}
	}
}

// write puts a session in its place, and reports whether it did.
func (s *Sessions) write(c *sessionChange) bool {
	c.until = min(c.until, math.MaxUint32)
	for {
		t := s.table(c.hash)
		if t == nil {
			s.current.CompareAndSwap(nil, newSessionTable(int(s.max.Load())))
			continue
		}
		if done, sealed := t.bucket(c.hash).put(s, c); !sealed {
			if done && c.marks&markNotes != 0 {
				t.note(c.hash)
			}
			return done
		}
	}
}
