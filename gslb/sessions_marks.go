package gslb

// What is noted of the slots of a bucket, so that other sites can be told. It takes no room but a word that was free, it
// cannot overflow, and what changes several times before it is told is told once.

// Marks, as bits of the first slot; those of the others follow, one bit each.
const (
	// markTell: all other sites are to be told.
	markTell uint64 = 1 << 0
	// markPass: sites that report to this one are to be told; the others know.
	markPass uint64 = 1 << 16
	// markHeard: another site told it as it is.
	markHeard uint64 = 1 << 32

	markNotes = markTell | markPass
	markAll   = markNotes | markHeard
)

// dropped stands in place of a service for a session that was dropped: it keeps what another site still has from coming back.
const dropped = 0

// mark sets marks of a slot, after it cleared others. It belongs to who writes.
func (b *sessionBucket) mark(slot int, set, clear uint64) {
	if old := b.marks.Load(); old != 0 || set != 0 {
		b.marks.Store(old&^(clear<<slot) | set<<slot)
	}
}

// marksOf returns the marks of a slot. It belongs to who writes.
func (b *sessionBucket) marksOf(slot int) uint64 { return b.marks.Load() >> slot & markAll }

// note remembers that a bucket has notes, after they were made.
func (t *sessionTable) note(hash uint64) {
	i := placeOf(hash, len(t.buckets))
	if word, bit := &t.notes[i/64], uint64(1)<<(i%64); word.Load()&bit == 0 {
		word.Or(bit)
	}
}

// tellParts is the part of a session's time-out that its end must move by for other sites to be told.
const tellParts = 4

// worthTelling reports whether other sites should know of a session that is kept: it is new, it has another service, or its end
// has come to another quarter of the time-out. Where quarters begin differs from client to client.
func worthTelling(seen *seenSession, service uint64, at, until int64) bool {
	if seen.service != service || seen.until <= at {
		return true
	}
	quarter := uint64(max(1, (until-at)/tellParts))
	phase := seen.hash % quarter
	return (uint64(until)+phase)/quarter != (uint64(seen.until)+phase)/quarter
}
