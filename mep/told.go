package mep

import (
	"encoding/binary"
	"slices"
	"time"
)

// toldRecord is a record as receivers of the stream hold it.
type toldRecord struct {
	record         ServiceRecord
	load, evidence spanTeller
	digest         uint64
}

// toldSite is a site as receivers of the stream hold it. Its index never changes.
type toldSite struct {
	index            int
	site             string
	incarnation, set uint64
	hops             uint8
	records          []toldRecord

	gone    bool
	round   uint64 // in which it was last there
	version uint64 // of the mirror that it was taken from; see mirrorSite
	late    bool   // ages were looked at although nothing came
	from    *mirrorSite
}

// sight is a site's services as they are to be told.
type sight struct {
	incarnation, set uint64
	hops             uint8
	records          []ServiceRecord // with ages as of now
	floor            func(i int) (load, evidence uint32)
}

func noFloor(int) (load, evidence uint32) { return 0, 0 }

// sameServices reports whether receivers know all names, in this order, and what is announced of them.
func (t *toldSite) sameServices(s *sight) bool {
	return !t.gone && t.incarnation == s.incarnation && t.hops == s.hops && len(t.records) == len(s.records) &&
		slices.EqualFunc(t.records, s.records, func(a toldRecord, b ServiceRecord) bool {
			return a.record.Name == b.Name && a.record.Announced.equal(b.Announced)
		})
}

// introduce makes the site what s says, as if nothing had been told of it.
func (e *encoder) introduce(t *toldSite, s *sight) {
	e.forget(t)
	t.incarnation, t.set, t.hops, t.gone = s.incarnation, s.set, s.hops, false
	t.records = make([]toldRecord, len(s.records))
	e.records += len(t.records)
	for i := range t.records {
		r, now := &t.records[i], &s.records[i]
		load, evidence := s.floor(i)
		r.record = *now
		r.record.trim()
		r.load.begin(wireAge(now.LoadAge), max(load, e.usual), e.now)
		r.evidence.begin(wireAge(now.EvidenceAge), max(evidence, e.usual), e.now)
		e.digest(t, i)
	}
	e.tellWhole(t)
}

// forget takes the site's records out of what receivers hold.
func (e *encoder) forget(t *toldSite) {
	for i := range t.records {
		e.sum -= t.records[i].digest
	}
	e.records -= len(t.records)
	t.records = nil
}

// digest makes the record's digest anew.
func (e *encoder) digest(t *toldSite, i int) {
	r := &t.records[i]
	e.sum -= r.digest
	r.digest, e.scratch = digestOf(e.scratch, t.site, i, &r.record)
	e.sum += r.digest
}

// tellWhole writes sections that tell all of the site, with ages as receivers that heard everything hold them.
func (e *encoder) tellWhole(t *toldSite) {
	w := &e.out
	w.begin(sectionOrigin, t.index)
	w.body = appendText(w.body, t.site)
	w.body = binary.BigEndian.AppendUint64(w.body, t.incarnation)
	w.body = binary.BigEndian.AppendUint64(w.body, t.set)
	w.body = append(w.body, t.hops)
	w.body = binary.AppendUvarint(w.body, uint64(len(t.records)))
	for first := 0; ; {
		n := e.gather(t, first)
		w.body = append(binary.AppendUvarint(w.body, uint64(n)), e.whole...)
		w.add()
		if first += n; first >= len(t.records) {
			return
		}
		w.begin(sectionRecords, t.index)
		w.body = binary.AppendUvarint(w.body, uint64(first))
	}
}

// gather encodes records from the first on, until they are enough for a section, and returns how many.
func (e *encoder) gather(t *toldSite, first int) (n int) {
	e.whole = e.whole[:0]
	for ; first+n < len(t.records) && len(e.whole) < sectionSize; n++ {
		e.whole = t.records[first+n].append(e.whole, e.now)
	}
	return n
}

// append appends the record whole, with ages as they are held at now.
func (r *toldRecord) append(b []byte, now time.Duration) []byte {
	out := r.record
	out.LoadAge = time.Duration(r.load.held(now)) * time.Millisecond
	out.EvidenceAge = time.Duration(r.evidence.held(now)) * time.Millisecond
	most := bounds{unbounded, unbounded}
	if out.Has&HasLoadAge != 0 {
		most.load = r.load.bound
	}
	if out.Has&HasEvidenceAge != 0 {
		most.evidence = r.evidence.bound
	}
	return out.appendBounded(b, &most)
}

// differ tells what changed at the site since the round before. It reports whether a state did.
func (e *encoder) differ(t *toldSite, s *sight) (urgent bool) {
	w := &e.out
	changes, last := uint64(0), -1
	e.whole = e.whole[:0]
	flush := func() {
		w.begin(sectionChanges, t.index)
		w.body = binary.AppendUvarint(w.body, s.set-t.set)
		w.body = append(binary.AppendUvarint(w.body, changes), e.whole...)
		w.add()
		t.set, changes, last = s.set, 0, -1
		e.whole = e.whole[:0]
	}
	for i := range t.records {
		r, now := &t.records[i], &s.records[i]
		what := r.look(now, s, i, e)
		if what == 0 {
			continue
		}
		e.whole = binary.AppendUvarint(e.whole, uint64(i-last-1))
		e.whole = appendChange(e.whole, what, &r.record, now, &r.load.span, &r.evidence.span)
		if what&^(changedLoadAge|changedEvidenceAge) != 0 {
			e.digest(t, i)
		}
		urgent = urgent || what&changedState != 0
		if changes, last = changes+1, i; len(e.whole) >= sectionSize {
			flush()
		}
	}
	if changes > 0 || e.force {
		flush()
	}
	return urgent
}

// look returns what has to be told of a record.
func (r *toldRecord) look(now *ServiceRecord, s *sight, i int, e *encoder) changed {
	what := now.differs(&r.record)
	load, evidence := s.floor(i)
	added := now.Has &^ r.record.Has
	switch age := wireAge(now.LoadAge); {
	case added&HasLoadAge != 0:
		r.load.begin(age, max(load, e.usual), e.now)
		what |= changedLoadAge
	case now.Has&HasLoadAge != 0 && r.load.look(age, load, e.tolerance, what&changedValues != 0, e.now):
		what |= changedLoadAge
	}
	switch age := wireAge(now.EvidenceAge); {
	case added&HasEvidenceAge != 0:
		r.evidence.begin(age, max(evidence, e.usual), e.now)
		what |= changedEvidenceAge
	case now.Has&HasEvidenceAge != 0 && r.evidence.look(age, evidence, e.tolerance, false, e.now):
		what |= changedEvidenceAge
	}
	return what
}

// again tells a record whole although nothing changed. What the site's own process told has its bounds set to what they have
// to be.
func (e *encoder) again(t *toldSite, i int) {
	r := &t.records[i]
	if t == e.own {
		r.load.whole(e.now)
		r.evidence.whole(e.now)
	}
	e.out.begin(sectionRecords, t.index)
	e.out.body = append(binary.AppendUvarint(e.out.body, uint64(i)), 1)
	e.out.body = r.append(e.out.body, e.now)
	e.out.add()
}
