package replica

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"fairlead/config"
	"fairlead/config/revision"
)

// Kinds of messages between sites. The numbers are part of the protocol: append only. Whoever does not know one leaves it.
//
// A varint is an unsigned integer in groups of seven bits, lowest first; a text is a varint length and as many bytes of UTF-8; integers are
// big-endian; a vector is as in config/revision. What later releases append to Heads and Want is ignored.
const (
	// KindHeads says what the sender has: 1 mode, 8 clock in microseconds since 1970, 16 id of its revision (zeros: none), 16 id of its
	// document, text release, vector.
	KindHeads uint8 = 1
	// KindWant asks. 1 what: 1 revisions that are not in the vector that follows; 2 objects: varint count, 32 hash each; 3 the whole state.
	KindWant uint8 = 2
	// KindRevisions has revisions, and objects that they name: 1 flags: 1 there are more; varint count, for each a text with its encoding; then,
	// up to the end, texts that are objects.
	KindRevisions uint8 = 3
	// KindObjects answers a Want of objects: 1 flags: 1 there are more; then parts of objects up to the end: 32 hash, varint size of the object,
	// varint place of the part in it, text that is the part.
	KindObjects uint8 = 4
	// KindState is the encoding of the whole state.
	KindState uint8 = 5
)

// What a Want asks for.
const (
	wantRevisions uint8 = 1
	wantObjects   uint8 = 2
	wantState     uint8 = 3

	flagMore uint8 = 1
)

// Limits of messages.
const (
	// maxMessage bounds messages with revisions or objects, in bytes, unless one revision alone is longer.
	maxMessage = 4 << 20
	// maxHashes is how many objects one Want asks for, and maxRevisions how many revisions one message has.
	maxHashes    = 20_000
	maxRevisions = 10_000
	// maxRelease bounds the text that names a release.
	maxRelease = 64
	idSize     = 16
)

// errMalformed says that a message is not what its kind says.
var errMalformed = errors.New("malformed message")

// heads is a KindHeads.
type heads struct {
	mode     Mode
	clock    time.Time
	revision string // empty: none
	document string
	release  string
	vector   revision.Vector
	ahead    time.Duration // not told: of the clock here over clock, when it was heard
}

func (h *heads) encode() []byte {
	b := append(make([]byte, 0, 256), byte(h.mode))
	b = binary.BigEndian.AppendUint64(b, uint64(h.clock.UnixMicro()))
	b = appendID(appendID(b, h.revision), h.document)
	b = appendText(b, []byte(h.release))
	return append(b, revision.EncodeVector(h.vector)...)
}

func appendID(b []byte, id string) []byte {
	var raw [idSize]byte
	if decoded, err := hex.DecodeString(id); err == nil {
		copy(raw[:], decoded)
	}
	return append(b, raw[:]...)
}

func appendText(b, text []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func decodeHeads(b []byte) (*heads, error) {
	in := cursor{b: b}
	h := &heads{mode: Mode(in.byte())}
	h.clock = time.UnixMicro(int64(binary.BigEndian.Uint64(append(in.take(8), make([]byte, 8)...)[:8]))).UTC()
	h.revision, h.document = in.id(), in.id()
	h.release = printable(in.text(maxRelease))
	if in.err != nil {
		return nil, fmt.Errorf("decode heads: %w", in.err)
	}
	var err error
	if h.vector, _, err = revision.DecodeVector(in.b); err != nil {
		return nil, fmt.Errorf("decode heads: %w", err)
	}
	return h, nil
}

// want is a KindWant.
type want struct {
	what   uint8
	have   revision.Vector
	hashes []config.ObjectHash
}

func (w *want) encode() []byte {
	b := []byte{w.what}
	switch w.what {
	case wantRevisions:
		b = append(b, revision.EncodeVector(w.have)...)
	case wantObjects:
		b = binary.AppendUvarint(b, uint64(len(w.hashes)))
		for i := range w.hashes {
			b = append(b, w.hashes[i][:]...)
		}
	}
	return b
}

// decodeWant reads a Want. One that asks for what is not known asks for nothing.
func decodeWant(b []byte) (*want, error) {
	in := cursor{b: b}
	w := &want{what: in.byte()}
	switch w.what {
	case wantRevisions:
		var err error
		if w.have, _, err = revision.DecodeVector(in.b); err != nil {
			return nil, fmt.Errorf("decode want: %w", err)
		}
	case wantObjects:
		n := in.varint()
		if n > maxHashes || n > uint64(len(in.b)/len(config.ObjectHash{})) {
			return nil, fmt.Errorf("decode want: %w: %d objects", errMalformed, n)
		}
		for range n {
			w.hashes = append(w.hashes, in.hash())
		}
	}
	if in.err != nil {
		return nil, fmt.Errorf("decode want: %w", in.err)
	}
	return w, nil
}

// revisions is a KindRevisions.
type revisions struct {
	more  bool
	list  []*revision.Revision
	texts [][]byte
}

func (m *revisions) encode() ([]byte, error) {
	b := []byte{flagOf(m.more)}
	b = binary.AppendUvarint(b, uint64(len(m.list)))
	for _, r := range m.list {
		encoded, err := r.Encode()
		if err != nil {
			return nil, err
		}
		b = appendText(b, encoded)
	}
	for _, t := range m.texts {
		b = appendText(b, t)
	}
	return b, nil
}

func decodeRevisions(b []byte) (*revisions, error) {
	in := cursor{b: b}
	m := &revisions{more: in.byte()&flagMore != 0}
	n := in.varint()
	if n > maxRevisions {
		return nil, fmt.Errorf("decode revisions: %w: %d are above the limit of %d", errMalformed, n, maxRevisions)
	}
	for ; n > 0 && in.err == nil; n-- {
		encoded := in.text(revision.MaxEncoded)
		if in.err != nil {
			break
		}
		r, err := revision.Decode(encoded)
		if err != nil {
			return nil, err
		}
		m.list = append(m.list, r)
	}
	for in.err == nil && len(in.b) > 0 {
		m.texts = append(m.texts, in.text(len(in.b)))
	}
	if in.err != nil {
		return nil, fmt.Errorf("decode revisions: %w", in.err)
	}
	return m, nil
}

// part is a part of an object.
type part struct {
	hash     config.ObjectHash
	size, at int
	text     []byte
}

func appendPart(b []byte, p *part) []byte {
	b = append(b, p.hash[:]...)
	b = binary.AppendUvarint(b, uint64(p.size))
	b = binary.AppendUvarint(b, uint64(p.at))
	return appendText(b, p.text)
}

func decodeParts(b []byte) (parts []part, more bool, err error) {
	in := cursor{b: b}
	more = in.byte()&flagMore != 0
	for in.err == nil && len(in.b) > 0 {
		p := part{hash: in.hash()}
		size, at := in.varint(), in.varint()
		p.text = in.text(len(in.b))
		if in.err == nil && (size > config.MaxObjectBytes || at > size || uint64(len(p.text)) > size-at) {
			in.failf("a part of an object of %d bytes that begins at %d and has %d", size, at, len(p.text))
		}
		p.size, p.at = int(size), int(at)
		parts = append(parts, p)
	}
	if in.err != nil {
		return nil, false, fmt.Errorf("decode objects: %w", in.err)
	}
	return parts, more, nil
}

func flagOf(more bool) uint8 {
	if more {
		return flagMore
	}
	return 0
}
