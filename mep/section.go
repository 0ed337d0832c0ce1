package mep

import (
	"encoding/binary"
	"time"
)

// sectionKind says what a section of a Changes frame tells. The numbers are part of the protocol: append only. A receiver skips
// kinds that it does not know.
type sectionKind uint8

const (
	// sectionOrigin begins, or begins anew, what is told of a site's services.
	//
	//	varint origin: index in the stream, the next free one or one that the same site has already
	//	1+n    name of the site
	//	8      incarnation
	//	8      set
	//	1      hops: how many more sites may pass it on
	//	varint records that the site has in all
	//	varint number of records here, from the first on; then they, as in Services
	sectionOrigin sectionKind = 1
	// sectionRecords tells records whole: those that follow what is there, until the site has all, or some again.
	//
	//	varint origin
	//	varint place of the first, from 0
	//	varint number of records; then they, as in Services
	sectionRecords sectionKind = 2
	// sectionChanges tells what changed.
	//
	//	varint origin
	//	varint set: how much it has grown
	//	varint number of changes; then they, as at changed
	sectionChanges sectionKind = 3
	// sectionGone ends what is told of a site, until it begins anew.
	//
	//	varint origin
	//	1      reach: 2 lost, 3 left, 4 lost by a site with another document
	sectionGone sectionKind = 4
)

// changesPrefix is what precedes the sections of a Changes frame. A round that is larger than one frame is sent as parts 0, 1, 2
// and so on; all but the last carry the flag "more". All of a round that tells everything carry the flag "anew".
//
// Layout, big-endian:
//
//	 0  8  round: one more than the one before, but for those that tell all anew
//	 8  4  age: milliseconds between taking the round and sending this part
//	12  2  part
//	14  2  reserved: 0 when sent, ignored when received
//	16  8  sum of all records' digests after the round; 0: not told
//	24     sections, up to the end of the payload: varint length of what follows, 1 kind, and what the kind says
type changesPrefix struct {
	round uint64
	age   time.Duration
	part  uint16
	sum   uint64
}

const (
	changesPrefixSize = 24
	changesAgeOffset  = 8
	changesPartOffset = 12
	changesSumOffset  = 16

	// flagAnew marks a round that tells everything: what was told before it is forgotten.
	flagAnew uint8 = 1 << 1
)

func (p *changesPrefix) read(c *cursor) {
	p.round = c.u64()
	p.age = time.Duration(c.u32()) * time.Millisecond
	p.part = c.u16()
	c.u16()
	p.sum = c.u64()
}

// sectionWriter makes the frames of a round. Sections are cut so that frames stay below servicesPart or little above.
type sectionWriter struct {
	round uint64
	parts [][]byte
	body  []byte // of the section that is being made
}

// add closes the section that was made in body.
func (w *sectionWriter) add() {
	if n := len(w.parts); n == 0 || len(w.parts[n-1])+len(w.body) > servicesPart {
		w.grow(len(w.body))
	}
	last := &w.parts[len(w.parts)-1]
	*last = append(binary.AppendUvarint(*last, uint64(len(w.body))), w.body...)
	w.body = w.body[:0]
}

// grow begins the next frame.
func (w *sectionWriter) grow(size int) {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, min(servicesPart, changesPrefixSize+64+2*size)), w.round)
	b = append(b, make([]byte, changesPrefixSize-len(b))...)
	binary.BigEndian.PutUint16(b[changesPartOffset:], uint16(len(w.parts)))
	w.parts = append(w.parts, b)
}

// finish returns the frames of the round; there is at least one.
func (w *sectionWriter) finish(sum uint64) [][]byte {
	if len(w.parts) == 0 {
		w.grow(0)
	}
	for _, p := range w.parts {
		binary.BigEndian.PutUint64(p[changesSumOffset:], sum)
	}
	return w.parts
}

func (w *sectionWriter) begin(kind sectionKind, origin int) {
	w.body = binary.AppendUvarint(append(w.body[:0], uint8(kind)), uint64(origin))
}
