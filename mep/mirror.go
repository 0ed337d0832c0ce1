package mep

import (
	"slices"
	"sync"
	"time"
)

// mirrorAges is what is held of a record's ages, and its digest.
type mirrorAges struct {
	load, evidence span
	digest         uint64
}

// mirrorSite is what a peer told of a site's services.
type mirrorSite struct {
	site             string
	incarnation, set uint64
	hops             uint8
	total            int
	records          []ServiceRecord // complete when there are total
	ages             []mirrorAges

	left    string // not "": what is told of it counts for nothing, and why
	shared  bool   // records were handed out and must not be written to
	settled bool   // no age has risen since
	load    bool   // some record has load
	fresh   bool   // something changed in this round
	urgent  bool   // a state did
	version uint64 // grows with every change
	told    time.Duration
	began   time.Time // since when this incarnation of it is told; zero: nobody has looked yet
}

// follow makes o go on with what was told of the site before.
func (o *mirrorSite) follow(before *mirrorSite) {
	if o.version = before.version + 1; o.incarnation == before.incarnation {
		o.began = before.began
	}
}

func (o *mirrorSite) complete() bool { return len(o.records) == o.total }

// own makes the records the mirror's own again before they are written to.
func (o *mirrorSite) own() {
	if o.shared {
		o.records, o.shared = slices.Clone(o.records), false
	}
}

// table is all that a peer tells, by index. What it tells anew is put together in one of its own.
type table struct {
	sites   []*mirrorSite // nil: none, or gone
	byName  map[string]*mirrorSite
	sum     uint64
	records int
}

// mirror is what a peer told of services: its own, and those of sites that it speaks for. Its memory is bounded by MaxServices
// records and maxOrigins sites, twice that while all is told anew.
type mirror struct {
	mu              sync.Mutex
	table           table
	next            *table // not nil: being told anew
	round           uint64 // last complete one; 0: none
	part            uint16 // parts of the next one that were taken
	making          uint64 // number of the round in the making
	taken           time.Duration
	gone            []gone          // in this round, each site once
	lost            map[string]bool // those in gone
	epoch, topology uint64          // those of the Exchange when they were looked at last
	scratch         []byte
	sets            assembly // of Services
}

// gone is a site that a peer speaks for no more.
type gone struct {
	site  string
	reach Reach
}

// lose notes that a site is gone. That it comes and goes any number of times in a round is no more than that it went.
func (m *mirror) lose(site string, reach Reach) {
	if m.lost[site] {
		return
	}
	if m.lost == nil {
		m.lost = make(map[string]bool)
	}
	m.lost[site] = true
	m.gone = append(m.gone, gone{site, reach})
}

// takeLost returns the sites that are gone since it was called last.
func (m *mirror) takeLost() []gone {
	out := m.gone
	m.gone, m.lost = nil, nil
	return out
}

// take takes in a frame of Changes that was read at now. allow says why what is told of a site is left, or fails. done is true when the
// frame was the last of its round; sane is false if the mirror turns out not to be what the peer tells.
func (m *mirror) take(payload []byte, flags uint8, now time.Duration, allow func(site string, hops uint8) (left string, err error)) (done, sane bool, err error) {
	c := cursor{what: "Changes", b: payload}
	var p changesPrefix
	p.read(&c)
	if c.err != nil {
		return false, true, c.err
	}
	if err := m.begin(&p, flags&flagAnew != 0); err != nil {
		return false, true, err
	}
	m.taken = now - p.age
	in := &m.table
	if m.next != nil {
		in = m.next
	}
	for c.err == nil && c.at < len(payload) {
		size := c.uvarint()
		b := c.take(int(min(size, MaxPayload+1)))
		if c.err != nil {
			break
		}
		r := sectionReader{c: cursor{what: c.what, b: b, base: c.at - len(b)}, m: m, in: in, allow: allow}
		if err := r.read(); err != nil {
			return false, true, err
		}
	}
	m.part++
	if c.err != nil || flags&flagMore != 0 {
		return false, true, c.err
	}
	m.finish()
	return true, p.sum == 0 || p.sum == m.table.sum, nil
}

// begin refuses what is not the next part.
func (m *mirror) begin(p *changesPrefix, anew bool) error {
	switch {
	case p.part != m.part || m.part > 0 && (p.round != m.making || anew != (m.next != nil)):
		return refusef(RejectSequence, "take Changes: part %d of round %d is not the next, part %d of round %d is", p.part, p.round, m.part, m.making)
	case p.part == 0 && !anew && (m.round == 0 || p.round != m.round+1):
		return refusef(RejectSequence, "take Changes: round %d follows round %d, and does not tell all anew", p.round, m.round)
	case p.part == 0 && anew && (p.round == 0 || p.round < m.round):
		return refusef(RejectSequence, "take Changes: round %d follows round %d", p.round, m.round)
	case p.part >= maxParts:
		return refusef(RejectOversize, "take Changes: round %d has more than %d parts", p.round, maxParts)
	}
	if m.making = p.round; p.part == 0 && anew {
		m.next = &table{byName: make(map[string]*mirrorSite)}
	}
	return nil
}

// finish ends a round.
func (m *mirror) finish() {
	m.round, m.part = m.making, 0
	if m.next == nil {
		return
	}
	for site, o := range m.table.byName {
		after := m.next.byName[site]
		switch {
		case after == nil && o.left == "":
			m.lose(site, ReachLost)
		case after != nil:
			after.follow(o)
		}
	}
	m.table, m.next = *m.next, nil
}

// takeSet takes in a complete set of Services of the peer, as if it had been told as changes.
func (m *mirror) takeSet(site string, p *servicesPrefix, records []ServiceRecord, now time.Duration) {
	if m.table.byName == nil {
		m.table.byName = make(map[string]*mirrorSite)
	}
	o := m.table.byName[site]
	if o == nil {
		o = &mirrorSite{site: site}
		m.table.byName[site] = o
		m.table.sites = append(m.table.sites, o)
	}
	m.taken = now - p.age
	before := o.records
	o.incarnation, o.set, o.hops, o.total = p.incarnation, p.set, maxHops, len(records)
	o.records, o.shared, o.settled, o.fresh = records, true, true, true
	o.version++
	o.ages = slices.Grow(o.ages[:0], len(records))[:len(records)]
	o.urgent = o.urgent || len(before) != len(records)
	for i := range records {
		r := &records[i]
		o.ages[i] = mirrorAges{load: span{m.taken, wireAge(r.LoadAge), unbounded}, evidence: span{m.taken, wireAge(r.EvidenceAge), unbounded}}
		if o.load = o.load || r.Has&HasLoadAge != 0; i < len(before) {
			o.urgent = o.urgent || r.State != before[i].State || r.flags() != before[i].flags() || r.Name != before[i].Name || !r.Announced.equal(before[i].Announced)
		}
	}
}

// hand returns the site's records, with ages as of the round. They are shared, and not copied when nothing changed.
func (m *mirror) hand(o *mirrorSite) []ServiceRecord {
	if o.settled && !o.fresh {
		return o.records
	}
	o.own()
	o.settled = true
	for i := range o.records {
		r, a := &o.records[i], &o.ages[i]
		if r.Has&HasLoadAge != 0 {
			r.LoadAge = time.Duration(a.load.held(m.taken)) * time.Millisecond
			o.settled = o.settled && !a.load.grows(m.taken)
		}
		if r.Has&HasEvidenceAge != 0 {
			r.EvidenceAge = time.Duration(a.evidence.held(m.taken)) * time.Millisecond
			o.settled = o.settled && !a.evidence.grows(m.taken)
		}
	}
	o.shared = true
	return o.records
}
