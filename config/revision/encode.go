package revision

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"fairlead/config"
)

// Encodings begin with a number of their layout. All that follows is in one way only: sorted, the shortest varints. A varint is an unsigned
// integer in groups of seven bits, lowest first; a text is a varint length and as many bytes of UTF-8; a time is microseconds since
// 1970 as a varint, 0 for none; a vector is a varint count and, in order of the actors, text actor and varint number.
//
//	revision                          state
//	1     layout: 1                   1     layout: 1
//	text  actor                       vector
//	varint number                     time  newest
//	varint count of parents, 16 each  varint count of heads; for each in order of the ids: 16 id, text actor, varint number
//	vector seen                       varint count of origins; for each in order of (actor, number): 16 id, text actor, varint number,
//	text  site, author, source, reason      text site, author, source, reason, time
//	time                              varint count of objects; for each in order of (kind, name): 1 kind, text name, varint count of
//	varint count of changes;                registers; for each, the one that counts first: varint place of its origin, 32 hash (zeros:
//	  for each in order of (kind, name):    removed)
//	  1 kind, text name, 32 hash
//	      (zeros: removed)
//	      what later releases add           what later releases add: ignored
const layout = 1

// ErrMalformed says that bytes are not the encoding of what they should be.
var ErrMalformed = errors.New("malformed")

// writer appends to b.
type writer struct{ b []byte }

func (w *writer) varint(v uint64) { w.b = binary.AppendUvarint(w.b, v) }
func (w *writer) text(s string)   { w.varint(uint64(len(s))); w.b = append(w.b, s...) }

func (w *writer) id(id string) {
	raw, _ := hex.DecodeString(id)
	w.b = append(w.b, append(raw, make([]byte, idSize)...)[:idSize]...)
}

func (w *writer) time(t time.Time) {
	if t.IsZero() {
		w.varint(0)
		return
	}
	w.varint(uint64(t.UnixMicro()))
}

func (w *writer) vector(v Vector) {
	actors := slices.Sorted(maps.Keys(v))
	actors = slices.DeleteFunc(actors, func(a string) bool { return v[a] == 0 })
	w.varint(uint64(len(actors)))
	for _, a := range actors {
		w.text(a)
		w.varint(v[a])
	}
}

func (w *writer) dot(d Dot) { w.text(d.Actor); w.varint(d.Seq) }

func (w *writer) origin(o *Origin) {
	w.id(o.ID)
	w.dot(o.Dot)
	for _, t := range []string{o.Site, o.Author, o.Source, o.Reason} {
		w.text(t)
	}
	w.time(o.Time)
}

// reader takes from b; after the first error it returns zeros.
type reader struct {
	b   []byte
	err error
}

func (r *reader) failf(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: "+format, append([]any{ErrMalformed}, args...)...)
	}
	r.b = nil
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.failf("%d bytes are missing", n-len(r.b))
	}
	if r.err != nil {
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) varint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || n > 1 && r.b[n-1] == 0 {
		r.failf("a varint that ends nowhere or is too long")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads how many of something follow, each at least size bytes long, so that memory is asked for only for what is there.
func (r *reader) count(most, size int) int {
	n := r.varint()
	if n > uint64(most) || n > uint64(len(r.b)/size) {
		r.failf("%d are above the limit of %d, or do not fit", n, most)
		return 0
	}
	return int(n)
}

func (r *reader) text(most int) string {
	n := r.varint()
	if n > uint64(most) {
		r.failf("a text of %d bytes is above the limit of %d", n, most)
		return ""
	}
	return string(r.take(int(n)))
}

func (r *reader) id() string { return hex.EncodeToString(r.take(idSize)) }

func (r *reader) time() time.Time {
	v := r.varint()
	if v == 0 {
		return time.Time{}
	}
	t := time.UnixMicro(int64(v & (1<<63 - 1))).UTC()
	if v >= 1<<63 || t.Year() > maxYear {
		r.failf("a time of %d", v)
		return time.Time{}
	}
	return t
}

func (r *reader) dot() Dot {
	d := Dot{r.text(MaxActor), r.varint()}
	if err := d.check(); err != nil && r.err == nil {
		r.failf("%w", err)
	}
	return d
}

func (r *reader) vector() Vector {
	n := r.count(MaxActors, 3)
	v := make(Vector, n)
	for last := ""; n > 0 && r.err == nil; n-- {
		d := r.dot()
		if d.Actor <= last {
			r.failf("stores are not in order")
		}
		last = d.Actor
		v[d.Actor] = d.Seq
	}
	return v
}

func (r *reader) key() config.ObjectKey {
	kind := r.take(1)
	name := r.text(MaxName)
	if r.err != nil {
		return config.ObjectKey{}
	}
	return config.ObjectKey{Kind: config.ObjectKind(kind[0]), Name: name}
}

func (r *reader) hash() (h config.ObjectHash) {
	copy(h[:], r.take(len(h)))
	return h
}

// Encode returns the bytes whose hash is the ID. The error says which limit the revision is above.
func (r *Revision) Encode() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	w := writer{make([]byte, 0, 256+len(r.Changes)*64)}
	w.b = append(w.b, layout)
	w.dot(r.Dot)
	w.varint(uint64(len(r.Parents)))
	for _, p := range r.Parents {
		w.id(p)
	}
	w.vector(r.Seen)
	for _, t := range []string{r.Site, r.Author, r.Source, r.Reason} {
		w.text(t)
	}
	w.time(r.Time)
	w.varint(uint64(len(r.Changes)))
	for _, c := range r.Changes {
		w.b = append(w.b, byte(c.Key.Kind))
		w.text(c.Key.Name)
		w.b = append(w.b, c.Hash[:]...)
	}
	w.b = append(w.b, r.Extra...)
	if len(w.b) > MaxEncoded {
		return nil, fmt.Errorf("%d changed objects make %d bytes, which is above the limit of %d; write them in several parts", len(r.Changes), len(w.b), MaxEncoded)
	}
	return w.b, nil
}

// Decode reads what Encode wrote and sets the ID. The error wraps ErrMalformed. b is not kept.
func Decode(b []byte) (*Revision, error) {
	if len(b) == 0 || len(b) > MaxEncoded || b[0] != layout {
		return nil, fmt.Errorf("decode revision: %w: %d bytes, of layout %d at least", ErrMalformed, len(b), layout)
	}
	in := reader{b: b[1:]}
	r := &Revision{Dot: in.dot()}
	for n := in.count(MaxParents, idSize); n > 0; n-- {
		r.Parents = append(r.Parents, in.id())
	}
	r.Seen = in.vector()
	r.Site, r.Author, r.Source, r.Reason = in.text(MaxText), in.text(MaxText), in.text(MaxText), in.text(MaxText)
	r.Time = in.time()
	n := in.count(MaxChanges, 35)
	r.Changes = make([]Change, 0, n)
	for ; n > 0 && in.err == nil; n-- {
		r.Changes = append(r.Changes, Change{in.key(), in.hash()})
	}
	if in.err != nil {
		return nil, fmt.Errorf("decode revision: %w", in.err)
	}
	if len(in.b) > 0 {
		r.Extra = bytes.Clone(in.b)
	}
	if again, err := r.Encode(); err != nil || !bytes.Equal(again, b) {
		return nil, fmt.Errorf("decode revision: %w: it is not written the one way that is allowed: %v", ErrMalformed, err)
	}
	r.ID = idOf(b)
	return r, nil
}

// EncodeVector returns the encoding of a set of revisions.
func EncodeVector(v Vector) []byte {
	w := writer{}
	w.vector(v)
	return w.b
}

// DecodeVector reads the first bytes of b as a set of revisions, and returns what follows. The error wraps ErrMalformed.
func DecodeVector(b []byte) (Vector, []byte, error) {
	in := reader{b: b}
	v := in.vector()
	if in.err != nil {
		return nil, nil, fmt.Errorf("decode vector: %w", in.err)
	}
	return v, in.b, nil
}
