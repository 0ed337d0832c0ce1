package gslb

import (
	"math"
	"math/bits"
)

// SessionNote is a session that other sites are to be told of.
type SessionNote struct {
	Key SessionKey
	// Service is 0 for a session that was dropped; Until is then when that need not be remembered any more.
	Service uint64
	Until   int64
	// Passed says that only sites which report to this one are to be told: the others know.
	Passed bool
}

// Share says whether changes are noted from now on, for EachNote. Without it, nothing is.
func (s *Sessions) Share(on bool) { s.shared.Store(on) }

// Pressed reports whether something was dropped since it was called last, which other sites should be told soon.
func (s *Sessions) Pressed() bool { return s.pressed.Load() && s.pressed.Swap(false) }

// Forget drops a session so that it does not come back from other sites, which are told: until is the time when none of them
// can have it any more, which is a time-out after at. It reports whether there was a session that had not ended. When
// sessions are not shared, it is Drop.
func (s *Sessions) Forget(k SessionKey, at, until int64) bool {
	if !s.shared.Load() || until <= at {
		return s.Drop(k)
	}
	seen := s.see(k)
	s.write(&sessionChange{sought: seen.sought, service: dropped, at: at, until: until, marks: markTell})
	s.pressed.Store(true)
	return seen.until > at && seen.service != dropped
}

// EachNote calls f for what was noted since it was told last, in no order, and forgets the notes. It ends after most of them,
// or a few more; more reports whether there are others. One caller at a time.
func (s *Sessions) EachNote(most int, f func(SessionNote)) (more bool) {
	t := s.settled()
	if t == nil {
		return false
	}
	told := 0
	for range t.notes {
		if s.noteAt >= len(t.notes) {
			s.noteAt = 0
		}
		word := &t.notes[s.noteAt]
		for left := word.Load(); left != 0; left &= left - 1 {
			if told >= most {
				return true
			}
			bit := bits.TrailingZeros64(left)
			word.And(^(uint64(1) << bit))
			told += t.buckets[s.noteAt*64+bit].takeNotes(f)
		}
		s.noteAt++
	}
	return false
}

// takeNotes calls f for the slots that have a note, and clears the notes.
func (b *sessionBucket) takeNotes(f func(SessionNote)) (n int) {
	var out [placeWays]SessionNote
	version, ok := b.acquire()
	if !ok {
		return 0 // they have moved, with their notes
	}
	const slots = 1<<placeWays - 1
	marks := b.marks.Load()
	for noted := (marks/markTell | marks/markPass) & slots; noted != 0; noted &= noted - 1 {
		i := bits.TrailingZeros64(noted)
		if b.tag(i) == 0 {
			continue
		}
		out[n] = b.slots[i].note()
		out[n].Passed = marks&(markTell<<i) == 0
		n++
	}
	b.marks.Store(marks &^ (markNotes * slots))
	b.release(version)
	for i := range n {
		f(out[i])
	}
	return n
}

func (p *sessionSlot) note() SessionNote {
	c := p.session()
	return SessionNote{Key: SessionKey{ID: c.id, Client: addrOf(c.high, c.low)}, Service: c.service, Until: c.until}
}

// WalkNotes is Walk of all that a site which knows nothing is to be told, dropped sessions among it.
func (s *Sessions) WalkNotes(from int, f func(SessionNote) bool) (next int) {
	t := s.settled()
	if t == nil || from < 0 {
		return 0
	}
	return t.walk(from, func(k SessionKey, service uint64, until int64) bool {
		return f(SessionNote{Key: k, Service: service, Until: until})
	})
}

// Heard reports whether it was another site that told of the client's session, or of its last renewal. Which one is not known: a
// session has no room for it.
func (s *Sessions) Heard(k SessionKey) bool {
	w := s.seek(k)
	for {
		t := s.table(w.hash)
		if t == nil {
			return false
		}
		b := t.bucket(w.hash)
		version, ok := b.acquire()
		if !ok {
			continue
		}
		i := b.index(&w)
		heard := i >= 0 && b.marksOf(i)&markHeard != 0
		b.release(version)
		return heard
	}
}

// Hearing is what another site tells of a session, and how to take it.
type Hearing struct {
	SessionKey
	Service   uint64 // 0: it was dropped
	At, Until int64  // Until is after At, and at most Timeout after it
	// Timeout is how many seconds a session can have left. One that is here and has more, because a clock was set back,
	// counts as one with so many.
	Timeout int64
	// Slack is how many seconds two ends may differ and still count as the same: at least what the telling can take.
	Slack int64
	// Passes says that it is noted for the sites that report to this one; All, that it is noted for all.
	Passes, All bool
	// NoRoom and NoChange say that the session must not take a slot, or the place of another service.
	NoRoom, NoChange bool
}

// Heard is what became of a session that another site told of.
type Heard uint8

// Ends of a hearing.
const (
	HeardKnown    Heard = iota // there was nothing new in it
	HeardTaken                 // a session more, or a later end
	HeardReplaced              // it took the place of another service, or of a drop
	HeardKept                  // another service stays, and is told
	HeardNoRoom                // there was no room that it might take
	HeardRefused               // NoChange
)

// Hear takes in a session that another site told of. Of two services for one client, the one with the later end wins; when
// the ends are the same within Slack, the greater number does, with the later end. A drop wins over what ends up to a second
// after it. Where they differed the outcome is told again, so that all sites which tell each other have the same in the end, though
// what they hear was delayed and none of them knows another's clock. A session that is heard takes no slot of one that has not ended,
// and none of the last eighth of the table: that is for this site's own.
func (s *Sessions) Hear(h *Hearing) Heard {
	if h.Until <= h.At {
		return HeardKnown
	}
	c := sessionChange{sought: s.seek(h.SessionKey), service: h.Service, at: h.At, until: min(h.Until, math.MaxUint32)}
	for {
		t := s.table(c.hash)
		if t == nil {
			if h.NoRoom {
				return HeardNoRoom
			}
			s.current.CompareAndSwap(nil, newSessionTable(int(s.max.Load())))
			continue
		}
		heard, noted, sealed := t.bucket(c.hash).hear(s, &c, h)
		if sealed {
			continue
		}
		if noted {
			t.note(c.hash)
		}
		return heard
	}
}

// marks returns those of a session that was heard.
func (h *Hearing) marks() uint64 {
	switch {
	case h.All:
		return markHeard | markTell
	case h.Passes:
		return markHeard | markPass
	}
	return markHeard
}

// renewSlack bounds, in seconds, by how much a session's end is let be although another site knows a later one: each telling
// rounds, and ends must not creep on when sites tell each other the same again and again.
const renewSlack = 2

func (b *sessionBucket) hear(s *Sessions, c *sessionChange, h *Hearing) (heard Heard, noted, sealed bool) {
	version, ok := b.acquire()
	if !ok {
		return 0, false, true
	}
	defer b.release(version)
	i := b.index(&c.sought)
	if i < 0 {
		heard = b.admit(s, c, h)
		return heard, heard == HeardTaken && h.marks()&markNotes != 0, false
	}
	p := &b.slots[i]
	old, end := p.service.Load(), min(int64(uint32(p.ends.Load())), c.at+h.Timeout)
	ended := end <= c.at
	switch {
	case old == c.service && !ended && c.until-end <= min(h.Slack, renewSlack):
		return HeardKnown, false, false
	case ended, old == c.service:
		heard, c.marks = HeardTaken, h.marks()
	case h.NoChange:
		return HeardRefused, false, false
	case h.wins(old, end):
		heard, c.marks, c.until = HeardReplaced, markHeard|markTell, max(end, c.until)
	default:
		heard, c.marks, c.service, c.until = HeardKept, markTell|b.marksOf(i), old, max(end, c.until)
	}
	if ended {
		s.ended(p.owner())
	}
	p.service.Store(c.service)
	p.ends.Store(uint64(c.id)<<32 | uint64(c.until))
	b.mark(i, c.marks, markHeard)
	return heard, c.marks&markNotes != 0, false
}

// wins reports whether what was heard takes the place of another service that ends at the time end.
func (h *Hearing) wins(old uint64, end int64) bool {
	later := h.Until - end
	switch {
	case h.Service == dropped:
		return later >= -dropSlack
	case old == dropped:
		return later > dropSlack
	case later > h.Slack:
		return true
	case later < -h.Slack:
		return false
	}
	return h.Service > old
}

// dropSlack is how many seconds a session may end after its drop and still be dropped.
const dropSlack = 1

// admit finds room for a session that is not there: that of one that has ended, or a free slot unless the table is full for
// others.
func (b *sessionBucket) admit(s *Sessions, c *sessionChange, h *Hearing) Heard {
	most := s.max.Load()
	full, free, slot := s.used.Load() >= most-most/ownShare, -1, -1
	for i := range b.slots {
		switch {
		case b.tag(i) == 0:
			free = i
		case int64(uint32(b.slots[i].ends.Load())) <= c.at:
			slot = i
		}
	}
	switch {
	case h.NoRoom || slot < 0 && (free < 0 || full):
		return HeardNoRoom
	case slot < 0:
		slot = free
		s.used.Add(1)
	default:
		s.ended(b.slots[slot].owner())
	}
	c.marks = h.marks()
	b.fill(slot, c)
	return HeardTaken
}

// ownShare is the part of a table that sessions of other sites leave free.
const ownShare = 8
