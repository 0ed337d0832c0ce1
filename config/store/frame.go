package store

import (
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"fairlead/config"
)

// frame is what the copy and the journal are made of. The copy is one frame with the whole state and all of its objects; the journal has one for each
// commit, with what it changed.
//
//	8 octets length of what follows without the checksum, big-endian
//	text actor, number of the commit, time the store was made, octets of the state (none: the revisions lead to it), octets of the newest line of
//	the history, count of revisions, and for each its octets, count of objects, and for each key and octets of the text, count of notes, and for
//	each name, 0 or 1 and octets
//	8 octets xxHash of that
type frame struct {
	actor   string
	commit  uint64
	created time.Time
	state   []byte
	line    []byte
	revs    [][]byte
	objects []*config.Object
	notes   map[string][]byte // nil: removed
}

const frameHead = 8

// leastObject is how few octets an object in a frame has.
const leastObject = 3

func (f *frame) encode() []byte {
	b := make([]byte, frameHead, 4096)
	b = binary.AppendUvarint(appendText(b, f.actor), f.commit)
	b = appendBytes(appendBytes(appendTime(b, f.created), f.state), f.line)
	b = binary.AppendUvarint(b, uint64(len(f.revs)))
	for _, r := range f.revs {
		b = appendBytes(b, r)
	}
	b = binary.AppendUvarint(b, uint64(len(f.objects)))
	for _, o := range f.objects {
		b = appendBytes(appendKey(b, o.Key()), o.Text())
	}
	b = binary.AppendUvarint(b, uint64(len(f.notes)))
	for _, name := range slices.Sorted(maps.Keys(f.notes)) {
		b = appendText(b, name)
		if f.notes[name] == nil {
			b = append(b, 0)
			continue
		}
		b = appendBytes(append(b, 1), f.notes[name])
	}
	binary.BigEndian.PutUint64(b, uint64(len(b)-frameHead))
	return binary.BigEndian.AppendUint64(b, xxhash.Sum64(b[frameHead:]))
}

// nextFrame cuts the first frame off b; nil when there is no whole one.
func nextFrame(b []byte) (body, rest []byte) {
	if len(b) < frameHead {
		return nil, nil
	}
	n := binary.BigEndian.Uint64(b)
	b = b[frameHead:]
	if len(b) < sealBytes || n > uint64(len(b)-sealBytes) || n == 0 {
		return nil, nil
	}
	body, b = b[:n:n], b[n:]
	if binary.BigEndian.Uint64(b) != xxhash.Sum64(body) {
		return nil, nil
	}
	return body, b[sealBytes:]
}

// frameOf says whose frame it is and which.
func frameOf(body []byte) (actor string, commit uint64) {
	r := wordReader{b: body}
	return r.text(), r.uint()
}

// decodeFrame reads a frame. It refers to body. Objects are checked: they are what they are called.
func decodeFrame(body []byte) (*frame, error) {
	r := wordReader{b: body}
	f := &frame{actor: r.text(), commit: r.uint(), created: r.time(), state: r.bytes(), line: r.bytes(), notes: map[string][]byte{}}
	for range r.count(1) {
		f.revs = append(f.revs, r.bytes())
	}
	for range r.count(leastObject) {
		key, text := r.key(), r.bytes()
		if r.bad {
			break
		}
		o, err := config.ObjectFromCanonical(key, slices.Clone(text))
		if err != nil {
			return nil, damagedf("%v", err)
		}
		f.objects = append(f.objects, o)
	}
	for range r.count(2) {
		name := r.text()
		f.notes[name] = nil
		if r.uint() == 1 {
			f.notes[name] = slices.Concat([]byte{}, r.bytes())
		}
	}
	if r.bad {
		return nil, damagedf("a frame ends too early")
	}
	return f, nil
}
