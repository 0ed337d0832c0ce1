package store

import (
	"encoding/binary"
	"math"
	"time"

	"fairlead/config"
)

// wordReader reads the parts of a record. After the first part that is not there all others are empty, and bad is set.
type wordReader struct {
	b   []byte
	bad bool
}

func (r *wordReader) fail() {
	r.b, r.bad = nil, true
}

func (r *wordReader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *wordReader) bytes() []byte {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *wordReader) text() string { return string(r.bytes()) }

// count reads how many things follow, each of least octets or more.
func (r *wordReader) count(least int) int {
	n := r.uint()
	if n > uint64(len(r.b)/least) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *wordReader) time() time.Time {
	v := r.uint()
	if v == 0 || v > math.MaxInt64 {
		return time.Time{}
	}
	return time.UnixMicro(int64(v)).UTC()
}

func (r *wordReader) hash() (h config.ObjectHash) {
	if len(r.b) < len(h) {
		r.fail()
		return h
	}
	copy(h[:], r.b)
	r.b = r.b[len(h):]
	return h
}

func (r *wordReader) key() config.ObjectKey {
	kind := r.uint()
	k := config.ObjectKey{Kind: config.ObjectKind(kind), Name: r.text()}
	if kind > math.MaxUint8 {
		r.fail()
	}
	return k
}

func appendBytes(b, value []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(value))), value...)
}

func appendText(b []byte, value string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(value))), value...)
}

func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() || t.UnixMicro() < 0 {
		return append(b, 0)
	}
	return binary.AppendUvarint(b, uint64(t.UnixMicro()))
}

func appendKey(b []byte, k config.ObjectKey) []byte {
	return appendText(binary.AppendUvarint(b, uint64(k.Kind)), k.Name)
}
