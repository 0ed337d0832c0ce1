package mepv1

import (
	"encoding/binary"
	"slices"
	"time"
)

// bundle is one of this site's sets besides its services, at one moment, encoded once for all peers. Immutable. A set that
// does not fit into a frame is sent as parts 0, 1, 2...; all but the last carry the flag "more".
//
// Layout of a part, big-endian:
//
//	 0  8  set: grows with every set of the type and session
//	 8  4  age: milliseconds between taking the set and sending this part
//	12  2  part
//	14  2  reserved: 0 when sent, ignored when received
//	16  4  records in this frame
//	20     records, each as 2 length of what follows, and that
type bundle struct {
	kind   FrameType
	number uint64
	taken  time.Time
	parts  [][]byte
}

const (
	bundlePrefix      = 20
	bundleAgeOffset   = 8
	bundlePartOffset  = 12
	bundleCountOffset = 16
	// minBundleRecord is the smallest record with its length: it bounds how many a payload can hold.
	minBundleRecord = 2 + 1 + 1 + 2
)

// newBundle encodes records, of which add appends one without its length.
func newBundle(kind FrameType, number uint64, records int, add func(b []byte, i int) []byte) *bundle {
	out := &bundle{kind: kind, number: number, taken: time.Now()}
	for i := 0; i < records || len(out.parts) == 0; {
		b := binary.BigEndian.AppendUint64(make([]byte, 0, min(servicesPart, bundlePrefix+64*(records-i))), number)
		b = append(b, make([]byte, bundlePrefix-len(b))...)
		binary.BigEndian.PutUint16(b[bundlePartOffset:], uint16(len(out.parts)))
		count := uint32(0)
		for ; i < records && len(b) < servicesPart; i++ {
			start := len(b)
			b = add(append(b, 0, 0), i)
			binary.BigEndian.PutUint16(b[start:], uint16(len(b)-start-2))
			count++
		}
		binary.BigEndian.PutUint32(b[bundleCountOffset:], count)
		out.parts = append(out.parts, b)
	}
	return out
}

// bundleRecord is what both kinds of records have in common for decoding.
type bundleRecord[T any] interface {
	*T
	decode(c *cursor)
}

// unbundle puts the parts of a peer's sets of one type together. It belongs to one session; its memory is bounded by most
// records.
type unbundle[T any, P bundleRecord[T]] struct {
	most    int
	last    uint64 // number of the last complete set
	set     uint64 // number of the set in the making; 0: none
	part    uint16 // parts of it that were taken
	records []T
}

// take adds a frame. complete is true when it was the last of its set; records then belong to the caller.
func (u *unbundle[T, P]) take(kind FrameType, payload []byte, more bool) (records []T, age time.Duration, complete bool, err error) {
	c := cursor{what: kind.String(), b: payload}
	set := c.u64()
	age = time.Duration(c.u32()) * time.Millisecond
	part := c.u16()
	c.u16()
	count := c.u32()
	switch {
	case c.err != nil:
		return nil, 0, false, c.err
	case u.set == 0 && (set <= u.last || part != 0), u.set != 0 && (set != u.set || part != u.part):
		return nil, 0, false, refusef(RejectSequence, "take %s: part %d of set %d is not the next", kind, part, set)
	case int64(count)+int64(len(u.records)) > int64(u.most):
		return nil, 0, false, refusef(RejectOversize, "take %s: set %d has more than %d records", kind, set, u.most)
	case uint64(count)*minBundleRecord > uint64(len(payload)-c.at):
		c.failf("%d records do not fit into %d bytes", count, len(payload)-c.at)
		return nil, 0, false, c.err
	}
	u.records = slices.Grow(u.records, int(count))
	for range count {
		b := c.take(int(c.u16()))
		in := cursor{what: c.what, b: b, base: c.base + c.at - len(b), err: c.err}
		var r T
		P(&r).decode(&in)
		if c.err = in.err; c.err != nil {
			return nil, 0, false, c.err
		}
		u.records = append(u.records, r)
	}
	if c.at != len(payload) {
		c.failf("%d bytes follow the last record", len(payload)-c.at)
		return nil, 0, false, c.err
	}
	u.set, u.part = set, part+1
	if more {
		return nil, 0, false, nil
	}
	records, u.last = u.records, u.set
	u.records, u.set, u.part = nil, 0, 0
	return records, age, true, nil
}
